"""What it costs to start: a pytest run that does not use the plugin, a scenario file read, a scenario run.

    python benchmarks/start_up.py [--pairs 20] [--json]

An empty `pytest --collect-only`, with the plugin and without, interleaved in one run, each in a process of its own.
Also looks into `sys.modules`: nothing heavy may be there that pytest itself does not load.  Exits with 1 if it is.
The loader is measured beside PyYAML's own safe loader, and a scenario run beside an empty `with freeze_time():`.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

FORBIDDEN = (
    "hypothesis",
    "pydantic",
    "yaml",
    "rich",
    "freezegun",
    "click",
    "asyncio",
    "xdist",
    "coverage",
    "jsonschema",
)
AIM = 1.05
TOLD = {
    "loader_ms_per_file": "  (aim: at most 3)",
    "loader_yaml_ratio": "  x PyYAML's safe loader, which checks nothing and keeps no places",
    "scenarios_per_s": "  scenarios against the reference manager, each made, run and judged",
    "scenario_freeze_time_ratio": "  x entering and leaving `freeze_time`",
}

BARE = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
# name -> environment, arguments with the plugin, arguments without it.
RIVALS: dict[str, tuple[dict[str, str], list[str], list[str]]] = {
    # An empty plugin beside ours: whoever says `-p` pays for pytest's look through all installed packages, either way.
    "collect_only_ratio": (BARE, ["-p", "pytest_sessionguard.plugin"], ["-p", "an_empty_plugin"]),
    "collect_only_autoload_ratio": ({}, [], ["-p", "no:sessionguard"]),
}


def surroundings(folder: Path, environment: dict[str, str]) -> dict[str, str]:
    """Return the environment of a run that keeps its byte code, as an installed package does."""
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return inherited | environment | {"PYTHONPYCACHEPREFIX": str(folder / "bytecode")}


def children_s() -> float:
    """Return the processor seconds of all processes that were waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def run_s(folder: Path, environment: dict[str, str], arguments: list[str]) -> float:
    """Return the processor seconds of one empty collection: a busy machine changes them little."""
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", *arguments]
    before_s = children_s()
    done = subprocess.run(
        command, cwd=folder, env=surroundings(folder, environment), capture_output=True, text=True, check=False
    )
    taken_s = children_s() - before_s
    # 5: no tests collected, which is what is wanted.
    if done.returncode != 5:
        sys.exit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return taken_s


def loaded(folder: Path, environment: dict[str, str], arguments: list[str]) -> set[str]:
    """Return which of the forbidden modules an empty collection has in `sys.modules`."""
    program = (
        "import sys, pytest\n"
        f"pytest.main(['--collect-only', '-q', '-p', 'no:cacheprovider', *{arguments!r}])\n"
        f"print('LOADED', *(set(sys.modules) & set({FORBIDDEN!r})))\n"
    )
    command = [sys.executable, "-c", program]
    done = subprocess.run(
        command, cwd=folder, env=surroundings(folder, environment), capture_output=True, text=True, check=True
    )
    return set(done.stdout.rsplit("LOADED", 1)[1].split())


def compare(folder: Path, name: str, pairs: int) -> tuple[float, list[float], list[float]]:
    """Return the ratio of the quickest runs, the least disturbed ones, and the seconds of every run of each kind."""
    environment, with_it, without = RIVALS[name]
    seconds: tuple[list[float], list[float]] = ([], [])
    for warm_up in (True, *[False] * pairs):
        for place, arguments in enumerate((with_it, without)):
            taken = run_s(folder, environment, arguments)
            if not warm_up:
                seconds[place].append(taken)
    return min(seconds[0]) / min(seconds[1]), *seconds


def rounds_s(work: Callable[[], object], rival: Callable[[], object], rounds: int) -> tuple[list[float], list[float]]:
    """Return the real seconds of each round of the work and of its rival, who take turns."""
    seconds: tuple[list[float], list[float]] = ([], [])
    for warm_up in (True, *[False] * rounds):
        for place, turn in enumerate((work, rival)):
            start = time.perf_counter()
            turn()
            taken_s = time.perf_counter() - start
            if not warm_up:
                seconds[place].append(taken_s)
    return seconds


def stories(rounds: int) -> tuple[dict[str, float], dict[str, dict[str, list[float]]]]:
    """Return the figures of reading and of running the scenario files of this project, and the raw seconds."""
    import yaml
    from freezegun import freeze_time

    from pytest_sessionguard.core.plan import cells
    from pytest_sessionguard.run import scenario_files
    from pytest_sessionguard.run.runner import run_all
    from pytest_sessionguard.target.profile import load

    paths = scenario_files.find([Path(__file__).parent.parent / "scenarios"])
    texts = [path.read_text(encoding="utf-8") for path in paths]
    quick_loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    loading = rounds_s(
        lambda: [scenario_files.load(path) for path in paths],
        lambda: [yaml.load(text, Loader=quick_loader) for text in texts],
        rounds,
    )
    profile = load("reference")
    plans = [plan for path in paths for plan in cells(scenario_files.load(path))]
    ran = run_all(plans, profile).count("held")

    def frozen() -> None:
        for _ in range(ran):
            with freeze_time("2026-01-01"):
                pass

    running = rounds_s(lambda: run_all(plans, profile), frozen, rounds)
    figures = {
        "loader_ms_per_file": min(loading[0]) / len(paths) * 1000,
        "loader_yaml_ratio": min(loading[0]) / min(loading[1]),
        "scenarios_per_s": ran / min(running[0]),
        "scenario_freeze_time_ratio": min(running[0]) / min(running[1]),
    }
    raw = {
        "loader_s": {"ours": loading[0], "yaml": loading[1]},
        "scenarios_s": {"ours": running[0], "freeze_time": running[1]},
    }
    return figures, raw


def main() -> int:
    """Measure, print, and say by the exit status whether anything forbidden was loaded."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=20, help="how many runs of each kind")
    parser.add_argument("--json", action="store_true", help="print the figures as one JSON object in the last line")
    options = parser.parse_args()
    figures: dict[str, object] = {}
    raw: dict[str, dict[str, list[float]]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
        (folder / "an_empty_plugin.py").write_text("", encoding="utf-8")
        for rival in RIVALS:
            ratio, with_it, without = compare(folder, rival, options.pairs)
            figures[rival] = round(ratio, 4)
            raw[rival] = {"with_s": with_it, "without_s": without}
            told = f"{min(with_it) * 1000:.1f} ms with, {min(without) * 1000:.1f} ms without"
            print(f"{rival:<28} {ratio:.3f}  (aim: at most {AIM})  {told}")
        extra = loaded(folder, BARE, RIVALS["collect_only_ratio"][1]) - loaded(folder, BARE, [])
    print(f"{'heavy modules loaded':<28} {', '.join(sorted(extra)) or 'none'}  (aim: none of {', '.join(FORBIDDEN)})")
    figures["heavy_modules_loaded"] = len(extra)
    measured, samples = stories(max(3, options.pairs // 4))
    for name, value in measured.items():
        print(f"{name:<28} {value:,.3f}{TOLD[name]}")
    figures.update({name: round(value, 4) for name, value in measured.items()})
    raw.update(samples)
    if options.json:
        print(json.dumps({**figures, "raw": raw}))
    return int(bool(extra))


if __name__ == "__main__":
    sys.exit(main())
