"""The journal of a run: what was to go wrong, what did, what followed; the same each time."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
from click.testing import CliRunner

from pytest_sessionguard.cli.commands.check import check
from pytest_sessionguard.cli.commands.run import run
from pytest_sessionguard.core.result import result_schema

STORY = """
scenario: A full disk loses nothing
version: 1
start:
  - create: {as: cart, data: {items: 1}}
steps:
  - advance: 5s
  - update: {session: cart, set: {items: 2}}
faults:
  - {io_error: ENOSPC, at: every, operation: write}
after_fault:
  - expect: {acknowledged: kept}
"""


def told(folder: Path, name: str) -> str:
    story = folder / "disk.session.yaml"
    story.write_text(STORY, encoding="utf-8")
    words = [
        str(story),
        "--manager",
        "reference-async-file",
        "--journal",
        str(folder / name),
        "--json",
        str(folder / "r"),
    ]
    done = CliRunner().invoke(run, words, standalone_mode=False)
    assert done.return_value == 0, done.output
    return (folder / name).read_text(encoding="utf-8")


def test_the_journal_tells_what_was_planned_what_struck_and_what_followed_and_replays(tmp_path: Path) -> None:
    text = told(tmp_path, "first")
    assert told(tmp_path, "second") == text
    (case,) = json.loads(text)["cases"]
    assert case["faults"]["planned"] == ["{io_error: ENOSPC, at: every, operation: write}"]
    assert case["faults"]["fired"][0] == {
        "fault": "{io_error: ENOSPC, at: 1, operation: write}",
        "chance": 1,
        "point": "file write",
        "at_us": 5_000_000,
        "followed": "update: nobody knows whether it has happened",
    }
    result = json.loads((tmp_path / "r").read_text(encoding="utf-8"))
    jsonschema.validate(result, result_schema())
    assert result["scenarios"][0]["journal"] == case["faults"]


def test_a_search_writes_one_too(tmp_path: Path) -> None:
    words = ["reference-sync-file", "--cases", "3", "--seed", "1", "--journal", str(tmp_path / "j"), "--quiet"]
    CliRunner().invoke(check, [*words, "--found", str(tmp_path / "found")], standalone_mode=False)
    journal = json.loads((tmp_path / "j").read_text(encoding="utf-8"))
    assert (journal["version"], journal["seed"]) == (1, 1)
