"""A scenario that is written down reads back as it was, and reads well."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_sessionguard.core import scenario_text
from pytest_sessionguard.core.faults import Fault
from pytest_sessionguard.core.operations import KINDS
from pytest_sessionguard.core.scenario import (
    AnyStep,
    Count,
    Eventually,
    Instant,
    Parallel,
    Place,
    RawId,
    Repeat,
    Scenario,
    Span,
    Step,
    Text,
    Variable,
)
from pytest_sessionguard.core.values import FrozenMap
from pytest_sessionguard.faults import kinds
from pytest_sessionguard.run import scenario_files

ROOT = Path(__file__).parents[2]
NOWHERE = Place("", 0, 0)


def placeless(value: Any) -> Any:
    """Return the value without places: they are where it was read, not what it says."""
    if isinstance(value, Place):
        return NOWHERE
    if isinstance(value, tuple):
        return tuple(map(placeless, value))
    if isinstance(value, Fault):
        return replace(value, place="")
    if isinstance(value, (Step, Parallel, Repeat, Eventually, Scenario)) and is_dataclass(value):
        changed = {part.name: placeless(getattr(value, part.name)) for part in fields(value)}
        return replace(value, **{**changed, **({"path": "", "lines": ()} if isinstance(value, Scenario) else {})})
    return value


def typed(value: Any) -> Any:
    """Return the value so that 1, 1.0 and true differ."""
    if isinstance(value, FrozenMap):
        return {typed(key): typed(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return tuple(map(typed, value))
    if is_dataclass(value) and not isinstance(value, type):
        return (type(value), tuple(typed(getattr(value, part.name)) for part in fields(value) if part.name != "lines"))
    return (type(value), value)


def read_back(scenario: Scenario, **more: Any) -> Scenario:
    return scenario_files.load("a.session.yaml", scenario_text.text_of(scenario, **more))


# -- any scenario ---------------------------------------------------------------------------------------------------

VARIABLES = ("limit", "idle_timeout", "early")
words = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True)
texts = st.text(max_size=12) | st.sampled_from(
    ["true", "Null", "~", "", " ", "no", "30m", "0x1f", "1e5", "-", "- a", "a: b", "a #b", "&a", "*a", "!t", "%", "@",
     "$", "$$", "$limit", "${limit}", "a$", "\x85", "\u2028", "\ufeff", "\x00", "\U0001f600", "'", '"', "\\",
     "x" * 1200]
)  # fmt: skip
variables = st.sampled_from(VARIABLES).map(Variable)


@st.composite
def templates(draw: Any) -> Any:
    """Give a variable, or a text with one in it, as the reader makes it: two texts never stand side by side."""
    before, after = draw(texts), draw(texts)
    parts = (*([before] if before else []), draw(variables), *([after] if after else []))
    return parts[0] if len(parts) == 1 else Text(parts)


scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.just(-0.0) | texts | templates()
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(texts.filter(lambda key: key != "<<"), inner, max_size=3).map(FrozenMap)
    ),
    max_leaves=6,
)
mappings = st.dictionaries(texts, values, max_size=3).map(FrozenMap)
spans = st.integers(0, 10**15)
open_spans = spans | st.just(Span(Variable("idle_timeout"))) | st.just(Span(Text(("1m", Variable("idle_timeout")))))
ids = values.map(RawId)
sessions = st.sampled_from(["cart", "s1", "true", "a.b-c"]) | ids
instants = st.integers(-(10**15), 10**16)
refusals = st.none() | st.frozensets(st.sampled_from(KINDS), max_size=3)
clients = st.just("") | st.sampled_from(["B", "no", "client 7"]) | st.just(Variable("limit"))
labels = texts | templates()
facets = st.fixed_dictionaries(
    {},
    optional={
        "id": sessions, "data": values, "found": st.booleans(), "count": st.integers(0, 9), "version": values,
        "ids": st.lists(sessions, max_size=2).map(tuple), "seconds_us": st.none() | spans, "absent": texts,
    },
).filter(bool)  # fmt: skip
captures = st.dictionaries(
    st.sampled_from(["kept", "seen"]),
    st.sampled_from([("version",), ("data", "items"), ("seconds_us",), ("data", "a b", "c")]),
    min_size=1,
)


def a_step(verb: str, arguments: dict[str, Any], **more: Any) -> Step:
    return Step(verb=verb, arguments=FrozenMap(arguments), place=NOWHERE, **more)


@st.composite
def operations(draw: Any) -> Step:
    """Give an operation with whatever may go with it."""
    arguments = draw(
        st.fixed_dictionaries({"session": sessions})
        | st.fixed_dictionaries(
            {"session": sessions}, optional={"timeout_us": st.none() | spans | spans.map(int.__neg__)}
        )
    )
    verb = "touch"
    match draw(st.integers(0, 4)):
        case 0:
            verb, arguments = "update", {"session": arguments["session"], "set": draw(mappings)}
        case 1:
            verb, arguments = "put", {"session": arguments["session"], "key": draw(texts), "value": draw(values)}
        case 2:
            verb, arguments = "sweep", draw(st.fixed_dictionaries({}, optional={"n": st.integers(-3, 3)}))
        case 3:
            verb, arguments = "list", draw(st.fixed_dictionaries({}, optional={"owner": values}))
    more: dict[str, Any] = {"refused": draw(refusals), "client": draw(clients), "label": draw(labels)}
    if more["refused"] is None and draw(st.booleans()):
        more["cancel_at"] = draw(st.integers(1, 99) | st.just(Count(Variable("limit"))))
    elif more["refused"] is None:
        more |= {"answer": FrozenMap(draw(st.just({}) | facets)), "capture": FrozenMap(draw(st.just({}) | captures))}
    return a_step(verb, arguments, **more)


beside = st.one_of(
    spans.map(lambda us: a_step("advance", {"by_us": us})),
    st.builds(lambda s, us: a_step("advance", {"to_timeout_of": s, "minus_us": us}), sessions, open_spans),
    instants.map(lambda us: a_step("set_clock", {"to_us": us})),
    spans.map(lambda us: a_step("set_clock", {"back_us": us})),
    st.just(a_step("restart", {})),
    st.just(a_step("crash", {"how": "power-loss"})),
    st.just(a_step("expect", {"acknowledged": "kept"})),
    st.builds(lambda args: a_step("call", {"function": "shop.tools:reset", "args": args}), mappings),
    st.just(a_step("call", {"function": "shop:reset"})),
    st.builds(lambda s, data: a_step("expect", {"session": s, "alive": True, "data": data}), sessions, values),
    st.builds(lambda some: a_step("expect", {"ids": tuple(some), "count": 3}), st.lists(sessions, max_size=3)),
)
steps = operations() | beside
in_branches = operations() | st.builds(
    lambda times, inner: Repeat(times=times, counter="i", steps=tuple(inner), place=NOWHERE),
    st.integers(1, 5) | st.just(Count(Variable("limit"))),
    st.lists(operations(), min_size=1, max_size=2),
)
blocks = st.one_of(
    st.builds(
        lambda branches, schedules, label: Parallel(
            branches=tuple(map(tuple, branches)), schedules=schedules, label=label, place=NOWHERE
        ),
        st.lists(st.lists(in_branches, min_size=1, max_size=3), min_size=2, max_size=3),
        st.sampled_from(["", "exhaustive", 50, "ABBA", "A12B(26)", "E5"]),
        labels,
    ),
    st.builds(
        lambda times, inner, label: Repeat(times=times, counter="", steps=tuple(inner), label=label, place=NOWHERE),
        st.integers(1, 5),
        st.lists(steps, min_size=1, max_size=3),
        labels,
    ),
    st.builds(
        lambda within, every, count: Eventually(
            within_us=within, every_us=every, expect=a_step("expect", {"count": count}), place=NOWHERE
        ),
        open_spans,
        st.sampled_from([1_000_000, 1, 30_000_000]),
        st.integers(0, 9),
    ),
)


CRASHED = Fault(
    kind="crash", subject="kill", options=FrozenMap({"during": "touch", "budget": 30, "explore": "exhaustive"})
)


@st.composite
def a_fault(draw: Any) -> Fault:
    """Give a fault of any kind but a crash, told all that it may be told."""
    kind = draw(st.sampled_from([one for one in kinds().values() if not one.everywhere]))

    def told(takes: Any) -> Any:
        of_text = st.sampled_from(["close", "open", "true", "a b"])
        return draw(of_text if takes == "text" else spans if takes == "duration" else st.sampled_from(takes))

    return Fault(
        kind=kind.name,
        subject=told(kind.takes),
        at=draw(st.sampled_from([1, 2, None])),
        lasting=draw(st.booleans()),
        when=draw(st.sampled_from(kind.whens)),
        options=FrozenMap({name: told(option.takes) for name, option in kind.options.items() if draw(st.booleans())}),
    )


@st.composite
def scenarios(draw: Any) -> Scenario:
    """Give a scenario in which every name is given before it is used."""
    made: list[AnyStep] = [
        a_step("create", {"as": name, "data": draw(values), "id": draw(texts | st.integers())}, label=draw(labels))
        for name in ("cart", "s1", "true", "a.b-c")
    ]
    return Scenario(
        title=draw(texts.filter(lambda text: text.strip())),
        path="",
        place=NOWHERE,
        start=tuple(made),
        steps=tuple(draw(st.lists(steps | blocks, min_size=1, max_size=4))),
        faults=(faults := tuple(draw(st.sampled_from([[], [CRASHED]]) | st.lists(a_fault(), max_size=2)))),
        after_fault=tuple(draw(st.lists(steps, max_size=2))) if faults and CRASHED not in faults else (),
        finally_=tuple(draw(st.lists(steps, max_size=2))),
        requires=tuple(
            draw(st.lists(st.sampled_from(["touch", "at_limit=error", "limit>2", "callers=tasks"]), max_size=2))
        ),
        matrix=FrozenMap({"early": draw(st.sampled_from([(1,), (1.5, "a"), ("30m", None, FrozenMap({"a": (1,)}))]))}),
        figures=FrozenMap(draw(st.sampled_from([{}, {"limit": 3}, {"idle_timeout": 90_000_000, "limit": 2}]))),
        zone=draw(st.sampled_from(["", "UTC", "America/Argentina/Buenos_Aires"])),
        begins_us=draw(st.sampled_from([None, 0, 1_774_745_999_000_001])),
        invariants=draw(st.sampled_from([(), ("data.isolation",)])),
        markers=draw(st.sampled_from([(), ("slow", "true")])),
        fixtures=draw(st.sampled_from([(), ("tmp_path",)])),
    )


@settings(max_examples=50, deadline=None)
@given(scenarios(), st.text(max_size=20))
def test_any_scenario_reads_back_equal(scenario: Scenario, remark: str) -> None:
    assert typed(placeless(read_back(scenario, remarks=[remark]))) == typed(scenario)


FILES = sorted([*(ROOT / "scenarios").glob("*.session.yaml"), *(ROOT / "tests/run/wellformed").glob("*.session.yaml")])


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name.removesuffix(".session.yaml"))
def test_every_story_reads_back_equal(path: Path) -> None:
    scenario = placeless(scenario_files.load(path))
    assert typed(placeless(read_back(scenario))) == typed(scenario)


@pytest.mark.parametrize(
    ("kind", "known"),
    [
        (Step, "verb arguments place refused answer capture client label cancel_at"),
        (Parallel, "branches place schedules label verb"),
        (Repeat, "times counter steps place label verb"),
        (Eventually, "within_us every_us expect place label verb"),
        (
            Scenario,
            (
                "title path place steps requires matrix figures zone begins_us start faults after_fault finally_ "
                "invariants markers fixtures lines"
            ),
        ),
    ],
)
def test_whatever_a_scenario_may_say_is_written(kind: type, known: str) -> None:
    assert {field.name for field in fields(kind)} == set(known.split()), (
        "write it in scenario_text.py, and name it here"
    )


# -- how it reads ---------------------------------------------------------------------------------------------------

STORY = """\
# Found by a search.
scenario: A touch in the last second keeps an idle session alive
version: 1
requires: [touch, idle_timeout]
matrix: {early: [1s, 1ms]}
with: {limit: 3}
steps:
  - create: {as: cart, data: {items: 1}}
  - advance: {to_timeout_of: cart, minus: $early}
  - touch: cart
    client: B
  - advance: $early
  - expect: {session: cart, alive: true, data: {items: 1}}
  - parallel:
      - [{touch: cart}, {update: {session: cart, set: {items: 2}}}]
      - [{sweep: {}}]
    schedules: ABBA
  - get: {id: "no such id"}
    refused: missing
  - repeat: {times: 2, counter: i, steps: [{create: {as: "s${i}x"}}]}
  - set_clock: {to: "2026-03-29T00:59:59Z"}
  - eventually: {within: 10m, every: 30s, expect: {count: 0}}
"""


def test_a_story_is_written_as_a_person_writes_it() -> None:
    scenario = scenario_files.load("a.session.yaml", STORY)
    assert scenario_text.text_of(scenario, remarks=["Found by a search."]) == STORY


def test_what_does_not_fit_on_a_line_is_spread() -> None:
    long = "a text of some length, of which there are three"
    branch = (a_step("update", {"session": "cart", "set": FrozenMap({"a": long, "b": long, "c": long})}),)
    scenario = Scenario(
        title="Long", path="", place=NOWHERE,
        steps=(a_step("create", {"as": "cart"}), Parallel(branches=(branch, branch), place=NOWHERE)),
    )  # fmt: skip
    text = scenario_text.text_of(scenario)
    assert max(map(len, text.splitlines())) <= scenario_text.WIDTH
    assert placeless(scenario_files.load("a.session.yaml", text)) == scenario


# -- what cannot be written -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (b"x", "bytes"),
        (frozenset({1}), "frozenset"),
        (float("nan"), "not a number"),
        (10**1200, "digits"),
        ("\ud800", "surrogate"),
        (FrozenMap({1: 2}), "as a key"),
        (FrozenMap({"<<": 2}), "as a key"),
    ],
)
def test_what_a_file_cannot_say_is_refused(value: Any, told: str) -> None:
    step = a_step("create", {"as": "cart", "data": value})
    with pytest.raises(ValueError, match=told):
        scenario_text.text_of(Scenario(title="t", path="", place=NOWHERE, steps=(step,)))


def test_an_instant_beyond_the_calendar_is_refused() -> None:
    step = a_step("set_clock", {"to_us": 10**30})
    with pytest.raises(ValueError, match="no instant"):
        scenario_text.text_of(Scenario(title="t", path="", place=NOWHERE, steps=(step,)))


def test_an_instant_that_is_open_is_written_open() -> None:
    step = a_step("set_clock", {"to_us": Instant(Variable("at"))})
    assert "{to: $at}" in scenario_text.text_of(Scenario(title="t", path="", place=NOWHERE, steps=(step,)))
