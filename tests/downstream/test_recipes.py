"""The documented recipes for a team's own repository, run as they stand in a copy of a sample one."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

SAMPLE = Path(__file__).parent / "shop"
DOCUMENT = Path(__file__).parents[2] / "docs" / "coverage.md"
WORKFLOW = ".github/workflows/tests.yml"

GONE = """
def test_few_items_have_the_full_price():
    assert price(1) == 10
"""


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    folder = tmp_path / "shop"
    leftovers = shutil.ignore_patterns("__pycache__", ".coverage*", ".sessionguard", ".pytest_cache")
    shutil.copytree(SAMPLE, folder, ignore=leftovers)
    return folder


def environment(**more: str) -> dict[str, str]:
    """Return that of a fresh machine, on which this interpreter's commands are installed."""
    names = ("COVERAGE", "COV_CORE", "GITHUB", "PYTEST")
    clean = {name: value for name, value in os.environ.items() if not name.startswith(names)}
    return {**clean, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}", **more}


def sh(folder: Path, command: str, **more: str) -> tuple[int, list[str]]:
    """Return the exit status and the lines of a command, run as a CI runs it."""
    done = subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", command],
        cwd=folder,
        env=environment(**more),
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )
    return done.returncode, [*done.stderr.splitlines(), *done.stdout.splitlines()]


def job(folder: Path) -> list[str]:
    """Return the commands of the workflow after what installs."""
    told = yaml.safe_load((folder / WORKFLOW).read_text(encoding="utf-8"))
    steps = [step for step in told["jobs"]["tests"]["steps"] if "run" in step]
    assert steps[0]["name"] == "Install"
    return [step["run"] for step in steps[1:]]


def break_a_promise(folder: Path) -> None:
    """Take away the test without which a branch of `prices` is not run."""
    path = folder / "tests" / "test_prices.py"
    text = path.read_text(encoding="utf-8")
    assert GONE in text
    path.write_text(text.replace(GONE, ""), encoding="utf-8")


def test_the_github_job_passes_where_everything_is_covered(shop: Path) -> None:
    (command,) = job(shop)
    status, told = sh(
        shop, command, GITHUB_ACTIONS="true", GITHUB_STEP_SUMMARY="summary.md", GITHUB_WORKSPACE=str(shop)
    )
    assert told[-1] == "coverage gate: met"
    assert status == 0
    summary = (shop / "summary.md").read_text(encoding="utf-8")
    assert "| prices | 1 | 100 % (4/4) | 85 | 100 % (2/2) | 85 | met |" in summary
    assert "Behaviour of `shop.sessionguard.toml`: 75 % (18/24), least 60 %: met" in summary


def test_the_github_job_fails_and_says_where_once_a_test_is_gone(shop: Path) -> None:
    break_a_promise(shop)
    (command,) = job(shop)
    status, told = sh(shop, command, GITHUB_ACTIONS="true", GITHUB_WORKSPACE=str(shop.parent))
    assert told[-2:] == [
        "::warning file=shop/src/shop/prices.py,line=7,endLine=7,title=coverage gate::line 7 was not run",
        "coverage gate: MISSED; prices",
    ]
    assert status == 1


def test_the_shell_recipe_passes_where_everything_is_covered(shop: Path) -> None:
    status, told = sh(shop, "./ci.sh")
    assert told[-1] == "coverage gate: met"
    assert "met  behaviour of shop.sessionguard.toml: 75 % (18/24), least 60 %" in told
    assert status == 0


def test_the_shell_recipe_fails_once_a_test_is_gone(shop: Path) -> None:
    break_a_promise(shop)
    status, told = sh(shop, "./ci.sh")
    assert told[-1] == "coverage gate: MISSED; prices"
    assert status == 1


def test_the_shell_recipe_fails_on_behaviour_alone(shop: Path) -> None:
    (shop / "tests" / "touch.session.yaml").unlink()
    status, told = sh(shop, "./ci.sh")
    assert told[-1] == "coverage gate: MISSED; behaviour of shop.sessionguard.toml"
    assert "# touch at the idle timeout" in told
    assert status == 1


@pytest.mark.parametrize(
    ("name", "start", "before", "after"),
    [
        ("pyproject.toml", "[tool.coverage.run]", '```toml title="pyproject.toml"\n', "```\n"),
        (WORKFLOW, "name: tests", "~~~yaml\n", "~~~\n"),
        ("ci.sh", "#!", "~~~bash\n", "~~~\n"),
    ],
)
def test_the_documentation_shows_the_files_that_are_tried_here(name: str, start: str, before: str, after: str) -> None:
    text = (SAMPLE / name).read_text(encoding="utf-8")
    assert f"{before}{text[text.index(start) :]}{after}" in DOCUMENT.read_text(encoding="utf-8")
