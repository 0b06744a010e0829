"""Programs drawn at random: the same for the same seed, of everything that a profile offers, and of nothing else."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pytest_sessionguard.core.operations import VERBS
from pytest_sessionguard.core.programs import CLIENTS_MAX, OPERATIONS_MAX
from pytest_sessionguard.core.scenario import Step, walk
from pytest_sessionguard.explore import generate
from pytest_sessionguard.explore.repertoire import Repertoire, repertoire
from pytest_sessionguard.target.profile import load, shipped_names
from pytest_sessionguard.target.shape import Profile

ZOO = Path(__file__).parents[1] / "zoo" / "correct"
NAMES = [*shipped_names(), *sorted(str(path) for path in ZOO.glob("*.toml"))]


def of(name: str) -> Repertoire:
    return repertoire(load(name))


def steps(has: Repertoire, count: int, draw: Any = generate.sequential) -> Iterator[Step]:
    for number in range(count):
        program = draw(has, random.Random(f"7:{number}"), "one")
        yield from (step for step in walk(program.scenario.steps) if isinstance(step, Step))


@pytest.mark.parametrize("draw", [generate.sequential, generate.concurrent])
def test_the_same_seed_draws_the_same_program(draw: Any) -> None:
    has = of("reference")
    assert draw(has, random.Random(1), "a") == draw(has, random.Random(1), "a")
    assert draw(has, random.Random(1), "a") != draw(has, random.Random(2), "a")


@pytest.mark.parametrize("name", NAMES, ids=[Path(name).name.partition(".")[0] for name in NAMES])
def test_every_operation_that_is_offered_is_drawn_and_no_other(name: str) -> None:
    has = of(name)
    drawn = {step.verb for step in steps(has, 150)} & set(VERBS)
    assert drawn == {"create", *has.verbs, *(verb for verb in has.looks if verb in drawn)}
    assert drawn <= set(map(str, has.profile.operations))


def test_time_goes_to_before_at_and_after_a_deadline() -> None:
    sides = {
        "before" if "minus_us" in step.arguments else "after" if "plus_us" in step.arguments else "at"
        for step in steps(of("reference"), 150)
        if "to_timeout_of" in step.arguments
    }
    assert sides == {"before", "at", "after"}


def test_a_manager_that_cannot_tell_instants_apart_is_not_asked_at_them() -> None:
    coarse = [path for path in NAMES if load(path).policy.granularity_us]
    for name in coarse:
        unit_us = load(name).policy.granularity_us
        for step in steps(of(name), 100):
            told: Any = step.arguments
            if "to_timeout_of" in told:
                assert abs(told.get("plus_us", 0) - told.get("minus_us", 0)) > unit_us


class Store:
    def create(self, id: Any = None, owner: Any = None, data: Any = None, ttl: Any = None) -> str:
        raise NotImplementedError

    def get(self, id: str) -> Any:
        raise NotImplementedError

    def save(self, session: Any) -> None:
        raise NotImplementedError


def a_profile(**policy: Any) -> Profile:
    return Profile.of(
        {
            "manager": {"factory": Store},
            "operations": {"create": "create(id?, owner?, data?, ttl=timeout?) -> id", "get": "get(id) -> data"},
            "policy": {"idle_timeout": "1m", "per_session_timeout": True, **policy},
        }
    )


def timeouts(**policy: Any) -> set[Any]:
    drawn: Any = steps(repertoire(a_profile(**policy)), 400)
    return {step.arguments["timeout_us"] for step in drawn if "timeout_us" in step.arguments}


def test_timeouts_whose_meaning_is_not_declared_are_not_drawn() -> None:
    assert all(timeout is not None and timeout > 0 for timeout in timeouts())


def test_timeouts_of_nothing_are_drawn_where_their_meaning_is_declared() -> None:
    assert {0, None} <= timeouts(zero_timeout="expired", none_timeout="never")
    assert any(timeout is not None and timeout < 0 for timeout in timeouts(zero_timeout="error"))


def test_ids_that_callers_choose_fit_the_pattern_except_the_odd_ones() -> None:
    has = repertoire(a_profile(id_pattern="[a-f0-9]{8}"))
    assert has.ids
    assert all(len(one) == 8 for one in has.ids)
    drawn: Any = steps(has, 200)
    assert {step.arguments["id"] for step in drawn if "id" in step.arguments} <= {*has.ids, *has.odd_ids}


def test_a_program_of_many_clients_keeps_its_bounds() -> None:
    has = of("reference")
    sizes = set()
    for number in range(200):
        program = generate.concurrent(has, random.Random(number), "one")
        sizes.add(len(program.clients))
        assert all(1 <= len(client) <= OPERATIONS_MAX for client in program.clients)
    assert sizes == set(range(2, CLIENTS_MAX + 1))


def test_old_session_objects_are_worked_on_where_operations_take_them() -> None:
    profile = Profile.of(
        {
            "manager": {"factory": Store},
            "operations": {"create": "create(data=data?) -> id", "get": "get(id) -> session", "save": "save(session)"},
            "session": {"id": "id", "data": "data"},
        }
    )
    assert any(step.arguments.get("stale") for step in steps(repertoire(profile), 300) if step.verb == "save")
    assert not any(step.arguments.get("stale") for step in steps(of("reference"), 100))


def test_half_of_what_there_is_is_left_out_of_each_program() -> None:
    has = of("reference")
    seen = []
    for number in range(60):
        program = generate.sequential(has, random.Random(number), "one")
        seen.append({step.verb for step in program.prefix if isinstance(step, Step)} & set(has.verbs))
    assert all(len(verbs) < len(has.verbs) for verbs in seen)


def test_sessions_are_kept_alive_made_anew_and_swept_although_their_closing_fails() -> None:
    has = of("reference")
    renewed = anew = broken = 0
    for number in range(150):
        told = [
            step for step in generate.sequential(has, random.Random(number), "one").prefix if isinstance(step, Step)
        ]
        verbs = [step.verb for step in told]
        ids = [step.arguments.get("id") for step in told if step.verb == "create"]
        anew += len({one for one in ids if one is not None}) < len([one for one in ids if one is not None])
        broken += any(step.arguments.get("fails") for step in told) and "sweep" in verbs
        renewed += any(
            first == third == "advance" and second in has.policy.activity
            for first, second, third in zip(verbs, verbs[1:], verbs[2:], strict=False)
        )
    assert renewed
    assert anew
    assert broken
