"""A story's talk with its manager: every operation performed, learnt from and judged.

The first answer that the model does not allow, and the first expectation that is not met, end the story.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from functools import partial
from typing import Final

from pytest_sessionguard.core import behaviour, entropy
from pytest_sessionguard.core.findings import is_scribbled
from pytest_sessionguard.core.history import Event
from pytest_sessionguard.core.judging import Examination, begin, with_undeclared
from pytest_sessionguard.core.model import Model
from pytest_sessionguard.core.operations import Failed, Ok, Operation
from pytest_sessionguard.core.plan import Plan
from pytest_sessionguard.core.quick import replace
from pytest_sessionguard.core.scenario import Place
from pytest_sessionguard.core.values import UNSET
from pytest_sessionguard.core.violation import ViolationFound, kind_of
from pytest_sessionguard.errors import UsageError
from pytest_sessionguard.explore.cancelling import Cancellation
from pytest_sessionguard.run.acquaintance import Acquaintance, NeverMade
from pytest_sessionguard.run.cancellations import Cancellations
from pytest_sessionguard.run.invariants import ISOLATION
from pytest_sessionguard.run.looking import Mismatch
from pytest_sessionguard.run.stage import Stage
from pytest_sessionguard.run.telling import Teller
from pytest_sessionguard.target.abilities import tells

EXPECTATION: Final = "scenario.expectation"
ZONES: Final = "expiry.timezone"

# Who looks where a step names no client: its looks are told from the story's own calls.
LOOKER: Final = "look"
CLIENT: Final = "client"


class Stopped(Exception):
    """The story ends here: something was violated.

    `tell` makes the violation, once whatever ran at the same time is over too.
    """

    def __init__(self, tell: Callable[[], ViolationFound]) -> None:
        self.tell = tell
        super().__init__("a violation ends the story")


class Conversation:
    """What one case's clients ask and are answered.

    Attributes:
        batched: operations are under way at once and are judged together when all are over.
        exercised: how often the story's own expectations were put to the test.
        unjudged: what could not be judged -> why.
        behaviour: how often each behaviour was exercised and judged right.
        cancellations: the operations that were cancelled.

    `known`: the kinds of violations that were told before, and are told briefly from then on; None: all in full.
    """

    def __init__(
        self, plan: Plan, stage: Stage, model: Model, target: str, *, known: set[tuple[str, ...]] | None = None
    ) -> None:
        self.stage = stage
        self._plan = plan
        self.sessions = Acquaintance(stage.profile, stage.policy)
        self.teller = Teller(plan, target, stage, self.sessions)
        self.examination: Examination = begin(model)
        self.exercised: Counter[str] = Counter()
        self.unjudged: dict[str, str] = {}
        self.behaviour: Counter[str] = Counter()
        self.cancellations = Cancellations()
        self.batched = False
        self._told = False
        self._known = known

    # -- performing and judging -------------------------------------------------------------------------------------

    async def perform(self, client: str, operation: Operation, place: Place, *, cancel_at: int = 0) -> Event:
        """Do one operation and judge its answer; a session object or a version that it needs is read first.

        With `cancel_at` it is cancelled at that suspension, counted from 1.

        Returns the reading where that gave no session: then the operation was not done.
        """
        where_it_stands = str(place)
        if operation.stale is True:
            event = await self.stage.perform(client, self._with_old(client, operation), where_it_stands)
            return self._learnt(event)
        reading = None
        if self._lacks_version(operation):
            reading = await self._read_version(client, operation, where_it_stands)
        if reading is None and self.stage.lacks_holder(client, operation.verb, operation.id):
            reading = await self.stage.fresh_holder(client, operation.verb, operation.id, where_it_stands)
        if reading is not None:
            self.teller.remark(reading, f"gave nothing for {operation.verb} to work with")
            event = reading
        else:
            cancellation = Cancellation(at=cancel_at) if cancel_at else None
            event = await self.stage.perform(client, self.sessions.completed(operation), where_it_stands, cancellation)
            if cancellation is not None:
                self.cancellations.note(event, cancellation)
        return self._learnt(event)

    def _learnt(self, event: Event) -> Event:
        self.sessions.learn(event)
        if not self.batched:
            self.judge()
        return event

    def _with_old(self, client: str, operation: Operation) -> Operation:
        """Return an operation that works on the session object that the client has, as it is said on the record.

        Where writes made at once conflict, the change builds on the version that the object was read with.

        Raises:
            NeverMade: the client has none.
        """
        binding = self.stage.binding
        if operation.id is UNSET or not binding.holds(client, operation.id):
            raise NeverMade(f"an object of {operation.id!r}", "nothing that client held")
        asked = self.sessions.completed(operation)
        if asked.version is UNSET and self.stage.policy.concurrent_updates == "conflict":
            asked = replace(asked, version=binding.version_held(client, operation.id))
        return asked

    def _lacks_version(self, operation: Operation) -> bool:
        """Say whether an operation must be given a version and nobody knows it by now."""
        if operation.version is not UNSET or operation.verb == "create" or operation.id is UNSET:
            return False
        return "version" in self.sessions.needs(operation.verb) and self.sessions.version_of(operation.id) is UNSET

    async def _read_version(self, client: str, operation: Operation, place: str) -> Event | None:
        """Read the session so that its version is known; return the reading where that told none."""
        profile = self.stage.profile
        if "version" not in tells(profile, "get"):
            raise UsageError(
                f"{profile.name}: {operation.verb} must be given a version and `get` tells none: "
                "say `version` in the step"
            )
        event = await self.stage.perform(client, Operation(verb="get", id=operation.id), place)
        self.sessions.learn(event)
        return None if self.sessions.version_of(operation.id) is not UNSET else event

    def judge(self) -> None:
        """Judge what was recorded since the last time.

        Raises:
            Stopped: an answer that the model does not allow.
        """
        entries = self.stage.recorder.take()
        if self._plan.forgiving:  # Nobody asks which behaviours a search has exercised.
            self.examination = self.examination.feed(entries)
        else:
            self.examination, exercised = behaviour.feed(self.examination, entries)
            self.behaviour.update(exercised)
        if self.examination.finding is not None and not self._told:
            self._told = True
            raise Stopped(self._of_model)
        if self.examination.undecided:
            self.unjudged["model"] = self.examination.undecided

    def finish(self) -> None:
        """Judge the end: what should be closed by now is closed.

        Raises:
            Stopped: something is not.
        """
        self.judge()
        self.examination = self.examination.finish()
        self.judge()
        self._judge_ids()

    def _judge_ids(self) -> None:
        """Judge whether ids can be guessed, where enough of them were given at one instant.

        Raises:
            Stopped: they can.
        """
        bits = self.stage.policy.id_bits
        given = self.sessions.given
        if bits is None or len(given) < entropy.ENOUGH or given[0][0] != given[-1][0]:
            return
        why = entropy.guessable([one for _, one in given], bits)
        if why:
            told = Mismatch(expected=f"ids with {bits} bits of entropy", given=why)
            raise Stopped(partial(self.teller.of_expectation, entropy.IDS, None, told, None))
        self.exercised[entropy.IDS] += 1

    def met(self) -> None:
        """Count an expectation that was met."""
        self.exercised[EXPECTATION] += 1

    # -- violations -------------------------------------------------------------------------------------------------

    def _of_model(self) -> ViolationFound:
        finding = self.examination.finding
        assert finding is not None
        event = finding.event
        name = finding.property
        outcome = event.outcome if isinstance(event, Event) else None
        if isinstance(outcome, Ok) and any(is_scribbled(part) for part in (outcome.answer.data, outcome.answer.value)):
            name = ISOLATION
        elif self.stage.zone.name and name.startswith("expiry."):
            name = ZONES
        if self._known is not None:
            brief = self.teller.of_finding(finding, name, brief=True)
            kind = kind_of(brief)
            if kind in self._known:
                return brief
            self._known.add(kind)
        asked = with_undeclared(self.examination, self.stage.recorder.history()).finding
        return self.teller.of_finding(asked or finding, name)

    def unmet(self, place: Place, mismatch: Mismatch, event: Event | None = None) -> Stopped:
        """Return what ends the story where an expectation is not met."""
        found = event if event is not None else mismatch.event
        return Stopped(partial(self.teller.of_expectation, EXPECTATION, place, mismatch, found))

    def report(self, problems: Iterable[Failed], place: Place | None, name: str = "lifecycle.errors") -> None:
        """Report what went wrong while the manager was ended or made anew.

        Raises:
            Stopped: something did.
        """
        for problem in problems:
            given = Mismatch(expected="the manager to end and to be made without an error", given=str(problem))
            raise Stopped(partial(self.teller.of_expectation, name, place, given, None))
