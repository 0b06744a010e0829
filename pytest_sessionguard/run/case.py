"""One story on one stage: steps in their order, every answer judged as it comes.

The first answer that the model does not allow, and the first expectation that is not met, end the story; its `finally`
steps still run.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import replace
from functools import partial
from typing import Any, Final, assert_never

from pytest_sessionguard.core import plan as plans
from pytest_sessionguard.core import scenario as scenarios
from pytest_sessionguard.core.history import Event, Note
from pytest_sessionguard.core.judging import Examination, begin, with_undeclared
from pytest_sessionguard.core.model import Model
from pytest_sessionguard.core.operations import VERBS, Answer, Failed, Ok, Operation
from pytest_sessionguard.core.plan import Plan
from pytest_sessionguard.core.scenario import AnyStep, Eventually, Parallel, Place, Repeat, Step
from pytest_sessionguard.core.values import UNSET, freeze, thaw
from pytest_sessionguard.core.violation import ViolationFound
from pytest_sessionguard.errors import Fault, UsageError
from pytest_sessionguard.run import answers, driving, looking
from pytest_sessionguard.run.acquaintance import Acquaintance, NeverMade
from pytest_sessionguard.run.fit import must_be_given, tells
from pytest_sessionguard.run.invariants import ISOLATION, Invariants
from pytest_sessionguard.run.looking import Mismatch
from pytest_sessionguard.run.stage import Stage
from pytest_sessionguard.run.telling import Teller
from pytest_sessionguard.target.making import NeedsLoop, named
from pytest_sessionguard.target.refusals import told, where
from pytest_sessionguard.target.session_objects import is_scribbled

EXPECTATION: Final = "scenario.expectation"

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


class Case:
    """The run of one plan.

    Attributes:
        found: the violation that ended it, if one did.
        steps: how many steps were done.
        unjudged: what could not be judged -> why.
    """

    def __init__(self, plan: Plan, stage: Stage, model: Model, invariants: Invariants, target: str) -> None:
        self.plan = plan
        self.stage = stage
        self.found: ViolationFound | None = None
        self.steps = 0
        self.unjudged: dict[str, str] = {}
        self.examination: Examination = begin(model)
        self.sessions = Acquaintance(stage.profile, stage.policy)
        self._variables = plans.variables(plan, stage.policy)
        self._invariants = invariants
        self.teller = Teller(plan, target, stage, self.sessions)
        self._exercised: Counter[str] = Counter()
        self._batched = False

    def exercised(self) -> Counter[str]:
        """Return how often each property was put to the test."""
        return Counter(self.examination.exercised) + self._exercised + self._invariants.exercised()

    # -- the whole story --------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Run the story and end the manager, whatever happens."""
        story = self.plan.scenario
        over = False
        try:
            await self.stage.open()
            await self._guarded(lambda: self._story((*story.start, *story.steps)))
            await self._guarded(lambda: self._steps(story.finally_))
        except NeedsLoop:
            over = True  # The case starts over in a loop; this manager was never used.
            raise
        finally:
            if not over:
                await self._guarded(self._end)
            self.stage.clear()

    async def _story(self, steps: Iterable[AnyStep]) -> None:
        self._judge()
        await self._steps(steps)

    async def _guarded(self, part: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run a part of the story; the first violation is kept, and ends the part."""
        try:
            await part()
        except Stopped as stopped:
            if self.found is None:
                self.found = stopped.tell()

    async def _end(self) -> None:
        self._report(await self.stage.close(), None)
        self._judge()
        self.examination = self.examination.finish()
        self._judge()

    async def _steps(self, steps: Iterable[AnyStep], client: str = CLIENT) -> None:
        for step in steps:
            await self._step(step, client)

    async def _step(self, step: AnyStep, client: str) -> None:
        match step:
            case Step():
                self.steps += 1
                await self._alone(scenarios.fill(step, self._variables), client)
            case Repeat():
                await self._repeat(scenarios.fill(step, self._variables), client)
                return
            case Eventually():
                self.steps += 1
                await self._eventually(scenarios.fill(step, self._variables), client)
            case Parallel():
                self.steps += 1
                await self._parallel(step)
            case _:
                assert_never(step)
        if not self._batched:
            await self._look_at_all(step.place)

    # -- steps ------------------------------------------------------------------------------------------------------

    async def _alone(self, step: Step, client: str) -> None:
        try:
            await self._done(step, str(step.client) or client)
        except NeverMade as error:
            mismatch = Mismatch(expected=f"a session named {error.name}", given=error.answer)
            raise self._unmet(step.place, mismatch) from None

    async def _done(self, step: Step, who: str) -> None:
        match step.verb:
            case "advance":
                await self._advance(step)
            case "set_clock":
                await self._set_clock(step)
            case "restart":
                self._report(await self.stage.restart(str(step.place)), step.place, "durability.restart")
                self._judge()
            case "expect":
                mismatch = await self._expect(step, who if step.client else LOOKER)
                if mismatch is not None:
                    raise self._unmet(step.place, mismatch)
                self._exercised[EXPECTATION] += 1
            case "call":
                await self._call(step)
            case _:
                await self._operation(step, who)

    async def _operation(self, step: Step, client: str) -> None:
        asked = self.sessions.operation(step)
        event = await self.perform(client, asked, step.place)
        performed = event.operation.verb == step.verb
        if step.refused is not None:
            mismatch = answers.refusal_mismatch(step, event, self.stage.policy, performed=performed)
            if mismatch is not None:
                raise self._unmet(step.place, mismatch, event)
            self._exercised[EXPECTATION] += 1
        if performed:
            self._named(step, event)
            self._answered(step, event)

    def _named(self, step: Step, event: Event) -> None:
        """Let the session that an answer gives have the name that the story gives it."""
        if step.verb not in ("create", "use", "rotate", "resume", "pop_item"):
            return
        new_name = step.arguments.get("as")
        name = str(new_name if new_name is not None else step.arguments["session"]) if step.arguments else ""
        outcome = event.outcome
        answer = outcome.answer if isinstance(outcome, Ok) else Answer()
        made = answer.id if answer.id is not UNSET else UNSET
        refused = (
            not isinstance(outcome, Ok)
            or answer.absent in ("none", "false")
            or False
            in (
                answer.found,
                answer.flag,
            )
        )
        if made is not UNSET and not refused:
            if isinstance(new_name, str) or isinstance(step.arguments.get("session"), str):
                self.sessions.name(name, made)
        elif isinstance(new_name, str):
            self.sessions.never_made(new_name, str(outcome))

    def _answered(self, step: Step, event: Event) -> None:
        """Check the answer and keep what the story captures of it."""
        for facet, wanted in step.answer.items():
            wish = self._ids_of(facet, wanted, step.place)
            mismatch = answers.answer_mismatch(str(facet), wish, event, self.stage.profile, self.stage.policy)
            if mismatch is not None:
                raise self._unmet(step.place, mismatch, event)
            self._exercised[EXPECTATION] += 1
        for name, path in step.capture.items():
            try:
                self._variables[str(name)] = answers.captured(path, event.outcome)
            except LookupError as error:
                raise self._unmet(
                    step.place, Mismatch(expected=f"an answer with {error.args[0]}", given=str(event.outcome)), event
                ) from None

    def _ids_of(self, facet: Any, wanted: Any, place: Place) -> Any:
        if facet == "id":
            return self.sessions.id_of(wanted, place)
        if facet == "ids":
            return tuple(self.sessions.id_of(one, place) for one in wanted)
        return wanted

    async def _advance(self, step: Step) -> None:
        told: Any = step.arguments
        span_us = told.get("by_us", 0)
        if "to_timeout_of" in told:
            session_id = self.sessions.id_of(told["to_timeout_of"], step.place)
            left_us = self.examination.left_us(session_id, self.stage.recorder.stamp())
            if left_us is None:
                text = f"advance: {told['to_timeout_of']} has no timeout to go to, or is over already"
                raise UsageError([Fault(step.place.path, step.place.line, step.place.column, text)])
            span_us = left_us
        span_us += told.get("plus_us", 0) - told.get("minus_us", 0)
        if span_us < 0:
            text = f"advance: that instant is {-span_us} us in the past; time only moves on"
            raise UsageError([Fault(step.place.path, step.place.line, step.place.column, text)])
        await self.stage.advance(span_us)
        self._judge()

    async def _set_clock(self, step: Step) -> None:
        told: Any = step.arguments
        now_us = self.stage.recorder.stamp().wall_us
        await self.stage.set_clock(told.get("to_us", now_us) + told.get("forward_us", 0) - told.get("back_us", 0))

    async def _call(self, step: Step) -> None:
        arguments: Any = thaw(step.arguments.get("args", freeze({})))
        name = str(step.arguments["function"])
        function = named(name, "call")
        operation = Operation(verb="call", key=name)
        try:
            outcome = Ok(Answer(value=freeze(await self.stage.binding.call(function, arguments))))
        except (NeedsLoop, UsageError):
            raise
        except Exception as error:  # noqa: BLE001 - what a story's own function raises is told, whatever it is.
            given = Mismatch(expected=f"{name} to return", given=f"{told(error)} at {where(error.__traceback__)}")
            raise self._unmet(step.place, given) from None
        stamp = self.stage.recorder.stamp()
        event = Event(
            client=CLIENT,
            operation=operation,
            outcome=outcome,
            called=stamp,
            returned=stamp,
            call_order=0,
            return_order=0,
            place=str(step.place),
        )
        self._judge()
        self._answered(step, event)

    async def _repeat(self, step: Repeat, client: str) -> None:
        times: Any = step.times
        for number in range(1, times + 1):
            if step.counter:
                self._variables[step.counter] = number
            await self._steps(step.steps, client)

    async def _parallel(self, step: Parallel) -> None:
        """Run the branches at once and judge them together."""
        self._judge()
        self._batched = True
        in_loop = self.stage.in_loop

        def branch(number: int, steps: tuple[AnyStep, ...]) -> driving.Work[None]:
            async def run() -> None:
                for one in steps:
                    await self._step(one, chr(ord("A") + number % 26))
                    if in_loop:
                        await asyncio.sleep(0)

            return run

        stopped: Stopped | None = None
        try:
            await driving.at_once([branch(*one) for one in enumerate(step.branches)], in_loop=in_loop)
        except Stopped as raised:
            stopped = raised
        finally:
            self._batched = False
        self._judge()
        if stopped is not None:
            raise stopped

    # -- looking ----------------------------------------------------------------------------------------------------

    async def _eventually(self, step: Eventually, client: str) -> None:
        within_us: Any = step.within_us
        every_us: Any = step.every_us
        passed_us = 0
        while True:
            mismatch = await self._expect(step.expect, str(step.expect.client) or LOOKER)
            if mismatch is None:
                self._exercised[EXPECTATION] += 1
                return
            if passed_us >= within_us:
                raise self._unmet(step.place, mismatch)
            span_us = min(max(every_us, 1), within_us - passed_us)
            await self.stage.advance(span_us)
            self._judge()
            passed_us += span_us

    async def _expect(self, step: Step, client: str) -> Mismatch | None:
        """Look, and return what is not as expected."""
        expected: Any = step.arguments
        if "resource" in expected:
            return self._expect_resource(str(expected["resource"]), bool(expected["closed"]))
        session_id: Any = UNSET
        if "session" in expected:
            session_id = self.sessions.id_of(expected["session"], step.place)
        looks = looking.looks_for(expected, self.stage.profile, self.stage.policy)
        for name in sorted(set(expected) - {"session", "resource"} - {one for look in looks for one in look.expects}):
            self.unjudged[EXPECTATION] = f"{step.place}: no operation can tell {name.removesuffix('_us')}"
        for look in looks:
            known_data = self.sessions.data_of(session_id)
            needs_id = VERBS[look.verb].addresses == "session"
            operation = self.sessions.completed(Operation(verb=look.verb, id=session_id if needs_id else UNSET))
            event = await self.perform(client, operation, step.place)
            if look.renews:
                self.teller.remark(event, "looked at by an operation that renews")
            mismatch = self._looked(look, expected, event, session_id, known_data, step.place)
            if mismatch is not None:
                return mismatch
        return None

    def _looked(
        self, look: looking.Look, expected: Any, event: Event, session_id: Any, known_data: Any, place: Place
    ) -> Mismatch | None:
        profile, policy = self.stage.profile, self.stage.policy
        by_record = looking.life(self.examination, session_id, event.returned)
        for name in look.expects:
            wanted = expected[name]
            if name == "ids":
                ids = tuple(self.sessions.id_of(one, place) for one in wanted)
                mismatch = looking.ids_mismatch(ids, event, self.examination, policy)
            elif name == "count":
                mismatch = looking.count_mismatch(wanted, event, self.examination, policy)
            elif name == "metrics":
                mismatch = looking.metrics_mismatch(wanted, event)
            else:
                mismatch = looking.session_mismatch(
                    name,
                    wanted,
                    _of_session(event, session_id),
                    profile=profile,
                    by_record=by_record,
                    known_data=known_data,
                    policy=policy,
                )
            if mismatch is not None and mismatch.open:
                self.unjudged[EXPECTATION] = (
                    f"{place}: {event.operation.verb} does not tell whether {mismatch.expected}"
                )
            elif mismatch is not None:
                return replace(mismatch, event=event)
        return None

    def _expect_resource(self, name: str, wanted: bool) -> Mismatch | None:
        entries = self.stage.recorder.history().entries
        closed = any(isinstance(one, Note) and one.kind == "closed" and one.subject == name for one in entries)
        if closed == wanted:
            return None
        words = {True: "closed", False: "open"}
        return Mismatch(expected=f"resource {name} {words[wanted]}", given=f"it is {words[closed]}")

    async def _look_at_all(self, place: Place) -> None:
        """Look at everything that the invariants speak of."""
        if self.stage.ended_by_story:
            return
        for operation in self._invariants.operations(self.sessions.ids):
            event = await self.perform(LOOKER, self.sessions.completed(operation), place)
            if event.operation.verb == operation.verb:
                self._invariants.saw(event)

    # -- performing and judging -------------------------------------------------------------------------------------

    async def perform(self, client: str, operation: Operation, place: Place) -> Event:
        """Do one operation and judge its answer; a session object or a version that it needs is read first.

        Returns the reading where that gave no session: then the operation was not done.
        """
        where_it_stands = str(place)
        reading = await self._read_version(client, operation, where_it_stands)
        if reading is None:
            reading = await self.stage.fresh_holder(client, operation.verb, operation.id, where_it_stands)
        if reading is not None:
            self.teller.remark(reading, f"gave nothing for {operation.verb} to work with")
            event = reading
        else:
            event = await self.stage.perform(client, self.sessions.completed(operation), where_it_stands)
        self.sessions.learn(event)
        if not self._batched:
            self._judge()
        return event

    async def _read_version(self, client: str, operation: Operation, place: str) -> Event | None:
        """Read the session where an operation must be given its version and nobody knows it by now."""
        if operation.version is not UNSET or operation.verb == "create" or operation.id is UNSET:
            return None
        profile = self.stage.profile
        if (
            "version" not in must_be_given(profile, operation.verb)
            or self.sessions.version_of(operation.id) is not UNSET
        ):
            return None
        if "version" not in tells(profile, "get"):
            raise UsageError(
                f"{profile.name}: {operation.verb} must be given a version and `get` tells none: "
                "say `version` in the step"
            )
        event = await self.stage.perform(client, Operation(verb="get", id=operation.id), place)
        self.sessions.learn(event)
        return None if self.sessions.version_of(operation.id) is not UNSET else event

    def _judge(self) -> None:
        """Judge what was recorded since the last time.

        Raises:
            Stopped: an answer that the model does not allow.
        """
        entries = self.stage.recorder.take()
        self.examination = self.examination.feed(entries)
        if self.examination.finding is not None and self.found is None:
            raise Stopped(self._violation_of_model)
        if self.examination.undecided:
            self.unjudged["model"] = self.examination.undecided

    # -- violations -------------------------------------------------------------------------------------------------

    def _violation_of_model(self) -> ViolationFound:
        history = self.stage.recorder.history()
        finding = with_undeclared(self.examination, history).finding
        assert finding is not None
        event = finding.event
        name = finding.property
        outcome = event.outcome if isinstance(event, Event) else None
        if isinstance(outcome, Ok) and any(is_scribbled(part) for part in (outcome.answer.data, outcome.answer.value)):
            name = ISOLATION
        return self.teller.of_finding(finding, name)

    def _unmet(self, place: Place, mismatch: Mismatch, event: Event | None = None) -> Stopped:
        found = event if event is not None else mismatch.event
        return Stopped(partial(self.teller.of_expectation, EXPECTATION, place, mismatch, found))

    def _report(self, problems: Iterable[Failed], place: Place | None, name: str = "lifecycle.errors") -> None:
        """Report what went wrong while the manager was ended or made anew.

        Raises:
            Stopped: something did.
        """
        for problem in problems:
            given = Mismatch(expected="the manager to end and to be made without an error", given=str(problem))
            raise Stopped(partial(self.teller.of_expectation, name, place, given, None))


def _of_session(event: Event, session_id: Any) -> Event:
    """Return a look at all sessions as a look at the one that is asked about."""
    return (
        event if event.operation.id is not UNSET else replace(event, operation=replace(event.operation, id=session_id))
    )
