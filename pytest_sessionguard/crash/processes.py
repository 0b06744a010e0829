"""Real processes, really killed: a workload in a child, SIGKILL at some moment, what is left judged here.

A kill takes milliseconds where a computed state takes a fraction of one, and shows only what the page cache keeps; it
confirms what the exploration of kills says, and it works for whatever a child does, in C too.
"""

from __future__ import annotations

import os
import pickle
import random
import select
import signal
import time
import warnings
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final, cast

from pytest_sessionguard.crash.explorer import Judge, Marks, Workload, work_folder
from pytest_sessionguard.errors import HarnessError, UsageError

# Real time after which a child that neither ends nor says anything is taken to hang.
PATIENCE_S: Final = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Kill:
    """One child and what became of it.

    Attributes:
        after_marks: it was to be killed once it had said so much; `delay_us`: real time later.
        killed: it was killed; else it had ended before.
        marks: what it had said by then.
        problem: what is wrong with what it left; empty where nothing is.
    """

    after_marks: int
    delay_us: int
    killed: bool
    marks: Marks
    problem: str


def unavailable() -> str:
    """Return why children cannot be killed here; nothing where they can."""
    return "" if hasattr(os, "fork") and hasattr(signal, "SIGKILL") else "this system has no fork and SIGKILL"


def kill_each(workload: Workload, reopen_and_judge: Judge, *, kills_max: int = 1_000) -> Iterator[Kill]:
    """Kill a child at its first mark, the next at its second, and so on, until one ends by itself.

    Raises:
        UsageError: no child can be killed here, or one raised.
    """
    for after_marks in range(1, kills_max + 1):
        kill = kill_once(workload, reopen_and_judge, after_marks=after_marks)
        if not kill.killed:
            return
        yield kill


def kill_at_random(
    workload: Workload, reopen_and_judge: Judge, *, kills: int, marks_max: int, delay_us_max: int, seed: int = 0
) -> Iterator[Kill]:
    """Kill children at random moments: after some mark, and some real microseconds later.

    Raises:
        UsageError: see `kill_each`.
    """
    rng = random.Random(seed)
    for _ in range(kills):
        after_marks, delay_us = rng.randint(1, marks_max), rng.randint(0, delay_us_max)
        yield kill_once(workload, reopen_and_judge, after_marks=after_marks, delay_us=delay_us)


def kill_once(workload: Workload, reopen_and_judge: Judge, *, after_marks: int, delay_us: int = 0) -> Kill:
    """Run a workload in a child, kill it, and judge what is left.

    Without a delay the child kills itself as soon as it has said its n-th mark: always at the same place.

    Raises:
        UsageError: no child can be killed here, or it raised.
    """
    reason = unavailable()
    if reason:
        raise UsageError(f"no process can be killed: {reason}")
    with work_folder() as folder:
        marks, killed = _run(workload, folder, after_marks, delay_us)
        try:
            problem = reopen_and_judge(folder, marks) or ""
        except Exception as error:  # noqa: BLE001 - whatever a store raises when it is reopened is its answer.
            problem = f"{type(error).__name__}: {error}"
        return Kill(after_marks=after_marks, delay_us=delay_us, killed=killed, marks=marks, problem=problem)


class Child:
    """A process at work, which can be made to stand still, with all that it holds, and let go on."""

    def __init__(self, pid: int, said: IO[bytes]) -> None:
        self.pid = pid
        self._has_ended = False
        self._messages = _messages(said)

    def mark(self) -> Hashable:
        """Return what it says next; wait for it.

        Raises:
            UsageError: it raised, or has ended.
        """
        for kind, value in self._messages:
            if kind == "error":
                raise UsageError(f"the workload raised in its process: {value}")
            return cast("Hashable", value)
        raise UsageError("the process has ended and says no more")

    def stop(self) -> None:
        """Let it stand still: on return it does, or has ended."""
        os.kill(self.pid, signal.SIGSTOP)
        _, status = os.waitpid(self.pid, os.WUNTRACED)
        self._has_ended = not os.WIFSTOPPED(status)

    def go_on(self) -> None:
        """Let it go on where it stood."""
        os.kill(self.pid, signal.SIGCONT)

    def end(self) -> None:
        """Kill it, whether it stands still or not; twice does no harm."""
        if not self._has_ended:
            self._has_ended = True
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)


@contextmanager
def at_work(workload: Workload, folder: Path) -> Iterator[Child]:
    """Run a workload in a process of its own; it is killed at the end of the block.

    Raises:
        UsageError: no process can be killed here.
    """
    reason = unavailable()
    if reason:
        raise UsageError(f"no process can be stopped: {reason}")
    pid, read_end = _forked(workload, folder, 0)
    with os.fdopen(read_end, "rb") as said:
        child = Child(pid, said)
        try:
            yield child
        finally:
            child.end()


def _forked(workload: Workload, folder: Path, kill_after: int) -> tuple[int, int]:
    """Begin a child that works; return its number, and the descriptor at which it is heard."""
    read_end, write_end = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Threads are no concern: the child only works and dies.
        child = os.fork()
    if not child:
        os.close(read_end)
        _work(workload, folder, write_end, kill_after)
    os.close(write_end)
    return child, read_end


def _run(workload: Workload, folder: Path, after_marks: int, delay_us: int) -> tuple[Marks, bool]:
    """Return what a child said before it died, and whether it was killed."""
    child, read_end = _forked(workload, folder, after_marks if not delay_us else 0)
    try:
        with os.fdopen(read_end, "rb") as said:
            marks, error = _heard(said, child, after_marks if delay_us else 0, delay_us)
    except BaseException:
        os.kill(child, signal.SIGKILL)
        raise
    finally:
        _, status = os.waitpid(child, 0)
    if error:
        raise UsageError(f"the workload raised in its process: {error}")
    return marks, os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL


def _work(workload: Workload, folder: Path, write_end: int, kill_after: int) -> None:
    """Work in the child; never returns.

    `kill_after`: the number of the mark after which it kills itself; 0: it does not.
    """
    said = 0

    def mark(value: Hashable) -> None:
        nonlocal said
        _say(write_end, ("mark", value))
        said += 1
        if said == kill_after:
            os.kill(os.getpid(), signal.SIGKILL)

    try:
        workload(folder, mark)
    except BaseException as error:  # noqa: BLE001 - told to the parent, which raises it as the user's.
        _say(write_end, ("error", f"{type(error).__name__}: {error}"))
    finally:
        os._exit(0)


def _say(write_end: int, what: tuple[str, Any]) -> None:
    text = pickle.dumps(what)
    whole = len(text).to_bytes(4, "big") + text
    while whole:
        whole = whole[os.write(write_end, whole) :]


def _heard(said: IO[bytes], child: int, kill_after: int, delay_us: int) -> tuple[Marks, str]:
    """Return what the child says until it dies; kill it some time after a mark."""
    marks: list[Hashable] = []
    error = ""
    for kind, value in _messages(said):
        if kind == "error":
            error = value
            continue
        marks.append(value)
        if len(marks) == kill_after:
            _wait(delay_us)
            os.kill(child, signal.SIGKILL)
    return tuple(marks), error


def _wait(span_us: int) -> None:
    """Let real time pass without sleeping, which would not be as exact."""
    until = time.perf_counter() + span_us / 1e6
    while time.perf_counter() < until:
        pass


def _messages(said: IO[bytes]) -> Iterator[tuple[str, Any]]:
    """Give what the child says, as it says it; what it was killed in the middle of is not said."""
    held = b""
    descriptor = said.fileno()
    ready = select.poll()
    ready.register(descriptor, select.POLLIN)
    while True:
        while len(held) >= 4 and len(held) >= 4 + (length := int.from_bytes(held[:4], "big")):
            yield pickle.loads(held[4 : 4 + length])
            held = held[4 + length :]
        if not ready.poll(PATIENCE_S * 1000):
            raise HarnessError(f"a child has said nothing for {PATIENCE_S:g} s")
        more = os.read(descriptor, 1 << 16)
        if not more:
            return
        held += more
