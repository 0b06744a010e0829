"""The model against the naive manager: every short sequence of operations, every instant, every answer.

Both must accept the very same answers after every history that both accept.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from pytest_sessionguard.core import judging
from pytest_sessionguard.core.history import Event, Stamp
from pytest_sessionguard.core.judging import Examination
from pytest_sessionguard.core.model import Model
from pytest_sessionguard.core.operations import Failed, Operation, Outcome
from pytest_sessionguard.core.policy import Policy, policy
from pytest_sessionguard.core.values import EMPTY, FrozenMap

from .naive import NaiveManager, Shape
from .stories import EVERYTHING, START_US, TICK_US, ok, operation, refused
from .ways import worlds_after

IDLE = 4 * TICK_US / 1_000_000  # seconds: four ticks
ONE, TWO, BOTH, CHANGE = {"a": 1}, {"a": 2}, {"a": 1, "b": 2}, {"b": 2}
DATA = [FrozenMap(one) for one in (ONE, TWO, BOTH, CHANGE)] + [EMPTY]

CREATE_1, CREATE_2 = operation("create", "s1", data=ONE), operation("create", "s2", data=TWO)
GET, TOUCH, DELETE = operation("get", "s1"), operation("touch", "s1"), operation("delete", "s1")
UPDATE, SWEEP, LIST = operation("update", "s1", changes=CHANGE), operation("sweep"), operation("list")
ADVANCES = [1, 3, 4]  # In ticks: to just before an idle timeout, at it, and after it.
ALPHABET: list[Operation | int] = [CREATE_1, CREATE_2, GET, TOUCH, DELETE, UPDATE, SWEEP, LIST, *ADVANCES]


def answers(asked: Operation, rule: Policy) -> list[Outcome]:
    """Every answer worth trying, right or wrong."""
    refusals: list[Outcome] = [refused(kind) for kind in ("missing", "expired", "exists", "limit", "conflict")]
    words = [ok(absent="none"), ok(absent="false")]
    marks = [{"status": "active"}, {"status": "expired"}] if rule.expired_status else [{}]
    match asked.verb:
        case "create":
            told = [ok(id="s1"), ok(id="s2"), ok(id="s3"), *words]
        case "get" | "update":
            told = [ok(data=one, **mark) for one in DATA for mark in marks] + [ok(data=EMPTY), *words]
        case "touch" | "delete":
            told = [ok(found=True), ok(found=False)]
        case "sweep":
            told = [ok(count=number) for number in range(4)]
        case _:
            told = [ok(ids=ids, count=len(ids)) for ids in [(), ("s1",), ("s2",), ("s1", "s2"), ("s1", "s1"), ("s3",)]]
    return [*told, *refusals, Failed("boom")]


@dataclass
class Walk:
    """All histories of a length, of which both sides know the worlds that they may be in."""

    rule: Policy
    alphabet: list[Operation | int]
    checked: int = 0

    def __post_init__(self) -> None:
        self.seen: set[Any] = set()
        self.model = Model(policy=self.rule, operations=EVERYTHING)

    def from_start(self, length: int) -> None:
        shape = Shape(tells_status=self.rule.expired_status is not None)
        manager = NaiveManager(self.rule, shape, step_us=TICK_US)
        manager.first_data = list(DATA)
        self.on(judging.begin(self.model), [manager], 0, length, ())

    def on(self, known: Examination, managers: list[NaiveManager], now: int, left: int, path: tuple[Any, ...]) -> None:
        key = (frozenset(known.states), frozenset(one.frozen() for one in managers), now, left)
        if left == 0 or key in self.seen:
            return
        self.seen.add(key)
        for step in self.alphabet:
            if isinstance(step, int):
                if path and not isinstance(path[-1], int) and left > 1:
                    moved = [one.twin() for one in managers]
                    for one in moved:
                        one.advance(step * TICK_US)
                    self.on(known, moved, now + step, left - 1, (*path, step))
                continue
            for _ in self.branches(known, managers, now, left, path, step):
                pass

    def branches(
        self,
        known: Examination,
        managers: list[NaiveManager],
        now: int,
        left: int,
        path: tuple[Any, ...],
        step: Operation,
    ) -> Iterator[None]:
        allowed = worlds_after(managers, step)
        for outcome in {*answers(step, self.rule), *allowed}:
            after = known.feed([self.event(step, outcome, now, len(path))])
            self.checked += 1
            story = "\n".join(str(one) for one in (*path, (str(step), str(outcome))))
            assert after.legal == (outcome in allowed), (
                f"the model says {after.legal}: {after.finding and after.finding.expected}\n{story}"
            )
            if after.legal:
                next_path = (*path, (str(step), str(outcome)))
                self.on(after, list(allowed[outcome].values()), now, left - 1, next_path)
        yield

    def event(self, asked: Operation, outcome: Outcome, now: int, place: int) -> Event:
        at = Stamp(START_US + now * TICK_US, now * TICK_US)
        return Event(
            client="A",
            operation=asked,
            outcome=outcome,
            called=at,
            returned=at,
            call_order=2 * place,
            return_order=2 * place + 1,
        )


def a_policy(**written: Any) -> Policy:
    made = policy(**{"idle_timeout": IDLE, **written})
    return replace(made, expired_status="expired") if made.expired == "marked" else made


POLICIES: dict[str, dict[str, Any]] = {
    "defaults": {},
    "alive at the timeout": {"at_timeout": "alive"},
    "absolute": {"absolute_timeout": IDLE, "idle_timeout": 2 * IDLE},
    "monotonic": {"clock": "monotonic"},
    "nothing renews": {"activity": []},
    "get renews": {"activity": ["create", "get"]},
    "list renews": {"activity": ["create", "list"]},
    "marked": {"expired": "marked"},
    "stale": {"expired": "stale"},
    "stale and revivable": {"expired": "stale", "revivable": True},
    "stale to get alone": {"expired": {"get": "stale"}},
    "marked with errors": {"expired": "marked", "missing": "error"},
    "taken": {"expired_id": "taken"},
    "taken and stale": {"expired_id": "taken", "expired": "stale"},
    "missing is false": {"missing": "false"},
    "missing is empty": {"missing": "empty"},
    "missing is an error": {"missing": "error"},
    "missing by operation": {"missing": {"get": "error", "touch": "error", "update": "empty"}},
    "missing is made": {"missing": "creates"},
    "missing to get is made": {"missing": {"get": "creates"}, "limit": 1},
    "existing is false": {"existing": "false"},
    "existing is returned": {"existing": "return"},
    "existing is returned, stale too": {"existing": "return", "expired": "stale"},
    "existing is returned and revived": {"existing": "return", "expired": "stale", "revivable": True},
    "existing is replaced": {"existing": "replace"},
    "replaced at a limit": {"existing": "replace", "limit": 1},
    "one at most": {"limit": 1},
    "one at most, false": {"limit": 1, "at_limit": "false"},
    "none at all": {"limit": 0, "at_limit": "evict-any"},
    "one living at most": {"limit": 1, "limit_counts": "live"},
    "the oldest goes": {"limit": 1, "at_limit": "evict-oldest", "existing": "return"},
    "the oldest living goes": {"limit": 1, "at_limit": "evict-oldest", "limit_counts": "live"},
    "update replaces": {"update": "replace"},
    "refusals renew": {"refused_activity": ["create"]},
}


@pytest.mark.unmeasured
@pytest.mark.parametrize("name", POLICIES)
def test_the_model_accepts_exactly_what_a_correct_manager_may_answer(name: str) -> None:
    rule = a_policy(**POLICIES[name])
    walk = Walk(rule, [step for step in ALPHABET if not _says_nothing_new(step, rule, name)])
    walk.from_start(3 if "made" in name else 4)  # A session made by the way may hold anything: that is many worlds.
    assert walk.checked > 500


def _says_nothing_new(step: Operation | int, rule: Policy, name: str) -> bool:
    """Say whether the operation is left to the policies that it is about, so that the walk stays short."""
    if name == "defaults":
        return False
    if step is CREATE_2:
        return rule.limit is None
    return step in (UPDATE, DELETE) and not rule.written & {"expired", "missing", "update", "at_timeout"}
