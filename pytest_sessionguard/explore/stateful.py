"""A state machine for Hypothesis: a rule for everything that can be done to a session system, every answer judged.

What runs the steps and judges them is a `Driver`, given from outside.  Drawing never looks at an answer, see `drawn`.

Source: A. Groce, C. Zhang, E. Eide, Y. Chen, J. Regehr, "Swarm testing", ISSTA 2012, section 2.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, ClassVar, Final, NoReturn, Protocol

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from pytest_sessionguard.core import durations
from pytest_sessionguard.core.operations import VERBS, Outcome
from pytest_sessionguard.core.programs import NOWHERE
from pytest_sessionguard.core.scenario import AnyStep, Parallel, Step, walk
from pytest_sessionguard.core.schedule import Scheduler
from pytest_sessionguard.core.values import FrozenMap
from pytest_sessionguard.errors import NotDeterministic, Violation
from pytest_sessionguard.explore import drawn, generate
from pytest_sessionguard.explore.calls import WRITES, Calls
from pytest_sessionguard.explore.draft import Draft, Sketch
from pytest_sessionguard.explore.drawn import Rolls
from pytest_sessionguard.explore.patience import Patience, give_up, is_final, trace_no_lines
from pytest_sessionguard.explore.repertoire import Repertoire
from pytest_sessionguard.explore.strategies import calls_of
from pytest_sessionguard.target.shape import Profile

AT_ONCE: Final = "at-once"

# Feature -> how often an example has it.  What a rule of its own does is left out of the generator's.
_SHARES: Final = {
    **{name: share for name, share in generate.FEATURES.items() if name not in ("busy", "drain")},
    AT_ONCE: 0.85,
}

# At how many of a block's first decisions somebody may be stopped: tasks stop where they await, threads anywhere.
_DECISIONS: Final = {"tasks": 16, "threads": 96}

# Features of examples in which nothing happens at once, as in the generator's.
_ALONE: Final = frozenset({"clock", "zone", "restart", "isolation", "edge-timeouts"})

_EDGY: Final = 0.08

# Where there are not more operations than this, an example has most of them.
_MANY: Final = 6

# A hook may tell of a session before the call that makes it has answered: nothing ends all sessions beside such a call.
_HOOKED: Final = frozenset({"clear", "pop_item"})

# Judged session by session, and so in many orders: of these only one at a time, unless there are but few sessions.
_OF_ALL: Final = frozenset({"list", "sweep", "clear"})
_FEW: Final = 4

# How many operations each client does at once: few, for they are judged in every order, and often.
_AT_ONCE: Final = ((1, 1), (1, 1), (1, 2), (2, 1), (1, 1, 1))


class Driver(Protocol):
    """Runs and judges the steps of one example."""

    def begin(self, *, figures: FrozenMap, invariants: tuple[str, ...], scheduler: Scheduler | None) -> None:
        """Say what the example wishes for; the manager is made with the first step."""

    def read(self, text: str) -> AnyStep:
        """Return the step that stands in a line of a scenario file.

        Raises:
            UsageError: it is none.
        """

    def do(self, step: AnyStep) -> bool:
        """Do one step; say whether all is well so far.

        Raises:
            UsageError: the step does not fit the profile, or the profile the manager.
        """

    def outcome(self, step: AnyStep) -> Outcome | None:
        """Return what came of the operation of the last step; None where it was not done."""

    def end(self) -> bool:
        """End the example; say whether all was well."""

    def violation(self, *, final: bool) -> tuple[str, str]:
        """Return the property that was violated, and all about it; in the end also with a file that shows it.

        Raises:
            NotDeterministic: it does not come back.
        """


# -- what is drawn ----------------------------------------------------------------------------------------------------


@st.composite
def _beginnings(draw: st.DrawFn) -> dict[str, Any]:
    machine: BaseMachine = draw(st.runner())
    return machine.drawn_beginning(draw)


def _is_span(name: str) -> bool:
    return name.endswith(("_timeout", "_interval"))


@st.composite
def _steps(draw: st.DrawFn, kind: Callable[[Calls], None]) -> list[str]:
    machine: BaseMachine = draw(st.runner())
    return machine.drawn(draw, kind)


@st.composite
def _step(draw: st.DrawFn, kind: Callable[[Calls], None]) -> str:
    (text,) = draw(_steps(kind))
    return str(text)


@st.composite
def _clients(draw: st.DrawFn, meetings: Sequence[str]) -> list[list[str]]:
    machine: BaseMachine = draw(st.runner())
    return machine.drawn_clients(draw, meetings)


@st.composite
def _switches(draw: st.DrawFn) -> list[tuple[int, int]]:
    machine: BaseMachine = draw(st.runner())
    return drawn.switches(machine.rolling(draw, drawn.STEP), decisions=_DECISIONS[machine.profile.callers])


# -- the machine ------------------------------------------------------------------------------------------------------


class BaseMachine(RuleBasedStateMachine):
    """The rules that every profile has; `verb_rules` gives those of its operations.

    Attributes:
        profile: the target's.
        features, operations: what this example draws of; set by the rule that comes first.
    """

    profile: ClassVar[Profile]
    repertoire: ClassVar[Repertoire]
    shares: ClassVar[Mapping[str, float]] = _SHARES
    connect: ClassVar[Callable[[], Driver]]
    # Whether a step may kill the manager.
    killed: ClassVar[bool]
    # What was done -> the property that it violated, and how, of all examples of this machine.
    violated: ClassVar[dict[tuple[str, ...], tuple[str, str]]]
    patience: ClassVar[Patience]

    def __init__(self) -> None:
        super().__init__()
        # Then nothing is done any more, and what was found before is remembered; rules of users would miss answers.
        self._idle = False
        if "patience" in vars(type(self)):
            self._idle = self.patience.is_over
            trace_no_lines()
        self.features: frozenset[str] = frozenset()
        self.operations: frozenset[str] = frozenset(self.repertoire.verbs)
        self._driver = type(self).connect()
        self._scheduler = drawn.Switching()
        self._begun = False
        self._over = False
        self._rolls = Rolls()
        self._calls = calls_of(self.repertoire, Draft(self._rolls, self.repertoire), (), frozenset(), _EDGY)
        self._written: dict[str, AnyStep] = {}
        self._done: list[str] = []
        self._names: dict[str, None] = {}
        self._surrounding = sys.exc_info()[1]

    # -- drawing

    def rolling(self, draw: st.DrawFn, size: int) -> Rolls:
        """Return random numbers out of Hypothesis' hand; `size` see `Rolls`."""
        self._rolls.begin(draw, size)
        return self._rolls

    def drawn(self, draw: st.DrawFn, kind: Callable[[Calls], None]) -> list[str]:
        """Return steps of one kind, as lines of a scenario file."""
        self.rolling(draw, drawn.STEP)
        kind(self._calls)
        return drawn.texts(self._calls.draft.take(), self._written)

    def drawn_beginning(self, draw: st.DrawFn) -> dict[str, Any]:
        """Return what one example is about."""
        rolls = self.rolling(draw, 2 * drawn.BLOCK)
        features = drawn.chosen(rolls, self.shares)
        if AT_ONCE in features:
            features = [name for name in features if name not in _ALONE]
        verbs = self.repertoire.verbs
        operations = drawn.chosen(rolls, dict.fromkeys(verbs, 0.6 if len(verbs) > _MANY else 0.8))
        wished = frozenset({"figures"}.intersection(features))
        figures = generate.drawn_figures(self.repertoire, rolls, wished)
        self.choose(features, operations)
        return {
            "features": features,
            "operations": operations,
            "figures": {name: durations.show(value) if _is_span(name) else value for name, value in figures.items()},
            "sessions": [text for _ in range(rolls.choice((1, 1, 2, 3, 0))) for text in self.drawn(draw, Calls.create)],
        }

    def drawn_clients(self, draw: st.DrawFn, meetings: Sequence[str] = ("",)) -> list[list[str]]:
        """Return what a few clients do at once; `meetings` are ways in which they may meet."""
        rolls, draft = self.rolling(draw, drawn.BLOCK), self._calls.draft
        known = list(draft.sketches)
        able = sorted(self.operations.difference(_HOOKED if self.profile.hooks else ()))
        first = self._drawn_meeting(rolls, able, rolls.choice(meetings))
        # What is done to one session meets.
        about = [rolls.choice(draft.living() or known)] if known and rolls.random() < 0.7 else known
        clients = []
        for number, operations in enumerate(rolls.choice(_AT_ONCE)):
            draft.sketches = list(about)
            draft.client = chr(ord("A") + number)
            for turn in range(operations):
                verb = first() if first is not None and not turn else self._drawn_at_once(rolls, able)
                if verb in _OF_ALL and len(known) > _FEW:
                    able = [one for one in able if one not in _OF_ALL]
            clients.append(drawn.texts(draft.take(), self._written))
            known += [one for one in draft.sketches if one not in known]
        draft.client = ""
        draft.sketches = known
        return clients

    def _drawn_meeting(self, rolls: Rolls, able: Sequence[str], kind: str) -> Callable[[], str] | None:
        """Draw what every client begins with, where they are to meet: on one session, or all with the same."""
        calls = self._calls
        changing = [verb for verb in able if verb not in self.repertoire.looks and VERBS[verb].addresses == "session"]
        living = calls.draft.living()
        if kind == "one" and changing and living:
            sketch = rolls.choice(living)
            writes = [verb for verb in changing if verb in WRITES]
            return partial(calls.on, sketch, writes if writes and rolls.random() < 0.5 else changing)
        verb = rolls.choice(able) if kind == "same" and able else "create"
        if kind in ("", "one") or verb in _OF_ALL:
            return None
        return partial(self._add, verb)

    def _add(self, verb: str) -> str:
        if verb == "create":
            self._calls.create()
        else:
            self._calls.one(verb)
        return verb

    def _drawn_at_once(self, rolls: Rolls, able: list[str]) -> str:
        """Add an operation of a client that is not alone, rather one that writes; return which."""
        writes = [verb for verb in able if verb not in self.repertoire.looks]
        if not able or rolls.random() < 0.12:
            return self._add("create")
        return self._add(rolls.choice(writes if writes and rolls.random() < 0.75 else able))

    # -- rules

    @initialize(beginning=_beginnings())
    def begin(self, beginning: Mapping[str, Any]) -> None:
        """Begin with some features, operations and figures of the policy, the others left out, and a few sessions."""
        self.choose(beginning.get("features", ()), beginning.get("operations", self.repertoire.verbs))
        if not self._begun:
            self._begin(beginning.get("figures", {}))
        for step in beginning.get("sessions", ()):
            self._perform(step)

    def choose(self, features: Iterable[str], operations: Iterable[str]) -> None:
        """Let this example have some features and operations."""
        self.features, self.operations = frozenset(features), frozenset(operations)
        self._calls.limit(tuple(sorted(self.operations)), self.features)

    def _begin(self, figures: Mapping[str, Any]) -> None:
        self._begun = True
        wished = {name: durations.parse(value) if _is_span(name) else value for name, value in figures.items()}
        callers = self.profile.callers
        schedules = callers == "tasks" or (callers == "threads" and (not self.features or AT_ONCE in self.features))
        watched = "isolation" in self.features and "get" in self.repertoire.looks
        self._driver.begin(
            figures=FrozenMap(wished),
            invariants=("data.isolation",) if watched else (),
            scheduler=self._scheduler if schedules else None,
        )
        self._done.append(repr((sorted(wished.items()), watched, schedules)))

    @rule(step=_step(Calls.create))
    def create(self, step: str) -> None:
        """Make a session."""
        self._perform(step)

    @precondition(lambda self: "time" in self.features)
    @rule(step=_step(Calls.advance))
    def time(self, step: str) -> None:
        """Let time pass: a span, or to just before, at or just after a deadline that there is."""
        self._perform(step)

    @precondition(lambda self: "time" in self.features)
    @rule(step=_step(Calls.deadline))
    def deadline(self, step: str) -> None:
        """Let time pass to just before, at or just after a deadline that there is."""
        self._perform(step)

    @rule(steps=_steps(Calls.several))
    def several(self, steps: list[str]) -> None:
        """Do a few things that seldom follow one another by chance, or look at all sessions."""
        for step in steps:
            self._perform(step)

    @precondition(lambda self: "clock" in self.features)
    @rule(step=_step(Calls.set_clock))
    def clock(self, step: str) -> None:
        """Set the wall clock."""
        self._perform(step)

    @precondition(lambda self: "zone" in self.features)
    @rule(steps=_steps(Calls.set_zone))
    def zone(self, steps: list[str]) -> None:
        """Go to another time zone."""
        for step in steps:
            self._perform(step)

    @precondition(lambda self: "restart" in self.features and self.repertoire.restarts)
    @rule()
    def restart(self) -> None:
        """End the manager and make it anew on what it has kept."""
        self._perform("restart: {}")

    @precondition(lambda self: "restart" in self.features and self.killed)
    @rule()
    def crash(self) -> None:
        """Kill the manager and make it anew on what that leaves."""
        self._perform("crash: kill")

    @precondition(lambda self: AT_ONCE in self.features and self.profile.callers != "one")
    @rule(clients=_clients(("one", "one", "one", "same", "create")), switches=_switches())
    def contest(self, clients: list[list[str]], switches: list[tuple[int, int]]) -> None:
        """Let clients begin with the same session, or with the same operation, at once."""
        self.at_once(clients, switches)

    @precondition(lambda self: AT_ONCE in self.features and self.profile.callers != "one")
    @rule(clients=_clients(("", "one")), switches=_switches())
    def at_once(self, clients: list[list[str]], switches: list[tuple[int, int]]) -> None:
        """Let clients do things at once; at the decisions named somebody else goes on than who ran."""
        self._scheduler.enter(switches)
        if all(text in self._written for client in clients for text in client):
            branches = tuple(tuple(self._written[text] for text in client) for client in clients)
            step: AnyStep = Parallel(branches=branches, place=NOWHERE)
        else:
            step = self._driver.read(f"parallel: [{', '.join(map(_listed, clients))}]")
        self._did(step, repr((clients, switches)))
        look = next((verb for verb in self.repertoire.looks if VERBS[verb].addresses == "session"), None)
        for name in _sessions_of(step) if look else ():
            self._did(Step(verb=str(look), arguments=FrozenMap({"session": name}), place=NOWHERE), f"{look}: {name}")

    # -- for rules and invariants of users

    def do(self, step: str) -> Outcome | None:
        """Do one step, written as in a scenario file: `update: {session: s1, set: {a: 1}}`; its answer is judged.

        Returns what came of it; None where there was nothing to do it with.

        Raises:
            UsageError: it is no step, or does not fit the profile.
            Violation: the answer breaks what the profile promises.
        """
        read = self._read(step)
        if isinstance(read, Step):
            self._note(read)
        if isinstance(read, Parallel):
            self._scheduler.follow(read.schedules)
        self._did(read, step)
        return self._driver.outcome(read)

    def fresh(self) -> str:
        """Return a name for a session that a rule is about to make, one that no other session has."""
        name = self._calls.draft.fresh(ended=True).name
        self._calls.draft.sketches.pop()
        return name

    @property
    def sessions(self) -> tuple[str, ...]:
        """The names of the sessions made so far, those that are over too."""
        return tuple(self._names)

    def _note(self, step: Step) -> None:
        draft = self._calls.draft
        name = step.arguments.get("as")
        if isinstance(name, str) and all(name != sketch.name for sketch in draft.sketches):
            draft.sketches.append(
                Sketch(name=name, dies_us=self._dies_us(), timeout_us=self.repertoire.policy.idle_timeout)
            )
        if step.verb == "advance" and isinstance(step.arguments.get("by_us"), int):
            draft.now_us += int(str(step.arguments["by_us"]))

    def _dies_us(self) -> int | None:
        policy = self.repertoire.policy
        timeout_us = policy.idle_timeout or policy.absolute_timeout
        return None if timeout_us is None else self._calls.draft.now_us + timeout_us

    # -- performing

    def _read(self, text: str) -> AnyStep:
        if text not in self._written:
            self._written[text] = self._driver.read(text)
        return self._written[text]

    def _perform(self, text: str) -> None:
        self._did(self._read(text), text)

    def _did(self, step: AnyStep, shown: str) -> None:
        if not self._begun:
            self._begin({})
        self._done.append(shown)
        made = (one.arguments.get("as") for one in walk([step]) if isinstance(one, Step))
        self._names.update((name, None) for name in made if isinstance(name, str))
        if self._idle:
            self._recall()
        else:
            self._judged(self._driver.do(step))

    def _recall(self) -> None:
        """Raise where the same steps were found to be wrong before; give up where they lead to nothing of the kind."""
        done = tuple(self._done)
        if done in self.violated and done not in self.patience.recalled:
            self._over = True
            self.patience.recalled.add(done)
            _tell(*self.violated[done])
        if done in self.violated or not any(known[: len(done)] == done for known in self.violated):
            self._over = True
            give_up()

    def _judged(self, is_well: bool) -> None:
        """Raise where something is wrong, and where the same steps were found to be wrong before and no longer are."""
        if is_well:
            before = self.violated.get(tuple(self._done)) if self.violated else None
            if before is not None:
                raise NotDeterministic(before[1], "every answer was right")
            return
        self._over = True
        self.patience.begin()
        name, told = self._driver.violation(final=is_final())
        self.violated[tuple(self._done)] = name, told.partition("\n")[0]
        _tell(name, told)

    def teardown(self) -> None:
        """End the manager, which is judged too unless something else went wrong before."""
        if self._over or not self._begun:
            return
        self._over = True
        under_way = sys.exc_info()[1]
        is_well = self._idle or self._driver.end()
        if under_way is None or under_way is self._surrounding:
            self._done.append("teardown")
            if self._idle:
                self._recall()
            else:
                self._judged(is_well)


def _tell(name: str, told: str) -> NoReturn:
    """Raise a violation, always in this place: Hypothesis takes what is raised in two for two bugs."""
    raise Violation(name, told)


def _sessions_of(step: AnyStep) -> Iterator[str]:
    """Give the names of the sessions that a step speaks of, each once."""
    told = (one.arguments.get(key) for one in walk([step]) if isinstance(one, Step) for key in ("session", "as"))
    yield from dict.fromkeys(name for name in told if isinstance(name, str))


def _listed(lines: Iterable[str]) -> str:
    """Return the steps of one client as a list on one line."""
    return "[" + ", ".join(line if line.startswith("{") else f"{{{line}}}" for line in lines) + "]"


def verb_rules(repertoire: Repertoire) -> dict[str, Any]:
    """Return a rule for each operation that can be drawn, under its name."""
    return {verb: _rule_of(verb) for verb in repertoire.verbs}


def _rule_of(verb: str) -> Any:
    def perform(self: BaseMachine, step: str) -> None:
        self._perform(step)

    perform.__name__ = perform.__qualname__ = verb
    perform.__doc__ = f"Do {verb}."
    drawn_step = _step(lambda calls: calls.one(verb))
    return precondition(lambda self: verb in self.operations)(rule(step=drawn_step)(perform))


def shares_of(repertoire: Repertoire) -> Mapping[str, float]:
    """Return how often each feature is drawn that makes a difference for the profile."""
    left_out = set()
    if repertoire.profile.callers == "one":
        left_out.add(AT_ONCE)
    if not repertoire.expires:
        left_out.update(("time", "clock", "zone", "own", "edge-timeouts"))
    if not repertoire.restarts:
        left_out.add("restart")
    if not repertoire.figures:
        left_out.add("figures")
    return {name: share for name, share in _SHARES.items() if name not in left_out}
