"""What a crash may make of a session: all that was promised is kept, and nothing more is asked."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_sessionguard.core.history import Event, Note, Stamp, history
from pytest_sessionguard.core.judging import Examination, begin
from pytest_sessionguard.core.model import Model
from pytest_sessionguard.core.operations import Answer, Ok, Operation, Outcome, Unknown
from pytest_sessionguard.core.policy import Policy
from pytest_sessionguard.core.values import FrozenMap

SECOND_US = 1_000_000
OLD, NEW = FrozenMap({"n": 1}), FrozenMap({"n": 2})
ABSENT = Ok(Answer(absent="none"))


def events(*told: tuple[Operation, Outcome] | str) -> list[Any]:
    entries: list[Any] = []
    number = 0
    mono_us = 100 * SECOND_US
    for at_s, one in enumerate(told, start=1):
        number += 2
        if isinstance(one, str):
            mono_us = SECOND_US  # A new boot.
            entries.append(Note(kind=one, at=Stamp(at_s * SECOND_US, mono_us), order=number))
            continue
        mono_us += SECOND_US
        stamp = Stamp(at_s * SECOND_US, mono_us)
        operation, outcome = one
        event = Event(
            client="A", operation=operation, outcome=outcome, called=stamp, returned=stamp,
            call_order=number, return_order=number + 1,
        )  # fmt: skip
        entries.append(event)
    return entries


def judged(*told: tuple[Operation, Outcome] | str, **policy: Any) -> Examination:
    given = {"survives": "power-loss", "idle_timeout": 60 * SECOND_US, "missing": FrozenMap({"get": "none"}), **policy}
    return begin(Model(policy=Policy(**given))).feed(history(events(*told)).entries)


CREATE = (Operation(verb="create", id="s", data=OLD), Ok(Answer(id="s")))
UPDATE = (Operation(verb="update", id="s", changes=NEW), Ok(Answer(found=True)))
DELETE = (Operation(verb="delete", id="s"), Ok(Answer(found=True)))


def get(answer: Any) -> tuple[Operation, Outcome]:
    return Operation(verb="get", id="s"), answer if answer is ABSENT else Ok(Answer(data=answer))


CRASH = {"killed": "durability.kill", "power-lost": "durability.power-loss"}


@pytest.mark.parametrize("how", CRASH)
def test_what_was_acknowledged_is_there(how: str) -> None:
    after = judged(CREATE, UPDATE, how, get(NEW))
    assert after.legal
    assert after.exercised[CRASH[how]] == 1
    for lost in (get(ABSENT), get(OLD)):
        finding = judged(CREATE, UPDATE, how, lost).finding
        assert finding is not None
        assert finding.property == CRASH[how]


@pytest.mark.parametrize("how", CRASH)
def test_what_was_deleted_stays_away(how: str) -> None:
    assert judged(CREATE, DELETE, how, get(ABSENT)).legal
    finding = judged(CREATE, DELETE, how, get(OLD)).finding
    assert finding is not None
    assert finding.property == CRASH[how]


@pytest.mark.parametrize("answer", [OLD, NEW])
def test_what_was_under_way_happened_or_did_not(answer: FrozenMap) -> None:
    assert judged(CREATE, (UPDATE[0], Unknown()), "killed", get(answer)).legal


def test_half_of_what_was_under_way_is_wrong() -> None:
    half = FrozenMap({"n": 1, "m": 2})
    assert not judged(CREATE, (UPDATE[0], Unknown()), "killed", get(half)).legal


@pytest.mark.parametrize("survives", ["nothing", "restart", "kill"])
@pytest.mark.parametrize("answer", [ABSENT, OLD, NEW])
def test_what_is_not_promised_may_be_lost_old_or_kept(survives: str, answer: Any) -> None:
    assert judged(CREATE, UPDATE, "power-lost", get(answer), survives=survives).legal
    assert judged(CREATE, DELETE, "power-lost", get(answer), survives=survives).legal


def test_after_a_kill_only_less_than_kill_may_be_lost() -> None:
    assert judged(CREATE, "killed", get(ABSENT), survives="restart").legal
    assert not judged(CREATE, "killed", get(ABSENT), survives="kill").legal


def test_a_table_says_what_survives_of_each_operation() -> None:
    table = FrozenMap({"create": "power-loss"})
    assert judged(CREATE, UPDATE, "power-lost", get(OLD), survives=table, activity=("create",)).legal
    assert not judged(CREATE, UPDATE, "power-lost", get(ABSENT), survives=table, activity=("create",)).legal
    # What renewed it need not have been kept: it may have expired.
    assert judged(CREATE, UPDATE, "power-lost", get(ABSENT), survives=table).legal


def test_an_expired_session_may_have_been_removed_or_be_stored_still() -> None:
    late = [(Operation(verb="list"), Ok(Answer(ids=())))]
    stale = {"idle_timeout": SECOND_US, "expired": "stale"}
    for answer in (OLD, ABSENT):
        assert judged(CREATE, *late, get(ABSENT), "killed", get(answer), **stale).legal
        assert judged(CREATE, get(OLD), "killed", get(answer), **stale, activity=("create",)).legal
    expire = (Operation(verb="expire", id="s"), Ok(Answer(found=True)))
    assert not judged(CREATE, expire, "killed", get(OLD)).legal
    assert judged(CREATE, expire, "killed", get(OLD), survives=FrozenMap({"create": "kill"})).legal


def test_a_monotonic_clock_that_starts_anew_leaves_expiry_open() -> None:
    for answer in (OLD, ABSENT):
        assert judged(CREATE, "killed", get(answer), clock="monotonic").legal
    assert not judged(CREATE, "killed", get(ABSENT), clock="monotonic", idle_timeout=None).legal


def test_an_old_name_is_still_an_old_name() -> None:
    rotate = (Operation(verb="rotate", id="s"), Ok(Answer(id="t")))
    assert judged(CREATE, rotate, "killed", get(ABSENT)).legal
    by_new = (Operation(verb="get", id="t"), Ok(Answer(data=OLD)))
    assert judged(CREATE, rotate, "killed", by_new, get(OLD), old_id="alive").legal


def test_where_nobody_was_there_to_sweep_the_first_sweep_is_still_to_come() -> None:
    policy = Policy(
        survives="kill", idle_timeout=SECOND_US, sweep_interval=4 * SECOND_US, expired="stale", activity=("create",)
    )
    model = Model(policy=policy, background=True, operations=frozenset({"start"}))
    start = (Operation(verb="start"), Ok(Answer()))
    pause = [(Operation(verb="list"), Ok(Answer(ids=())))] * 6
    shown = get(OLD)
    early = history(events(start, CREATE, *pause, shown)).entries
    assert not begin(model).feed(early).legal  # Swept by now: `list` has shown it gone, and so it stays.
    for again in ([], [start]):
        late = history(events(start, CREATE, "killed", *again, shown)).entries
        assert begin(model).feed(late).legal
    long_after = history(events(start, CREATE, "killed", start, *[(Operation(verb="health"), Ok(Answer()))] * 6, shown))
    assert not begin(model).feed(long_after.entries).legal
