"""References captured by modules: found, replaced, put back, and nobody disturbed."""

from __future__ import annotations

import gc
import importlib
import sys
import time
import types
import weakref
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from time import monotonic, perf_counter, sleep
from time import time as captured_time

import cachetools
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


# -- a real package, unmodified ---------------------------------------------------------------------------------------

cache_made_before: cachetools.TTLCache[str, int] = cachetools.TTLCache(maxsize=10, ttl=1800)


@cachetools.cached(cachetools.TTLCache(maxsize=10, ttl=1800))
def cached_function(argument: int) -> object:
    return object()


@pytest.mark.parametrize("made", ["before", "inside"])
def test_a_ttl_cache_expires_in_virtual_time_to_the_microsecond(made: str) -> None:
    timer = cache_made_before.timer
    with VirtualClock().installed() as clock:
        cache = cache_made_before if made == "before" else cachetools.TTLCache[str, int](maxsize=10, ttl=1800)
        cache["s1"] = 1
        clock.advance(1_799_999_999)
        assert "s1" in cache
        clock.advance(1)
        assert "s1" not in cache
    assert cache_made_before.timer is timer
    assert vars(timer)["_Timer__timer"] is readings.real_monotonic
    assert cachetools.TTLCache.__init__.__defaults__[0] is readings.real_monotonic  # type: ignore[index]


def test_a_function_behind_a_ttl_cache_is_called_again_when_virtual_time_has_passed() -> None:
    with VirtualClock().installed():
        first = cached_function(1)
        time.sleep(1799)
        assert cached_function(1) is first
        time.sleep(1)
        assert cached_function(1) is not first


@dataclass
class Stamped:
    at: float = field(default_factory=time.time)


def test_a_dataclass_stamps_itself_with_virtual_time_and_afterwards_with_real_time() -> None:
    with VirtualClock().installed():
        assert Stamped().at == START_US / 1e6
    assert abs(Stamped().at - readings.real_time()) < 60


# -- what changes between two spans -----------------------------------------------------------------------------------


class Keeper:
    """A manager that reads the clock it was made with."""

    def __init__(self) -> None:
        self.now = time.time


keeper: Keeper | None = None
keepers: dict[str, Keeper] = {}


@pytest.fixture(autouse=True)
def _no_keepers() -> Iterator[None]:
    yield
    global keeper
    keeper = None
    keepers.clear()


def test_a_global_object_made_after_the_first_span_is_found_by_the_next() -> None:
    global keeper
    for _ in range(3):
        with VirtualClock().installed():
            pass
        # Given back before the next is made: it may well get the same place in memory.
        keeper = None
        keeper = Keeper()
        with VirtualClock().installed():
            assert keeper.now() == START_US / 1e6
        assert keeper.now is readings.real_time


def test_an_object_put_into_a_global_registry_is_found_by_the_next_span() -> None:
    with VirtualClock().installed():
        pass
    keepers["a"] = Keeper()
    with VirtualClock().installed():
        assert keepers["a"].now() == START_US / 1e6
    assert keepers["a"].now is readings.real_time


def test_an_object_is_not_kept_alive_by_having_been_found() -> None:
    global keeper
    keeper = Keeper()
    with VirtualClock().installed():
        assert keeper.now() == START_US / 1e6
    trace = weakref.ref(keeper)
    keeper = None
    gc.collect()
    assert trace() is None


@pytest.mark.parametrize("again", ["reloaded", "imported anew"])
def test_a_module_that_was_executed_again_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, again: str
) -> None:
    (tmp_path / "shop_again.py").write_text("import time\ndef f(now=time.time): return now()\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    module = importlib.import_module("shop_again")
    try:
        with VirtualClock().installed():
            assert module.f() == START_US / 1e6
        if again == "reloaded":
            importlib.reload(module)
        else:
            del sys.modules["shop_again"]
            module = importlib.import_module("shop_again")
        with VirtualClock().installed():
            assert module.f() == START_US / 1e6
        assert module.f.__defaults__ == (readings.real_time,)
    finally:
        del sys.modules["shop_again"]


# -- what leaks -------------------------------------------------------------------------------------------------------


def test_a_reference_that_leaks_out_of_the_span_tells_real_time() -> None:
    with VirtualClock().installed():
        leaked = [time.time, time.monotonic, time.localtime, Keeper().now]
        assert leaked[0]() == START_US / 1e6
    began = readings.real_time(), readings.real_monotonic()
    assert began[0] <= leaked[0]() < began[0] + 60
    assert began[1] <= leaked[1]() < began[1] + 60
    assert leaked[2]().tm_year == readings.real_localtime().tm_year
    assert began[0] <= leaked[3]() < began[0] + 60


def test_an_object_made_within_one_span_is_virtual_in_the_next() -> None:
    with VirtualClock().installed():
        kept = Keeper()
    with VirtualClock(start="2030-01-01").installed():
        assert datetime.fromtimestamp(kept.now(), UTC) == datetime(2030, 1, 1, tzinfo=UTC)
