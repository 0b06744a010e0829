"""One operation under way: what its templates hand over, and what their steps give.

What is handed over is made fresh for every call, so that no later change of it reaches the record.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from types import MethodType
from typing import Any, Final, Protocol

from pytest_sessionguard.core.operations import Ok, Operation, Outcome
from pytest_sessionguard.core.quick import replace
from pytest_sessionguard.core.values import UNSET, FrozenMap, Unset, freeze, thaw
from pytest_sessionguard.errors import UsageError, did_you_mean
from pytest_sessionguard.target import placeholders, session_objects
from pytest_sessionguard.target.answers import Reader
from pytest_sessionguard.target.shape import Profile
from pytest_sessionguard.target.templates import FUNCTION, SESSION, Argument, Template

# What carries the change of a writing operation; where a template hands none of it over, the session object is changed.
_PAYLOAD: Final = frozenset({"data", "changes", "key", "value", "mutate"})

# Operations whose answer names the session from then on.
NAMING: Final = frozenset({"create", "use", "rotate", "resume", "save"})

# Of these, the ones that always give a session.
_GIVING: Final = NAMING - {"save"}


class Context(Protocol):
    """What a call needs of the binding that makes it."""

    profile: Profile
    reader: Reader

    @property
    def manager(self) -> Any: ...

    def filled(self, literal: Any) -> Any: ...

    def function(self, template: Template) -> Any: ...

    def resource(self, operation: Operation) -> Any: ...


def uses_session(template: Template) -> bool:
    """Say whether the template works on a session object."""
    return template.root == SESSION or "session" in template.names


@dataclass(frozen=True, slots=True, kw_only=True)
class Steps:
    """The templates of one operation, and what follows from them for every call.

    Attributes:
        using: for each of them, whether it works on a session object.
        wants_session: whether the first that works on one was given none by a step before.
        editing: the step before which a session object is changed, where no template hands the change over itself.
        given_at: the first step that gives a session object, or None.
    """

    templates: tuple[Template, ...]
    using: tuple[bool, ...]
    wants_session: bool
    editing: int | None
    given_at: int | None

    def edits(self, operation: Operation) -> int | None:
        """Return the step before which the operation changes the session object, or None."""
        if self.editing is None:
            return None
        carried = operation.data, operation.changes, operation.key, operation.value
        return None if all(part is UNSET for part in carried) else self.editing


@lru_cache(maxsize=512)
def steps_of(operations: FrozenMap, verb: str) -> Steps | None:
    """Return the steps of an operation, or None where it is not offered."""
    found: Any = operations.get(verb)
    if found is None:
        return None
    templates: tuple[Template, ...] = tuple(found)
    using = tuple(map(uses_session, templates))
    given_at = next((number for number, one in enumerate(templates) if one.result == "session"), None)
    carries = any(template.names & _PAYLOAD for template in templates)
    last = max((number for number, uses in enumerate(using) if uses), default=None)
    return Steps(
        templates=templates,
        using=using,
        wants_session=True in using and (given_at is None or using.index(True) <= given_at),
        editing=None if carries else last,
        given_at=given_at,
    )


class Call:
    """One operation under way: what it hands over, and what its steps have given so far."""

    def __init__(self, context: Context, client: str, operation: Operation, session: Any) -> None:
        self.client = client
        self.operation = operation
        self.session = session
        self.given: Any = None
        self.shared: list[Any] = []
        self._context = context
        self._shape = context.profile.session

    # -- calling

    def run(self, template: Template) -> Any:
        """Do what one template says and return what came back, not awaited."""
        if template.root == FUNCTION:
            place = self._context.function(template)
        else:
            place = self._walk(self.session if template.root == SESSION else self._context.manager, template)
        if template.item is not None:
            key = self._value(template.item)
            if template.deletes:
                del place[key]
                return None
            if template.assigned is not None:
                place[key] = self._value(template.assigned)
                return None
            return place[key]
        if not template.call:
            return place
        args, kwargs = self._arguments(template, place)
        return place(*args, **kwargs)

    def _walk(self, root: Any, template: Template) -> Any:
        found = root
        for name in template.path:
            if template.root == SESSION and isinstance(found, dict) and name in found:
                found = found[name]
                continue
            try:
                found = getattr(found, name)
            except AttributeError:
                if name in dir(found):
                    raise  # It is there: what it raised is the target's own answer.
                raise UsageError(
                    f"{self._context.profile.name}: {self.operation.verb} = {template.text!r}: "
                    f"{type(found).__name__} has no {name!r}{did_you_mean(name, _public(found))}"
                ) from None
        return found

    def _arguments(self, template: Template, place: Any) -> tuple[list[Any], dict[str, Any]]:
        args: list[Any] = []
        kwargs: dict[str, Any] = {}
        left_out = False
        for number, argument in enumerate(template.arguments):
            value = self._value(argument)
            if value is UNSET:
                left_out = True
            elif argument.spread:
                kwargs.update(value)
            elif argument.keyword is not None:
                kwargs[argument.keyword] = value
            elif left_out:
                kwargs[self._parameter(template, place, number)] = value
            else:
                args.append(value)
        return args, kwargs

    def _parameter(self, template: Template, place: Any, number: int) -> str:
        """Return the name of the parameter at a place, for an argument behind one that is left out."""
        try:
            # A method is made anew whenever it is asked for: what is known of it goes by its function.
            names = _of_methods(place.__func__) if type(place) is MethodType else _by_place(place)
            return names[number]
        except (TypeError, ValueError, IndexError):
            raise UsageError(
                f"{self._context.profile.name}: {self.operation.verb} = {template.text!r}: an optional argument is "
                "left out before one that is given; write the later one with its keyword"
            ) from None

    # -- arguments

    def _value(self, argument: Argument) -> Any:
        """Return what is handed over for an argument; UNSET where an optional one is left out.

        Raises:
            UsageError: the operation gives nothing for an argument that is not optional.
        """
        if argument.name is None:
            return self._context.filled(argument.literal)
        value = _VALUES[argument.name](self)
        if value is UNSET and not argument.optional:
            raise UsageError(
                f"{self._context.profile.name}: {self.operation.verb} must be given {argument.name!r}: "
                f"say it in the step, or write `{argument.name}?` in the profile"
            )
        return value

    def _plain(self, value: Any) -> Any:
        if value is UNSET:
            return UNSET
        thawed = thaw(value)
        self.shared.append(thawed)
        return thawed

    def _data(self, value: Any) -> Any:
        if value is UNSET:
            return UNSET
        data = session_objects.live_data(value, self._shape)
        self.shared.append(data)
        return data

    def _timeout(self) -> Any:
        timeout_us = self.operation.timeout_us
        if isinstance(timeout_us, Unset):
            return UNSET
        return placeholders.in_unit(timeout_us, self._context.profile.timeout_unit)

    def _mutate(self) -> Callable[[Any], Any]:
        def mutate(old: Any) -> Any:
            before = session_objects.frozen_data(old, self._shape)
            return session_objects.live_data(session_objects.changed(before, self.operation), self._shape)

        return mutate

    # -- answers

    def answered(self, raw: Any, template: Template, outcome: Outcome) -> None:
        """Note what a step gave, for the steps that follow and for the holder."""
        if not isinstance(outcome, Ok):
            return
        shape = self._shape
        if template.result == "session" and (raw is None or isinstance(raw, bool)):
            self.session = None  # What the client held from before is not what this step was to give.
        elif template.result == "session":
            self.session = self.given = raw
            if shape.data is not None:
                self.shared.append(session_objects.part(raw, shape.data))
        elif template.result in ("data", "value"):
            self.shared.append(raw)
        if template.result == "id" and outcome.answer.id is not UNSET and self.operation.id is UNSET:
            self.operation = replace(self.operation, id=outcome.answer.id)

    def completed(self, outcome: Outcome) -> Outcome:
        """Return the last step's answer, the id of a session that an earlier one made put in where it tells none."""
        if not isinstance(outcome, Ok) or self.operation.verb not in _GIVING:
            return outcome
        answer = outcome.answer
        if answer.id is not UNSET or answer.absent in ("none", "false") or False in (answer.found, answer.flag):
            return outcome
        told: Any = UNSET
        if self.given is not None:
            told = self._context.reader.id_of(self.given)
        elif self.operation.verb == "create":
            told = self.operation.id
        return outcome if told is UNSET or told is None else Ok(replace(answer, id=freeze(told)))


_VALUES: Final[dict[str, Callable[[Call], Any]]] = {
    "manager": lambda call: call._context.manager,
    "id": lambda call: call.operation.id,
    "owner": lambda call: call._plain(call.operation.owner),
    "data": lambda call: call._data(call.operation.data),
    "changes": lambda call: call._plain(call.operation.changes),
    "key": lambda call: call._plain(call.operation.key),
    "value": lambda call: call._plain(call.operation.value),
    "version": lambda call: call._plain(call.operation.version),
    "timeout": lambda call: call._timeout(),
    "resource": lambda call: UNSET if call.operation.resource is UNSET else call._context.resource(call.operation),
    "session": lambda call: UNSET if call.session is None else call.session,
    "n": lambda call: call.operation.n,
    "mutate": lambda call: call._mutate(),
}


def _by_place(function: Any) -> tuple[str, ...]:
    """Return the names of the parameters that can be given by their place or by their name.

    Raises:
        TypeError, ValueError: it has no signature that can be read.
    """
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    return tuple(name for name, one in inspect.signature(function).parameters.items() if one.kind is kind)


@lru_cache(maxsize=256)
def _of_methods(function: Callable[..., Any]) -> tuple[str, ...]:
    """Return the same of a function that is a method of something."""
    return _by_place(MethodType(function, function))


def _public(found: Any) -> list[str]:
    return [name for name in dir(found) if not name.startswith("_")]
