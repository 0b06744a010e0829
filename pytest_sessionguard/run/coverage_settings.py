"""`[tool.sessionguard.coverage]` of a pyproject.toml -> what coverage must reach; every fault at once, at its place.

Patterns and shares are read here and nowhere else, so that pytest and the command line judge by the same words.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from pytest_sessionguard.core.gates import TOTAL, WHOLE, Component, Gate
from pytest_sessionguard.errors import Fault, UsageError, did_you_mean
from pytest_sessionguard.target.findings import Findings
from pytest_sessionguard.target.toml_positions import KeyPath, find_positions

TABLE: Final[KeyPath] = ("tool", "sessionguard", "coverage")

_KEYS: Final = ("min", "min_branch", "total", "components", "every_file", "changed", "base", "behaviour")
_LEAST: Final = ("min", "min_branch")
_COMPONENT: Final = ("paths", *_LEAST)
_BEHAVIOUR: Final = ("min", "manager")


@dataclass(frozen=True, slots=True, kw_only=True)
class BehaviourGate:
    """What behaviour coverage must reach.

    Units: hundredths of a percent.
    Attributes:
        managers: the TARGETs that are gated, each for itself; empty: the manager of the run.
    """

    least: int
    managers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CoverageSettings:
    """Everything that the table says.

    Attributes:
        folder: what the patterns are relative to.
        gate: None where only behaviour is gated.
        base: the revision that changed lines are counted against.
    """

    folder: Path
    gate: Gate | None = None
    base: str = ""
    behaviour: BehaviourGate | None = None


def load(path: Path) -> CoverageSettings | None:
    """Return what the file says of coverage, or None where it says nothing.

    Raises:
        UsageError: the file cannot be read, or every fault in its table.
    """
    try:
        text = path.read_bytes().decode("utf-8").replace("\r\n", "\n")
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: not UTF-8 text (byte {error.start})") from None
    return read(text, source=str(path), folder=path.resolve().parent)


def read(text: str, *, source: str, folder: Path) -> CoverageSettings | None:
    """Return what a TOML text says of coverage, or None where it says nothing.

    Raises:
        UsageError: every fault, each with line and column.
    """
    try:
        document: Any = tomllib.loads(text, parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        raise UsageError([Fault(source, 0, 0, f"not TOML: {error}")]) from None
    for name in TABLE:
        document = document.get(name) if isinstance(document, Mapping) else None
    if document is None:
        return None
    findings = Findings(source=source, positions=find_positions(text), prefix=TABLE)
    settings = _Reader(findings).settings(document, folder)
    findings.raise_all()
    return settings


class _Reader:
    """Reads one table; faults are noted and a harmless value goes on in the place of a wrong one."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings

    def settings(self, table: Any, folder: Path) -> CoverageSettings:
        """Return what the table says."""
        known = self._table((), table, _KEYS)
        behaviour = self._behaviour(known["behaviour"]) if "behaviour" in known else None
        gated = {"min", "min_branch", "total", "components", "changed"} & set(known)
        if not gated:
            if behaviour is None:
                self._findings.at_key((), "nothing is gated: expected `min`, the least share of every component")
            return CoverageSettings(folder=folder, behaviour=behaviour)
        base = self._text(("base",), known["base"]) if "base" in known else ""
        if "changed" in known and not base:
            self._findings.at_key(
                ("changed",), 'no `base`: expected the revision to compare with, such as "origin/main"'
            )
        return CoverageSettings(folder=folder, gate=self._gate(known), base=base, behaviour=behaviour)

    def _gate(self, known: Mapping[str, Any]) -> Gate:
        general = self._shares((), known)
        parts: Any = known.get("components", {})
        if not isinstance(parts, Mapping):
            self._findings.at_value(("components",), f"components is a table of components, not {parts!r}")
            parts = {}
        components = tuple(self._component(name, part, general) for name, part in parts.items())
        total = self._shares(("total",), self._table(("total",), known["total"], _LEAST)) if "total" in known else {}
        if "min" not in {**general, **total}:
            self._findings.at_key(
                (), "no `min`: expected the least share of every component and of the total, such as 85"
            )
        whole = {**general, **total}
        least = whole.get("min", WHOLE)
        every_file = known.get("every_file", False)
        if not isinstance(every_file, bool):
            self._findings.at_value(("every_file",), f"every_file is true or false, not {every_file!r}")
            every_file = False
        return Gate(
            least=least,
            least_branches=whole.get("min_branch", least),
            components=components,
            every_file=every_file,
            changed=self._share(("changed",), known["changed"]) if "changed" in known else None,
        )

    def _component(self, name: str, part: Any, general: Mapping[str, int]) -> Component:
        where: KeyPath = ("components", name)
        known = self._table(where, part, _COMPONENT)
        if name == TOTAL:
            self._findings.at_key(
                where,
                f"a component cannot be called {TOTAL}: what all must reach is [{'.'.join(map(str, TABLE))}.total]",
            )
        if "paths" not in known:
            self._findings.at_key(where, 'no `paths`: expected patterns of files, such as ["src/app/store/**"]')
        own = self._shares(where, known)
        least = own.get("min", general.get("min", WHOLE))
        return Component(
            name=name,
            paths=self._patterns((*where, "paths"), known.get("paths", ["**"])),
            least=least,
            least_branches=own.get("min_branch", general.get("min_branch", least)),
        )

    def _patterns(self, where: KeyPath, value: Any) -> tuple[str, ...]:
        words = [value] if isinstance(value, str) else value
        if not isinstance(words, list) or not words or not all(isinstance(word, str) and word for word in words):
            self._findings.at_value(where, f"paths is a list of patterns of files, not {value!r}")
            return ("**",)
        if all(word.startswith("!") for word in words):
            self._findings.at_value(where, "every pattern takes files out and none lets any in")
        return tuple(word.replace("\\", "/") for word in words)

    def _behaviour(self, value: Any) -> BehaviourGate:
        if not isinstance(value, Mapping):
            return BehaviourGate(least=self._share(("behaviour",), value))
        known = self._table(("behaviour",), value, _BEHAVIOUR)
        if "min" not in known:
            self._findings.at_key(("behaviour",), "no `min`: expected the least share of behaviours, such as 95")
        managers = known.get("manager", [])
        words = [managers] if isinstance(managers, str) else managers
        if not isinstance(words, list) or not all(isinstance(word, str) and word for word in words):
            self._findings.at_value(
                ("behaviour", "manager"), f"manager is a TARGET or a list of them, not {managers!r}"
            )
            words = []
        least = self._share(("behaviour", "min"), known["min"]) if "min" in known else WHOLE
        return BehaviourGate(least=least, managers=tuple(words))

    # -- values -----------------------------------------------------------------------------------------------------

    def _table(self, where: KeyPath, value: Any, keys: tuple[str, ...]) -> dict[str, Any]:
        """Return the known keys of a table."""
        if not isinstance(value, Mapping):
            self._findings.at_value(where, f"expected a table of {', '.join(keys)}, not {value!r}")
            return {}
        for key in value:
            if key not in keys:
                self._findings.at_key((*where, key), f"unknown key {key!r}{did_you_mean(key, keys)}")
        return {key: item for key, item in value.items() if key in keys}

    def _shares(self, where: KeyPath, table: Mapping[str, Any]) -> dict[str, int]:
        return {key: self._share((*where, key), table[key]) for key in _LEAST if key in table}

    def _share(self, where: KeyPath, value: Any) -> int:
        """Return a share of 100 in hundredths of a percent."""
        is_number = isinstance(value, (int, Decimal)) and not isinstance(value, bool) and Decimal(value).is_finite()
        if not is_number or not 0 <= value <= 100:
            self._findings.at_value(where, f"{where[-1]} is a share from 0 to 100, not {value}")
            return WHOLE
        hundredths = Decimal(value) * 100
        if hundredths != int(hundredths):
            self._findings.at_value(where, f"{where[-1]} = {value}: expected at most two decimals")
        return int(hundredths)

    def _text(self, where: KeyPath, value: Any) -> str:
        if not isinstance(value, str) or not value:
            self._findings.at_value(where, f"{where[-1]} is a text, not {value!r}")
            return ""
        return value
