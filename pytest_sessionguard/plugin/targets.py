"""From what a fixture, a marker or an option names to the profile of the manager under test."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest

from pytest_sessionguard.core.policy import KEYS
from pytest_sessionguard.core.scenario import FIGURES
from pytest_sessionguard.errors import UsageError, did_you_mean
from pytest_sessionguard.run.runner import Runner
from pytest_sessionguard.target.profile import Profile, load, refused_for_run

_RUNNERS: Final = pytest.StashKey[dict[str, Runner]]()


def runner_of(named: Any, config: pytest.Config) -> Runner:
    """Return what runs scenarios against what `session_manager` gives: a Profile, a TARGET, or a class or factory.

    A TARGET is read once a run; what was learnt of it stays known.

    Raises:
        UsageError: it is none of these, every fault of the profile, or what only a search can reach.
    """
    if isinstance(named, (str, Path)):
        target = _found(str(named), config)
        known = config.stash.setdefault(_RUNNERS, {})
        if target not in known:
            known[target] = _runner(load(target), target)
        return known[target]
    if isinstance(named, Profile):
        return _runner(named, named.name)
    if callable(named):
        reference = _reference(named)
        return _runner(replace(load(reference), factory=named), reference)
    raise UsageError(
        f"session_manager gave a {type(named).__name__}: expected a Profile, a TARGET (a path, a shipped profile's "
        "name, or module:attribute), or a class or factory; one that is made already cannot be made anew for a case"
    )


def _runner(profile: Profile, target: str) -> Runner:
    refused = refused_for_run(profile)
    if refused:
        raise UsageError("\n".join(f"{target}: {refusal}" for refusal in refused))
    return Runner(profile, target=target)


def _found(target: str, config: pytest.Config) -> str:
    """Return a path as the working folder has it, else as the root folder has it; anything else as it is."""
    below_root = config.rootpath / target
    return str(below_root) if not Path(target).exists() and below_root.is_file() else target


def _reference(factory: Any) -> str:
    """Return `module:attribute` of a class or factory.

    Raises:
        UsageError: it cannot be reached by its name, as what is defined inside a function cannot.
    """
    module, name = getattr(factory, "__module__", None), getattr(factory, "__qualname__", None)
    found: Any = sys.modules.get(module or "")
    for part in (name or "?").split("."):
        found = getattr(found, part, None)
    if found is not factory:
        raise UsageError(
            f"session_manager gave {factory!r}, which no module has by name: "
            "define it at the top of one, or give a Profile"
        )
    return f"{module}:{name}"


def with_figures(profile: Profile, figures: dict[str, Any]) -> Profile:
    """Return the profile with figures of its policy set to what a test wishes for.

    Raises:
        UsageError: a figure that there is not, that the profile does not hand over to the manager, or of a wrong value.
    """
    parsed: dict[str, Any] = {}
    for name, value in figures.items():
        if name not in FIGURES:
            raise UsageError(f"the marker sessionguard takes no {name!r}{did_you_mean(name, (*FIGURES, 'manager'))}")
        try:
            parsed[name] = KEYS[name].parse(value)
        except ValueError as error:
            raise UsageError(f"the marker sessionguard: {error}") from None
        if name not in profile.placeholders and getattr(profile.policy, name) != parsed[name]:
            raise UsageError(
                f"{name} cannot be chosen: the profile {profile.name} says {profile.policy.line(name)} "
                f"and hands over no {{{name}}}"
            )
    policy = replace(profile.policy, **parsed, written=profile.policy.written | frozenset(parsed))
    return replace(profile, policy=policy)
