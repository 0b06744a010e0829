"""A session manager in the hands of a test: drive it, and have every answer judged as it comes.

An answer that the policy does not allow raises `Violation` at the line of the test that asked.  The test is a plain
function: an async manager is driven in an event loop of the driver's own.
"""

from __future__ import annotations

import asyncio
import inspect
import sys
import time
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import replace
from functools import partial
from typing import Any, Final, TypeVar, cast

import pytest

from pytest_sessionguard.core import durations
from pytest_sessionguard.core.faults import Fault
from pytest_sessionguard.core.operations import VERBS, Answer, Ok, Outcome
from pytest_sessionguard.core.plan import Plan
from pytest_sessionguard.core.result import CaseResult, counts
from pytest_sessionguard.core.scenario import Place, RawId, Scenario, Step
from pytest_sessionguard.core.values import UNSET, FrozenMap, freeze, show, thaw
from pytest_sessionguard.core.violation import ViolationFound
from pytest_sessionguard.errors import UsageError, Violation, did_you_mean
from pytest_sessionguard.plugin import options, outcomes, targets
from pytest_sessionguard.plugin.outcomes import shown
from pytest_sessionguard.plugin.virtual_time import Span, TimeControl, us_of
from pytest_sessionguard.run import disturbed, driving
from pytest_sessionguard.run.conversation import CLIENT, LOOKER, Conversation, Stopped
from pytest_sessionguard.run.expectations import Expectations
from pytest_sessionguard.run.injections import Injections
from pytest_sessionguard.run.runner import Runner
from pytest_sessionguard.run.stage import Stage
from pytest_sessionguard.target.making import NeedsLoop, wants_loop

T = TypeVar("T")

MARKER: Final = "sessionguard"

# What a test may hand to an operation -> what a step calls it.
ARGUMENTS: Final = {
    **{name: name for name in ("id", "owner", "data", "key", "value", "version", "resource", "n")},
    "changes": "set",
    "timeout": "timeout_us",
}
EXPECTED: Final = ("alive", "data", "has", "version", "owner", "status", "expires_in", "count", "ids", "metrics")


class Reply:
    """What the manager answered: each facet that it told is an attribute, such as `reply.id` or `reply.data`."""

    def __init__(self, outcome: Outcome) -> None:
        self.outcome = outcome

    def __repr__(self) -> str:
        return f"<{self.outcome}>"

    @property
    def refused(self) -> bool:
        """Say whether nothing was done: an error that the profile declares, or None or false in its place."""
        if not isinstance(self.outcome, Ok):
            return True
        answer = self.outcome.answer
        return answer.absent in ("none", "false") or answer.found is False or answer.flag is False

    def __getattr__(self, name: str) -> Any:
        answer = self.outcome.answer if isinstance(self.outcome, Ok) else Answer()
        told = getattr(answer, name, UNSET)
        if told is UNSET:
            raise AttributeError(f"the answer tells no {name}: {self.outcome}")
        return thaw(told)


class Driver:
    """Drives one manager under virtual time.

    Every operation of the profile is a method: `create(data={...})`, `touch(cart)`, `update(cart, changes={...})`; a
    session is what `create` replied, or an id.
    """

    def __init__(
        self,
        runner: Runner,
        clock: TimeControl,
        *,
        title: str,
        path: str,
        line: int,
        again: str,
        faults: tuple[Fault, ...] = (),
    ) -> None:
        self._faults = faults
        self.profile = runner.profile
        self.clock = clock
        self._runner = runner
        self._scenario = Scenario(title=title, path=path, place=Place(path, line, 1), steps=())
        self._loop: asyncio.Runner | None = None
        self._found: ViolationFound | None = None
        self._again = again
        self._made = 0
        self._steps = 0
        self._began_s = time.perf_counter()
        self._open(in_loop=wants_loop(runner.profile))

    # -- for tests --------------------------------------------------------------------------------------------------

    def __getattr__(self, verb: str) -> Callable[..., Reply]:
        if verb not in VERBS:
            raise AttributeError(f"there is no operation {verb!r}{did_you_mean(verb, VERBS)}")
        return partial(self.do, verb)

    def do(self, verb: str, session: Any = UNSET, /, *, client: str = CLIENT, **arguments: Any) -> Reply:
        """Do one operation and return the answer, once it is judged.

        Raises:
            Violation: the policy does not allow the answer.
            UsageError: the profile has no such operation, or it does not take these arguments.
        """
        __tracebackhide__ = True
        if verb not in self.profile.operations:
            raise UsageError(f"the profile {self.profile.name} has no operation {verb}")
        given: dict[str, Any] = {} if session is UNSET else {"session": _reference(session)}
        for name, value in arguments.items():
            if name not in ARGUMENTS:
                raise UsageError(f"{verb} takes no {name!r}{did_you_mean(name, ARGUMENTS)}")
            given[ARGUMENTS[name]] = _timeout(value) if name == "timeout" else freeze(value)
        step = Step(verb=verb, arguments=FrozenMap(given), place=self._here())

        async def perform() -> Outcome:
            event = await self._talk.perform(client, self._talk.sessions.operation(step), step.place)
            return event.outcome

        reply = Reply(self._judged(perform))
        if verb == "create" and not reply.refused and hasattr(reply, "id"):
            # A message calls it by this name: ids are long, and new in every run.
            self._made += 1
            self._talk.sessions.name(f"session{self._made}", freeze(reply.id))
        return reply

    def advance(self, span: Span) -> None:
        """Let time pass; timers due by then run in their turn."""
        __tracebackhide__ = True
        self._advance(us_of(span))

    def advance_to_timeout(self, session: Any, *, minus: Span = 0, plus: Span = 0) -> None:
        """Let time pass up to the instant at which the session expires, or a little before or after it.

        Raises:
            UsageError: it never expires, or is over already.
        """
        __tracebackhide__ = True
        session_id = _reference(session).value
        left_us = self._talk.examination.left_us(session_id, self._stage.recorder.stamp())
        if left_us is None:
            raise UsageError(f"session {show(session_id)} has no timeout to go to, or is over already")
        self._advance(left_us + us_of(plus) - us_of(minus))

    def restart(self) -> None:
        """End the manager and make it anew on the same folder."""
        __tracebackhide__ = True
        place = self._here()

        async def restart() -> None:
            self._talk.report(await self._stage.restart(str(place)), place, "durability.restart")
            self._talk.judge()

        self._judged(restart)

    def expect(self, session: Any = UNSET, /, **expected: Any) -> None:
        """Look at a session, or with no session at the whole manager: alive=, data=, has=, count=, ids= and more.

        Raises:
            Violation: it is not as expected.
        """
        __tracebackhide__ = True
        given: dict[str, Any] = {} if session is UNSET else {"session": _reference(session)}
        for name, value in expected.items():
            if name not in EXPECTED:
                raise UsageError(f"nothing tells {name!r}{did_you_mean(name, EXPECTED)}")
            if name == "expires_in":
                given["expires_in_us"] = _timeout(value)
            else:
                given[name] = tuple(map(_reference, value)) if name == "ids" else freeze(value)
        step = Step(verb="expect", arguments=FrozenMap(given), place=self._here())

        async def look() -> None:
            mismatch = await Expectations(self._talk).look(step, LOOKER)
            if mismatch is not None:
                raise self._talk.unmet(step.place, mismatch)
            self._talk.met()

        self._judged(look)

    def expect_alive(self, session: Any) -> None:
        """Look whether the session is alive."""
        __tracebackhide__ = True
        self.expect(session, alive=True)

    def expect_gone(self, session: Any) -> None:
        """Look whether the session is alive no more."""
        __tracebackhide__ = True
        self.expect(session, alive=False)

    # -- for the fixture --------------------------------------------------------------------------------------------

    def end(self) -> None:
        """End the manager and judge what should be closed by now; after a violation it is ended, and no more is judged.

        Raises:
            Violation: something is left.
        """

        self.injections.disarm()

        async def end() -> None:
            self._talk.report(await self._stage.close(), None)
            self._talk.finish()

        try:
            if self._found is None:
                self._judged(end)
            else:
                self._drive(self._stage.close)
        finally:
            self._stage.clear()
            if self._loop is not None:
                self._loop.close()

    def result(self) -> CaseResult:
        """Return what became of the test, as of any other case."""
        talk, scenario = self._talk, self._scenario
        exercised = talk.exercised + type(talk.exercised)(talk.examination.exercised)
        exercised += self.injections.exercised(self._stage.recorder.history().events)
        unjudged = self.injections.unjudged()
        status = "violated" if self._found is not None else "held" if exercised and not unjudged else "unproven"
        reason = "; ".join(f"{name}: {why}" for name, why in unjudged.items()) or "nothing in it was judged"
        return CaseResult(
            title=scenario.title,
            path=scenario.path,
            line=scenario.place.line,
            status=status,
            reason=reason if status == "unproven" else "",
            violations=() if self._found is None else (self._found,),
            exercised=counts(exercised),
            unjudged=cast("dict[str, str]", FrozenMap(unjudged)),
            planned=self.injections.planned,
            fired=self.injections.fired,
            manager=self.profile.name,
            behaviour=counts(talk.behaviour),
            steps=self._steps,
            operations=len(self._stage.recorder.history().events),
            virtual_us=self.clock.clock.virtual_elapsed_us,
            real_s=time.perf_counter() - self._began_s,
            output=self._stage.output.text,
            warnings=self.profile.warnings,
        )

    # -- the drive --------------------------------------------------------------------------------------------------

    def _open(self, *, in_loop: bool) -> None:
        """Make the manager; where something to await turns up, once more inside a loop."""
        policy = self.profile.policy
        behind_proxy = disturbed.reaches_a_server(self.profile)  # What will go wrong, the test has yet to say.
        self._stage = Stage(self.profile, policy, self.clock.clock, in_loop=in_loop, behind_proxy=behind_proxy)
        self._stage.injections = self.injections = Injections(self._faults, self._stage)
        model = self._runner.model(policy)
        self._talk = Conversation(Plan(scenario=self._scenario), self._stage, model, self._runner.target)
        if in_loop:
            self._loop = asyncio.Runner(loop_factory=asyncio.SelectorEventLoop)
        try:
            self._drive(self._stage.open)
            if self._faults:
                self.injections.arm()
        except NeedsLoop:
            self._stage.clear()
            self._open(in_loop=True)
        except BaseException:
            self._stage.clear()
            if self._loop is not None:
                self._loop.close()
            raise

    def _advance(self, span_us: int) -> None:
        __tracebackhide__ = True
        if span_us < 0:
            raise UsageError(f"that instant is {durations.show(-span_us)} in the past; time only moves on")

        async def advance() -> None:
            await self._stage.advance(span_us)
            self._talk.judge()

        self._judged(advance)

    def _judged(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Do the work; what it finds wrong is raised.

        Raises:
            Violation: told in full.
            UsageError: the manager turned out to be async when it was in use already.
        """
        __tracebackhide__ = True
        self._steps += 1
        try:
            return self._drive(work)
        except Stopped as stopped:
            told = self.injections.blamed(stopped.tell(), self._stage.recorder.history().events)
            self._found = found = replace(told, replay=self._again)
        except NeedsLoop:
            raise UsageError(
                f"{self.profile.name} gave something to await from what looked like a sync manager: "
                "make its factory or its methods `async def`, or test it by scenario files"
            ) from None
        raise Violation(found.property, found.message)

    def _drive(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        # What the manager prints is kept for the report; what the test prints is its own.
        with self._stage.output, self.injections.in_files():
            return driving.by_hand(work()) if self._loop is None else self._loop.run(work())

    def _here(self) -> Place:
        """Return the line of the test that asks."""
        frame = sys._getframe(1)
        while frame.f_back is not None and frame.f_globals.get("__name__") == __name__:
            frame = frame.f_back
        return Place(shown(frame.f_code.co_filename), frame.f_lineno, 1)


def for_test(request: pytest.FixtureRequest, named: Any, clock: TimeControl) -> Iterator[Driver]:
    """Give the driver of one test, end its manager, and leave its result with the test.

    Raises:
        UsageError: the test is a coroutine, or there is no such target.
        Violation: something that should be closed by the end is not.
    """
    item = request.node
    if inspect.iscoroutinefunction(request.function):
        raise UsageError(
            f"{item.nodeid}: the fixture sessionguard drives its own event loop, for async managers too: "
            "make the test a plain `def`"
        )
    marker = item.get_closest_marker(MARKER)
    figures = dict(marker.kwargs) if marker is not None else {}
    if marker is not None and marker.args:
        raise UsageError(f"{item.nodeid}: the marker {MARKER} takes keywords only: manager=..., limit=3")
    runner = targets.runner_of(figures.pop("manager", named), request.config)
    if figures:
        runner = Runner(targets.with_figures(runner.profile, figures), target=runner.target)
    from pytest_sessionguard.plugin import faults  # It speaks of this driver.

    outcomes.register(request.config)
    path, line, _ = item.location
    again = options.again(request.config, item.nodeid)
    told = faults.of_marker(item)
    driver = Driver(runner, clock, title=item.name, path=path, line=(line or 0) + 1, again=again, faults=told)
    try:
        yield driver
    finally:
        try:
            driver.end()
        finally:
            item.stash[outcomes.CASE] = driver.result()


def _reference(session: Any) -> RawId:
    """Return a session as a story names it: by the id that `create` replied, or by an id."""
    return RawId(freeze(session.id if isinstance(session, Reply) else session))


def _timeout(value: Any) -> int | None:
    return None if value is None else us_of(value)
