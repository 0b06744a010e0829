"""The behaviours of a target and which of them cases have exercised, against what is asked for.

A target's behaviours are counted over all cases that ran against a profile of its name.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pytest_sessionguard.core import behaviour, behaviour_steps
from pytest_sessionguard.core.behaviour import Claims
from pytest_sessionguard.core.gate_account import BehaviourVerdict
from pytest_sessionguard.core.gates import INCOMPLETE, MET, MISSED, Count
from pytest_sessionguard.errors import UsageError
from pytest_sessionguard.run.coverage_settings import BehaviourGate
from pytest_sessionguard.target.abilities import templates_of
from pytest_sessionguard.target.profile import Profile, load

DEFAULT_MANAGER = "reference"


def claims_of(profile: Profile) -> Claims:
    """Return what behaviours of a profile depend on."""
    arguments = {
        str(verb): frozenset(
            argument.name
            for template in templates_of(profile, str(verb))
            for argument in template.handed_over
            if argument.name is not None
        )
        for verb in profile.operations
    }
    return Claims(policy=profile.policy, arguments=arguments, data_type=profile.session.data_type)


def judge(
    gate: BehaviourGate,
    exercised: Mapping[str, Iterable[str]],
    folder: Path,
    *,
    manager: str = DEFAULT_MANAGER,
    problems: Sequence[str] = (),
) -> tuple[BehaviourVerdict, ...]:
    """Return the verdict on each manager that is gated; `manager` is the run's own, for a gate that names none.

    Shape: `exercised` a profile's name -> the names of the behaviours that its cases exercised.
    Raises:
        UsageError: there is no such manager, or every fault of its profile.
    """
    verdicts = []
    for target in gate.managers or (manager,):
        profile = load(target, start_folder=folder)
        why = problems
        if not why and profile.name not in exercised:
            why = (f"behaviour: no case ran against {target}",)
        verdicts.append(_verdict(target, claims_of(profile), gate.least, exercised.get(profile.name, ()), why))
    return tuple(verdicts)


def _verdict(
    target: str, claims: Claims, least: int, exercised: Iterable[str], problems: Sequence[str]
) -> BehaviourVerdict:
    if problems:
        return BehaviourVerdict(manager=target, status=INCOMPLETE, least=least, problems=tuple(problems))
    there_are = behaviour.universe(claims)
    met = frozenset(exercised)
    missing = tuple(name for name in there_are if name not in met)
    count = Count(len(there_are) - len(missing), len(there_are))
    return BehaviourVerdict(
        manager=target,
        status=MET if count.reaches(least) else MISSED,
        count=count,
        least=least,
        missing=tuple(map(behaviour.words, missing)),
        steps=tuple(behaviour_steps.scenario(name, claims) for name in missing),
    )


def of_results(gate: BehaviourGate, paths: Sequence[Path], folder: Path) -> tuple[BehaviourVerdict, ...]:
    """Return the verdict on the cases of results as JSON files; the run's own manager is what the results name.

    Raises:
        UsageError: a file that is no result, or see `judge`.
    """
    exercised: dict[str, set[str]] = {}
    targets: dict[str, None] = {}
    problems = [] if paths else ["behaviour: no result was handed over: --result FILE"]
    for path in paths:
        told = _result(path)
        targets[told["target"]] = None
        if told["interrupted"]:
            problems.append(f"{path} is of a run that was interrupted")
        for case in told["scenarios"]:
            if case["behaviour"]:
                exercised.setdefault(case["manager"], set()).update(case["behaviour"])
    named = BehaviourGate(least=gate.least, managers=gate.managers or tuple(targets))
    return judge(named, exercised, folder, problems=problems)


def _result(path: Path) -> dict[str, Any]:
    """Return a result as it was written."""
    try:
        told = json.loads(path.read_bytes())
        sound = told["version"] == 1 and isinstance(told["target"], str) and isinstance(told["interrupted"], bool)
        for case in told["scenarios"]:
            sound = sound and isinstance(case["manager"], str) and isinstance(case["behaviour"], dict)
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from None
    except (ValueError, TypeError, LookupError):
        sound = False
    if not sound:
        raise UsageError(f"{path}: not a result of sessionguard: expected what `sessionguard run --json` writes")
    found: dict[str, Any] = told
    return found
