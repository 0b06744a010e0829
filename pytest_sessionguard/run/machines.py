"""State machines of Hypothesis for the target of a profile: the rules of `explore.stateful`, driven by the runner."""

from __future__ import annotations

import types
from functools import partial
from pathlib import Path
from typing import Any

from pytest_sessionguard.errors import UsageError
from pytest_sessionguard.explore import stateful
from pytest_sessionguard.explore.patience import Patience
from pytest_sessionguard.explore.repertoire import repertoire
from pytest_sessionguard.run.found import FOLDER
from pytest_sessionguard.run.live import Live, kills
from pytest_sessionguard.run.runner import Runner
from pytest_sessionguard.target.profile import Profile, load, refused_for_check


class SessionMachine(stateful.BaseMachine):
    """A state machine for one session system; subclass what `for_target` gives, and add rules and invariants."""

    @classmethod
    def for_target(cls, target: str | Profile, *, found: str | Path | None = FOLDER) -> type[SessionMachine]:
        """Return the machine of a target.

        Args:
            target: a profile, its path, the name of a shipped one, or module:attribute.
            found: the folder in which what is found is written down; None: nowhere.

        Raises:
            UsageError: there is no such profile, or what it describes must not be searched.
        """
        profile = load(target) if isinstance(target, str) else target
        name = target if isinstance(target, str) else profile.name
        refused = refused_for_check(profile)
        if refused:
            raise UsageError("\n".join(f"{name}: {refusal}" for refusal in refused))
        known = repertoire(profile)
        runner = Runner(profile, target=name)
        runner.known = set()
        folder = Path(found) if found is not None else None
        of_target: dict[str, Any] = {
            "__doc__": f"A state machine for {profile.name}.",
            "__module__": cls.__module__,
            "profile": profile,
            "repertoire": known,
            "shares": stateful.shares_of(known),
            "connect": staticmethod(partial(Live, runner, folder)),
            "killed": kills(profile),
            "violated": {},
            "patience": Patience(),
            **stateful.verb_rules(known),
        }
        return types.new_class("SessionMachine", (cls,), exec_body=lambda namespace: namespace.update(of_target))
