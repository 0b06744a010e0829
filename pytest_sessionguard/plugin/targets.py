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
from pytest_sessionguard.target.profile import Profile, load

_LOADED: Final = pytest.StashKey[dict[str, Profile]]()


def profile_of(named: Any, config: pytest.Config) -> Profile:
    """Return the profile of what `session_manager` gives: a Profile, a TARGET, or a class or factory.

    Raises:
        UsageError: it is none of these, or every fault of the profile.
    """
    if isinstance(named, Profile):
        return named
    if isinstance(named, (str, Path)):
        return _loaded(_found(str(named), config), config)
    if callable(named):
        return replace(_loaded(_reference(named), config), factory=named)
    raise UsageError(
        f"session_manager gave a {type(named).__name__}: expected a Profile, a TARGET (a path, a shipped profile's name, "
        "or module:attribute), or a class or factory; a manager that is made already cannot be made anew for a case"
    )


def _loaded(target: str, config: pytest.Config) -> Profile:
    """Return the profile of a TARGET, read once a run."""
    loaded = config.stash.setdefault(_LOADED, {})
    if target not in loaded:
        loaded[target] = load(target)
    return loaded[target]


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
            f"session_manager gave {factory!r}, which no module has by name: define it at the top of one, or give a Profile"
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
