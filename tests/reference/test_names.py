"""The public names of the room, imported when they are asked for."""

from __future__ import annotations

import subprocess
import sys

import pytest

from pytest_sessionguard import reference


@pytest.mark.parametrize("name", reference.__all__)
def test_every_name_is_there(name: str) -> None:
    assert getattr(reference, name).__name__ == name
    assert name in dir(reference)


def test_any_other_name_is_not() -> None:
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = reference.no_such_name


def test_the_sync_face_in_memory_brings_in_neither_the_harness_nor_what_it_does_not_use() -> None:
    program = (
        "import sys; from pytest_sessionguard.reference import SessionManager; SessionManager().create();"
        "unwanted = {'pytest', 'hypothesis', 'yaml', 'freezegun', 'click', 'prometheus_client'} | "
        "{'pytest_sessionguard.core', 'pytest_sessionguard.reference.aio'};"
        "print(sorted(unwanted & set(sys.modules)))"
    )
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=30)
    assert answer.stdout.strip() == "[]"
