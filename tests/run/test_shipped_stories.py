"""The stories are found wherever the package was put, and a wheel has all of them."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from pytest_sessionguard.errors import UsageError
from pytest_sessionguard.run import scenario_files, shipped_stories

ROOT = Path(__file__).parents[2]


def test_an_installed_package_has_its_stories_inside_and_a_checkout_beside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "site" / "pytest_sessionguard"
    package.mkdir(parents=True)
    monkeypatch.chdir(package)  # Nothing lies below it yet.
    with pytest.raises(UsageError, match="no stories came with"):
        shipped_stories.folder(package)
    (tmp_path / "site" / "scenarios").mkdir()
    assert shipped_stories.folder(package) == tmp_path / "site" / "scenarios"
    (package / "stories").mkdir()
    assert shipped_stories.folder(package) == Path("stories")
    monkeypatch.chdir(tmp_path)
    assert shipped_stories.folder(package) == Path("site/pytest_sessionguard/stories")


def test_this_checkout_ships_the_stories_of_its_scenarios() -> None:
    assert shipped_stories.folder().resolve() == (ROOT / "scenarios").resolve()
    assert scenario_files.find([shipped_stories.folder()])


def test_a_wheel_is_told_to_carry_the_stories_to_where_they_are_looked_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    carried = project["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    assert carried == {"scenarios": f"{shipped_stories.PACKAGE.name}/stories"}
