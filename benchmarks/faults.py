"""What faults and crashes cost, and what they find, beside rivals measured in the same run.

    python benchmarks/faults.py [--json] [--quick] [--only NAME]

`kth_call_per_s` and `kth_await_per_s` run a scenario of twelve calls or suspensions again for each of them, with that
one failing and nothing judged; with `judged_` before it, each is a whole case of a manager, judged by the model.

One function a figure; each returns named samples, all of which go into `raw`.  Crashes are tried on six small stores
with a classic durability bug each and on two sound ones (tests/crash/stores.py): every state that a loss of power may
leave, against a real `kill -9` at every file operation, and against a test that lets random calls fail.
"""

from __future__ import annotations

import argparse
import asyncio
import errno
import importlib.util
import json
import os
import random
import shutil
import signal
import statistics
import sys
import time
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

from pytest_sessionguard.core.faults import Fault
from pytest_sessionguard.core.plan import Plan
from pytest_sessionguard.crash import explore, record
from pytest_sessionguard.crash.explorer import work_folder
from pytest_sessionguard.crash.processes import kill_once
from pytest_sessionguard.explore.cancelling import Cancellation, cut_off
from pytest_sessionguard.faults import Point
from pytest_sessionguard.faults.each_call import each_call
from pytest_sessionguard.faults.injector import Injector
from pytest_sessionguard.run import fault_sweeps, scenario_files
from pytest_sessionguard.run.runner import Runner
from pytest_sessionguard.target.profile import load

Samples = dict[str, list[float]]
Mark = Callable[[Hashable], None]


def crash_states(rounds: int) -> Samples:
    """Judge every state that a loss of power may leave of each store, each reopened twice."""
    stores = _stores()
    samples: Samples = {}
    for _ in range(rounds):
        states, spent_s = 0, 0.0
        for store in (*stores.BROKEN, *stores.SOUND):
            began = time.perf_counter()
            states += explore(stores.workload(store), stores.judge(store)).states
            spent_s += time.perf_counter() - began
        plain_s = statistics.median(_plain_s(stores, store) for store in (*stores.BROKEN, *stores.SOUND))
        samples.setdefault("crash_states_per_s", []).append(states / spent_s)
        samples.setdefault("crash_state_over_plain_run_ratio", []).append(spent_s / states / plain_s)
        samples.setdefault("six_bugs_s", []).append(spent_s)
    return samples


def _plain_s(stores: ModuleType, store: Any) -> float:
    """Return how long one run of the workload takes when nobody records it."""
    with work_folder() as folder:
        began = time.perf_counter()
        stores.workload(store)(folder, lambda mark: None)
        return time.perf_counter() - began


def durability_bugs(rounds: int) -> Samples:
    """Try to find each bug in three ways; print the table."""
    stores = _stores()
    head = f"{'store':24} {'kill -9 at every operation':>28} {'random failures':>24} {'states of a power loss':>28}"
    print(head)
    samples: Samples = {}
    found = {"kill": 0, "random": 0, "states": 0}
    alarms = 0
    for store in (*stores.BROKEN, *stores.SOUND):
        kills, kill_s = _timed(lambda store=store: list(_kills(stores, store)))
        failures, random_s = _timed(lambda store=store: list(_random_failures(stores, store, 30 * rounds)))
        report, states_s = _timed(lambda store=store: explore(stores.workload(store), stores.judge(store)))
        cells = (
            f"{sum(map(bool, kills))}/{len(kills)}, {1e3 * kill_s / len(kills):.1f} ms each",
            f"{sum(map(bool, failures))}/{len(failures)}, {1e3 * random_s / len(failures):.1f} ms each",
            f"{report.failed}/{report.states}, {1e3 * states_s / report.states:.2f} ms each",
        )
        print(f"{store.__name__:24} {cells[0]:>28} {cells[1]:>24} {cells[2]:>28}")
        samples.setdefault("real_kill_ms", []).append(1e3 * kill_s / len(kills))
        if store in stores.BROKEN:
            found["kill"] += any(kills)
            found["random"] += any(failures)
            found["states"] += bool(report.failed)
        else:
            alarms += any(kills) + any(failures) + bool(report.failed)
    for way, count in found.items():
        samples[f"durability_bugs_found_by_{way}_of_6"] = [float(count)]
    samples["durability_false_alarms"] = [float(alarms)]
    return samples


class _Deadly(list[Any]):
    """Effects of which the n-th is the last: the process kills itself."""

    def __init__(self, last: int) -> None:
        super().__init__()
        self.last = last

    def append(self, effect: Any) -> None:
        super().append(effect)
        if len(self) == self.last:
            os.kill(os.getpid(), signal.SIGKILL)


def _kills(stores: ModuleType, store: Any) -> Iterator[str]:
    """Kill a real process right after each of its file operations; give what is wrong with what is left."""
    for number in range(1, 1_000):

        def workload(folder: Path, mark: Mark, number: int = number) -> None:
            with record(folder) as recording:
                recording.effects = _Deadly(number)
                stores.workload(store)(folder, mark)

        kill = kill_once(workload, stores.judge(store), after_marks=1_000)
        if not kill.killed:
            return
        yield kill.problem


_FAILING = ("open", "write", "fsync", "replace", "rename", "unlink")


def _random_failures(stores: ModuleType, store: Any, runs: int) -> Iterator[str]:
    """Let calls fail at random, as a test does that knows no better; give what is wrong afterwards."""
    for seed in range(runs):
        marks: list[Hashable] = []
        with work_folder() as folder:
            try:
                with _failing(random.Random(seed)):
                    stores.workload(store)(folder, marks.append)
            except OSError:
                pass
            try:
                yield stores.judge(store)(folder, tuple(marks))
            except Exception as error:  # noqa: BLE001 - a store that cannot be reopened is what is looked for.
                yield f"{type(error).__name__}: {error}"


@contextmanager
def _failing(rng: random.Random) -> Iterator[None]:
    """Let one call in twenty of some functions raise, before it does anything."""
    real = {name: getattr(os, name) for name in _FAILING}

    def failing(name: str) -> Callable[..., Any]:
        def call(*args: Any, **named: Any) -> Any:
            if rng.random() < 0.05:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            return real[name](*args, **named)

        return call

    try:
        for name in _FAILING:
            setattr(os, name, failing(name))
        yield
    finally:
        for name in _FAILING:
            setattr(os, name, real[name])


class _Store(dict[str, dict[str, int]]):
    """A store that any manager may have."""

    def get_one(self, name: str) -> dict[str, int] | None:
        return self.get(name)

    def put_one(self, name: str, data: dict[str, int]) -> None:
        self[name] = data

    def drop(self, name: str) -> None:
        self.pop(name, None)


def _twelve_calls(before: Callable[[_Store], _Store]) -> str | None:
    """Make, change, move and end sessions: twelve calls of a store; say what is wrong with what is left."""
    store = _Store()
    port, slots, kept = before(store), 0, set()
    for name in ("a", "b", "c"):
        try:
            port.put_one(name, {"n": 0})
            slots += 1
            kept.add(name)
        except OSError:
            pass
    for name in ("a", "b", "c"):
        try:
            port.put_one(name, {"n": (port.get_one(name) or {"n": 0})["n"] + 1})
            slots += name not in kept
            kept.add(name)
        except OSError:
            pass
    try:
        port.put_one("d", {"n": 1})
        port.drop("a")
    except OSError:
        pass
    kept.discard("a")
    with suppress(OSError):
        port.drop("b")
    kept.discard("b")
    return "a session is lost" if kept - set(store) or slots > 3 else None


def kth_calls_alone(rounds: int) -> Samples:
    """Let each of twelve calls of a store fail in turn, the whole scenario run again for each; nothing is judged."""
    samples: Samples = {}
    for _ in range(rounds):
        plain_s = _timed(lambda: [_twelve_calls(lambda store: store) for _ in range(500)])[1] / 500
        found, spent_s = _timed(lambda: [one for _ in range(100) for one in each_call(_twelve_calls)])
        if len(found) != 1_200 or any(wrong for _, _, wrong in found):
            raise SystemExit("kth_call: twelve calls fail, and nothing is lost")
        samples.setdefault("kth_call_per_s", []).append(len(found) / spent_s)
        samples.setdefault("kth_call_over_plain_run_ratio", []).append(spent_s / len(found) / plain_s)
    return samples


async def _twelve_awaits() -> None:
    """Suspend twelve times under a lock that is given back whatever happens."""
    lock = asyncio.Lock()
    for _ in range(6):
        async with lock:
            await asyncio.sleep(0)
            await asyncio.sleep(0)


def kth_awaits_alone(rounds: int) -> Samples:
    """Cancel a task at each of its twelve suspensions in turn, the whole scenario run again for each."""

    async def plain(times: int) -> None:
        for _ in range(times):
            await asyncio.ensure_future(_twelve_awaits())

    async def swept(times: int) -> int:
        cut = 0
        for _ in range(times):
            for at in range(1, 13):
                cancellation = Cancellation(at=at)
                await cut_off(_twelve_awaits(), cancellation)
                cut += cancellation.fired
        return cut

    samples: Samples = {}
    for _ in range(rounds):
        plain_s = _timed(lambda: asyncio.run(plain(300)))[1] / 300
        cut, spent_s = _timed(lambda: asyncio.run(swept(60)))
        if cut != 720:
            raise SystemExit("kth_await: a suspension at which nobody was cancelled")
        samples.setdefault("kth_await_per_s", []).append(cut / spent_s)
        samples.setdefault("kth_await_over_plain_run_ratio", []).append(spent_s / cut / plain_s)
    return samples


def kth_calls(rounds: int) -> Samples:
    """Let each of the twelve calls of a hook fail in turn, a whole judged case for each; and ask the injector alone."""
    runner, plan = _twelve("reference-sync-memory", Fault(kind="fail_call", subject="close", at=None))
    return _per_fault(
        rounds, runner, plan, "judged_kth_call", [fault_sweeps.struck_at(plan, k) for k in range(1, 13)]
    ) | _raw(rounds)


def kth_awaits(rounds: int) -> Samples:
    """Cancel each of twelve operations at its first suspension, a whole judged case for each."""
    runner, plan = _twelve("reference-async-memory")
    cases = []
    for number in range(12):
        steps = list(plan.scenario.steps)
        steps[number] = replace(steps[number], cancel_at=1)  # type: ignore[arg-type]  # a step that stands alone
        cases.append(replace(plan, scenario=replace(plan.scenario, steps=tuple(steps))))
    return _per_fault(rounds, runner, plan, "judged_kth_await", cases)


def network_faults(rounds: int) -> Samples:
    """Break the connection to a real Redis server amidst each of twelve replies, a whole judged case for each.

    The plain run has no proxy: the ratio tells what it costs besides.
    """
    if shutil.which("redis-server") is None:
        print("network_faults: there is no redis-server on this machine")
        return {}
    runner, plan = _twelve("reference-redis", Fault(kind="reset", subject="half", at=None, when="after"))
    cases = [fault_sweeps.struck_at(plan, k) for k in range(1, 13)]
    return _per_fault(rounds, runner, plan, "judged_network_fault", cases)


def _twelve(name: str, *faults: Fault) -> tuple[Runner, Plan]:
    """Return a story of twelve deletions, each of which calls a hook, after twelve sessions are made."""
    made = "\n".join(f"  - create: {{as: s{number}}}" for number in range(12))
    ended = "\n".join(f"  - delete: s{number}" for number in range(12))
    text = f"scenario: Twelve calls\nversion: 1\nstart:\n{made}\nsteps:\n{ended}\n"
    scenario = replace(scenario_files.load("twelve.session.yaml", text), faults=faults)
    return Runner(load(name)), Plan(scenario=scenario)


def _per_fault(rounds: int, runner: Runner, plan: Plan, name: str, cases: list[Plan]) -> Samples:
    """Return faults a second and what one costs over a run in which nothing goes wrong, as median of `rounds`."""
    plain = replace(plan, scenario=replace(plan.scenario, faults=()))
    runner.run(plain)
    samples: Samples = {f"{name}_per_s": [], f"{name}_over_plain_run_ratio": []}
    for _ in range(rounds):
        plain_s = min(_timed(lambda: runner.run(plain))[1] for _ in range(12))
        ran, spent_s = _timed(lambda: [runner.run(case) for case in cases])
        if any(case.status == "violated" for case in ran):
            raise SystemExit(f"{name}: a violation where none is")
        struck = sum(len(case.fired) + case.cancelled for case in ran)
        samples[f"{name}_per_s"].append(struck / spent_s)
        samples[f"{name}_over_plain_run_ratio"].append(spent_s / len(cases) / plain_s)
    return samples


def _raw(rounds: int) -> Samples:
    """Return how many chances a second the injector alone answers: no manager, no model."""
    point, chances = Point("hook", "close"), 12_000
    samples: Samples = {"injector_faults_per_s": []}
    for _ in range(rounds):
        began = time.perf_counter()
        for number in range(chances // 12):
            injector = Injector([Fault(kind="fail_call", subject="close", at=1 + number % 12)])
            injector.armed = True
            for _ in range(12):
                injector.at(point, "before")
        samples["injector_faults_per_s"].append(chances / 12 / (time.perf_counter() - began))
    return samples


def _timed(work: Callable[[], Any]) -> tuple[Any, float]:
    began = time.perf_counter()
    result = work()
    return result, time.perf_counter() - began


def _stores() -> ModuleType:
    """Return the stores that the tests use."""
    name = "sessionguard_crash_stores"
    if name not in sys.modules:
        path = Path(__file__).parent.parent / "tests" / "crash" / "stores.py"
        spec = importlib.util.spec_from_file_location(name, path)
        if spec is None or spec.loader is None:
            raise SystemExit(f"benchmarks/faults.py needs {path}")
        sys.modules[name] = module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return sys.modules[name]


FIGURES: dict[str, Callable[[int], Samples]] = {
    "crash_states": crash_states,
    "durability_bugs": durability_bugs,
    "kth_calls_alone": kth_calls_alone,
    "kth_awaits_alone": kth_awaits_alone,
    "kth_calls": kth_calls,
    "kth_awaits": kth_awaits,
    "network_faults": network_faults,
}


def main() -> None:
    """Measure, print, and with `--json` end with one flat object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    parser.add_argument("--quick", action="store_true", help="fewer rounds: to see that it runs")
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
