"""Which lines a change touches, by `git diff`, and what was counted on them.

Compared is the working tree with the point where it left the base, so that what others did since does not count.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from pytest_sessionguard.core.gates import FileCount, Measurement
from pytest_sessionguard.run.coverage_settings import CoverageSettings

_HUNK: Final = re.compile(r"@@ -\S+ \+(\d+)(?:,(\d+))? @@")
_FILE: Final = re.compile(r'\+\+\+ ("?)b/(.*?)\1\t?$')


class NoComparison(Exception):
    """The base cannot be compared with; says why."""


def with_changed(
    measured: Measurement, settings: CoverageSettings, base: str | None = None
) -> tuple[Measurement, tuple[FileCount, ...] | None]:
    """Return the measurement, and what was counted on changed lines; None where those are not gated.

    A base that cannot be compared with is a problem of the measurement.
    """
    if settings.gate is None or settings.gate.changed is None:
        return measured, None
    try:
        touched = changed(settings.folder, base or settings.base)
    except NoComparison as error:
        return replace(measured, problems=(*measured.problems, str(error))), None
    return measured, tuple(one.only(touched[one.path]) for one in measured.files if one.path in touched)


def changed(folder: Path, base: str) -> Mapping[str, frozenset[int]]:
    """Return path from the folder -> the lines that were added or changed since the base; new files are all changed.

    Raises:
        NoComparison: there is no git, no repository, or no such revision.
    """
    start = _git(folder, "merge-base", base, "HEAD").strip()
    diff = _git(
        folder, "-c", "core.quotePath=false", "diff", "--unified=0", "--no-color", "--no-ext-diff", "--relative",
        "--src-prefix=a/", "--dst-prefix=b/", start, "--", "."
    )  # fmt: skip
    found = dict(parse(diff))
    for name in _git(folder, "ls-files", "-z", "--others", "--exclude-standard", "--", "*.py").split("\0"):
        if name:
            count = (folder / name).read_bytes().count(b"\n") + 1
            found[name] = frozenset(range(1, count + 1))
    return found


def parse(diff: str) -> Mapping[str, frozenset[int]]:
    """Return path -> the lines that a diff without context adds."""
    found: dict[str, set[int]] = {}
    name = ""
    left = 0
    for line in diff.splitlines():
        if left:
            left -= line.startswith("+")
            continue
        named = _FILE.match(line)
        hunk = _HUNK.match(line)
        if named is not None:
            name = named[2]
        elif line.startswith("+++ "):
            name = ""  # The file was deleted.
        elif hunk is not None and name:
            first, left = int(hunk[1]), int(hunk[2] or 1)
            found.setdefault(name, set()).update(range(first, first + left))
    return {path: frozenset(lines) for path, lines in found.items() if lines}


def _git(folder: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=folder, capture_output=True, text=True, encoding="utf-8", check=False
        )
    except OSError as error:
        raise NoComparison(f"changed lines: git cannot be run: {error.strerror}") from None
    if done.returncode:
        told = done.stderr.strip().splitlines()
        shallow = (
            "; a shallow clone lacks the base: fetch it whole (fetch-depth: 0)" if "merge-base" in arguments else ""
        )
        raise NoComparison(f"changed lines: git {arguments[0]}: {told[-1] if told else 'no common commit'}{shallow}")
    return done.stdout
