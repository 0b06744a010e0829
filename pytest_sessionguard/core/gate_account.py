"""Everything that one look at the gates said: coverage, behaviour, and the worst of both.

Pure.  A gate that was not asked for is None and says nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from pytest_sessionguard.core.gates import INCOMPLETE, MET, MISSED, NOTHING, Count, Row, Verdict

VERSION: Final = 1
STATUSES: Final = (MET, MISSED, INCOMPLETE)
_EXIT: Final = {MET: 0, MISSED: 1, INCOMPLETE: 3}


@dataclass(frozen=True, slots=True, kw_only=True)
class BehaviourVerdict:
    """Whether the behaviours of one manager were exercised.

    Attributes:
        manager: the TARGET.
        missing: the behaviours that nothing exercised, in words.
        steps: for each of them a scenario that exercises it, in the same order.
        problems: why nothing can be said; then nothing was counted.
    """

    manager: str
    status: str
    count: Count = NOTHING
    least: int = 0
    missing: tuple[str, ...] = ()
    steps: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """What was said."""

    coverage: Verdict | None = None
    behaviour: tuple[BehaviourVerdict, ...] = ()

    @property
    def status(self) -> str:
        """The worst of all: what missed did so for certain, whatever else is not known."""
        found = {one.status for one in self.parts}
        return next((status for status in (MISSED, INCOMPLETE) if status in found), MET)

    @property
    def parts(self) -> Iterator[Verdict | BehaviourVerdict]:
        """Each gate's own verdict."""
        if self.coverage is not None:
            yield self.coverage
        yield from self.behaviour


def exit_status(account: Account) -> int:
    """Return the exit status of a command: 0 met, 1 missed, 3 incomplete."""
    return _EXIT[account.status]


# -- as JSON --------------------------------------------------------------------------------------------------------


def to_json(account: Account) -> dict[str, Any]:
    """Return the account as plain lists and dicts, of the shape that `account_schema` describes."""
    return {
        "version": VERSION,
        "verdict": account.status,
        "coverage": None if account.coverage is None else _coverage_json(account.coverage),
        "behaviour": [_behaviour_json(one) for one in account.behaviour],
    }


def _coverage_json(verdict: Verdict) -> dict[str, Any]:
    return {
        "verdict": verdict.status,
        "problems": list(verdict.problems),
        "components": [_row_json(row) for row in verdict.rows],
        "no_component": list(verdict.left_out),
        "short": [
            {
                "path": one.path,
                "lines": [list(gap) for gap in one.gaps()],
                "branches": [list(branch) for branch in one.untaken()],
            }
            for one in verdict.short
        ],
    }


def _row_json(row: Row) -> dict[str, Any]:
    return {
        "name": row.name,
        "verdict": row.status,
        "files": row.files,
        "lines": _count_json(row.lines),
        "branches": None if row.branches is None else _count_json(row.branches),
        "min_hundredths": row.least,
        "min_branch_hundredths": row.least_branches,
        "why": list(row.why),
    }


def _behaviour_json(verdict: BehaviourVerdict) -> dict[str, Any]:
    return {
        "manager": verdict.manager,
        "verdict": verdict.status,
        "problems": list(verdict.problems),
        "behaviours": _count_json(verdict.count),
        "min_hundredths": verdict.least,
        "missing": [
            {"behaviour": name, "scenario": text} for name, text in zip(verdict.missing, verdict.steps, strict=True)
        ],
    }


def _count_json(count: Count) -> dict[str, int]:
    return {"covered": count.covered, "total": count.total}


def account_schema() -> dict[str, Any]:
    """Return the JSON Schema of `to_json`'s answer."""
    text, whole = {"type": "string"}, {"type": "integer", "minimum": 0}
    verdict = {"enum": list(STATUSES)}
    count = _object(covered=whole, total=whole)
    pair = {"type": "array", "items": {"type": "integer"}, "minItems": 2, "maxItems": 2}
    row = _object(
        name=text,
        verdict=verdict,
        files=whole,
        lines=count,
        branches={"anyOf": [count, {"type": "null"}]},
        min_hundredths=whole,
        min_branch_hundredths=whole,
        why=_list(text),
    )
    coverage = _object(
        verdict=verdict,
        problems=_list(text),
        components=_list(row),
        no_component=_list(text),
        short=_list(_object(path=text, lines=_list(pair), branches=_list(pair))),
    )
    behaviour = _object(
        manager=text,
        verdict=verdict,
        problems=_list(text),
        behaviours=count,
        min_hundredths=whole,
        missing=_list(_object(behaviour=text, scenario=text)),
    )
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "What sessionguard's coverage gates said",
        **_object(
            version={"const": VERSION},
            verdict=verdict,
            coverage={"anyOf": [coverage, {"type": "null"}]},
            behaviour=_list(behaviour),
        ),
    }


def _object(**properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _list(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items}
