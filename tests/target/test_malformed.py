"""A malformed profile is refused with every fault, each at its line and column."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_sessionguard.errors import UsageError
from pytest_sessionguard.target.profile import load

FOLDER = Path(__file__).parent / "malformed"
FILES = sorted(file.name for file in FOLDER.glob("*.sessionguard.toml"))


@pytest.mark.parametrize("file", FILES)
def test_every_fault_is_told_at_its_place(file: str) -> None:
    expected = (FOLDER / file.replace(".sessionguard.toml", ".expected")).read_text(encoding="utf-8").splitlines()
    with pytest.raises(UsageError) as caught:
        load(file, start_folder=FOLDER)
    told = [f"{fault.line}:{fault.column}: {fault.message}" for fault in caught.value.faults]
    # What is no TOML is told in the words of the Python at hand.
    told = [line.partition("not TOML")[0] + "not TOML" if "not TOML" in line else line for line in told]
    assert told == expected
    assert all(fault.path == file for fault in caught.value.faults)
    assert str(caught.value).startswith(f"{file}:{expected[0].rstrip()}")


def test_there_are_enough_of_them() -> None:
    assert len(FILES) >= 18
