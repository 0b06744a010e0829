"""Workers: what a search finds does not depend on how many they are, nor on the seed of hashes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

TIMES = {"duration_s"}

STORE = """
class Store:
    def __init__(self):
        self.kept = {}

    def create(self, id, data):
        self.kept[id] = dict(data)
        return id

    def get(self, id):
        return dict(self.kept[id]) if id in self.kept else None

    def update(self, id, changes):
        if id not in self.kept:
            return False
        self.kept[id] = dict(changes)
        return True
"""
PROFILE = """
[manager]
factory = "store:Store"
path = ["."]

[operations]
create = "create(id, data) -> id"
get = "get(id) -> data"
update = "update(id, changes) -> found"

[policy]
existing = "replace"
data = "live"
missing = { update = "false" }
"""


def without_times(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_times(item) for key, item in value.items() if key not in TIMES}
    return [without_times(item) for item in value] if isinstance(value, list) else value


def searched(folder: Path, workers: int, hashes: int) -> Any:
    words = ["check", "store.sessionguard.toml", "--cases", "150", "--seed", "4", "--workers", str(workers), "--quiet"]
    told = f"result-{workers}.json"
    done = subprocess.run(
        [sys.executable, "-m", "pytest_sessionguard", *words, "--json", told, "--found", f"found-{workers}"],
        cwd=folder,
        env={**os.environ, "PYTHONHASHSEED": str(hashes)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    text = (folder / told).read_text(encoding="utf-8").replace(f"found-{workers}", "found")
    return without_times(json.loads(text))


def test_one_worker_and_two_under_other_hashes_come_to_the_same(tmp_path: Path) -> None:
    (tmp_path / "store.py").write_text(STORE, encoding="utf-8")
    (tmp_path / "store.sessionguard.toml").write_text(PROFILE, encoding="utf-8")
    one = searched(tmp_path, 1, 0)
    assert [found["property"] for found in one["violations"]]
    assert searched(tmp_path, 2, 1) == one
