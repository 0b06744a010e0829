"""Programs drawn at random: every operation that a profile declares, around every deadline that there is.

Raw and seeded: the same seed draws the same program.  Each program is drawn from a random part of the operations and
features alone, since what is left out can hide nothing.

Source: A. Groce, C. Zhang, E. Eide, Y. Chen, J. Regehr, "Swarm testing", ISSTA 2012, section 2.
"""

from __future__ import annotations

import random
from typing import Any, Final

from pytest_sessionguard.core.programs import CLIENTS_MAX, OPERATIONS_MAX, Program
from pytest_sessionguard.core.scenario import AnyStep
from pytest_sessionguard.core.values import FrozenMap
from pytest_sessionguard.explore.calls import Calls
from pytest_sessionguard.explore.contents import Contents
from pytest_sessionguard.explore.draft import Draft
from pytest_sessionguard.explore.repertoire import Repertoire

FEATURES: Final = {
    "time": 0.75,
    "clock": 0.12,
    "zone": 0.12,
    "ids": 0.5,
    "odd": 0.1,
    "own": 0.35,
    "edge-timeouts": 0.15,
    "owners": 0.5,
    "figures": 0.6,
    "restart": 0.15,
    "stale": 0.4,
    "failing": 0.25,
    "strangers": 0.3,
    "versions": 0.5,
    "ended": 0.7,
    "isolation": 0.12,
    "busy": 0.25,
    "drain": 0.3,
}
"""Feature -> how often a program has it."""

_STEPS_MAX: Final = 14

# So many operations at once, all clients together; in a few programs as many as there may be.  The orders that explain
# their answers grow with their number as a factorial does.
_AT_ONCE_MAX: Final = 6
_CROWDED: Final = 0.01

# The share of programs in which the first clients begin with a write of the same session.
_CONTESTED: Final = 0.25
_CONTENDERS: Final = 2


def features(rng: random.Random) -> frozenset[str]:
    """Draw the features of one program."""
    return frozenset(name for name, share in FEATURES.items() if rng.random() < share)


def sequential(repertoire: Repertoire, rng: random.Random, title: str) -> Program:
    """Draw a program in which everything happens one after the other."""
    has = features(rng)
    calls = _calls(repertoire, rng, has)
    draft = calls.draft
    figures = drawn_figures(repertoire, rng, has)
    if "zone" in has and rng.random() < 0.8:
        calls.set_zone()
    calls.create()
    many = repertoire.policy.limit is not None and rng.random() < 0.3
    for _ in range(rng.choice((0, 0, 1, 1, 2, 3 if many else 1))):
        calls.create()
    for _ in range(rng.randint(2, _STEPS_MAX)):
        calls.any()
    calls.look_at_all()
    if "drain" in has:
        calls.drain()
    invariants = ("data.isolation",) if "isolation" in has else ()
    return Program(title=title, prefix=draft.take(), figures=figures, invariants=invariants)


def concurrent(repertoire: Repertoire, rng: random.Random, title: str) -> Program:
    """Draw a program in which a few clients do a few things at once."""
    has = features(rng) - {"clock", "zone", "restart", "isolation", "edge-timeouts"}
    calls = _calls(repertoire, rng, has)
    draft = calls.draft
    figures = drawn_figures(repertoire, rng, has)
    for _ in range(rng.choice((0, 1, 1, 1, 2, 2))):
        calls.create()
    for _ in range(rng.choice((0, 0, 0, 1, 1, 2))):
        calls.any()
    if "time" in has and rng.random() < 0.4:
        calls.advance()
    prefix = draft.take()
    known = list(draft.sketches)
    # Two writes of one session overlap seldom by chance alone.
    contested = calls.contested() if rng.random() < _CONTESTED else None
    clients: list[tuple[AnyStep, ...]] = []
    number_max = rng.choice((2, 2, 2, 2, 3, 3, CLIENTS_MAX))
    left = CLIENTS_MAX * OPERATIONS_MAX if rng.random() < _CROWDED else _AT_ONCE_MAX
    for number in range(number_max):
        draft.sketches = list(known)
        draft.client = chr(ord("A") + number)
        count = min(rng.choice((1, 1, 1, 2, 2, 3, OPERATIONS_MAX)), left - (number_max - number - 1))
        left -= count
        for at in range(count):
            if contested is not None and at == 0 and number < _CONTENDERS:
                calls.write(contested)
            else:
                calls.at_once()
        clients.append(draft.take())
        known += [one for one in draft.sketches if one not in known]
    draft.client = ""
    draft.sketches = known
    calls.look_at_all()
    if "time" in has and rng.random() < 0.3:
        calls.advance()
        calls.look_at_all()
    if "drain" in has:
        calls.drain()
    return Program(title=title, prefix=prefix, clients=tuple(clients), suffix=draft.take(), figures=figures)


def _calls(repertoire: Repertoire, rng: random.Random, has: frozenset[str]) -> Calls:
    verbs = tuple(verb for verb in repertoire.verbs if rng.random() < 0.5)
    if not verbs and repertoire.verbs:
        verbs = (rng.choice(repertoire.verbs),)
    contents = Contents(rng, repertoire.profile.session, 0.15 if rng.random() < 0.4 else 0.0)
    return Calls(Draft(rng, repertoire), contents, verbs, has)


def drawn_figures(repertoire: Repertoire, rng: random.Random, has: frozenset[str]) -> FrozenMap:
    """Draw what the program wishes of the policy's figures."""
    if "figures" not in has:
        return FrozenMap({})
    drawn: dict[str, Any] = {}
    for name, values in repertoire.figures.items():
        if rng.random() < 0.6:
            drawn[name] = rng.choice(values)
    return FrozenMap(drawn)
