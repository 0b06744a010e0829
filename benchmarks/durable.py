"""What the reference system keeps: crash states of its stores and its recovery, real kills, and how fast it recovers.

    python benchmarks/durable.py [--json] [--quick] [--only NAME]

`reference_states` judges at least 10,000 states that a loss of power may leave of the file store, and as many of
checkpoints with recovery, recovery itself crashed; `sigkill_100` kills a loaded process a hundred times at random
moments, on the file store and on SQLite; `recover_10mb_s` recovers a checkpoint of 10 MB.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Hashable
from functools import partial
from pathlib import Path
from typing import Any

from pytest_sessionguard import crash
from pytest_sessionguard.crash.processes import kill_at_random
from pytest_sessionguard.errors import RecoveryFailed
from pytest_sessionguard.reference import SessionManager
from pytest_sessionguard.reference.recovery import GuardedSessions

Samples = dict[str, list[float]]
Mark = Callable[[Hashable], None]
Marks = tuple[Hashable, ...]

NOW_S = 1_700_000_000.0
STATES = 10_000


def manager_of(folder: Path, store: str, **settings: Any) -> SessionManager:
    """Return a manager on a store in the folder, at an instant that stands still."""
    path = str(folder / ("sessions" if store == "file" else "sessions.db"))
    return SessionManager(store=store, path=path, clock=lambda: NOW_S, environ={}, **settings)


def shown(manager: SessionManager) -> tuple[tuple[str, str], ...]:
    """Return what a manager shows of its sessions."""
    found = [manager.get(session_id) for session_id in sorted(manager.list_ids())]
    return tuple((one.id, repr(one.data)) for one in found if one is not None)


# -- crash states -----------------------------------------------------------------------------------------------------


def file_day(folder: Path, mark: Mark, *, seen: list[Any], rounds: int) -> None:
    """Use every kind of transaction of the file store."""
    manager = manager_of(folder, "file", max_concurrent=3, at_limit="evict-oldest")
    steps: list[Callable[[], Any]] = []
    for number in range(rounds):
        a, b, c, d = (f"{name}{number}" for name in "abcd")
        steps += [
            lambda a=a: manager.create("ada", {"n": 1}, session_id=a),
            lambda a=a: manager.update(a, {"n": 2, "text": "x" * 900}),
            lambda b=b: manager.create("bob", {"n": 3}, session_id=b),
            lambda b=b: manager.touch(b),
            lambda a=a: manager.rotate(a),
            lambda c=c: manager.create("eve", {"n": 4}, session_id=c),
            lambda d=d: manager.create("joe", {"n": 5}, session_id=d),
            lambda d=d: manager.update(d, {"n": 6}),
            lambda b=b: manager.close(b),
        ]
    seen.append(shown(manager))
    for number, step in enumerate(steps):
        mark(("begun", number))
        step()
        seen.append(shown(manager))
        mark(("done", number))


def counted(marks: Marks) -> tuple[int, int]:
    """Return how many steps were done, and how many begun."""
    words = [mark[0] for mark in marks if isinstance(mark, tuple)]
    return words.count("done"), words.count("begun")


def file_wrong(folder: Path, marks: Marks, *, seen: list[Any]) -> str | None:
    """Say what is wrong with what the file store shows."""
    done, begun = counted(marks)
    found = shown(manager_of(folder, "file", max_concurrent=3))
    return None if found in seen[done : begun + 1] or (not done and not found) else f"after {done} of {begun}: {found}"


def guarded(folder: Path) -> GuardedSessions:
    """Return the system of checkpoints and recovery, at an instant that stands still."""
    return GuardedSessions(folder / "kept", clock=lambda: NOW_S, environ={}, disk_free=lambda: 1 << 40)


def checkpoint_day(folder: Path, mark: Mark, *, rounds: int) -> None:
    """Make a checkpoint after each new session."""
    system = guarded(folder)
    for number in range(rounds):
        system.sessions.create(data={"text": "x" * 1_500}, session_id=f"s{number}")
        mark(("begun", number))
        system.checkpoint()
        mark(("done", number))


def checkpoint_wrong(folder: Path, marks: Marks) -> str | None:
    """Say what is wrong with what recovery brings back."""
    done, begun = counted(marks)
    system = guarded(folder)
    try:
        system.recover()
    except RecoveryFailed as failed:
        if not done and "there is no checkpoint" in str(failed):
            return None
        return f"after {done} of {begun}: {failed}"
    finally:
        system.keeper.let_go()
    found = len(system.sessions.list_ids())
    return None if done <= found <= begun else f"after {done} of {begun} checkpoints: {found} sessions"


def reference_states(rounds: int) -> Samples:
    """Judge states until there are enough of each, with one seed after another."""
    least = STATES if rounds > 1 else STATES // 50
    samples: Samples = {}
    for name in ("file_store", "checkpoints"):
        began_s, states, failed, during = time.perf_counter(), 0, 0, 0
        seed, length = 0, 2
        while states < least:
            seen: list[Any] = []
            if name == "file_store":
                work: Any = partial(file_day, seen=seen, rounds=length)
                judge: Any = partial(file_wrong, seen=seen)
            else:
                work, judge = partial(checkpoint_day, rounds=3 * length), checkpoint_wrong
            model = (crash.STRICT, crash.ORDERED)[seed % 2]
            report = crash.explore(work, judge, model=model, budget=least // 2, seed=seed, reopens=1)
            states, failed, during = states + report.states, failed + report.failed, during + report.recovery_states
            if report.failures:
                print(report)
            seed, length = seed + 1, length + 1
        samples[f"{name}_crash_states"] = [float(states)]
        samples[f"{name}_crash_states_during_recovery"] = [float(during)]
        samples[f"{name}_crash_states_wrong"] = [float(failed)]
        samples[f"{name}_crash_states_s"] = [time.perf_counter() - began_s]
    return samples


# -- real kills -------------------------------------------------------------------------------------------------------


def loaded(folder: Path, mark: Mark, *, store: str) -> None:
    """Make, change and end sessions until killed."""
    manager = manager_of(folder, store, max_concurrent=10_000)
    for number in range(2_000):
        manager.create("ada", {"n": 0}, session_id=f"s{number}")
        manager.update(f"s{number}", {"n": number})
        if number % 3 == 2:
            manager.close(f"s{number - 1}")
        mark(number)


def loaded_wrong(folder: Path, marks: Marks, *, store: str) -> str | None:
    """Say what of the acknowledged is not there."""
    manager = manager_of(folder, store, max_concurrent=10_000)
    over = len(marks)
    for number in range(over):
        found = manager.get(f"s{number}")
        is_gone = number % 3 == 1 and number + 1 < over
        may_be_gone = number % 3 == 1 and number + 1 == over
        if is_gone != (found is None) and not (may_be_gone and found is None):
            return f"s{number} of {over}: {found}"
        if found is not None and found.data != {"n": number}:
            return f"s{number} of {over} holds {found.data}"
    return None


def sigkill_100(rounds: int) -> Samples:
    """Kill loaded processes; count those that lost something."""
    kills = 50 if rounds > 1 else 3
    samples: Samples = {}
    for store in ("file", "sqlite"):
        began_s = time.perf_counter()
        work, judge = partial(loaded, store=store), partial(loaded_wrong, store=store)
        ran = list(kill_at_random(work, judge, kills=kills, marks_max=60, delay_us_max=4_000, seed=1))
        for problem in sorted({one.problem for one in ran if one.problem}):
            print(problem)
        samples[f"sigkills_{store}"] = [float(sum(one.killed for one in ran))]
        samples[f"sigkills_{store}_that_lost_something"] = [float(sum(bool(one.problem) for one in ran))]
        samples[f"sigkills_{store}_s"] = [time.perf_counter() - began_s]
    return samples


# -- speed ------------------------------------------------------------------------------------------------------------


def recover_10mb_s(rounds: int) -> Samples:
    """Recover a checkpoint of 10 MB."""
    samples: Samples = {}
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            first = guarded(folder)
            for number in range(100):
                first.sessions.create(data={"text": "x" * 105_000}, session_id=f"s{number}")
            first.checkpoint()
            first.keeper.let_go()
            size = max(path.stat().st_size for path in (folder / "kept" / "checkpoints").iterdir())
            again = guarded(folder)
            began_s = time.perf_counter()
            record = again.recover()
            spent_s = time.perf_counter() - began_s
            again.keeper.let_go()
            assert record is not None
            assert record.restored == 100
            samples.setdefault("recover_10mb_s", []).append(spent_s)
            samples.setdefault("recovered_checkpoint_mb", []).append(size / 1e6)
    return samples


FIGURES: dict[str, Callable[[int], Samples]] = {
    "reference_states": reference_states,
    "sigkill_100": sigkill_100,
    "recover_10mb_s": recover_10mb_s,
}


def main() -> None:
    """Measure, print, and with `--json` end with one flat object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    parser.add_argument("--quick", action="store_true", help="a small part: to see that it runs")
    parser.add_argument("--only", choices=sorted(FIGURES), help="one figure alone")
    options = parser.parse_args()
    samples: Samples = {}
    for name, measure in FIGURES.items():
        if options.only in (None, name):
            samples |= measure(1 if options.quick else 5)
    medians = {name: statistics.median(values) for name, values in samples.items()}
    for name, value in medians.items():
        print(f"{name:48} {value:14,.3f}" if value < 1000 else f"{name:48} {value:14,.0f}")
    if options.json:
        print(json.dumps({**{name: round(value, 6) for name, value in medians.items()}, "raw": samples}))


if __name__ == "__main__":
    main()
