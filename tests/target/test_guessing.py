"""What a method hands out is told from the session that it is part of, however it is copied."""

from __future__ import annotations

import zlib
from pathlib import Path

import pytest

from pytest_sessionguard.target.discover import propose

KEEPER = """
class Keeper:
    def __init__(self, timeout_secs=60):
        self.kept = {{}}

    def create(self, data=None):
        key = new_id()
        self.kept[key] = {{"data": dict(data or {{}}), "last_seen": now()}}
        return key

    def get(self, session_id):
        session = self.kept.get(session_id)
        return {returned}
"""


@pytest.mark.parametrize(
    ("returned", "result"),
    [
        ('session["data"]', "data"),
        ('dict(session["data"])', "data"),
        ('dict(session["data"]) if session else None', "data"),
        ('copy.deepcopy(session["data"])', "data"),
        ('session["data"].copy()', "data"),
        ('None if session is None else dict(session["data"])', "data"),
        ("session", "session"),
        ("dict(session)", "session"),
        ("dict(session) if session is not None else None", "session"),
    ],
)
def test_a_copy_of_the_data_is_data_and_a_copy_of_the_session_a_session(
    returned: str, result: str, tmp_path: Path
) -> None:
    name = f"keeper_{zlib.crc32(returned.encode())}"
    (tmp_path / f"{name}.py").write_text(KEEPER.format(returned=returned))
    assert f'get = "get(id) -> {result}"' in propose(f"{name}:Keeper", start_folder=tmp_path)
