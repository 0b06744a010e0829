"""The linearizability checker beside Porcupine, on recorded histories with known verdicts.

    python benchmarks/histories.py DIR [--yardstick SKETCH.py] [--rounds 5] [--json]

DIR holds `verdicts.json` (file -> whether it is linearizable), `times.tsv` (file, verdict, median seconds of Porcupine,
median seconds of a yardstick in Python, both on one machine), the logs of etcd registers (`jepsen/*.log`) and of a
key-value store (`kv/*.txt`).  The yardstick, a file with `check(parts, initial, step)`, run here as well, tells how
much slower or faster this machine is than that one: without it the machines are taken to be equally fast.  All times
are processor time, so that a busy machine changes little.

Told: `right` of `total` verdicts, `sum_vs_porcupine` and `worst_vs_porcupine` (medians here over medians there, the
machine's speed taken out).  Exits with 1 where a verdict is wrong or an aim is missed.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from pytest_sessionguard.core.orders import ILLEGAL, Calls, Told, by_object, explain_all
from pytest_sessionguard.core.specifications import REGISTER, TEXT

SUM_AIM, WORST_AIM = 0.6, 4.0

LOG_LINE = re.compile(r"INFO  jepsen\.util - (\d+)\t:(\w+)\t:(\w+)\t(.*)")
STORE_LINE = re.compile(r'\{:process (\d+), :type :(\w+), :f :(\w+), :key "(.*)", :value (?:nil|"(.*)")\}')


def register_log(path: Path) -> Iterator[Told]:
    """Give the calls of one etcd log.

    A call without an answer is lost; so is one answered `:info`.  A read that failed shows nothing.
    """
    open_calls: dict[str, tuple[int, str, str]] = {}
    for order, match in enumerate(filter(None, map(LOG_LINE.match, path.read_text(encoding="utf-8").splitlines()))):
        process, kind, name, text = match.groups()
        if kind == "invoke":
            open_calls[process] = (order, name, text)
        elif kind in ("ok", "fail"):
            called, name, asked = open_calls.pop(process)
            call = _register_call(name, asked, text, kind == "ok")
            if call is not None:
                yield Told(client=process, object=None, call=call, called=called, returned=order)
    for called, name, asked in open_calls.values():
        call = _register_call(name, asked, asked, None)
        if call is not None:
            yield Told(client="lost", object=None, call=call, called=called, returned=None)


def _register_call(name: str, asked: str, answer: str, ok: bool | None) -> tuple[Any, ...] | None:
    if name == "read":
        return ("read", None if answer == "nil" else int(answer)) if ok else None
    if name == "write":
        return ("write", int(asked))
    old, new = map(int, asked.strip("[]").split())
    return ("cas", old, new, ok)


def store_log(path: Path) -> Iterator[Told]:
    """Give the calls of one key-value log."""
    open_calls: dict[str, tuple[int, str]] = {}
    for order, match in enumerate(filter(None, map(STORE_LINE.match, path.read_text(encoding="utf-8").splitlines()))):
        process, kind, name, key, value = match.groups()
        if kind == "invoke":
            open_calls[process] = (order, value)
            continue
        called, asked = open_calls.pop(process)
        text = value if name == "get" else asked
        yield Told(client=process, object=key, call=(name, text), called=called, returned=order)


def median_s(work: Callable[[], Any], rounds: int) -> float:
    """Return the median processor time of the work."""
    spans = []
    for _ in range(rounds):
        began_s = time.process_time()
        work()
        spans.append(time.process_time() - began_s)
    return statistics.median(spans)


def machine_speed(folder: Path, yardstick: Path, parts: dict[str, list[Calls]], there: dict[str, float]) -> float:
    """Return how many times longer the yardstick takes here than it took there, in sum."""
    source = yardstick.read_text(encoding="utf-8").split("\nif __name__")[0]
    names: dict[str, Any] = {"UNK": object()}
    exec(re.sub(r"^from lincheck import \*$", "", source, flags=re.MULTILINE), names)
    here = 0.0
    for name, calls in parts.items():
        specification = REGISTER if name.startswith("jepsen") else TEXT

        def step(state: Any, told: tuple[int, Any], specification: Any = specification) -> Any:
            after = specification.step(state, told[1])
            return False if after is ILLEGAL else after

        given = [list(_yardstick_events(part, specification.looks)) for part in calls]
        here += median_s(lambda given=given, step=step, s=specification: names["check"](given, s.initial, step), 3)
    return here / sum(there.values())


def _yardstick_events(part: Calls, looks: Callable[[Any], bool]) -> Iterator[tuple[int, int, tuple[int, Any]]]:
    told = [(0 if looks(call) else 1, call) for call in part.calls]
    for event in part.events:
        yield (0, event, told[event]) if event >= 0 else (1, ~event, told[~event])
    for index in sorted(part.lost):
        yield (2, index, told[index])


def main() -> int:
    """Measure, print, and say whether the aims are met."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("folder", type=Path)
    options.add_argument("--yardstick", type=Path)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--json", action="store_true")
    given = options.parse_args()
    verdicts: dict[str, bool] = json.loads((given.folder / "verdicts.json").read_text(encoding="utf-8"))
    rows = [line.split("\t") for line in (given.folder / "times.tsv").read_text(encoding="utf-8").splitlines()[1:]]
    porcupine = {row[0]: float(row[2]) for row in rows}
    parts = {
        name: by_object((register_log if name.startswith("jepsen") else store_log)(given.folder / name))
        for name in verdicts
    }
    speed = 1.0
    if given.yardstick is not None:
        speed = machine_speed(given.folder, given.yardstick, parts, {row[0]: float(row[3]) for row in rows})
    right, ours = 0, {}
    for name, calls in parts.items():
        specification = REGISTER if name.startswith("jepsen") else TEXT
        right += (explain_all(calls, specification).verdict == "legal") == verdicts[name]
        spans = median_s(lambda calls=calls, s=specification: explain_all(calls, s), given.rounds)
        ours[name] = spans / speed
    ratios = {name: ours[name] / porcupine[name] for name in verdicts}
    worst = max(ratios, key=lambda name: ratios[name])
    told = {
        "right": right,
        "total": len(verdicts),
        "sum_vs_porcupine": round(sum(ours.values()) / sum(porcupine[name] for name in verdicts), 3),
        "worst_vs_porcupine": round(ratios[worst], 2),
        "worst": worst,
        "machine_speed": round(speed, 3),
    }
    if given.json:
        print(json.dumps(told))
    else:
        print("\n".join(f"{name:20} {value}" for name, value in told.items()))
    met = told["sum_vs_porcupine"] <= SUM_AIM and told["worst_vs_porcupine"] <= WORST_AIM
    return 0 if met and right == len(verdicts) else 1


if __name__ == "__main__":
    sys.exit(main())
