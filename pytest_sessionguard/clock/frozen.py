"""The clock under freezegun: the only place of the package that knows freezegun.

Whoever asks freezegun what time it is asks a factory on its own stack; ours reads the clock.  A `freeze_time` inside a
virtual span is driven by the same clock: it sets the wall clock, `tick` lets time pass, `move_to` lets it pass or,
backwards, sets the wall clock back, and its end brings the wall clock back to where it would have been.  Only a freeze
that ticks by itself keeps its own wall time.

While such a freeze lasts, freezegun's fake classes are in the modules, as its users expect; else only where the real
ones cannot be reached, see `classes`.  freezegun takes local time for UTC; while our own factory has the say, its fake
classes use the real zone of the process instead, and what they make is of the real classes, for code that asks for
exactly `datetime`.  And they outlive every span, in values and in references that nobody can find: with nothing frozen
they answer as the real classes, where freezegun's own would fail.
"""

from __future__ import annotations

import copyreg
from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from typing import Any, Final

from freezegun import api

from pytest_sessionguard.clock import classes
from pytest_sessionguard.clock.captured import Captured
from pytest_sessionguard.clock.patches import Patch, Patches
from pytest_sessionguard.clock.readings import READINGS, real_time_ns
from pytest_sessionguard.clock.virtual import MICROSECONDS, VirtualClock

# Real class -> freezegun's fake of it, for the references that modules captured.
STAND_INS: Final[dict[Any, Any]] = {api.real_datetime: api.FakeDatetime, api.real_date: api.FakeDate}

_EPOCH = api.real_datetime(1970, 1, 1)
_ONE_US = timedelta(microseconds=1)
_NO_OFFSET = timedelta(0)

_date_fromtimestamp = api.real_date.__dict__["fromtimestamp"].__get__


class ClockFactory(api.FrozenDateTimeFactory):
    """Give freezegun the clock's wall time; let freezegun's users drive the clock."""

    def __init__(self, clock: VirtualClock) -> None:
        self.clock = clock

    @property
    def time_to_freeze(self) -> Any:  # type: ignore[override]  # freezegun's is an attribute; ours follows the clock
        """Return the clock's wall time as freezegun keeps it: a naive datetime in UTC."""
        return _EPOCH + timedelta(microseconds=self.clock.wall_us)

    def __call__(self) -> Any:
        return _EPOCH + timedelta(microseconds=self.clock.wall_us)

    def tick(self, delta: Any = 1) -> Any:
        """Let `delta`, seconds or a timedelta, pass; a negative one sets the wall clock back."""
        span = delta if isinstance(delta, timedelta) else timedelta(seconds=float(delta))
        self._move_by(span // _ONE_US)
        return self()

    def move_to(self, target_datetime: Any) -> None:
        """Let time pass until `target_datetime`, or set the wall clock back to it."""
        target = api._parse_time_to_freeze(target_datetime)
        self._move_by((target - self()) // _ONE_US)

    def _move_by(self, span_us: int) -> None:
        if span_us >= 0:
            self.clock.advance(span_us)
        else:
            self.clock.wall_offset_us += span_us


class NestedFactory(ClockFactory):
    """Stand in for the factory of a `freeze_time` within the virtual span."""

    def __init__(self, clock: VirtualClock, frozen_at: Any) -> None:
        super().__init__(clock)
        self.outer_offset_us = clock.wall_offset_us
        clock.set_wall((frozen_at - _EPOCH) // _ONE_US)


# -- mending the fake classes ----------------------------------------------------------------------------------------


def _as(kind: Any, moment: Any) -> Any:
    """Turn a real datetime into a `kind` of it and keep the fold, which tells 2:30 from the next 2:30 in autumn.

    Neither freezegun's conversion nor the constructors that subclasses inherit keep it.
    """
    return kind(
        moment.year,
        moment.month,
        moment.day,
        moment.hour,
        moment.minute,
        moment.second,
        moment.microsecond,
        moment.tzinfo,
        fold=moment.fold,
    )


def _with_fold(moment: Any) -> Any:
    return _as(api.FakeDatetime, moment)


def _foreigner_speaks() -> bool:
    """Say whether a freeze that is not the clock's own says what the wall time is."""
    factories = api.freeze_factories
    return bool(factories) and type(factories[-1]) is not ClockFactory


def _wall_us() -> int:
    """Return the clock's wall time, or the real one when nothing is frozen."""
    tops: list[Any] = api.freeze_factories[-1:]
    return int(tops[0].clock.wall_us) if tops else real_time_ns() // 1000


def _mended(original: Any, zoned: Callable[..., Any]) -> Any:
    """Return a method that answers as freezegun would while a foreign freeze speaks, else by `zoned`."""

    @wraps(original)
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        return (original if _foreigner_speaks() else zoned)(self, *args, **kwargs)

    return method


def _mended_for_class(original: Any, zoned: Callable[..., Any]) -> Any:
    return classmethod(_mended(original.__func__, zoned))


def _now(cls: Any, tz: Any = None) -> Any:
    return _as(cls, api.real_datetime.fromtimestamp(_wall_us() / MICROSECONDS, tz))


def _utcnow(cls: Any) -> Any:
    return _as(cls, _EPOCH + timedelta(microseconds=_wall_us()))


def _fromtimestamp(cls: Any, timestamp: float, tz: Any = None) -> Any:
    return _as(cls, api.real_datetime.fromtimestamp(timestamp, tz))


def _today(cls: Any) -> Any:
    return _date_fromtimestamp(None, cls)(_wall_us() / MICROSECONDS)


def _timestamp(moment: Any) -> float:
    return float(api.real_datetime.timestamp(moment))


def _astimezone(moment: Any, tz: Any = None) -> Any:
    return _with_fold(api.real_datetime.astimezone(moment, tz))


def _making(fake: Any, real: Any) -> Any:
    """Return a `__new__` for a fake class that makes real values, unless a foreign freeze speaks."""
    make = real.__new__

    def __new__(cls: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: N807 - it becomes the class's own
        return make(real if cls is fake and not _foreigner_speaks() else cls, *args, **kwargs)

    return staticmethod(__new__)


def _mend() -> None:
    """Mend the fake classes for good: once their values are out, no end of a span can call them back."""
    datetimes, dates = api.FakeDatetime, api.FakeDate
    for real, fake in STAND_INS.items():
        fake.__new__ = _making(fake, real)
        fake.min, fake.max = real.min, real.max
    for kind, name, mended, zoned in (
        (datetimes, "now", _mended_for_class, _now),
        (datetimes, "utcnow", _mended_for_class, _utcnow),
        (datetimes, "fromtimestamp", _mended_for_class, _fromtimestamp),
        (datetimes, "timestamp", _mended, _timestamp),
        (datetimes, "astimezone", _mended, _astimezone),
        (dates, "today", _mended_for_class, _today),
    ):
        setattr(kind, name, mended(kind.__dict__[name], zoned))


_mend()


def _reduced_datetime(moment: Any) -> tuple[Any, ...]:
    """Take a real datetime apart for pickling, its fold with it, which freezegun's own way forgets."""
    return api.FakeDatetime, api.real_datetime.__reduce_ex__(moment, _WITH_FOLD)[1]


# The first protocol of pickle by which a datetime's state tells its fold.
_WITH_FOLD: Final = 4


def _monotonic() -> float:
    clock = READINGS.clock
    assert clock is not None
    return clock.monotonic_us / MICROSECONDS


def _monotonic_ns() -> int:
    clock = READINGS.clock
    assert clock is not None
    return clock.monotonic_us * 1000


# -- the fake classes in the modules ---------------------------------------------------------------------------------

_FAKES: Final = Captured(STAND_INS)


class Fakes:
    """Put freezegun's fake classes into the modules and take them out again.

    `shared`: an outer freeze has put the same ones there, and takes them out itself.
    """

    def __init__(self) -> None:
        self.shared = False
        self._shown = False

    @property
    def needed(self) -> bool:
        """Say whether they are needed for the whole span: an outer freeze shows them, or they are all there is."""
        return self.shared or not classes.PATCHES

    def show(self) -> None:
        """Put them there, if they are not."""
        if self._shown:
            return
        self._shown = True
        # Pickling looks classes up by name, and finds the fakes.
        copyreg.dispatch_table[api.real_datetime] = _reduced_datetime
        copyreg.dispatch_table[api.real_date] = api.pickle_fake_date
        _FAKES.apply(shared=self.shared)

    def hide(self) -> None:
        """Take them out; may be called again."""
        if not self._shown:
            return
        _FAKES.restore(shared=self.shared)
        if self.shared:
            copyreg.dispatch_table[api.real_datetime] = api.pickle_fake_datetime
        else:
            copyreg.dispatch_table.pop(api.real_datetime, None)
            copyreg.dispatch_table.pop(api.real_date, None)
        self._shown = False


FAKES: Final = Fakes()

# -- freezes within the span -----------------------------------------------------------------------------------------

_start, _stop = api._freeze_time.start, api._freeze_time.stop


def _driven_start(self: Any) -> Any:
    _WHILE_FROZEN.put_once()
    factory = _start(self)
    clock = READINGS.clock
    if clock is not None and type(factory) is api.FrozenDateTimeFactory:
        factory = api.freeze_factories[-1] = NestedFactory(clock, factory.time_to_freeze)
    _note_foreign_wall()
    if clock is not None:
        FAKES.show()
    return factory


def _driven_stop(self: Any) -> None:
    top = api.freeze_factories[-1]
    if isinstance(top, NestedFactory):
        top.clock.wall_offset_us = top.outer_offset_us
    _stop(self)
    _note_foreign_wall()
    if not FAKES.needed and not _foreigner_speaks():
        FAKES.hide()


def _note_foreign_wall() -> None:
    """Tell the readings who has the say about the wall time: a freeze that ticks by itself, or the clock."""
    top = api.freeze_factories[-1] if api.freeze_factories else None
    own = top is None or isinstance(top, ClockFactory)
    READINGS.foreign_wall = None if own else lambda: (api.get_current_time() - _EPOCH) // _ONE_US


# What is replaced while a clock is in force, and what, while there may be another freeze within it.
PATCHES: Final[list[Patch]] = [(api._freeze_time, "start", _driven_start)]
_WHILE_FROZEN: Final = Patches(
    [
        (api._freeze_time, "stop", _driven_stop),
        # The monotonic time of freezegun's own fakes would jump with the wall.
        (api, "_get_fake_monotonic", _monotonic),
        (api, "_get_fake_monotonic_ns", _monotonic_ns),
        (api, "datetime_to_fakedatetime", _with_fold),
    ]
)


def start(factory: ClockFactory) -> None:
    """Put a clock on freezegun's stack."""
    factories = api.freeze_factories
    FAKES.shared = bool(factories)
    needed = FAKES.needed
    if needed:
        _WHILE_FROZEN.put_once()
    factories.append(factory)
    api.tz_offsets.append(_NO_OFFSET)
    api.ignore_lists.append(())
    api.tick_flags.append(False)
    if needed:
        FAKES.show()


def stop(factory: ClockFactory) -> None:
    """Take a clock off, and with it every freeze that was begun inside the span and never ended.

    May be called again.
    """
    factories = api.freeze_factories
    if factory in factories:
        place = factories.index(factory)
        del factories[place:], api.tz_offsets[place:], api.ignore_lists[place:], api.tick_flags[place:]
    FAKES.hide()
    _WHILE_FROZEN.take_out()
    READINGS.foreign_wall = None
