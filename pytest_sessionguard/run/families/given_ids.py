"""Many ids, given one after the other at one instant: whether they can be guessed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pytest_sessionguard.core import entropy
from pytest_sessionguard.core.programs import NOWHERE, Program
from pytest_sessionguard.core.scenario import Repeat, Step
from pytest_sessionguard.core.values import FrozenMap
from pytest_sessionguard.run.bench import Bench, Tried
from pytest_sessionguard.run.families import Family
from pytest_sessionguard.target.session_objects import smallest


def _run(bench: Bench, number: int) -> Iterator[Tried]:
    del number
    has, shape = bench.repertoire, bench.profile.session
    made: dict[str, Any] = {"as": "one"}
    if has.must("create", "data"):
        made["data"] = smallest(shape)
    if has.must("create", "owner"):
        made["owner"] = "somebody"
    steps = [Step(verb="create", arguments=FrozenMap(made), place=NOWHERE)]
    ends = [verb for verb in ("delete", "pop") if verb in has.verbs and not has.must(verb, "key")]
    if ends:
        steps.append(Step(verb=ends[0], arguments=FrozenMap({"session": "one"}), place=NOWHERE))
    many = Repeat(times=entropy.ENOUGH, counter="", steps=tuple(steps), place=NOWHERE)
    plan = Program(title="Many ids at one instant", prefix=(many,)).plan
    yield Tried(plan=plan, case=bench.runner.run(plan))


def _applies(bench: Bench) -> str:
    if bench.profile.policy.id_bits is None:
        return "the profile promises no id_bits"
    return "" if not bench.repertoire.must("create", "id") else "callers choose every id"


FAMILY = Family(
    name="given-ids",
    summary="many ids, given at one instant",
    exercises=(entropy.IDS,),
    rank=0,
    share=20,
    applies=_applies,
    size=lambda _: 1,
    run=_run,
    cost=20.0,
)
