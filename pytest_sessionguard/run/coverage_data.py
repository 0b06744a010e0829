"""What coverage.py measured, as values: the one place that imports it.

Nothing here measures: a second measurement would take lines away from the first.  What is under way is copied, what is
on disk is read, and both are counted by coverage.py's own report, once, for that is what costs.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import coverage
from coverage.exceptions import CoverageException

from pytest_sessionguard.core.gates import Count, FileCount, Measurement
from pytest_sessionguard.errors import UsageError

__all__ = ["CoverageException", "current", "of_file", "of_finished", "of_running"]


def current() -> coverage.Coverage | None:
    """Return the measurement that is under way in this process, or None."""
    return coverage.Coverage.current()


def of_file(path: Path, folder: Path, *, config_file: str | bool = True) -> Measurement:
    """Return what a data file holds.

    Raises:
        UsageError: there is no such file, or it is none of coverage.py's.
    """
    if not path.is_file():
        parts = _beside(path)
        hint = (
            f"; {len(parts)} files of parallel runs lie beside it: combine them by `coverage combine`"
            if parts
            else ": measure first, as by `coverage run -m pytest`"
        )
        raise UsageError(f"{path}: no such file{hint}")
    found = coverage.Coverage(data_file=str(path), config_file=config_file)
    try:
        found.load()
    except CoverageException as error:
        raise UsageError(f"{path}: {error}") from None
    written_ns = path.stat().st_mtime_ns
    newer = [one for one in _beside(path) if one.stat().st_mtime_ns > written_ns]
    problems = []
    if newer:
        problems.append(
            f"{len(newer)} newer data files of parallel runs lie beside {path.name}, such as {newer[0].name}: "
            "combine them by `coverage combine`"
        )
    return _counted(found, folder, problems)


def of_finished(found: coverage.Coverage, folder: Path, problems: Iterable[str] = ()) -> Measurement:
    """Return what a measurement that is over has gathered."""
    return _counted(found, folder, problems)


def of_running(
    running: coverage.Coverage, folder: Path, *, since_ns: int, others: Sequence[str] = (), problems: Iterable[str] = ()
) -> Measurement:
    """Return what a measurement that is under way has gathered by now, with what its subprocesses have left since.

    The measurement itself and all files on disk stay as they are.

    Units: `since_ns` nanoseconds since the epoch: files that are older were left by an earlier run.
    Shape: `others` are data files of workers, wherever they lie.
    """
    gathered = running.get_data()
    own = Path(gathered.data_filename())
    main = Path(os.path.abspath(str(running.get_option("run:data_file") or ".coverage")))
    left = {str(one) for one in _beside(main) if one != own and one.stat().st_mtime_ns >= since_ns}
    left |= {one for one in others if Path(one) != own and Path(one).is_file()}
    told = list(problems)
    copy = coverage.Coverage(data_file=None, config_file=getattr(running.config, "config_file", None) or False)
    try:
        copy.get_data().update(gathered)
        if left:
            copy.combine(sorted(left), keep=True)
    except CoverageException as error:
        told.append(f"the data of subprocesses cannot be combined: {error}")
    return _counted(copy, folder, told)


def _beside(path: Path) -> list[Path]:
    """Return the data files of parallel runs beside a data file."""
    found = path.parent.glob(f"{path.name}.*")
    return sorted(one for one in found if one.is_file() and not one.name.endswith(("-journal", "-wal", "-shm")))


def _counted(found: coverage.Coverage, folder: Path, problems: Iterable[str]) -> Measurement:
    told = list(problems)
    with tempfile.TemporaryDirectory(prefix="sessionguard-") as place:
        report = Path(place) / "coverage.json"
        try:
            found.json_report(outfile=str(report), pretty_print=False, show_contexts=False)
        except CoverageException as error:
            # Of no data at all the verdict speaks in words of its own.
            return Measurement(problems=(*told, str(error)) if found.get_data().measured_files() else tuple(told))
        tables: Any = json.loads(report.read_bytes())
    files = [_file(name, table, folder) for name, table in tables["files"].items()]
    return Measurement(files=tuple(files), branches=bool(tables["meta"]["branch_coverage"]), problems=tuple(told))


def _file(name: str, table: Any, folder: Path) -> FileCount:
    summary = table["summary"]
    return FileCount(
        path=_shown(name, folder),
        lines=Count(summary["covered_lines"], summary["num_statements"]),
        branches=Count(summary.get("covered_branches", 0), summary.get("num_branches", 0)),
        run_lines=tuple(table["executed_lines"]),
        missing_lines=tuple(table["missing_lines"]),
        run_branches=tuple(map(tuple, table.get("executed_branches", ()))),
        missing_branches=tuple(map(tuple, table.get("missing_branches", ()))),
    )


def _shown(name: str, folder: Path) -> str:
    """Return a file's path from the folder, with slashes."""
    try:
        return Path(os.path.relpath(name, folder)).as_posix()
    except ValueError:
        return Path(name).as_posix()  # On another drive.
