"""The live manager behind a profile: an operation goes in, an outcome comes out.

Written as coroutines that wait for nothing but the target, so that a sync target is driven without an event loop.
What is handed in are fresh copies; what comes out is frozen before anybody else can touch it.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Hashable
from pathlib import Path
from typing import Any, Final, cast

from pytest_sessionguard.core.operations import Answer, Failed, Ok, Operation, Outcome
from pytest_sessionguard.core.policy import Policy
from pytest_sessionguard.core.values import UNSET, Unset, freeze, thaw
from pytest_sessionguard.errors import HarnessError, UsageError, Violation
from pytest_sessionguard.target import making, placeholders, session_objects, supplies
from pytest_sessionguard.target.answers import Reader, Unreadable
from pytest_sessionguard.target.calls import NAMING, Call, Steps, steps_of
from pytest_sessionguard.target.checking import check_live, unfitting
from pytest_sessionguard.target.endpoints import endpoint_of
from pytest_sessionguard.target.making import Made, NeedsLoop, may_wait, settled
from pytest_sessionguard.target.refusals import refusals_of, told, where
from pytest_sessionguard.target.session_objects import NoSuchPart
from pytest_sessionguard.target.shape import Hook, Profile
from pytest_sessionguard.target.templates import Template


class Binding:
    """One manager of a profile, made for one case.

    `in_loop`: whether an event loop runs, so that answers can be awaited.  `scribble`: whether data that should be a
    copy is spoiled after each call.
    """

    def __init__(
        self,
        profile: Profile,
        *,
        policy: Policy,
        folder: Path,
        endpoint: str | None = None,
        noted: supplies.Noted,
        in_loop: bool,
        scribble: bool = False,
        proven: set[str] | None = None,
    ) -> None:
        self.profile = profile
        self.policy = policy
        self.reader = Reader(profile)
        self._refusals = refusals_of(profile.errors)
        self._noted = noted
        self._in_loop = in_loop
        self._scribble = scribble
        self._proven = set() if proven is None else proven
        self._figures = _figures(profile, policy, folder, endpoint or endpoint_of(profile))
        self._functions: dict[tuple[str, tuple[str, ...]], Any] = {}
        self._steps_of: dict[str, Steps] = {}
        self._held: dict[tuple[str, Hashable], Any] = {}
        self.ports: supplies.Ports = supplies.undisturbed
        self._made: Made | None = None

    # -- life -------------------------------------------------------------------------------------------------------

    async def reset(self) -> None:
        """Call the profile's `reset`, which clears what earlier cases left behind.

        Raises:
            UsageError: it cannot be imported, or raised.
        """
        if self.profile.reset is None:
            return
        reset = making.named(self.profile.reset, "reset")
        try:
            await settled(reset(), in_loop=self._in_loop)
        except _PASSING:
            raise
        except Exception as error:
            raise UsageError(
                f"{self.profile.name}: reset raised {told(error)} at {where(error.__traceback__)}"
            ) from error

    async def make(self, *, entered: bool = True) -> None:
        """Make the manager; one that is a context manager is entered, unless it is to be as it is before that.

        Raises:
            UsageError: the factory raised, or gives an object without the methods that the profile speaks of.
            NeedsLoop: it turns out to be an async one.
        """
        arguments = placeholders.fill({name: thaw(value) for name, value in self.profile.args.items()}, self._figures)
        for parameter, declared in self.profile.hooks.items():
            arguments[parameter] = supplies.hook(
                cast("Hook", declared), self._noted, self._id_or_nothing, in_loop=self._in_loop, ports=self.ports
            )
        self._made = await making.make(self.profile, arguments, in_loop=self._in_loop, entered=entered)
        self._held.clear()
        kind = type(self._made.manager)
        looked_at = f"class {kind.__module__}.{kind.__qualname__}"
        if looked_at not in self._proven:
            check_live(self.profile, self._made.manager)
            self._proven.add(looked_at)

    @property
    def manager(self) -> Any:
        """The manager itself.

        Raises:
            HarnessError: it has not been made.
        """
        if self._made is None:
            raise HarnessError("the manager is asked for before it was made")
        return self._made.manager

    @property
    def framed(self) -> bool:
        """Whether leaving a context manager or generator ends the manager."""
        return self._made is not None and self._made.framed

    async def leave(self) -> Failed | None:
        """Leave the context manager or generator, if there is one; return what went wrong."""
        made, self._made = self._made, None
        self._held.clear()
        if made is None:
            return None
        try:
            await made.leave()
        except _PASSING:
            raise
        except Exception as error:  # noqa: BLE001 - whatever the target raises is its answer.
            outcome = self._refusals.outcome(error)
            return outcome if isinstance(outcome, Failed) else Failed(outcome.error)
        return None

    # -- operations -------------------------------------------------------------------------------------------------

    def offers(self, verb: str) -> bool:
        """Say whether the profile has a template for the operation."""
        return verb in self.profile.operations

    def wants_session(self, verb: str) -> bool:
        """Say whether the operation needs a session object that no earlier step of its own templates gives."""
        return self._templates(verb).wants_session

    def holds(self, client: str, session_id: Hashable) -> bool:
        """Say whether the client holds an object of the session."""
        return (client, session_id) in self._held

    def version_held(self, client: str, session_id: Hashable) -> Hashable | Unset:
        """Return the version that the client's object of the session was read with; UNSET where it tells none."""
        path = self.profile.session.version
        if path is None:
            return UNSET
        return freeze(session_objects.part(self._held[client, session_id], path))

    def hold(self, client: str, session_id: Hashable, session: Any) -> None:
        """Let the client hold an object of the session."""
        self._held[client, session_id] = session

    def drop(self, session_id: Hashable | Unset = UNSET) -> None:
        """Let every client forget its objects of the session, or all objects."""
        for client, held_id in list(self._held):
            if session_id is UNSET or held_id == session_id:
                del self._held[client, held_id]

    async def perform(self, client: str, operation: Operation) -> Outcome:
        """Call the manager as the operation's templates say, one after another; the last answers.

        Raises:
            UsageError: a template that turns out not to fit the manager.
            NeedsLoop: something to await turned up, and there is no loop.
        """
        call = Call(self, client, operation, self._held.get((client, operation.id)))
        try:
            outcome = await self._steps(call)
        except _PASSING:
            raise
        except asyncio.CancelledError:
            task = asyncio.current_task() if self._in_loop else None
            if task is None or task.cancelling():
                raise  # We are cut off, not the target.
            outcome = Failed("CancelledError: nobody had cancelled the caller")
        except SystemExit as error:
            outcome = Failed(f"SystemExit: {error.code}")
        except NoSuchPart as error:
            outcome = Failed(f"{operation.verb} met a session object that is not as the profile says: {error}")
        except Exception as error:  # noqa: BLE001 - whatever the target raises is its answer.
            outcome = self._refusals.outcome(error)
        if call.given is not None:
            self._keep(call, outcome)
        if self._scribble and self.policy.data == "copies":
            for value in call.shared:
                session_objects.scribble(value)
        return outcome

    async def _steps(self, call: Call) -> Outcome:
        steps = self._templates(call.operation.verb)
        editing = steps.edits(call.operation)
        outcome: Outcome = _DONE
        # One that works on an object read before takes up where the steps have such an object.
        first = 0 if call.operation.stale is not True or steps.given_at is None else steps.given_at + 1
        for number, template in enumerate(steps.templates[first:], start=first):
            if call.session is None and steps.using[number]:
                if number:
                    return outcome  # The step before gave no session: that is the answer.
                raise UsageError(
                    f"{self.profile.name}: {call.operation.verb} = {template.text!r} needs a session object, "
                    "and no operation before it gave one"
                )
            if number == editing:
                session_objects.edit(call.session, call.operation, self.profile.session)
            raw = call.run(template)
            kind: Any = type(raw)
            if may_wait(kind):
                raw = await settled(raw, in_loop=self._in_loop)
            outcome = self._read(raw, template, (call.operation.verb, number))
            call.answered(raw, template, outcome)
            if not isinstance(outcome, Ok):
                return outcome
        return call.completed(outcome)

    def _read(self, raw: Any, template: Template, key: tuple[str, int]) -> Outcome:
        """Return what a step returned as an outcome.

        A template that has never fitted is the profile's fault; one that has, and does not fit now, is the target's.

        Raises:
            UsageError: the answer is not what the template announces, and never was.
        """
        try:
            outcome = self.reader.outcome(raw, template.result)
        except Unreadable as error:
            if template.text in self._proven:
                return Failed(str(error))
            raise UsageError([unfitting(self.profile, key, str(error))]) from error
        if isinstance(outcome, Ok) and outcome.answer.absent is UNSET:
            self._proven.add(template.text)
        return outcome

    def _templates(self, verb: str) -> Steps:
        steps = self._steps_of.get(verb)
        if steps is None:
            steps = steps_of(self.profile.operations, verb)
            if steps is None:
                raise UsageError(f"{self.profile.name}: [operations] has no {verb!r}")
            self._steps_of[verb] = steps
        return steps

    def _keep(self, call: Call, outcome: Outcome) -> None:
        """Let the client hold the session object that the call gave, under the id that the session now has."""
        session_id: Hashable | Unset = UNSET
        if isinstance(outcome, Ok) and call.operation.verb in NAMING:
            session_id = outcome.answer.id
        for one in (session_id, call.operation.id):
            if one is not UNSET:
                self._held[call.client, one] = call.given

    # -- what a call is made of -------------------------------------------------------------------------------------

    def filled(self, literal: Any) -> Any:
        """Return a literal of a template, fresh, its placeholders filled in."""
        return placeholders.fill(thaw(literal), self._figures)

    def function(self, template: Template) -> Any:
        """Return the function that a template names by its module."""
        key = (str(template.module), template.path)
        if key not in self._functions:
            self._functions[key] = making.named(f"{template.module}:{'.'.join(template.path)}", template.text)
        return self._functions[key]

    def resource(self, operation: Operation) -> Any:
        """Return the resource that an attach hands over."""
        return supplies.resource(
            self.policy.resource, str(operation.resource), operation.id, self._noted, fails=operation.fails is True
        )

    def _id_or_nothing(self, session: Any) -> Hashable | Unset:
        try:
            return self.reader.id_of(session)
        except NoSuchPart:
            return UNSET

    async def call(self, function: Any, arguments: dict[str, Any]) -> Any:
        """Call a function of the user's with the manager, where it has a parameter of that name."""
        try:
            wanted = "manager" in inspect.signature(function).parameters
        except ValueError:  # Built-in functions may have no signature that can be read.
            wanted = False
        given = {"manager": self.manager, **arguments} if wanted else arguments
        return await settled(function(**given), in_loop=self._in_loop)


# What an operation without a result says.
_DONE: Final = Ok(Answer())

# These are never an answer of the target.
_PASSING: Final = (NeedsLoop, UsageError, HarnessError, Violation)


def _figures(profile: Profile, policy: Policy, folder: Path, endpoint: str | None) -> dict[str, Any]:
    """Return what the placeholders of this case stand for."""
    figures: dict[str, Any] = {"dir": str(folder)}
    for name in placeholders.TIMES:
        figures[name] = placeholders.in_unit(getattr(policy, name), profile.timeout_unit)
    for name in placeholders.NUMBERS:
        figures[name] = getattr(policy, name)
    if endpoint is not None:
        host, _, port = endpoint.rpartition(":")
        figures |= {"endpoint": endpoint, "host": host, "port": int(port)}
    return figures
