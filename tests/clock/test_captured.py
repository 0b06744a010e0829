"""References captured by modules: found, replaced, put back, and nobody disturbed."""

from __future__ import annotations

import sys
import types
from collections.abc import Iterator
from datetime import UTC, date, datetime
from time import monotonic, perf_counter, sleep
from time import time as captured_time

import pytest
from freezegun import api

from pytest_sessionguard.clock import readings
from pytest_sessionguard.clock.virtual import START_US, VirtualClock


def test_references_captured_before_the_span_are_virtual() -> None:
    with VirtualClock().installed() as clock:
        sleep(2.5)
        assert captured_time() == START_US / 1e6 + 2.5
        assert monotonic() == perf_counter() == clock.monotonic_us / 1e6
        assert datetime.now(UTC) == datetime(2026, 1, 1, 0, 0, 2, 500_000, tzinfo=UTC)
        assert date.today() == date(2026, 1, 1)


def test_a_module_imported_inside_the_span_is_real_afterwards() -> None:
    module = types.ModuleType("imported_late")
    with VirtualClock().installed():
        sys.modules["imported_late"] = module
        exec("from time import sleep, time\nfrom datetime import datetime\nnow = time()", vars(module))
        assert module.now == START_US / 1e6
    try:
        assert module.sleep is readings.real_sleep
        assert module.time is readings.real_time
        assert module.datetime is datetime
    finally:
        del sys.modules["imported_late"]


def test_pytest_itself_keeps_the_references_that_it_captured() -> None:
    timing = sys.modules["_pytest.timing"]
    with VirtualClock().installed():
        assert timing.perf_counter is readings.real_perf_counter


class Hermit(types.ModuleType):
    """A lazy module: whoever asks it for anything makes it load."""

    def __getattribute__(self, name: str) -> object:
        raise AssertionError(f"asked for {name}")


@pytest.fixture
def strange_modules() -> Iterator[types.ModuleType]:
    plain = types.ModuleType("plain_module")
    exec("from time import time", vars(plain))
    sys.modules["plain_module"] = plain
    sys.modules["lazy_module"] = Hermit("lazy_module")
    sys.modules["no_module"] = None  # type: ignore[assignment]
    yield plain
    for name in ("plain_module", "lazy_module", "no_module"):
        sys.modules.pop(name, None)


def test_lazy_modules_are_never_asked_for_an_attribute(strange_modules: types.ModuleType) -> None:
    with VirtualClock().installed():
        assert strange_modules.time() == START_US / 1e6


def test_a_stand_in_that_a_late_undo_brought_back_is_taken_out_by_the_next_span(
    strange_modules: types.ModuleType,
) -> None:
    with VirtualClock().installed():
        stand_in = strange_modules.time
    strange_modules.time = stand_in
    with VirtualClock().installed():
        pass
    assert strange_modules.time is readings.real_time


def test_what_a_user_put_in_place_meanwhile_is_left_alone(strange_modules: types.ModuleType) -> None:
    with VirtualClock().installed():
        strange_modules.time = print
    assert strange_modules.time is print


def test_a_module_that_means_the_fake_keeps_it() -> None:
    module = types.ModuleType("means_it")
    with VirtualClock().installed():
        sys.modules["means_it"] = module
        exec("from freezegun.api import FakeDatetime", vars(module))
    del sys.modules["means_it"]
    assert module.FakeDatetime is api.FakeDatetime
