"""What a search has found, shared by a team: taken out of a database before a search, and put into it afterwards.

What is shared is the scenario file itself, so that whoever takes it out has the file that finds are kept in.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from pytest_sessionguard.core.result import Result
from pytest_sessionguard.errors import UsageError
from pytest_sessionguard.explore.examples import Examples
from pytest_sessionguard.run import scenario_files
from pytest_sessionguard.run.found import keep_as

_HEAD: Final = re.compile(r"# ([a-z]+\.[a-z-]+) violated: ")


def key_of(target: str) -> str:
    """Return the key under which the finds of a target are kept."""
    return f"sessionguard:{target}"


def take_out(examples: Examples, folder: Path, *, target: str) -> int:
    """Let the folder, from which finds are replayed first, have what others have found; return how many that were.

    What is no scenario of this version, and what is there already, is passed over.

    Raises:
        UsageError: the database cannot be reached, or the folder not be written.
    """
    count = 0
    for value in examples.fetch(key_of(target)):
        text = value.decode("utf-8", "replace")
        head = _HEAD.match(text)
        bug = re.search(r"^# bug: (\w+)$", text, re.MULTILINE)
        if head is None or bug is None:
            continue
        try:
            scenario_files.load("found.session.yaml", text)
        except UsageError:
            continue
        keep_as(folder, head[1], bug[1], lambda _, text=text: text)  # type: ignore[misc]  # the text of this turn
        count += 1
    return count


def put_in(examples: Examples, result: Result, *, target: str) -> None:
    """Keep the file of each violation for others.

    Raises:
        UsageError: the database cannot be reached.
    """
    for violation in result.violations:
        path = Path(violation.scenario)
        if violation.scenario and path.is_file():
            examples.save(key_of(target), path.read_bytes())
