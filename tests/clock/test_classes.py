"""The real classes under the clock: whoever holds them sees virtual time, and nobody meets another class."""

from __future__ import annotations

import datetime as datetime_module
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from pytest_sessionguard.clock import classes, frozen, installation
from pytest_sessionguard.clock.patches import Patches
from pytest_sessionguard.clock.virtual import VirtualClock

START = datetime(2026, 1, 1)

needs_reach = pytest.mark.skipif(not classes.PATCHES, reason="the classes of this interpreter are out of reach")


class Moment(datetime):
    """A class of the user's own, made before any span."""


class Day(date):
    """Another."""


@pytest.fixture(autouse=True)
def _in_utc(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@needs_reach
def test_the_classes_are_the_real_ones_before_within_and_after() -> None:
    kinds = (datetime, date, datetime.now(), date.today())
    with VirtualClock().installed():
        assert (datetime, date) == kinds[:2]
        assert datetime_module.datetime is kinds[0]
        assert datetime.__name__ == "datetime"
        assert type(datetime.now()) is datetime
        assert type(date.today()) is date
    assert isinstance(datetime.__dict__["now"], type(dict.__dict__["fromkeys"]))


@needs_reach
@pytest.mark.parametrize("kind", [datetime, Moment])
def test_a_class_made_before_the_span_tells_virtual_time(kind: type[datetime]) -> None:
    with VirtualClock().installed() as clock:
        clock.advance(1)
        expected = START + timedelta(microseconds=1)
        for moment in (kind.now(), kind.today(), kind.now(ZoneInfo("Asia/Tokyo")).astimezone(UTC).replace(tzinfo=None)):
            assert moment == expected
            assert type(moment) is kind
        assert kind(2020, 1, 1).now() == expected


@needs_reach
def test_a_day_made_before_the_span_is_the_virtual_one() -> None:
    with VirtualClock().installed():
        assert Day.today() == date(2026, 1, 1)
        assert type(Day.today()) is Day


@needs_reach
@pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning")
@pytest.mark.parametrize("kind", [datetime, Moment])
def test_the_moment_in_utc_follows_the_clock_and_keeps_its_class(kind: type[datetime]) -> None:
    with VirtualClock(start=253_402_300_799_999_999).installed():
        assert kind.utcnow() == datetime(9999, 12, 31, 23, 59, 59, 999_999)
        assert type(kind.utcnow()) is kind


@needs_reach
def test_the_deprecation_of_utcnow_is_told_as_ever() -> None:
    def told() -> list[tuple[str, str]]:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            datetime.utcnow()
        return [(str(warning.message), warning.filename) for warning in caught]

    real = told()
    with VirtualClock().installed():
        assert told() == real


@needs_reach
def test_references_that_no_module_leads_to_tell_virtual_time() -> None:
    held: set[Any] = {datetime, partial(date.today)}
    waiting = (lambda kind: (yield kind.now()))(datetime)
    with VirtualClock().installed():
        assert next(waiting) == START
        assert {one.now() for one in held if one is datetime} == {START}


@needs_reach
def test_tools_are_told_the_real_time_by_the_classes_too() -> None:
    tool: dict[str, Any] = {"__name__": "coverage.html", "datetime": datetime, "date": date, "UTC": UTC}
    exec("def told(): return datetime.now(UTC), datetime.now(), date.today()", tool)
    with VirtualClock(start="2001-01-01").installed():
        aware, naive, day = tool["told"]()
    assert abs(aware - datetime.now(UTC)) < timedelta(minutes=1)
    assert abs(naive - datetime.now()) < timedelta(minutes=1)
    assert day.year > 2001


@pytest.mark.parametrize("name", ["now", "utcnow", "today"])
@pytest.mark.parametrize("kind", [datetime, Moment])
@pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning")
def test_a_captured_method_has_a_virtual_form_and_back(kind: type[datetime], name: str) -> None:
    real = getattr(kind, name)
    pair = classes.bound_pair(real)
    assert pair is not None
    assert pair[0] is real
    assert classes.bound_pair(pair[1]) == (real, pair[1])
    with VirtualClock().installed():
        assert pair[1]() == START
        assert type(pair[1]()) is kind


@pytest.mark.parametrize("value", [datetime.fromtimestamp, Path.cwd, [].append, date(2026, 1, 1).isoformat, Day.max])
def test_other_methods_have_no_virtual_form(value: Any) -> None:
    assert not hasattr(value, "__self__") or classes.bound_pair(value) is None


def test_a_method_of_the_same_name_that_is_the_users_own_has_none() -> None:
    class Own(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return "never"

    assert classes.bound_pair(Own.now) is None


@needs_reach
def test_a_stand_in_that_outlives_the_span_tells_real_time() -> None:
    with VirtualClock().installed():
        leaked: list[Callable[[], Any]] = [datetime.now, Moment.now, date.today]
    for told in leaked:
        assert abs(datetime.fromisoformat(str(told())) - datetime.now()) < timedelta(days=1, minutes=1)


# -- where the classes cannot be reached -----------------------------------------------------------------------------


@pytest.fixture
def _out_of_reach(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(classes, "PATCHES", [])
    kept = [patch for patch in installation.PATCHES if not isinstance(patch[0], classes.Opened)]
    monkeypatch.setattr(installation, "_WITHOUT_THREADS", Patches(kept))


@pytest.mark.usefixtures("_out_of_reach")
def test_fake_classes_stand_in_where_the_real_ones_are_out_of_reach() -> None:
    real = [datetime]
    with VirtualClock().installed():
        assert datetime is not real[0]
        assert datetime.now() == datetime.today() == START
        assert type(datetime.now()) is real[0]
        assert date.today() == date(2026, 1, 1)
    assert datetime is real[0]


def test_without_ctypes_the_classes_are_out_of_reach() -> None:
    program = """
import sys
sys.modules["ctypes"] = None
from pytest_sessionguard.clock import classes
from pytest_sessionguard.clock.virtual import VirtualClock
import datetime
assert classes.PATCHES == []
with VirtualClock().installed():
    print(datetime.datetime.now(datetime.UTC).isoformat(), datetime.datetime.__name__)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["2026-01-01T00:00:00+00:00", frozen.api.FakeDatetime.__name__]


def test_a_class_whose_dictionary_is_out_of_reach_is_left_alone() -> None:
    class Proxied:
        __dict__ = {"now": None}

    with pytest.raises((LookupError, AttributeError)):
        classes.Opened(Proxied())  # type: ignore[arg-type]
