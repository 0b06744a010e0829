"""Programs drawn at random in which everything happens one after the other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from pytest_sessionguard.core.plan import Plan
from pytest_sessionguard.core.scenario import Step
from pytest_sessionguard.explore import generate
from pytest_sessionguard.run.bench import Bench, Tried
from pytest_sessionguard.run.families import Family, endless


def _run(bench: Bench, number: int) -> Iterator[Tried]:
    program = generate.sequential(bench.repertoire, bench.rng("sequential", number), f"program {number}")
    plan = program.plan
    case = bench.runner.run(plan)
    if case.violations and case.violations[0].property == "expiry.timezone":
        # What is wrong in every time zone is not the zone's fault.
        elsewhere = _without_zones(plan)
        again = bench.runner.run(elsewhere)
        if again.violations:
            plan, case = elsewhere, again
    yield Tried(plan=plan, case=case)


def _without_zones(plan: Plan) -> Plan:
    story = plan.scenario
    steps = tuple(step for step in story.steps if not (isinstance(step, Step) and "zone" in step.arguments))
    return replace(plan, scenario=replace(story, steps=steps))


FAMILY = Family(
    name="sequential",
    summary="programs drawn at random, one operation after the other",
    exercises=(
        "lifecycle.",
        "expiry.",
        "sweep.",
        "limit.",
        "data.",
        "resources.",
        "security.rotation",
        "security.fixation",
        "security.cross-session",
        "metrics.",
        "durability.restart",
        "recovery.complete",
        "recovery.no-false-alarm",
    ),
    rank=1,
    share=40,
    cost=1.0,
    applies=lambda _: "",
    size=endless,
    run=_run,
)
