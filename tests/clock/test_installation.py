"""In force and out again: nothing stays behind, whatever happens."""

from __future__ import annotations

import copyreg
import datetime as datetime_module
import sys
import time

import freezegun
import pytest
from freezegun import api

from pytest_sessionguard.clock import installation, readings
from pytest_sessionguard.clock.virtual import START_US, VirtualClock
from pytest_sessionguard.errors import UsageError


def patched_places() -> dict[str, object]:
    """Return everything that entering replaces, as it is now."""
    here = sys.modules[__name__]
    places = {f"{owner}.{name}": owner.__dict__[name] for owner, name, _ in installation.PATCHES}
    for module in (time, datetime_module, here):
        places |= {f"{module.__name__}.{name}": value for name, value in vars(module).items() if name[:2] != "__"}
    places |= {"stack": list(api.freeze_factories), "pickling": dict(copyreg.dispatch_table)}
    return places


def test_nothing_stays_patched_after_the_span() -> None:
    with VirtualClock().installed():
        pass
    before = patched_places()
    with VirtualClock().installed():
        assert time.sleep is not before["time.sleep"]
    assert patched_places() == before


@pytest.mark.parametrize("error", [KeyError, KeyboardInterrupt, SystemExit, GeneratorExit])
def test_nothing_stays_patched_after_an_exception(error: type[BaseException]) -> None:
    before = patched_places()
    with pytest.raises(error), VirtualClock().installed():
        raise error
    assert patched_places() == before


def test_an_interrupt_while_entering_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(clock: VirtualClock) -> None:
        raise KeyboardInterrupt

    before = patched_places()
    with monkeypatch.context() as patch:
        patch.setattr(installation.eventloop, "enter", interrupted)
        with pytest.raises(KeyboardInterrupt):
            VirtualClock().installed().__enter__()
    assert patched_places() == before
    assert readings.READINGS.clock is None


def test_an_interrupt_while_leaving_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    leave, calls = installation.eventloop.leave, []

    def interrupted_once() -> None:
        calls.append(1)
        if len(calls) == 1:
            raise KeyboardInterrupt
        leave()

    before = patched_places()
    with monkeypatch.context() as patch:
        patch.setattr(installation.eventloop, "leave", interrupted_once)
        with pytest.raises(KeyboardInterrupt), VirtualClock().installed():
            pass
    assert patched_places() == before
    assert len(calls) == 2


def test_a_second_clock_is_refused_and_the_first_stays_in_force() -> None:
    with VirtualClock().installed() as clock:
        with pytest.raises(UsageError, match="another clock is already in force"), VirtualClock().installed():
            pass
        with pytest.raises(UsageError, match="this clock is already in force"), clock.installed():
            pass
        time.sleep(1)
        assert clock.virtual_elapsed_us == 1_000_000


def test_a_clock_keeps_its_time_between_two_spans() -> None:
    clock = VirtualClock()
    with clock.installed():
        time.sleep(5)
    with clock.installed():
        assert time.time() == START_US / 1e6 + 5


def test_a_freeze_that_is_never_ended_ends_with_the_span() -> None:
    before = patched_places()
    with VirtualClock().installed():
        freezegun.freeze_time("2020-05-05").start()
    assert patched_places() == before
