"""Hypothesis' strategies for what a profile declares: single operations, and whole programs of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from hypothesis import strategies as st

from pytest_sessionguard.core.programs import Program
from pytest_sessionguard.core.scenario import Step
from pytest_sessionguard.core.scenario_text import line_of
from pytest_sessionguard.core.values import FrozenMap
from pytest_sessionguard.errors import UsageError, did_you_mean
from pytest_sessionguard.explore import generate
from pytest_sessionguard.explore.calls import Calls
from pytest_sessionguard.explore.contents import Contents
from pytest_sessionguard.explore.draft import Draft, Sketch
from pytest_sessionguard.explore.drawn import BLOCK, STEP, Rolls
from pytest_sessionguard.explore.repertoire import Repertoire, repertoire
from pytest_sessionguard.target.profile import Profile, load

# What a single operation may have of a generator's features: those that speak of nothing done before.
FEATURES: Final = frozenset({"ids", "odd", "own", "edge-timeouts", "owners", "strangers", "failing", "ended"})

# How often a value is one that managers trip over.
_EDGY: Final = 0.1


def operations(
    profile: Profile | str, *, verbs: tuple[str, ...] = (), sessions: tuple[str, ...] = ("s1", "s2", "s3")
) -> st.SearchStrategy[str]:
    """Return a strategy for single operations, each a step as a scenario file has it: `touch: s1`.

    Args:
        profile: a profile, its path, or the name of a shipped one.
        verbs: the operations to draw; all that the profile declares where none is named.
        sessions: the names that they speak of; `create` gives one of them to its session.

    Raises:
        UsageError: the profile declares no such operation.
    """
    known = repertoire(load(profile) if isinstance(profile, str) else profile)
    able = ("create", *known.verbs) if "create" in known.taken else known.verbs
    for verb in verbs:
        if verb not in able:
            raise UsageError(f"{known.profile.name} declares no operation {verb} to draw{did_you_mean(verb, able)}")
    return _operations(known, verbs or able, sessions)


@st.composite
def _operations(draw: st.DrawFn, known: Repertoire, verbs: tuple[str, ...], sessions: tuple[str, ...]) -> str:
    rolls = Rolls()
    rolls.begin(draw, STEP)
    calls = calls_of(known, Draft(rolls, known), verbs, FEATURES, _EDGY)
    verb = rolls.choice(verbs)
    if verb == "create":
        calls.create()
    else:
        calls.draft.sketches = [Sketch(name=name) for name in sessions]
        calls.one(verb)
    (step,) = calls.draft.take()
    assert isinstance(step, Step)
    if "as" in step.arguments:
        step = replace(step, arguments=FrozenMap({**step.arguments, "as": rolls.choice(sessions)}))
    return line_of(step)


def calls_of(known: Repertoire, draft: Draft, verbs: tuple[str, ...], has: frozenset[str], edgy: float) -> Calls:
    """Return what draws the steps of one program."""
    return Calls(draft, Contents(draft.rng, known.profile.session, edgy), verbs, has)


def programs(profile: Profile | str) -> st.SearchStrategy[Program]:
    """Return a strategy for whole programs, some of which have clients that do things at once.

    A program runs as any scenario does: `run_plan(program.plan, profile)`.
    """
    return _programs(repertoire(load(profile) if isinstance(profile, str) else profile))


@st.composite
def _programs(draw: st.DrawFn, known: Repertoire) -> Program:
    rolls = Rolls()
    rolls.begin(draw, 4 * BLOCK)
    if known.profile.callers != "one" and rolls.random() < 0.5:
        return generate.concurrent(known, rolls, "a drawn program")
    return generate.sequential(known, rolls, "a drawn program")
