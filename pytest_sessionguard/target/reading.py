"""A profile's tables -> a Profile, or every fault in them at once.

Reads nothing but what it is given; the classes that a profile names are imported by `checking`, which is called last.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pytest_sessionguard.core.policy import KEYS, Policy
from pytest_sessionguard.core.values import FrozenMap
from pytest_sessionguard.errors import Fault, UsageError, did_you_mean
from pytest_sessionguard.target import checking, contradictions, entries
from pytest_sessionguard.target.findings import FAULTY, Findings
from pytest_sessionguard.target.fitting import ASKING, misfits
from pytest_sessionguard.target.sections import SECTIONS, TABLES, Section
from pytest_sessionguard.target.shape import CheckSettings, Profile, SessionShape
from pytest_sessionguard.target.templates import SESSION
from pytest_sessionguard.target.toml_positions import KeyPath, find_positions

PYPROJECT_TABLE: KeyPath = ("tool", "sessionguard")

_PLACE = re.compile(r"\s*\(at (?:line (\d+), column (\d+)|end of document)\)")


def read_text(text: str, *, source: str, name: str, path: Path | None = None, folder: Path | None = None) -> Profile:
    """Return the profile that a TOML text says; `source` is what faults call it.

    Raises:
        UsageError: every fault, each with line and column.
    """
    document = _parsed(text, source)
    prefix: KeyPath = ()
    tables: Any = document
    if path is not None and path.name == "pyproject.toml":
        prefix = PYPROJECT_TABLE
        tool = document.get("tool")
        tables = tool.get("sessionguard") if isinstance(tool, Mapping) else None
        if not isinstance(tables, Mapping):
            raise UsageError([Fault(source, 1, 1, "no table [tool.sessionguard]: expected a profile there")])
        # The gates on coverage live in the same table and are read elsewhere.
        tables = {key: value for key, value in tables.items() if key != "coverage"}
    findings = Findings(source=source, positions=find_positions(text), prefix=prefix)
    return _profile(tables, findings, name=name, path=path, folder=folder)


def read_tables(tables: Mapping[str, Any], *, name: str, folder: Path | None = None) -> Profile:
    """Return the profile that a mapping says, its tables and keys as in TOML; factory and reset may be callables.

    Raises:
        UsageError: every fault, named by its key.
    """
    return _profile(tables, Findings(source=name), name=name, path=None, folder=folder)


def _parsed(text: str, source: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        message = str(error)
        place = _PLACE.search(message)
        line, column = len(text.splitlines()) or 1, 1
        if place is not None and place.group(1):
            line, column = int(place.group(1)), int(place.group(2))
        told = _PLACE.sub("", message)
        raise UsageError([Fault(source, line, column, f"not TOML: {told[:1].lower()}{told[1:]}")]) from None


def _profile(
    tables: Mapping[str, Any], findings: Findings, *, name: str, path: Path | None, folder: Path | None
) -> Profile:
    read = {section: _section(findings, SECTIONS[section], tables.get(section, {})) for section in SECTIONS}
    for table in tables:
        if table not in TABLES:
            findings.at_key((table,), f"unknown table [{table}]{did_you_mean(table, TABLES)}")
    written = _policy(findings, tables.get("policy", {}))
    _judge_operations(findings, read["operations"], tables)
    if "factory" not in read["manager"] and "factory" not in _table(tables, "manager"):
        findings.at_key(("manager",), "no `factory`: expected `module:attribute`, the class or function to test")
    profile = _assembled(read, written, name=name, path=path, folder=folder or Path.cwd())
    contradictions.check(findings, profile, tables)
    profile = checking.check(findings, profile, tables)
    findings.raise_all()
    return checking.with_notes(profile, findings)


def _table(tables: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    table = tables.get(name)
    return table if isinstance(table, Mapping) else {}


def _section(findings: Findings, section: Section, table: Any) -> dict[str, Any]:
    """Return the parsed keys of one table; a key with a fault is left out."""
    if not isinstance(table, Mapping):
        findings.at_value((section.name,), f"{section.name} is a table: expected [{section.name}], not {table!r}")
        return {}
    parsed = {}
    for key, value in table.items():
        entry = section.entries.get(key, section.open_entry)
        where: KeyPath = (section.name, key)
        if entry is None:
            findings.at_key(where, f"unknown key {key!r} in [{section.name}]{did_you_mean(key, section.entries)}")
            continue
        told = entries.read(findings, where, entry, value)
        if told is not FAULTY:
            parsed[key] = told
    return parsed


def _policy(findings: Findings, table: Any) -> dict[str, Any]:
    if not isinstance(table, Mapping):
        findings.at_value(("policy",), f"policy is a table: expected [policy], not {table!r}")
        return {}
    parsed = {}
    for key, value in table.items():
        where: KeyPath = ("policy", key)
        if key not in KEYS:
            findings.at_key(where, f"unknown key {key!r} in [policy]{did_you_mean(key, KEYS)}")
            continue
        told = entries.read_policy(findings, where, KEYS[key], value)
        if told is not FAULTY:
            parsed[key] = told
    return parsed


def _judge_operations(findings: Findings, operations: Mapping[str, Any], tables: Mapping[str, Any]) -> None:
    """Note templates that do not fit their operation, and a missing `create`."""
    if "create" not in _table(tables, "operations"):
        findings.at_key(
            ("operations",), 'no `create`: expected how a session is made, such as create = "create() -> id"'
        )
    for verb, templates in operations.items():
        bound = False
        for index, template in enumerate(templates):
            last = index == len(templates) - 1
            where = template_path(tables, verb, index)
            for misfit in misfits(verb, template, session_bound=bound, last=last):
                findings.inside(where, misfit.column, misfit.message)
            bound = bound or template.result == SESSION
        if verb in ASKING and templates[-1].result == "nothing":
            findings.warn(
                ("operations", verb),
                f"{verb} answers nothing and is judged by its errors alone: "
                "write `-> result` to have its answer judged",
            )


def template_path(tables: Mapping[str, Any], verb: str, index: int) -> KeyPath:
    """Return where the template stands: the key itself, or its place in a list."""
    written = _table(tables, "operations").get(verb)
    return ("operations", verb) if isinstance(written, str) else ("operations", verb, index)


def _assembled(
    read: Mapping[str, dict[str, Any]], written: dict[str, Any], *, name: str, path: Path | None, folder: Path
) -> Profile:
    manager = dict(read["manager"])
    shape = SessionShape(**read["session"])
    check = dict(read["check"])
    granularity_us = manager.pop("granularity", 0)
    paths = tuple(str((folder / entry).resolve()) for entry in manager.pop("path", ()))
    policy = Policy(
        **written, written=frozenset(written), granularity_us=granularity_us, expired_status=shape.expired_status
    )
    return Profile(
        name=name,
        path=path,
        folder=folder,
        factory=manager.pop("factory", ""),
        paths=paths,
        args=FrozenMap(manager.pop("args", {})),
        hooks=FrozenMap(manager.pop("hooks", {})),
        granularity_us=granularity_us,
        operations=FrozenMap(read["operations"]),
        session=shape,
        errors=FrozenMap(read["errors"]),
        answers=FrozenMap(read["answers"]),
        metrics=FrozenMap(read["metrics"]),
        health=FrozenMap(read["health"]),
        probes=FrozenMap(read["probes"]),
        check=CheckSettings(budget_us=check.pop("budget", None), **check),
        policy=policy,
        **manager,
    )
