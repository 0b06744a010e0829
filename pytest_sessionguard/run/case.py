"""One story on one stage: steps in their order, every answer judged as it comes.

The first answer that the model does not allow, and the first expectation that is not met, end the story; its `finally`
steps still run.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable
from types import CodeType
from typing import Any, Final, assert_never, cast

from pytest_sessionguard.core import durations
from pytest_sessionguard.core import plan as plans
from pytest_sessionguard.core import scenario as scenarios
from pytest_sessionguard.core.history import Event
from pytest_sessionguard.core.operations import Answer, Ok, Operation, Unknown
from pytest_sessionguard.core.plan import Plan
from pytest_sessionguard.core.programs import WAITED_MAX_US
from pytest_sessionguard.core.quick import replace
from pytest_sessionguard.core.scenario import AnyStep, Eventually, Parallel, Place, Repeat, Step
from pytest_sessionguard.core.schedule import Scheduler
from pytest_sessionguard.core.switches import Switch
from pytest_sessionguard.core.values import UNSET, freeze, thaw
from pytest_sessionguard.core.violation import ViolationFound
from pytest_sessionguard.errors import Fault, UsageError
from pytest_sessionguard.explore.light_strands import are_fit
from pytest_sessionguard.explore.weaving import SwitchPoints
from pytest_sessionguard.faults.partition import HEAL, parted
from pytest_sessionguard.run import driving, looking, replies
from pytest_sessionguard.run.acquaintance import NeverMade
from pytest_sessionguard.run.conversation import CLIENT, LOOKER, Conversation, Stopped
from pytest_sessionguard.run.expectations import Expectations
from pytest_sessionguard.run.fit import data_is_left_out
from pytest_sessionguard.run.injections import POWER_LOSS, UnknownLeft
from pytest_sessionguard.run.invariants import Invariants
from pytest_sessionguard.run.looking import Mismatch
from pytest_sessionguard.run.orders import Orders
from pytest_sessionguard.target.making import NeedsLoop, factory_of, named
from pytest_sessionguard.target.refusals import told, where

# What of a step names a session that must be there.
_SESSIONS: Final = ("session", "to_timeout_of")


class Unfit(Exception):
    """The story turned out not to fit what the target promises: `need` says what it takes."""

    def __init__(self, need: str) -> None:
        self.need = need
        super().__init__(f"needs {need}")


class Bygone(Exception):
    """A step of a story that nobody has thought out goes to an instant that is past, too far off, or not there."""


class Case:
    """The run of one plan.

    Attributes:
        found: the violation that ended it, if one did.
        steps: how many steps were done.
        trace: what the scheduler decided, from the first parallel step on.
        switches: where it stopped threads that could have gone on.
    """

    def __init__(
        self,
        plan: Plan,
        talk: Conversation,
        invariants: Invariants,
        scheduler: Scheduler | None = None,
        points: SwitchPoints | None = None,
        feed: driving.Feed | None = None,
    ) -> None:
        self.plan = plan
        self.stage = talk.stage
        self.found: ViolationFound | None = None
        self.steps = 0
        self.trace: list[int] = []
        self.switches: list[Switch] = []
        self._scheduler = scheduler
        self._points = points
        self._feed = feed
        self._talk = talk
        self._expectations = Expectations(talk)
        self._invariants = invariants
        self._variables = plans.variables(plan, talk.stage.policy)
        self._no_data = data_is_left_out(plan, talk.stage.profile)

    # -- the whole story --------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Run the story and end the manager, whatever happens."""
        story = self.plan.scenario
        over = False
        try:
            await self.stage.open()
            await self._guarded(self._story)
            await self._guarded(lambda: self._steps(story.finally_))
        except NeedsLoop:
            over = True  # The case starts over in a loop, with a manager of its own.
            await self.stage.binding.leave()
            raise
        finally:
            if not over:
                await self._guarded(self._end)
            self.stage.clear()

    async def _story(self) -> None:
        """Run the story, disturbed by its faults, and what comes before it and after it undisturbed."""
        story, injections = self.plan.scenario, self.stage.injections
        self._talk.judge()
        await self._steps(story.start)
        if injections is not None:
            injections.arm()
        try:
            await self._steps(story.steps)
            if self._feed is not None:
                async for step in self._feed:
                    await self._step(step, CLIENT)
        finally:
            if injections is not None:
                injections.disarm()
        await self._steps(story.after_fault)

    async def _guarded(self, part: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run a part of the story; the first violation is kept, and ends the part."""
        try:
            await part()
        except Stopped as stopped:
            if self.found is None:
                self.found = stopped.tell()

    async def _end(self) -> None:
        self._talk.report(await self.stage.close(), None)
        self._talk.finish()

    async def _steps(self, steps: Iterable[AnyStep], client: str = CLIENT) -> None:
        for step in steps:
            await self._step(step, client)

    async def _step(self, step: AnyStep, client: str) -> None:
        match step:
            case Step():
                self.steps += 1
                if self.plan.forgiving or self.plan.scenario.faults:
                    await self._attempted(step, client)
                else:
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
        if self.plan.scenario.invariants and not self._talk.batched and not self.stage.ended_by_story:
            await self._look_at_all(step.place)

    # -- steps ------------------------------------------------------------------------------------------------------

    async def _alone(self, step: Step, client: str) -> None:
        try:
            await self._done(step, str(step.client) or client)
        except NeverMade as error:
            mismatch = Mismatch(expected=f"a session named {error.name}", given=error.answer)
            raise self._talk.unmet(step.place, mismatch) from None

    async def _attempted(self, step: Step, client: str) -> None:
        """Do a step that nobody has thought out, unless it speaks of what there is not."""
        told: Any = step.arguments
        if scenarios.Variable in map(type, told.values()):
            # Programs that are drawn have variables nowhere else.
            if any(name not in self._variables for name in scenarios.variables_of(tuple(told.values()))):
                return
            step = scenarios.fill(step, self._variables)
        for name in _SESSIONS:
            if name in told and not self._talk.sessions.has_heard_of(told[name]):
                return
        try:
            await self._done(step, str(step.client) or client)
        except (NeverMade, Bygone):
            return  # It turned out to have nothing to work with.

    async def _done(self, step: Step, who: str) -> None:
        match step.verb:
            case "advance":
                await self._advance(step)
            case "set_clock":
                await self._set_clock(step)
            case "restart":
                self._talk.report(await self.stage.restart(str(step.place)), step.place, "durability.restart")
                self._talk.judge()
            case "crash":
                await self._crash(step)
            case "partition":
                self._partition(step)
            case "expect":
                if "acknowledged" in step.arguments:
                    await self._look_at_every_session(step)
                mismatch = await self._expectations.look(step, who if step.client else LOOKER)
                if mismatch is not None:
                    raise self._talk.unmet(step.place, mismatch)
                self._talk.met()
            case "call":
                await self._call(step)
            case _:
                await self._operation(step, who)

    async def _crash(self, step: Step) -> None:
        how = str(step.arguments["how"])
        self._talk.judge()
        try:
            problems = await self.stage.crash(str(step.place), power=how == POWER_LOSS)
        except UnknownLeft as error:
            raise Unfit(f"files that Python alone writes, to know what a loss of power leaves: {error}") from None
        self._talk.report(problems, step.place, f"durability.{how}")
        self._talk.judge()

    def _partition(self, step: Step) -> None:
        """Let nothing through to the server any more, or everything again."""
        network, told = self.stage.network, cast("dict[str, Any]", step.arguments)
        assert network is not None  # A target without a server is not told such a story.
        if told["of"] == HEAL:
            network.heal()
        else:
            network.part(parted(told["of"]), told.get("for_us"))

    async def _look_at_every_session(self, step: Step) -> None:
        """Look at every session that the story has made, with all that may look; the model says what is right."""
        if not self._talk.sessions.ids and not self.plan.scenario.faults:
            text = "expect: acknowledged: the story has made no session to look at"
            raise UsageError([Fault(step.place.path, step.place.line, step.place.column, text)])
        for operation in looking.at_everything(self.stage.profile, self.stage.policy, self._talk.sessions.ids):
            if not self.stage.binding.wants_session(operation.verb):
                await self._talk.perform(LOOKER, self._talk.sessions.completed(operation), step.place)
        self._talk.met()

    async def _operation(self, step: Step, client: str) -> None:
        if self._no_data and step.verb == "create":
            step = replace(step, arguments=step.arguments.without("data"))
        asked = self._talk.sessions.operation(step)
        event = await self._talk.perform(client, asked, step.place, cancel_at=int(step.cancel_at))  # type: ignore[arg-type]  # filled
        if isinstance(event.outcome, Unknown):
            if asked.verb == "create" and asked.id is not UNSET:
                self._talk.sessions.name(str(step.arguments["as"]), asked.id)
            return
        performed = event.operation.verb == step.verb
        if step.refused is not None:
            mismatch = replies.refusal_mismatch(step, event, self.stage.policy, performed=performed)
            if mismatch is not None:
                raise self._talk.unmet(step.place, mismatch, event)
            self._talk.met()
        if performed:
            self._named(step, event)
            self._answered(step, event)
        elif (step.answer or step.capture) and not self.plan.forgiving:
            given = Mismatch(expected=f"a session for {step.verb} to work with", given=str(event.outcome))
            raise self._talk.unmet(step.place, given, event)

    def _named(self, step: Step, event: Event) -> None:
        """Let the session that an answer gives have the name that the story gives it; a save may give a new id."""
        if step.verb not in ("create", "use", "rotate", "resume", "pop_item", "save"):
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
                self._talk.sessions.name(name, made)
        elif isinstance(new_name, str):
            self._talk.sessions.never_made(new_name, str(outcome))

    def _answered(self, step: Step, event: Event) -> None:
        """Check the answer and keep what the story captures of it."""
        for facet, wanted in step.answer.items():
            wish = self._ids_of(facet, wanted, step.place)
            mismatch = replies.answer_mismatch(str(facet), wish, event, self.stage.profile, self.stage.policy)
            if mismatch is not None:
                raise self._talk.unmet(step.place, mismatch, event)
            self._talk.met()
        for name, path in step.capture.items():
            try:
                self._variables[str(name)] = replies.captured(path, event.outcome)
            except LookupError as error:
                if self.plan.forgiving:
                    continue
                raise self._talk.unmet(
                    step.place, Mismatch(expected=f"an answer with {error.args[0]}", given=str(event.outcome)), event
                ) from None

    def _ids_of(self, facet: Any, wanted: Any, place: Place) -> Any:
        if facet == "id":
            return self._talk.sessions.id_of(wanted, place)
        if facet == "ids":
            return tuple(self._talk.sessions.id_of(one, place) for one in wanted)
        return wanted

    async def _advance(self, step: Step) -> None:
        told: Any = step.arguments
        span_us = told.get("by_us", 0)
        if "to_timeout_of" in told:
            session_id = self._talk.sessions.id_of(told["to_timeout_of"], step.place)
            left_us = self._talk.examination.left_us(session_id, self.stage.recorder.stamp())
            if self.plan.forgiving and (left_us is None or left_us > WAITED_MAX_US):
                raise Bygone
            if left_us is None:
                text = f"advance: {told['to_timeout_of']} has no timeout to go to, or is over already"
                raise UsageError([Fault(step.place.path, step.place.line, step.place.column, text)])
            span_us = left_us
        span_us += told.get("plus_us", 0) - told.get("minus_us", 0)
        if span_us < 0:
            if self.plan.forgiving:
                raise Bygone
            if "to_timeout_of" in told:
                self._refuse_short_timeouts(-span_us)
            text = f"advance: that instant is {durations.show(-span_us)} in the past; time only moves on"
            raise UsageError([Fault(step.place.path, step.place.line, step.place.column, text)])
        await self.stage.advance(span_us)
        self._talk.judge()

    def _refuse_short_timeouts(self, lacking_us: int) -> None:
        """End the case where the target's own timeout is too short for the story, which wished for none.

        Raises:
            Unfit: it is.
        """
        policy, wished = self.stage.policy, self.plan.figures
        given = {name: getattr(policy, name) for name in ("idle_timeout", "absolute_timeout") if name not in wished}
        timeouts = [(timeout_us, name) for name, timeout_us in given.items() if timeout_us is not None]
        if timeouts:
            least_us, name = min(timeouts)
            short, enough = durations.show(least_us), durations.show(least_us + lacking_us)
            raise Unfit(f"a timeout longer than {short}: the profile says {policy.line(name)}, and {enough} would do")

    async def _set_clock(self, step: Step) -> None:
        told: Any = step.arguments
        if "zone" in told:
            self.stage.set_zone(str(told["zone"]))
            return
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
            raise self._talk.unmet(step.place, given) from None
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
        self._talk.judge()
        self._answered(step, event)

    async def _repeat(self, step: Repeat, client: str) -> None:
        times: Any = step.times
        for number in range(1, times + 1):
            if step.counter:
                self._variables[step.counter] = number
            await self._steps(step.steps, client)

    async def _parallel(self, step: Parallel) -> None:
        """Run the branches at once and judge them together."""
        self._talk.judge()
        self._talk.batched = True
        in_loop = self.stage.in_loop

        def branch(number: int, steps: tuple[AnyStep, ...]) -> driving.Work[None]:
            client = chr(ord("A") + number % 26)
            early = self.plan.overlapping
            if early:
                self.stage.recorder.call(client)

            async def run() -> None:
                for turn, one in enumerate(steps):
                    if turn:
                        if early:
                            self.stage.recorder.call(client)
                        await driving.give_way(in_loop=in_loop)
                    await self._step(one, client)
                    self.stage.recorder.take_back(client)

            return run

        stopped: Stopped | None = None
        if isinstance(self._scheduler, Orders):
            self._scheduler.enter(step)
        try:
            branches = [branch(*one) for one in enumerate(step.branches)]
            light, unmatched = False, frozenset[CodeType]()
            if self._points is not None and self._scheduler is not None and not in_loop:
                modules = self._points.put_into(factory_of(self.stage.profile), self.stage.binding.manager)
                light, unmatched = are_fit(modules), self._points.unmatched
            await driving.at_once(
                branches,
                in_loop=in_loop,
                scheduler=self._scheduler,
                trace=self.trace,
                switches=self.switches,
                light=light,
                unmatched=unmatched,
            )
        except Stopped as raised:
            stopped = raised
        finally:
            self._talk.batched = False
        self._talk.judge()
        if stopped is not None:
            raise stopped

    # -- looking ----------------------------------------------------------------------------------------------------

    async def _eventually(self, step: Eventually, client: str) -> None:
        within_us: Any = step.within_us
        every_us: Any = step.every_us
        passed_us = 0
        while True:
            mismatch = await self._expectations.look(step.expect, str(step.expect.client) or LOOKER)
            if mismatch is None:
                self._talk.met()
                return
            if passed_us >= within_us:
                raise self._talk.unmet(step.place, mismatch)
            span_us = min(max(every_us, 1), within_us - passed_us)
            await self.stage.advance(span_us)
            self._talk.judge()
            passed_us += span_us

    async def _look_at_all(self, place: Place) -> None:
        """Look at everything that the invariants speak of."""
        for operation in self._invariants.operations(self._talk.sessions.ids):
            event = await self._talk.perform(LOOKER, self._talk.sessions.completed(operation), place)
            if event.operation.verb == operation.verb:
                self._invariants.saw(event)
