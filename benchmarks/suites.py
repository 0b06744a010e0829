"""Suites that know nothing of sessionguard, in real time and in virtual time: outcomes compared, times told.

    python benchmarks/suites.py DIR [--python PYTHON] [--tests PATH ...] [--json] [-- PYTEST OPTIONS]
    python benchmarks/suites.py --own [--pairs 5] [--json]

DIR is a checkout or an unpacked source distribution; PYTHON, an interpreter that has pytest, sessionguard and what the
suite needs.  The suite runs as it is, once in each time, and is compared test by test; exits with 1 where an outcome
differs.  `--own` generates a suite of asyncio and thread tests that sleep, and the same suite with its sleeps cut out:
`suite_vs_no_sleep` is the first in virtual time beside the second in real time, medians of whole runs that take turns;
`processor_vs_no_sleep` is the same by processor time, which a busy machine changes less.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

GOAL = 1.2
LONGEST_S = 280

# One interpreter loads the plugin by its entry point, another one knows it by its path alone: this name serves both.
VIRTUAL = ("-p", "pytest_sessionguard", "--sessionguard-time=virtual")


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What one run of a suite told."""

    outcomes: dict[str, str]
    # Of the tests alone, as pytest's report tells them, and of the whole process.
    tests_s: float
    wall_s: float
    processor_s: float


def run(python: str, folder: Path, words: list[str], virtual: bool) -> Run:
    """Run the suite of a folder.

    Raises:
        SystemExit: pytest ran nothing, or did not end.
    """
    with tempfile.TemporaryDirectory() as place:
        report = Path(place) / "report.xml"
        command = [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:randomly", f"--junitxml={report}"]
        command += [*(VIRTUAL if virtual else ()), *words]
        before, began_s = os.times(), time.perf_counter()
        try:
            told = subprocess.run(
                command, cwd=folder, env=environment(folder), capture_output=True, text=True, timeout=LONGEST_S
            )
        except subprocess.TimeoutExpired as hung:
            raise SystemExit(f"no end after {LONGEST_S} s: {(hung.stdout or b'').decode()[-2000:]}") from None
        wall_s, after = time.perf_counter() - began_s, os.times()
        if not report.exists():
            raise SystemExit(f"no report: {told.stdout[-2000:]}{told.stderr[-2000:]}")
        tests = ElementTree.parse(report).getroot()
    processor_s = sum(after[2:4]) - sum(before[2:4])
    tests_s = float(next(tests.iter("testsuite")).get("time", 0))
    return Run(outcomes=outcomes(tests), tests_s=tests_s, wall_s=wall_s, processor_s=processor_s)


def environment(folder: Path) -> dict[str, str]:
    """Return an environment in which a checkout's own packages are found, in either of their usual places."""
    found = os.pathsep.join([str(folder / "src"), str(folder), os.environ.get("PYTHONPATH", "")])
    return {**os.environ, "PYTHONPATH": found, "PYTHONHASHSEED": "0"}


def outcomes(report: ElementTree.Element) -> dict[str, str]:
    """Return the outcome of every test of a JUnit report."""
    found: dict[str, str] = {}
    seen: Counter[str] = Counter()
    for case in report.iter("testcase"):
        name = f"{case.get('classname')}::{case.get('name')}"
        seen[name] += 1
        if seen[name] > 1:
            name = f"{name} ({seen[name]})"
        found[name] = " and ".join(sorted({child.tag for child in case} & {"failure", "error", "skipped"})) or "passed"
    return found


def compare(name: str, real: Run, virtual: Run) -> dict[str, object]:
    """Return the figures of a suite."""
    tests = sorted(set(real.outcomes) | set(virtual.outcomes))
    differ = {test: [real.outcomes.get(test, "missing"), virtual.outcomes.get(test, "missing")] for test in tests}
    differ = {test: both for test, both in differ.items() if both[0] != both[1]}
    return {
        "suite": name,
        "tests": len(tests),
        "passed_real": sum(outcome == "passed" for outcome in real.outcomes.values()),
        "equal": len(tests) - len(differ),
        "real_s": round(real.tests_s, 2),
        "virtual_s": round(virtual.tests_s, 2),
        "real_wall_s": round(real.wall_s, 2),
        "virtual_wall_s": round(virtual.wall_s, 2),
        "differ": differ,
    }


# -- a suite of our own ----------------------------------------------------------------------------------------------

HEAD = '''"""A suite full of sleeps, generated."""

import asyncio
import queue
import threading
import time
from concurrent.futures import ThreadPoolExecutor

'''

# A kind of test -> its source; {span} is a span, {many} how often it sleeps, {number} tells tests apart.
KINDS = {
    "sleep": "def test_sleep_{number}():\n    for _ in range({many}):\n        time.sleep({span})\n",
    "wait": (
        "def test_wait_{number}():\n"
        "    async def work():\n        for _ in range({many}):\n"
        "            await asyncio.sleep({span})\n        return 1\n\n"
        "    async def both():\n"
        "        return await asyncio.gather(work(), asyncio.wait_for(work(), {many} * {span} + 1))\n\n"
        "    assert asyncio.run(both()) == [1, 1]\n"
    ),
    "worker": (
        "def test_worker_{number}():\n    jobs, done = queue.Queue(), []\n\n"
        "    def work():\n        while (job := jobs.get(timeout=60)) is not None:\n"
        "            time.sleep({span})\n            done.append(job)\n\n"
        "    worker = threading.Thread(target=work)\n    worker.start()\n"
        "    for job in [*range({many}), None]:\n        jobs.put(job)\n"
        "    worker.join(60)\n    assert done == list(range({many}))\n"
    ),
    "pool": (
        "def test_pool_{number}():\n    with ThreadPoolExecutor(4) as pool:\n"
        "        assert len(list(pool.map(lambda _: time.sleep({span}), range({many}), timeout=60))) == {many}\n"
    ),
    "signal": (
        "def test_signal_{number}():\n    gone = threading.Event()\n"
        "    timer = threading.Timer({span} * {many}, gone.set)\n    timer.start()\n    assert gone.wait(60)\n"
    ),
}


def generate(folder: Path, tests: int, span_s: float) -> None:
    """Write a suite of so many tests of each kind, each of which sleeps four times so long."""
    source = HEAD
    for number in range(tests):
        for text in KINDS.values():
            source += "\n" + text.format(number=number, span=span_s, many=4) + "\n"
    (folder / "test_sleeps.py").write_text(source, encoding="utf-8")
    (folder / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")


def own(python: str, pairs: int, tests: int, span_s: float) -> dict[str, object]:
    """Return the figures of the generated suite."""
    runs: dict[str, list[Run]] = {"real": [], "virtual": [], "no_sleep": []}
    with tempfile.TemporaryDirectory() as place:
        sleeping, cut = Path(place) / "sleeping", Path(place) / "cut"
        for folder, span in ((sleeping, span_s), (cut, 0)):
            folder.mkdir()
            generate(folder, tests, span)
        runs["real"].append(real := run(python, sleeping, [], False))
        for number in range(pairs + 1):
            for name, folder, virtual in (("virtual", sleeping, True), ("no_sleep", cut, False)):
                told = run(python, folder, [], virtual)
                if told.outcomes != real.outcomes:
                    raise SystemExit(f"another outcome than in real time: {compare(name, real, told)['differ']}")
                if number:
                    runs[name].append(told)
    found: dict[str, object] = {"tests": len(real.outcomes)}
    for kind in ("wall_s", "tests_s", "processor_s"):
        for name, of_name in runs.items():
            found[f"{name}_{kind}"] = round(statistics.median(getattr(one, kind) for one in of_name), 3)
    for key, kind in (("suite_vs_no_sleep", "wall_s"), ("processor_vs_no_sleep", "processor_s")):
        medians = [statistics.median(getattr(one, kind) for one in runs[name]) for name in ("virtual", "no_sleep")]
        found[key] = round(medians[0] / medians[1], 3)
    return {**found, "raw_wall_s": {name: [one.wall_s for one in of_name] for name, of_name in runs.items()}}


def main() -> int:
    """Measure, tell, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, metavar="DIR")
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--tests", nargs="+", default=[], metavar="PATH")
    parser.add_argument("--own", action="store_true", help="a generated suite, beside the same without its sleeps")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    words = sys.argv[1:]
    after = words[words.index("--") + 1 :] if "--" in words else []
    asked = parser.parse_args(words[: len(words) - len(after) - 1] if "--" in words else words)
    if asked.own:
        told = own(asked.python, asked.pairs, 8, 0.25)
        missed = float(str(told["suite_vs_no_sleep"])) > GOAL
    elif asked.folder is not None:
        folder = asked.folder.resolve()
        ways = [run(asked.python, folder, [*asked.tests, *after], virtual) for virtual in (False, True)]
        told = compare(folder.name, *ways)
        missed = bool(told["differ"])
    else:
        parser.error("name a DIR, or ask for --own")
    print(json.dumps(told, indent=2) if asked.json else "\n".join(rows(told)))
    return int(missed)


def rows(told: dict[str, object]) -> list[str]:
    """Return the figures as lines of text."""
    found = [f"{name:20} {value}" for name, value in told.items() if name not in ("differ", "raw_wall_s")]
    differ = told.get("differ")
    if isinstance(differ, dict):
        found += [f"  {test}: real {both[0]}, virtual {both[1]}" for test, both in differ.items()]
    return found


if __name__ == "__main__":
    raise SystemExit(main())
