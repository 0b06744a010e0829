"""A child process is at work while it computes, and idle while it waits."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from pytest_sessionguard.clock import children
from pytest_sessionguard.clock.children import Children

pytestmark = pytest.mark.skipif(
    not os.path.exists("/proc/self/task") or not os.path.exists(f"/proc/self/task/{os.getpid()}/children"),
    reason="this system does not tell which children there are",
)
# It tells what it is about to do, then computes, or waits to be told to end.
PROGRAM = """
import sys
for line in sys.stdin:
    print("", flush=True)
    if line == "compute\\n":
        while True:
            pass
"""


@pytest.fixture
def child() -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen([sys.executable, "-c", PROGRAM], stdin=-1, stdout=-1, text=True) as process:
        tell(process, "begin")
        yield process
        process.kill()


def tell(process: subprocess.Popen[str], word: str) -> None:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(f"{word}\n")
    process.stdin.flush()
    process.stdout.readline()


def at_work(asked: Children, wanted: bool) -> bool:
    """Ask until the answer is the one that is wanted; a child needs a moment to come to rest."""
    return any(asked.at_work() is wanted or bool(time.sleep(0.001)) for _ in range(20_000))


def test_a_child_that_waits_is_idle_and_one_that_computes_is_at_work(child: subprocess.Popen[str]) -> None:
    asked = Children()
    assert at_work(asked, False)
    tell(child, "compute")
    assert at_work(asked, True)


def test_one_that_has_computed_meanwhile_is_at_work_once(
    child: subprocess.Popen[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = Children()
    assert at_work(asked, False)
    used = next(iter(asked._used))
    monkeypatch.setattr(children, "_AT_WORK", ())
    asked._used[used] = [b"0", b"-1"]
    assert asked.at_work()
    assert not asked.at_work()


def test_where_nobody_tells_nobody_is_at_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(children, "_OWN", "/nowhere")
    assert not Children().at_work()


def test_one_that_has_ended_meanwhile_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(children, "_children", lambda place: [b"0"] if place == children._OWN else [])
    assert not Children().at_work()
