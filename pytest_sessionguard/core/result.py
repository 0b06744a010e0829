"""Everything that one run left behind.

Pure values: a result needs nothing else to be rendered.  A case is one scenario in one cell of its matrix; a run is
many cases against one target.  Nothing is counted as held that was not exercised.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from pytest_sessionguard.core.faults import Fault as InjectedFault
from pytest_sessionguard.core.faults import Fired
from pytest_sessionguard.core.schedule import Schedule
from pytest_sessionguard.core.switches import Switch
from pytest_sessionguard.core.values import FrozenMap
from pytest_sessionguard.core.violation import Row, ViolationFound, distinct, table_of

__all__ = [
    "CaseResult",
    "PropertyResult",
    "Result",
    "Row",
    "ViolationFound",
    "counts",
    "exit_status",
    "merge_cases",
    "property_results",
    "result_schema",
    "table_of",
    "to_json",
    "verdict",
]

VERSION: Final = 1

NO_SCHEDULE: Final = Schedule()

# A case: skipped for a named reason, or run; an error is the harness's own.
CASE_STATUSES: Final = ("held", "violated", "skipped", "unproven", "error")
PROPERTY_STATUSES: Final = ("held", "violated", "unproven", "not-applicable")
VERDICTS: Final = ("held", "violated", "unproven", "error")


def counts(numbers: Mapping[str, int]) -> Mapping[str, int]:
    """Return how often each property was judged, frozen, those never judged left out."""
    return cast("Mapping[str, int]", FrozenMap({name: times for name, times in sorted(numbers.items()) if times}))


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseResult:
    """What became of one scenario in one cell of its matrix.

    Units: `virtual_us` virtual microseconds, `real_s` real seconds.
    Shape: `exercised` property -> how often it was judged; `unjudged` property -> why it could not be; `behaviour`
        a behaviour's name -> how often it was exercised.
    Attributes:
        cell: the matrix cell ("early=1s"), or empty where there is no matrix.
        reason: why it was skipped or is unproven; of an error, the traceback.
        manager: the name of the profile that it ran against.
        schedule: what the scheduler decided; empty where there was none, or nothing to decide.
        switches: where it stopped those that could have gone on, in the target's own lines.
        runs: under how many orders it was run.
        planned: what was to go wrong; `fired`: what did, in its order.
        cancelled: how many operations were cancelled, as their steps ask.
    """

    title: str
    cell: str = ""
    path: str = ""
    line: int = 0
    status: str
    reason: str = ""
    violations: tuple[ViolationFound, ...] = ()
    exercised: Mapping[str, int] = counts({})
    unjudged: Mapping[str, str] = cast("Mapping[str, str]", FrozenMap({}))
    manager: str = ""
    behaviour: Mapping[str, int] = counts({})
    steps: int = 0
    operations: int = 0
    schedule: Schedule = NO_SCHEDULE
    switches: tuple[Switch, ...] = ()
    cancelled: int = 0
    planned: tuple[InjectedFault, ...] = ()
    fired: tuple[Fired, ...] = ()
    runs: int = 1
    virtual_us: int = 0
    real_s: float = 0.0
    output: str = ""
    warnings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.status not in CASE_STATUSES:
            raise ValueError(f"a case is {', '.join(CASE_STATUSES)}, not {self.status!r}")

    @property
    def name(self) -> str:
        """The scenario's title, with its cell in brackets where there is one."""
        return f"{self.title} [{self.cell}]" if self.cell else self.title


@dataclass(frozen=True, slots=True, kw_only=True)
class PropertyResult:
    """What a run says of one property: `cases` is the number of cases that judged it."""

    name: str
    status: str
    cases: int = 0
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What one run left behind.

    Units: `duration_s` real seconds, `virtual_us` virtual microseconds.
    Attributes:
        seed: what random choices were drawn from.
        violations: the first of each shape; `also` of each names the other cases that show it.
        nondeterministic: violations that did not replay, as text.
        interrupted: whether the run was cut short, so that what is missing is unproven.
        ran: how many cases ran, where `cases` keeps only those that are worth a word; None: all of them.
    """

    target: str
    seed: int
    cases: tuple[CaseResult, ...]
    verdict: str
    properties: tuple[PropertyResult, ...]
    violations: tuple[ViolationFound, ...]
    nondeterministic: tuple[str, ...] = ()
    duration_s: float = 0.0
    virtual_us: int = 0
    warnings: tuple[str, ...] = ()
    interrupted: bool = False
    ran: int | None = None

    @property
    def count_of_cases(self) -> int:
        """How many cases ran."""
        return self.ran if self.ran is not None else sum(case.status != "skipped" for case in self.cases)

    def count(self, status: str) -> int:
        """Return how many cases have the status."""
        return sum(case.status == status for case in self.cases)


# -- the verdict ----------------------------------------------------------------------------------------------------


def verdict(cases: Iterable[CaseResult], *, interrupted: bool = False) -> str:
    """Return "error", "violated", "unproven" or "held", the first that is true.

    A fault of the harness outweighs all, for then nothing that it says can be relied on.  Where every case was skipped,
    or there was none, nothing was shown: unproven.
    """
    statuses = {case.status for case in cases}
    for worse in ("error", "violated"):
        if worse in statuses:
            return worse
    if interrupted or "unproven" in statuses or "held" not in statuses:
        return "unproven"
    return "held"


_EXIT: Final = {"held": 0, "violated": 1, "unproven": 3, "error": 4}


def exit_status(result: Result) -> int:
    """Return the exit status of a command: 0 all held, 1 violated, 3 unproven, 4 a fault of sessionguard itself."""
    return _EXIT[result.verdict]


def merge_cases(
    cases: Iterable[CaseResult],
    *,
    target: str,
    seed: int = 0,
    claimed: Iterable[str] = (),
    known: Iterable[str] = (),
    duration_s: float = 0.0,
    warnings: Iterable[str] = (),
    interrupted: bool = False,
) -> Result:
    """Return the result of a run of these cases, in their order.

    `claimed` are the properties that the target's profile claims, `known` all that there are: one that is known and not
    claimed is not applicable.
    """
    ran = tuple(cases)
    told = dict.fromkeys([*warnings, *(warning for case in ran for warning in case.warnings)])
    return Result(
        target=target,
        seed=seed,
        cases=ran,
        verdict=verdict(ran, interrupted=interrupted),
        properties=property_results(ran, claimed=claimed, known=known),
        violations=distinct(((case.title, case.cell), found) for case in ran for found in case.violations),
        duration_s=duration_s,
        virtual_us=sum(case.virtual_us for case in ran),
        warnings=tuple(told),
        interrupted=interrupted,
    )


def property_results(
    cases: Iterable[CaseResult], *, claimed: Iterable[str], known: Iterable[str] = ()
) -> tuple[PropertyResult, ...]:
    """Return what the cases say of each property: the known ones first, then any other that was judged."""
    ran = tuple(cases)
    claims = dict.fromkeys(claimed)
    found = [violation.property for case in ran for violation in case.violations]
    judged = [name for case in ran for name, times in case.exercised.items() if times]
    names = dict.fromkeys([*known, *claims, *sorted({*found, *judged, *(n for case in ran for n in case.unjudged)})])
    return tuple(_property_result(name, ran, applies=name in claims or name in found) for name in names)


def _property_result(name: str, cases: tuple[CaseResult, ...], *, applies: bool) -> PropertyResult:
    """Return what the cases say of one property.  A case that broke off on a fault of the harness says nothing."""
    sound = [case for case in cases if case.status != "error"]
    count = sum(1 for case in sound if case.exercised.get(name, 0))
    if any(violation.property == name for case in cases for violation in case.violations):
        return PropertyResult(name=name, status="violated", cases=max(count, 1))
    if not applies:
        return PropertyResult(name=name, status="not-applicable", cases=count, reason="the profile does not claim it")
    left = [case.unjudged[name] for case in cases if name in case.unjudged]
    if left:
        return PropertyResult(name=name, status="unproven", cases=count, reason=left[0])
    if not count:
        return PropertyResult(name=name, status="unproven", reason="no case exercised it")
    return PropertyResult(name=name, status="held", cases=count)


# -- as JSON --------------------------------------------------------------------------------------------------------


def to_json(result: Result) -> dict[str, Any]:
    """Return the result as plain lists and dicts, of the shape that `result_schema` describes."""
    return {
        "version": VERSION,
        "target": result.target,
        "seed": result.seed,
        "verdict": result.verdict,
        "duration_s": round(result.duration_s, 6),
        "virtual_s": result.virtual_us / 1_000_000,
        "cases": result.count_of_cases,
        "interrupted": result.interrupted,
        "properties": [
            {"name": item.name, "status": item.status, "cases": item.cases, "reason": item.reason}
            for item in result.properties
        ],
        "violations": [_violation_json(violation) for violation in result.violations],
        "nondeterministic": list(result.nondeterministic),
        "scenarios": [_case_json(case) for case in result.cases],
        "warnings": list(result.warnings),
    }


def _violation_json(found: ViolationFound) -> dict[str, Any]:
    return {
        "property": found.property,
        "message": found.message,
        "summary": found.summary,
        "undeclared": found.undeclared,
        "undeclared_value": found.undeclared_value,
        "operations": [
            {
                "client": row.client,
                "operation": row.operation,
                "called_us": row.called_us,
                "returned_us": row.returned_us,
                "answer": row.answer,
                "remark": row.remark,
            }
            for row in found.operations
        ],
        "expected": list(found.expected),
        "given": found.given,
        "policy": list(found.policy_lines),
        "schedule": found.schedule,
        "switch": found.switch,
        "fault": found.fault,
        "output": found.output,
        "scenario": found.scenario,
        "path": found.path,
        "line": found.line,
        "column": found.column,
        "replay": found.replay,
        "also": [{"scenario": title, "cell": cell} for title, cell in found.also],
    }


def _case_json(case: CaseResult) -> dict[str, Any]:
    return {
        "scenario": case.title,
        "cell": case.cell,
        "path": case.path,
        "line": case.line,
        "status": case.status,
        "reason": case.reason,
        "violations": len(case.violations),
        "exercised": dict(sorted(case.exercised.items())),
        "unjudged": dict(sorted(case.unjudged.items())),
        "manager": case.manager,
        "behaviour": dict(sorted(case.behaviour.items())),
        "runs": case.runs,
        "journal": {"planned": list(map(str, case.planned)), "fired": fired_json(case.fired)},
        "steps": case.steps,
        "operations": case.operations,
        "virtual_s": case.virtual_us / 1_000_000,
        "duration_s": round(case.real_s, 6),
    }


def fired_json(fired: Iterable[Fired]) -> list[dict[str, Any]]:
    """Return the faults that have struck, in their order.

    Units: `at_us` virtual microseconds since the case began.
    """
    return [
        {
            "fault": str(one.fault),
            "chance": one.chance,
            "point": one.point,
            "at_us": one.at_us,
            "followed": one.followed,
        }
        for one in fired
    ]


def result_schema() -> dict[str, Any]:
    """Return the JSON Schema of `to_json`'s answer."""
    text, number, flag = {"type": "string"}, {"type": "number", "minimum": 0}, {"type": "boolean"}
    whole = {"type": "integer", "minimum": 0}
    row = _object(client=text, operation=text, called_us=whole, returned_us=whole, answer=text, remark=text)
    violation = _object(
        property=text,
        message=text,
        summary=text,
        given=text,
        schedule=text,
        switch=text,
        fault=text,
        output=text,
        scenario=text,
        path=text,
        replay=text,
        undeclared={"type": ["string", "null"]},
        undeclared_value={"type": ["string", "null"]},
        operations=_list(row),
        expected=_list(text),
        policy=_list(text),
        line=whole,
        column=whole,
        also=_list(_object(scenario=text, cell=text)),
    )
    case = _object(
        **dict.fromkeys(["scenario", "cell", "path", "reason", "manager"], text),
        **dict.fromkeys(["line", "violations", "runs", "steps", "operations"], whole),
        status={"enum": list(CASE_STATUSES)},
        exercised={"type": "object", "additionalProperties": whole},
        unjudged={"type": "object", "additionalProperties": text},
        behaviour={"type": "object", "additionalProperties": whole},
        journal=_object(
            planned=_list(text),
            fired=_list(_object(fault=text, chance=whole, point=text, at_us={"type": "integer"}, followed=text)),
        ),
        virtual_s=number,
        duration_s=number,
    )
    judged = _object(name=text, status={"enum": list(PROPERTY_STATUSES)}, cases=whole, reason=text)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Result of sessionguard",
        **_object(
            version={"const": VERSION},
            target=text,
            seed={"type": "integer"},
            verdict={"enum": list(VERDICTS)},
            duration_s=number,
            virtual_s=number,
            cases=whole,
            interrupted=flag,
            properties=_list(judged),
            violations=_list(violation),
            nondeterministic=_list(text),
            scenarios=_list(case),
            warnings=_list(text),
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
