"""What was to go wrong in a run, what did, and what followed: as JSON, the same for the same plans and seed.

Pure.  Nothing in it differs from one run to the next: no ids, no paths, no real time.
"""

from __future__ import annotations

from typing import Any, Final

from pytest_sessionguard.core.result import CaseResult, Result, fired_json

VERSION: Final = 1


def journal(result: Result) -> dict[str, Any]:
    """Return the journal of a run: every case in which something was to go wrong."""
    return {
        "version": VERSION,
        "target": result.target,
        "seed": result.seed,
        "cases": [of_case(case) for case in result.cases if case.planned or case.fired],
    }


def of_case(case: CaseResult) -> dict[str, Any]:
    """Return what was to go wrong in one case, what did, and what followed."""
    return {
        "scenario": case.title,
        "cell": case.cell,
        "status": case.status,
        "violated": [found.property for found in case.violations],
        "faults": {"planned": list(map(str, case.planned)), "fired": fired_json(case.fired)},
    }
