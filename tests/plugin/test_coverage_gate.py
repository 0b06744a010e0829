"""The gates of a pytest run: one verdict for every way of measuring, as the last line, and the exit status it means.

Each row of the matrix is a pytest of its own on a project of two components, `cart` and `price`.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

SETTINGS = """
[tool.pytest.ini_options]
testpaths = ["tests"]
pythonpath = ["src"]

[tool.coverage.run]
source = ["src"]
branch = {branch}
{patch}

[tool.sessionguard.coverage]
min = {least}
{more}

[tool.sessionguard.coverage.components]
cart = {{ paths = ["src/shop/cart.py"] }}
price = {{ paths = ["{price}"] }}
"""

FILES = {
    "src/shop/__init__.py": "",
    "src/shop/cart.py": "def add(cart, item):\n    if item in cart:\n        return cart\n    return [*cart, item]\n",
    "src/shop/price.py": "def price(n):\n    if n > 10:\n        return n * 9\n    return n * 10\n",
    "tests/test_cart.py": (
        "from shop.cart import add\n\n\n"
        "def test_new():\n    assert add([], 1) == [1]\n\n\ndef test_old():\n    assert add([1], 1) == [1]\n"
    ),
    "tests/test_price.py": (
        "from shop.price import price\n\n\n"
        "def test_many():\n    assert price(11) == 99\n\n\ndef test_few():\n    assert price(1) == 10\n"
    ),
}

IN_SUBPROCESS = """
import subprocess, sys

def test_in_a_process_of_its_own():
    program = "from shop.price import price; assert price(11) == 99 and price(1) == 10"
    subprocess.run([sys.executable, "-c", program], check=True, env={**__import__("os").environ, "PYTHONPATH": "src"})
"""

CRASH = "import os\n\n\ndef test_that_ends_its_worker():\n    os._exit(3)\n"

HALF = "from shop.price import price\n\n\ndef test_many():\n    assert price(11) == 99\n"

VANISHING = FILES["tests/test_price.py"] + "\n\ndef test_vanish():\n    __import__('os').remove('src/shop/price.py')\n"

PATCH = 'patch = ["subprocess"]'

MET = "coverage gate: met"
UNHELD = " (not held against this run; --sessionguard-gate=on would)"
ONLY_SOME = "coverage gate: INCOMPLETE; only some of the tests ran"
NO_DATA = "coverage gate: INCOMPLETE; no data: the measurement met none of the code that it was to measure"
UNMEASURED = "coverage gate: INCOMPLETE; nothing was measured: run pytest with --cov, or under `coverage run`"
UNMEASURED_WORKERS = (
    "coverage gate: INCOMPLETE; no coverage data came from gw0, gw1: measure subprocesses too, by "
    '[tool.coverage.run] patch = ["subprocess"], or use pytest-cov'
)
NO_BRANCHES = (
    "coverage gate: INCOMPLETE; branches were not measured (cart, price, total): set [tool.coverage.run] branch = true"
)

COV = ("-p", "pytest_cov", "--cov=src", "--cov-report=")
XDIST = ("-p", "xdist", "-n2")


@dataclass(frozen=True)
class Run:
    """A row: what is run, on which project, and what must come of it."""

    name: str
    verdict: str
    status: int
    words: tuple[str, ...] = ()
    measured: bool = False
    files: dict[str, str] = field(default_factory=dict)
    branch: str = "true"
    patch: str = ""
    least: str = "85"
    more: str = ""
    told: str = ""
    price: str = "src/shop/price.py"


HALF_PRICE = {"tests/test_price.py": HALF}
SHORT = "price: lines 75 % (3/4) are short of 85 %; branches 50 % (1/2) are short of 85 %"
SUBPROCESS = {"tests/test_price.py": IN_SUBPROCESS}

ONE = "coverage gate: MISSED; price"
BOTH = "coverage gate: MISSED; price, total"
CRASHED = "coverage gate: INCOMPLETE; worker gw0 crashed"
STOPPED = "coverage gate: INCOMPLETE; the run broke off, stopping after 1 failures"
SOURCE_GONE = "coverage gate: INCOMPLETE; No source for code: '*price.py'.*"
BRANCHES = "price: branches 50 % (1/2) are short of 75 %"
HUNDREDTH = "price: lines 75 % (3/4) are short of 75.01 %"
NO_FILE = "price: matches no file that was measured"
ANY_TOTAL = "total.min = 0"
ONE_WORKER = ("-p", "xdist", "-n1", "--max-worker-restart=0")
CRASHING = {"tests/test_crash.py": CRASH}
VANISHED = {"tests/test_price.py": VANISHING}
FAILING = {"tests/test_a.py": "def test_it(): assert 0\n"}

MATRIX = [
    # What is whole and measured is met, whoever measures.
    Run("pytest-cov", MET, 0, COV),
    Run("coverage run", MET, 0, measured=True),
    Run("xdist, pytest-cov", MET, 0, (*COV, *XDIST)),
    Run("xdist, coverage run", MET, 0, XDIST, measured=True, patch=PATCH),
    Run("subprocess, pytest-cov", MET, 0, COV, files=SUBPROCESS, patch=PATCH),
    Run("subprocess, coverage run", MET, 0, measured=True, files=SUBPROCESS, patch=PATCH),
    # What is short is missed.
    Run("short, pytest-cov", ONE, 1, COV, files=HALF_PRICE, more=ANY_TOTAL, told=SHORT),
    Run("short, coverage run", BOTH, 1, measured=True, files=HALF_PRICE, told=SHORT),
    Run("short, xdist", ONE, 1, (*COV, *XDIST), files=HALF_PRICE, more=ANY_TOTAL, told=SHORT),
    Run("short of branches alone", ONE, 1, COV, files=HALF_PRICE, least="75", told=BRANCHES),
    Run("short by a hundredth", ONE, 1, COV, files=HALF_PRICE, least="75.01", more="min_branch = 50", told=HUNDREDTH),
    Run("subprocess unmeasured", BOTH, 1, COV, files=SUBPROCESS),
    # A component without files is missed.
    Run("missing file", ONE, 1, COV, price="src/shop/prices.py", told=NO_FILE),
    # What is known to lack something is incomplete.
    Run("crashed worker", CRASHED, 1, (*COV, *ONE_WORKER), files=CRASHING),
    Run("workers unmeasured", UNMEASURED_WORKERS, 1, XDIST, measured=True),
    Run("source gone", SOURCE_GONE, 1, COV, files=VANISHED),
    Run("no branches", NO_BRANCHES, 1, COV, branch="false"),
    Run("no branches asked for", MET, 0, COV, branch="false", more="min_branch = 0"),
    Run("no data", NO_DATA, 1, ("-p", "pytest_cov", "--cov=tests/nothing", "--cov-report=")),
    Run("failed and stopped", STOPPED, 1, (*COV, "-x"), files=FAILING),
    # What was never meant to be whole is told, and held against nobody unless it is asked for.
    Run("-k", f"{ONLY_SOME} (-k){UNHELD}", 0, (*COV, "-k", "new")),
    Run("-k, xdist", f"{ONLY_SOME} (-k){UNHELD}", 0, (*COV, *XDIST, "-k", "new")),
    Run("-k, on", f"{ONLY_SOME} (-k)", 1, (*COV, "-k", "new", "--sessionguard-gate=on")),
    Run("-k that leaves nothing out", MET, 0, (*COV, "-k", "test")),
    Run("one file", f"{ONLY_SOME} (tests/test_cart.py){UNHELD}", 0, (*COV, "tests/test_cart.py")),
    Run("one test", f"{ONLY_SOME} (tests/test_cart.py::test_new){UNHELD}", 0, (*COV, "tests/test_cart.py::test_new")),
    Run("the whole folder by name", MET, 0, (*COV, "tests")),
    Run("--ignore", f"{ONLY_SOME} (--ignore){UNHELD}", 0, (*COV, "--ignore=tests/test_price.py")),
    Run("--lf", f"{ONLY_SOME} (--last-failed){UNHELD}", 0, (*COV, "-p", "cacheprovider", "--lf")),
    Run("unmeasured", UNMEASURED + UNHELD, 0),
    Run("unmeasured, on", UNMEASURED, 1, ("--sessionguard-gate=on",)),
    Run("--no-cov", UNMEASURED + UNHELD, 0, (*COV, "--no-cov")),
]  # fmt: skip


def write(folder: Path, row: Run) -> None:
    settings = SETTINGS.format(branch=row.branch, patch=row.patch, least=row.least, more=row.more, price=row.price)
    for name, text in {**FILES, **row.files, "pyproject.toml": settings}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def environment(**more: str) -> dict[str, str]:
    """Return a clean one: what measures these tests themselves must not measure what they start."""
    names = ("COVERAGE", "COV_CORE", "GITHUB", "PYTEST", "PYTHONPATH")
    clean = {name: value for name, value in os.environ.items() if not name.startswith(names)}
    return {**clean, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", **more}


def run(folder: Path, *words: str, measured: bool = False, **more: str) -> subprocess.CompletedProcess[str]:
    how = ["-m", "coverage", "run", "-m", "pytest"] if measured else ["-m", "pytest"]
    command = [sys.executable, *how, "-p", "sessionguard", *words]
    if "cacheprovider" not in words:
        command += ["-p", "no:cacheprovider"]
    return subprocess.run(
        command, cwd=folder, env=environment(**more), capture_output=True, text=True, check=False, timeout=120
    )


@pytest.mark.parametrize("row", MATRIX, ids=[row.name for row in MATRIX])
def test_every_way_of_measuring_has_its_verdict(row: Run, tmp_path: Path) -> None:
    write(tmp_path, row)
    done = run(tmp_path, *row.words, measured=row.measured)
    *_, last = done.stdout.splitlines() or [done.stderr]
    if "*" in row.verdict:
        head, _, tail = row.verdict.partition("*")
        assert last.startswith(head), done.stdout
        assert tail.rstrip(".*") in last
    else:
        assert last == row.verdict, done.stdout + done.stderr
    assert not row.told or row.told in done.stdout.splitlines()
    assert done.returncode == row.status
    assert done.stdout.count("coverage gate:") == 1
