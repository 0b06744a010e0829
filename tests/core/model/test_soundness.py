"""No history of a correct manager is called illegal, whatever its policy and whatever choices it makes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from pytest_sessionguard.core.history import Entry, Event
from pytest_sessionguard.core.judging import Examination
from pytest_sessionguard.core.operations import Ok, Operation
from pytest_sessionguard.core.policy import KEYS, Policy, policy
from pytest_sessionguard.core.values import UNSET, FrozenMap

from .naive import NaiveManager, Shape
from .stories import START_US, TICK_US, Story, operation

TICK = TICK_US / 1_000_000
WORDS = ("at_timeout", "expired_id", "replacement", "existing", "old_id", "limit_scope", "limit_counts", "update")
MAYBE_TABLE = {
    "expired": ["gone", "marked", "stale"],
    "missing": ["none", "false", "empty", "error", "creates", "new-id"],
}
ACTIVE = ("create", "touch", "update", "save", "put", "use", "get", "exists", "ttl", "list", "rotate")


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    written: dict[str, Any] = {}
    if draw(st.booleans()):
        written["idle_timeout"] = draw(st.sampled_from([4 * TICK, 8 * TICK, 0.1]))
    if draw(st.booleans()):
        written["absolute_timeout"] = draw(st.sampled_from([6 * TICK, 20 * TICK]))
    for name in WORDS:
        if draw(st.booleans()):
            written[name] = draw(st.sampled_from(KEYS[name].values))
    for name, words in MAYBE_TABLE.items():
        whole = st.sampled_from(words)
        some = st.dictionaries(st.sampled_from(["get", "touch", "update", "list", "delete"]), whole, max_size=2)
        if draw(st.booleans()):
            written[name] = draw(whole | some)
    for name in ("zero_timeout", "none_timeout"):
        written[name] = draw(st.sampled_from(["expired", "never", "default", "error"]))
    if draw(st.booleans()):
        written["limit"] = draw(st.integers(0, 3))
        written["at_limit"] = draw(st.sampled_from(KEYS["at_limit"].values))
    if draw(st.booleans()):
        written["activity"] = draw(st.lists(st.sampled_from(ACTIVE), unique=True))
        written["refused_activity"] = draw(st.lists(st.sampled_from(["create", "update", "save"]), unique=True))
    written["revivable"] = draw(st.booleans())
    written["clock"] = draw(st.sampled_from(["wall", "monotonic"]))
    unit_us = draw(st.sampled_from([0, 0, 2 * TICK_US]))
    return replace(policy(**written), expired_status="expired", granularity_us=unit_us)


DATA = st.sampled_from([FrozenMap({"a": 1}), FrozenMap({"b": 2}), FrozenMap({"a": 3, "b": 1})])
OWNERS = st.sampled_from([UNSET, "u1", "u2"])
VERBS = ["create", "create", "create", "get", "get", "exists", "ttl", "touch", "update", "save", "put", "pop", "delete"]
VERBS += ["use", "rotate", "list", "count", "sweep", "clear"]
TIMEOUTS = st.sampled_from([UNSET, UNSET, 3 * TICK_US, 0, None])


@st.composite
def operations(draw: st.DrawFn, issued: list[str], versions: list[Any]) -> Operation:
    ids = st.sampled_from(["s1", "s2", *issued])
    verb = draw(st.sampled_from(VERBS))
    match verb:
        case "create":
            session_id = draw(st.none() | st.sampled_from(["s1", "s2", "s3"]))
            return operation(verb, session_id, owner=draw(OWNERS), data=draw(DATA), timeout_us=draw(TIMEOUTS))
        case "touch":
            return operation(verb, draw(ids), timeout_us=draw(TIMEOUTS))
        case "update":
            return operation(verb, draw(ids), changes=draw(DATA))
        case "save":
            version = draw(st.sampled_from([UNSET, *versions])) if versions else UNSET
            return operation(verb, draw(ids), data=draw(DATA), version=version)
        case "put":
            return operation(verb, draw(ids), key="k", value=draw(st.integers(0, 1)))
        case "list" | "count" | "clear":
            return operation(verb, owner=draw(OWNERS))
        case "sweep":
            return operation(verb, n=draw(st.sampled_from([UNSET, UNSET, 0, 1])))
        case _:
            return operation(verb, draw(ids))


@pytest.mark.unmeasured
@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(st.data())
def test_no_correct_manager_is_accused(data: st.DataObject) -> None:
    draw = data.draw
    rule = draw(policies())
    shape = Shape(
        tells_id=draw(st.booleans()),
        tells_version=draw(st.booleans()),
        tells_found=draw(st.booleans()),
        tells_status=True,
    )
    manager = NaiveManager(rule, shape, way=draw(st.sampled_from(["shown", "passed", "latest"])), step_us=TICK_US)
    manager.choose = lambda options: draw(st.sampled_from(options))
    story = Story(rule)
    versions: list[Any] = []
    for _ in range(draw(st.integers(1, 14))):
        match draw(st.sampled_from(["ask", "ask", "ask", "ask", "wait", "wait", "set"])):
            case "wait":
                span_us = draw(st.sampled_from([1, TICK_US, 3 * TICK_US, 4 * TICK_US, 4 * TICK_US - 1, 100_000]))
                manager.advance(span_us)
                story.advance(us=span_us)
            case "set" if draw(st.booleans()):
                shift_us = draw(st.sampled_from([-100, -3, -2, 3])) * TICK_US
                manager.set_clock(shift_us)
                story.set_clock(shift_us / 1_000_000)
            case _:
                asked = draw(operations([f"n{number + 1}" for number in range(manager.issued)], versions))
                outcome = manager.ask(asked, manager.choose)
                if isinstance(outcome, Ok) and outcome.answer.version is not UNSET:
                    versions.append(outcome.answer.version)
                event(f"{asked.verb} {type(outcome).__name__}")
                story.did(asked.verb, outcome=outcome, **_given(asked))
    found = story.judged()
    assert found.legal, told(story, found)


def told(story: Story, found: Examination) -> str:
    """A failed example for the reader: what was written, what was done, what was expected."""
    written = "\n".join(story.model.policy.line(key) for key in sorted(story.model.policy.written))
    done = [_line(entry) for entry in story.entries]
    expected = found.undecided if found.finding is None else f"{found.finding.property}: {found.finding.expected}"
    return "\n".join([written, *done, expected])


def _line(entry: Entry) -> str:
    at_us = (entry.returned if isinstance(entry, Event) else entry.at).wall_us - START_US
    return f"{at_us:9} {entry.operation}  {entry.outcome}" if isinstance(entry, Event) else f"{at_us:9} {entry.kind}"


def _given(asked: Operation) -> dict[str, Any]:
    names = ("id", "owner", "data", "changes", "key", "value", "version", "timeout_us", "n")
    return {name: getattr(asked, name) for name in names if getattr(asked, name) is not UNSET}
