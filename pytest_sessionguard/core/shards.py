"""Results read back from their JSON, and the results of several shards of one run as one.

Pure.  What a shard has not told is not made up: times add up, a property is as bad as the worst shard says, and a
violation that several shards have found is told once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, cast

from pytest_sessionguard.core.result import VERSION, CaseResult, PropertyResult, Result, counts
from pytest_sessionguard.core.values import FrozenMap
from pytest_sessionguard.core.violation import Row, ViolationFound, shape_of
from pytest_sessionguard.errors import UsageError

_WORST_FIRST: Final = ("violated", "unproven", "held", "not-applicable")
_VERDICTS: Final = ("error", "violated", "unproven", "held")


def read(told: Any, *, source: str = "the result") -> Result:
    """Return the result that its JSON tells; of a violation its texts, of a case what was counted.

    Raises:
        UsageError: it is no result, or one of another version.
    """
    if not isinstance(told, dict) or "verdict" not in told or "properties" not in told:
        raise UsageError(f"{source} is no result of sessionguard: expected what --json FILE writes")
    if told.get("version") != VERSION:
        raise UsageError(f"{source} has version {told.get('version')!r}: this sessionguard reads version {VERSION}")
    try:
        return _result(told)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UsageError(f"{source} is damaged: {type(error).__name__}: {error}") from None


def _result(told: Mapping[str, Any]) -> Result:
    return Result(
        target=told["target"],
        seed=told["seed"],
        cases=tuple(map(_case, told["scenarios"])),
        verdict=told["verdict"],
        properties=tuple(PropertyResult(**item) for item in told["properties"]),
        violations=tuple(map(_violation, told["violations"])),
        nondeterministic=tuple(told["nondeterministic"]),
        duration_s=told["duration_s"],
        virtual_us=round(told["virtual_s"] * 1_000_000),
        warnings=tuple(told["warnings"]),
        interrupted=told["interrupted"],
        ran=told["cases"],
    )


def _violation(told: Mapping[str, Any]) -> ViolationFound:
    texts = ("property", "summary", "given", "schedule", "switch", "fault", "output", "scenario", "path", "replay")
    return ViolationFound(
        **{name: told[name] for name in texts},
        undeclared=told["undeclared"],
        undeclared_value=told.get("undeclared_value"),
        operations=tuple(Row(**row) for row in told["operations"]),
        expected=tuple(told["expected"]),
        policy_lines=tuple(told["policy"]),
        line=told["line"],
        column=told["column"],
        also=tuple((one["scenario"], one["cell"]) for one in told["also"]),
    )


def _case(told: Mapping[str, Any]) -> CaseResult:
    same = ("cell", "path", "line", "status", "reason", "manager", "runs", "steps", "operations")
    return CaseResult(
        title=told["scenario"],
        **{name: told[name] for name in same},
        exercised=counts(told["exercised"]),
        unjudged=cast("Mapping[str, str]", FrozenMap(told["unjudged"])),
        behaviour=counts(told["behaviour"]),
        virtual_us=round(told["virtual_s"] * 1_000_000),
        real_s=told["duration_s"],
    )


# -- joining ----------------------------------------------------------------------------------------------------------


def merged(results: Sequence[Result]) -> Result:
    """Return the result of a run of which these are the shards.

    Raises:
        UsageError: they are of several targets, or there is none.
    """
    targets = tuple(dict.fromkeys(one.target for one in results))
    if len(targets) != 1:
        told = ", ".join(targets) if targets else "none"
        raise UsageError(f"shards are of one target; these are of {len(targets)}: {told}")
    return Result(
        target=targets[0],
        seed=results[0].seed,
        cases=tuple(case for one in results for case in one.cases),
        verdict=min((one.verdict for one in results), key=_VERDICTS.index),
        properties=_properties(results),
        violations=_distinct(found for one in results for found in one.violations),
        nondeterministic=tuple(dict.fromkeys(text for one in results for text in one.nondeterministic)),
        duration_s=sum(one.duration_s for one in results),
        virtual_us=sum(one.virtual_us for one in results),
        warnings=tuple(dict.fromkeys(text for one in results for text in one.warnings)),
        interrupted=any(one.interrupted for one in results),
        ran=sum(one.count_of_cases for one in results),
    )


def _properties(results: Sequence[Result]) -> tuple[PropertyResult, ...]:
    told: dict[str, list[PropertyResult]] = {}
    for result in results:
        for item in result.properties:
            told.setdefault(item.name, []).append(item)
    return tuple(_worst(items) for items in told.values())


def _worst(items: list[PropertyResult]) -> PropertyResult:
    first = min(items, key=lambda item: _WORST_FIRST.index(item.status))
    return PropertyResult(
        name=first.name, status=first.status, cases=sum(item.cases for item in items), reason=first.reason
    )


def _distinct(found: Iterable[ViolationFound]) -> tuple[ViolationFound, ...]:
    firsts: dict[tuple[str, ...], ViolationFound] = {}
    for one in found:
        firsts.setdefault(shape_of(one), one)
    return tuple(firsts.values())
