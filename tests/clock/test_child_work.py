"""Who polls a child process, or gives it a moment, is not ahead of it; a child that idles holds nobody up."""

from __future__ import annotations

import multiprocessing
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest

from pytest_sessionguard.clock import child_work, readings
from pytest_sessionguard.clock.virtual import VirtualClock

HOUR_US = 3600 * 1_000_000
CONTEXT: Any = multiprocessing.get_context("fork") if "fork" in multiprocessing.get_all_start_methods() else None


@pytest.fixture
def clock() -> Iterator[VirtualClock]:
    with VirtualClock(threads=True).installed() as clock:
        yield clock


def test_who_polls_a_child_sees_it_end_in_time(clock: VirtualClock) -> None:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(0.05)"]) as child:
        deadline_s = time.monotonic() + 60
        while child.poll() is None and time.monotonic() < deadline_s:
            time.sleep(0.01)
        assert child.poll() == 0
    before_us = clock.monotonic_us
    time.sleep(3600)
    assert clock.monotonic_us == before_us + HOUR_US


@pytest.mark.skipif(CONTEXT is None, reason="this system does not fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_who_polls_a_process_of_multiprocessing_does_too(clock: VirtualClock) -> None:
    process = CONTEXT.Process(target=time.sleep, args=(0.05,))
    process.start()
    deadline_s = time.monotonic() + 60
    while process.is_alive() and time.monotonic() < deadline_s:
        time.sleep(0.01)
    assert process.exitcode == 0
    process.close()


def test_a_child_that_idles_holds_nobody_up_for_longer_than_the_patience() -> None:
    idle = [sys.executable, "-c", "input()"]
    with (
        VirtualClock(threads=True, patience_us=30_000).installed() as clock,
        subprocess.Popen(idle, stdin=subprocess.PIPE) as child,
    ):
        began_s = readings.real_monotonic()
        time.sleep(3600)
        assert clock.virtual_elapsed_us == HOUR_US
        assert readings.real_monotonic() - began_s < 60
        assert child.poll() is None
        child.communicate(b"\n")


def test_a_child_that_has_ended_is_over_at_once_and_left_to_be_waited_for() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""], stdin=subprocess.PIPE)
    watched = child_work.Child(child.pid, patience_s=1e9)
    while not watched.is_over():
        time.sleep(0.001)
    assert child.wait() == 0
    assert watched.is_over()
    child.communicate()


def test_a_child_that_never_began_is_no_work(clock: VirtualClock) -> None:
    with pytest.raises(FileNotFoundError):
        subprocess.Popen(["a-program-that-is-not-there"])
    time.sleep(3600)
    assert clock.virtual_elapsed_us == HOUR_US
