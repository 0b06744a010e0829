"""Programs drawn at random in a process that is killed, or ends; then another asks how the owner is."""

from __future__ import annotations

from collections.abc import Iterator

from pytest_sessionguard.explore import generate
from pytest_sessionguard.run import detection_cases
from pytest_sessionguard.run.bench import Bench, Tried
from pytest_sessionguard.run.families import Family, endless


def _run(bench: Bench, number: int) -> Iterator[Tried]:
    rng = bench.rng("detection", number)
    plan = generate.sequential(bench.repertoire, rng, f"program {number}, killed").plan
    late_us = detection_cases.LATE_US[number % len(detection_cases.LATE_US)]
    at = 1.0 if number % 5 == 4 else rng.random()
    case = detection_cases.detection_case(bench.runner, plan, at=at, late_us=late_us)
    yield Tried(plan=plan, case=case, fault="".join(violation.fault for violation in case.violations))


FAMILY = Family(
    name="detection",
    summary="programs drawn at random in a process that is killed, or ends; another process asks how the owner is",
    exercises=(detection_cases.DETECTS, detection_cases.FALSE_ALARM),
    rank=2,
    share=8,
    cost=30.0,
    applies=lambda bench: detection_cases.obstacle_of(bench.profile),
    size=endless,
    run=_run,
)
