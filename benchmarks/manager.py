"""How fast the reference manager is, beside rivals measured in the same run.

    python benchmarks/manager.py [--json] [--quick]

One function a measure; each returns named samples, all of which go into `raw`.  Rivals take turns within each round, so
that a slow moment of the machine meets all of them.  Ratios decide: machines differ.  The reference gives more for its
price than the rivals do: checked and copied data, a limit, 256-bit ids, a clock that may be set back; they show how far
a plain store is away.
"""

from __future__ import annotations

import argparse
import gc
import json
import math
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from importlib import import_module

Samples = dict[str, list[float]]
Operations = dict[str, Callable[[], None]]

TIMEOUT_SECS = 3600
DATA = {"user": "ada", "items": [1, 2, 3], "seen": True}


def operations_per_second(rounds: int, count: int) -> Samples:
    """Create, touch and get `count` sessions in each of three stores."""
    makers = {"reference": _reference, "cachetools_ttlcache": _cachetools, "cachelib_simplecache": _cachelib}
    samples: Samples = {}
    for number in range(rounds):
        names = list(makers)
        for name in names[number % len(names) :] + names[: number % len(names)]:
            for operation, run in makers[name](count):
                samples.setdefault(f"{name}_{operation}_per_s", []).append(count / _seconds(run))
    return samples


def sweep_10_of_1m(rounds: int, live: int) -> Samples:
    """Sweep 10 expired sessions among `live` others, all of which were touched since they were made."""
    manager_class = _imported("pytest_sessionguard.reference", "pytest-sessionguard").SessionManager
    now = [1_000_000_000.0]
    manager = manager_class(max_concurrent=math.inf, timeout_secs=TIMEOUT_SECS, clock=lambda: now[0])
    ids = [manager.create().session_id for _ in range(live)]
    now[0] += TIMEOUT_SECS / 2
    for session_id in ids:
        manager.touch(session_id)
    now[0] += TIMEOUT_SECS / 2 + 1  # every deadline of the beginning has passed, and every one was moved
    samples: Samples = {"sweep_10_of_1m_ms": []}
    gc.freeze()  # a million objects that stay are not to be walked over in the middle of a sample
    for _ in range(rounds):
        for _ in range(10):
            manager.create(timeout_secs=1)
        now[0] += 1
        swept: list[int] = []
        samples["sweep_10_of_1m_ms"].append(1e3 * _seconds(lambda to=swept: to.append(manager.sweep())))
        if swept != [10]:
            raise SystemExit(f"the sweep removed {swept} sessions, not [10]: the figure would mean nothing")
    gc.unfreeze()
    return samples


def _reference(count: int) -> Iterator[tuple[str, Callable[[], None]]]:
    manager = _imported("pytest_sessionguard.reference", "pytest-sessionguard").SessionManager(
        max_concurrent=2 * count, timeout_secs=TIMEOUT_SECS
    )
    ids: list[str] = []

    def create() -> None:
        ids.extend(manager.create("ada", DATA).session_id for _ in range(count))

    yield "create", create
    yield "touch", lambda: _each(manager.touch, ids)
    yield "get", lambda: _each(manager.get, ids)


def _cachetools(count: int) -> Iterator[tuple[str, Callable[[], None]]]:
    """A cache with a time to live, as many keep their sessions: a lock around it, random ids, a touch writes anew."""
    import secrets
    import threading

    cache = _imported("cachetools", "cachetools").TTLCache(maxsize=2 * count, ttl=TIMEOUT_SECS)
    lock = threading.Lock()
    ids: list[str] = []

    def create() -> None:
        for _ in range(count):
            session_id = secrets.token_urlsafe(32)
            with lock:
                cache[session_id] = dict(DATA)
            ids.append(session_id)

    def touch(session_id: str) -> None:
        with lock:
            cache[session_id] = cache[session_id]

    def get(session_id: str) -> object:
        with lock:
            return cache.get(session_id)

    yield "create", create
    yield "touch", lambda: _each(touch, ids)
    yield "get", lambda: _each(get, ids)


def _cachelib(count: int) -> Iterator[tuple[str, Callable[[], None]]]:
    """The store in memory that Flask-Session keeps its sessions in."""
    import secrets

    cache = _imported("cachelib", "cachelib").SimpleCache(threshold=2 * count, default_timeout=TIMEOUT_SECS)
    ids: list[str] = []

    def create() -> None:
        for _ in range(count):
            session_id = secrets.token_urlsafe(32)
            cache.set(session_id, DATA)
            ids.append(session_id)

    def touch(session_id: str) -> None:
        cache.set(session_id, cache.get(session_id))

    yield "create", create
    yield "touch", lambda: _each(touch, ids)
    yield "get", lambda: _each(cache.get, ids)


def _each(operation: Callable[[str], object], ids: list[str]) -> None:
    for session_id in ids:
        operation(session_id)


def _seconds(run: Callable[[], object]) -> float:
    begin = time.perf_counter()
    run()
    return time.perf_counter() - begin


def _imported(module: str, distribution: str):  # type: ignore[no-untyped-def]  # whatever the module holds
    try:
        return import_module(module)
    except ModuleNotFoundError:
        raise SystemExit(f"benchmarks/manager.py needs {distribution}: pip install {distribution}") from None


def figures(samples: Samples) -> dict[str, float]:
    """Return the median of every measure, and the reference's speed as a share of each rival's."""
    medians = {name: statistics.median(values) for name, values in samples.items()}
    for name, value in list(medians.items()):
        for rival in ("cachetools_ttlcache", "cachelib_simplecache"):
            theirs = name.replace("reference_", f"{rival}_", 1)
            if name.startswith("reference_") and theirs in medians:
                operation = name.removeprefix("reference_").removesuffix("_per_s")
                medians[f"{operation}_vs_{rival}_ratio"] = value / medians[theirs]
    return medians


def main() -> None:
    """Measure, print, and with `--json` end with one flat object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    parser.add_argument("--quick", action="store_true", help="fewer sessions and rounds: to see that it runs")
    options = parser.parse_args()
    rounds, count, live = (3, 2_000, 20_000) if options.quick else (7, 20_000, 1_000_000)
    samples = operations_per_second(rounds, count)
    sweeps = sweep_10_of_1m(3 * rounds, live)
    if options.quick:  # another number of sessions is another measure, and has another name
        sweeps = {f"sweep_10_of_{live}_ms": values for values in sweeps.values()}
    samples |= sweeps
    medians = figures(samples)
    for name, value in medians.items():
        unit = "x" if name.endswith("_ratio") else ""
        print(f"{name:48} {value:14,.3f}{unit}" if value < 1000 else f"{name:48} {value:14,.0f}")
    if options.json:
        print(json.dumps({**{name: round(value, 6) for name, value in medians.items()}, "raw": samples}))
    sys.stdout.flush()


if __name__ == "__main__":
    main()
