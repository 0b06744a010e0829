"""Every kind of fault keeps what the folder promises of it."""

from __future__ import annotations

import errno

import pytest

from pytest_sessionguard import faults
from pytest_sessionguard.clock.faulty import Drifting, Skewed, Stopped
from pytest_sessionguard.core.faults import Fault
from pytest_sessionguard.core.values import FrozenMap
from pytest_sessionguard.faults import (
    PORTS,
    Cut,
    Damage,
    FaultKind,
    Lose,
    Misread,
    MoveClock,
    Point,
    Raise,
    Repeat,
    Wait,
)
from pytest_sessionguard.faults.injector import Injector

KINDS = faults.kinds()


def a_subject(kind: FaultKind) -> object:
    return {"text": "any", "duration": 1_000}[kind.takes] if isinstance(kind.takes, str) else kind.takes[0]


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
def test_a_kind_says_what_it_is(kind: FaultKind) -> None:
    assert kind.port in PORTS
    assert kind.summary
    assert kind.example.startswith("{" + kind.name + ":")
    assert set(kind.whens) <= {"before", "after"}


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
def test_a_kind_strikes_at_its_chance_and_says_so(kind: FaultKind) -> None:
    fault = Fault(kind=kind.name, subject=a_subject(kind), at=2, when=kind.whens[0])
    injector = Injector([fault])
    injector.armed = True
    name = "write" if kind.port == "file" else "open" if kind.port == "hook" else "update"
    point = Point(kind.port, name)
    told = [injector.at(point, when) for _ in range(3) for when in ("before", "after")]
    assert sum(effect is not None for effect in told) == 1
    assert [(one.fault, one.chance, one.point) for one in injector.fired] == [(fault, 2, f"{kind.port} {name}")]
    assert injector.missed() == ()


def test_a_lasting_fault_strikes_from_then_on() -> None:
    injector = Injector([Fault(kind="fail_call", subject="close", at=2, lasting=True)])
    injector.armed = True
    assert [injector.at(Point("hook", "close"), "before") is not None for _ in range(4)] == [False, True, True, True]


def test_nothing_strikes_before_it_is_armed_or_at_another_point() -> None:
    fault = Fault(kind="fail_call", subject="close")
    injector = Injector([fault])
    assert injector.at(Point("hook", "close"), "before") is None
    injector.armed = True
    for point in (Point("hook", "open"), Point("file", "close")):
        assert injector.at(point, "before") is None
    assert injector.missed() == (fault,)
    assert injector.wants("hook")
    assert not injector.wants("file")


def effect(fault: Fault, point: Point) -> object:
    return KINDS[fault.kind].effect(fault, point)


def test_errors_are_those_that_were_asked_for() -> None:
    raised = effect(Fault(kind="io_error", subject="ENOSPC"), Point("file", "write"))
    assert isinstance(raised, Raise)
    assert isinstance(raised.error, OSError)
    assert raised.error.errno == errno.ENOSPC
    for name, expected in (("TimeoutError", TimeoutError), ("Strange", RuntimeError), ("print", RuntimeError)):
        told = {"error": name}
        raised = effect(Fault(kind="fail_call", subject="x", options=options_of(told)), Point("hook", "x"))
        assert isinstance(raised, Raise)
        assert type(raised.error) is expected


def options_of(told: dict[str, str]) -> FrozenMap:
    return FrozenMap(told)


def test_a_full_disk_keeps_nobody_from_renaming_and_too_many_files_only_from_opening() -> None:
    has_chance = KINDS["io_error"].has_chance
    full, many = Fault(kind="io_error", subject="ENOSPC"), Fault(kind="io_error", subject="EMFILE")
    assert [has_chance(full, Point("file", name)) for name in ("write", "replace", "unlink")] == [True, False, False]
    assert not has_chance(full, Point("file", "truncate", grows=False))
    assert [has_chance(many, Point("file", name)) for name in ("open", "write")] == [True, False]
    only = Fault(kind="io_error", subject="EIO", options=options_of({"operation": "fsync"}))
    assert [has_chance(only, Point("file", name)) for name in ("fsync", "write")] == [True, False]


def test_the_other_effects_are_what_they_say() -> None:
    point = Point("operation", "update")
    assert effect(Fault(kind="clock_jump", subject=-5), point) == MoveClock(-5)
    assert effect(Fault(kind="pause", subject=7), point) == MoveClock(7, both=True)
    assert effect(Fault(kind="lost_reply", subject="update"), point) == Lose()
    assert effect(Fault(kind="repeated_call", subject="update"), point) == Repeat()
    assert effect(Fault(kind="delay_call", subject="x"), Point("hook", "x")) == Wait(1_000_000)
    assert effect(Fault(kind="clock_skew", subject=-5), point) == Misread(Skewed(by_us=-5))
    assert effect(Fault(kind="clock_drift", subject=3_600_000_000), point) == Misread(Drifting(ppm=1_000_000))
    assert effect(Fault(kind="clock_stop", subject=5), point) == Misread(Stopped(for_us=5))
    assert effect(Fault(kind="damaged_file", subject="*"), point) == Damage("*")
    short = effect(Fault(kind="torn_write", subject="short"), Point("file", "write"))
    assert short == Cut(None)


def test_a_fault_reads_as_it_would_be_written() -> None:
    fault = Fault(kind="io_error", subject="EIO", at=None, lasting=True, when="after", options=options_of({"a": "b"}))
    assert str(fault) == "{io_error: EIO, at: every, lasting: true, when: after, a: b}"
    assert str(Fault(kind="pause", subject=5, at=3)) == "{pause: 5us, at: 3}"


def test_faults_that_are_added_later_count_their_own_chances() -> None:
    first, second = Fault(kind="fail_call", subject="close", at=1), Fault(kind="fail_call", subject="close", at=2)
    injector = Injector([first])
    injector.armed = True
    point = Point("hook", "close")
    assert injector.at(point, "before") is not None
    injector.add([second])
    assert [injector.at(point, "before") is not None for _ in range(3)] == [False, True, False]
    assert injector.chances == [4, 3]
    assert [one.fault for one in injector.fired] == [first, second]
