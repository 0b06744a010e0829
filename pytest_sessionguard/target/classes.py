"""Whether a class, or a live manager, has what a template calls, and takes what it hands over.

Looks at classes without making any object.  Only what is certainly missing is refused: names that the class answers
dynamically, sets in its own methods, annotates or declares count as there; decorated methods take anything.
"""

from __future__ import annotations

import builtins
import dis
import inspect
import sys
import types
from collections.abc import Callable, Iterator
from typing import Any, Final

from pytest_sessionguard.errors import did_you_mean
from pytest_sessionguard.target.templates import Argument, Template, TemplateError

_ABSENT: Final = object()
_ITEM_METHODS: Final = {"read": "__getitem__", "set": "__setitem__", "delete": "__delitem__"}


def class_faults(template: Template, owner: type) -> Iterator[TemplateError]:
    """Yield what the template asks of instances of the class and the class certainly lacks."""
    dunder = needed_dunder(template)
    if dunder is not None:
        if _attribute(owner, dunder) is _ABSENT and not answers_dynamically(owner):
            yield TemplateError(f"{owner.__qualname__} has no {dunder}: expected a class whose instances take that", 1)
        return
    if not template.path:
        return
    name, column = template.path[0], template.columns[0]
    attribute = _attribute(owner, name)
    if attribute is _ABSENT:
        if not may_have(owner, name):
            yield TemplateError(f"{owner.__qualname__} has no method or attribute {name!r}{_near(name, owner)}", column)
    elif len(template.path) == 1 and template.item is None:
        yield from _use_faults(template, attribute, owner, column)


def live_faults(template: Template, manager: object) -> Iterator[TemplateError]:
    """Yield what the template asks of the live manager and the manager lacks."""
    dunder = needed_dunder(template)
    kind = type(manager)
    if dunder is not None:
        if not hasattr(kind, dunder):
            yield TemplateError(f"{kind.__qualname__} has no {dunder}: expected a manager that takes that", 1)
        return
    holder = manager
    for position, (name, column) in enumerate(zip(template.path, template.columns, strict=True)):
        static = inspect.getattr_static(holder, name, _ABSENT)
        if static is _ABSENT and not hasattr(holder, name):
            shown = type(holder).__qualname__
            yield TemplateError(f"{shown} has no method or attribute {name!r}{_near(name, holder)}", column)
            return
        if position == len(template.path) - 1:
            if template.call and inspect.ismethod(getattr(holder, name, None)):
                yield from call_faults(template, getattr(holder, name), column)
        elif isinstance(static, property):
            return  # What a property gives is looked at when it is used: reading it now might have effects.
        else:
            holder = getattr(holder, name)


def needed_dunder(template: Template) -> str | None:
    """Return the special method of the root itself that the template needs, if any."""
    if template.path:
        return None
    if template.item is None:
        return "__call__"
    if template.deletes:
        return _ITEM_METHODS["delete"]
    return _ITEM_METHODS["read" if template.assigned is None else "set"]


def _near(name: str, owner: object) -> str:
    public = [known for known in dir(owner) if not known.startswith("_")]
    return did_you_mean(name, public) if public else ""


def _attribute(owner: type, name: str) -> Any:
    """Return what instances of the class find under a name; what only the class itself has (its metaclass's) is not."""
    for ancestor in owner.__mro__:
        if name in vars(ancestor):
            return vars(ancestor)[name]
    return _ABSENT


# -- attributes -----------------------------------------------------------------------------------------------------


def may_have(owner: type, name: str) -> bool:
    """Say whether instances may have an attribute that the class itself does not show."""
    return answers_dynamically(owner) or name in instance_attributes(owner)


def answers_dynamically(owner: type) -> bool:
    """Say whether instances answer names that nobody can foresee."""
    if "__call__" in vars(type(owner)) and type(owner) is not type:
        return True  # A metaclass that makes what it likes.
    for ancestor in owner.__mro__[:-1]:
        if {"__getattr__", "__getattribute__", "__new__"} & set(vars(ancestor)) and not _is_builtin(ancestor):
            return True
        for code in _codes(ancestor):
            if {"setattr", "__dict__"} & set(code.co_names):
                return True
    return False


def instance_attributes(owner: type) -> frozenset[str]:
    """Return the names that the class annotates, or that its own methods set on an object."""
    names: set[str] = set()
    for ancestor in owner.__mro__[:-1]:
        names |= _annotated(ancestor)
        for code in _codes(ancestor):
            names |= {str(step.argval) for step in dis.get_instructions(code) if step.opname == "STORE_ATTR"}
    return frozenset(names)


def _annotated(owner: type) -> frozenset[str]:
    """Return the names that the class itself annotates, whether or not the annotations can be evaluated here."""
    if sys.version_info >= (3, 14):  # pragma: no cover # Evaluated only when they are asked for.
        import annotationlib

        return frozenset(annotationlib.get_annotations(owner, format=annotationlib.Format.FORWARDREF))
    return frozenset(inspect.get_annotations(owner))


def _is_builtin(owner: type) -> bool:
    return getattr(builtins, owner.__name__, None) is owner or owner.__module__ in ("typing", "abc", "collections")


def _codes(owner: type) -> Iterator[types.CodeType]:
    for attribute in vars(owner).values():
        function = getattr(attribute, "__func__", attribute)
        if isinstance(function, types.FunctionType):
            yield from _nested(function.__code__)


def _nested(code: types.CodeType) -> Iterator[types.CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _nested(constant)


# -- calls ----------------------------------------------------------------------------------------------------------


def _use_faults(template: Template, attribute: Any, owner: type, column: int) -> Iterator[TemplateError]:
    name = template.path[0]
    if not template.call:
        if isinstance(attribute, (types.FunctionType, staticmethod, classmethod)):
            yield TemplateError(f"{name!r} is a method: expected `{name}(...)`", column)
        return
    if isinstance(attribute, (int, float, str, bytes, list, dict, tuple)):
        yield TemplateError(f"{name!r} of {owner.__qualname__} is no method: leave the parentheses out", column)
    elif isinstance(attribute, types.FunctionType):
        yield from call_faults(template, attribute.__get__(_Stand(), owner), column)
    elif isinstance(attribute, (staticmethod, classmethod)):
        yield from call_faults(template, attribute.__get__(None, owner), column)


class _Stand:
    """Stands in for an instance, so that a function can be looked at as a bound method."""


def call_faults(template: Template, called: Callable[..., Any], column: int) -> Iterator[TemplateError]:
    """Yield what the template hands over and the function does not take, with optional arguments and without."""
    try:
        signature = inspect.signature(called, follow_wrapped=False)
    except (TypeError, ValueError):
        return  # A function of C that does not tell its parameters.
    seen = set()
    for arguments in _variants(template.arguments):
        fault = _misfit(template, arguments, signature, column)
        if fault is not None and (fault.message, fault.column) not in seen:
            seen.add((fault.message, fault.column))
            yield fault


def _variants(arguments: tuple[Argument, ...]) -> Iterator[tuple[Argument, ...]]:
    yield arguments
    needed = tuple(argument for argument in arguments if not argument.optional)
    if needed != arguments:
        yield needed


def _misfit(
    template: Template, arguments: tuple[Argument, ...], signature: inspect.Signature, column: int
) -> TemplateError | None:
    positional = [one for one in arguments if one.keyword is None and not one.spread]
    keywords = {one.keyword: one for one in arguments if one.keyword is not None}
    spread = any(one.spread for one in arguments)
    bind = signature.bind_partial if spread else signature.bind
    try:
        bind(*positional, **keywords)
    except TypeError as error:
        name = template.path[-1] if template.path else "the manager"
        takes = f"expected {name}{_plain(signature)}"
        for keyword, argument in keywords.items():
            if not _takes_keyword(signature, str(keyword)):
                near = did_you_mean(str(keyword), signature.parameters)
                near = near if "did you mean" in near else ""
                return TemplateError(f"{name} takes no keyword {keyword!r}: {takes}{near}", argument.column)
        most = _positional_max(signature)
        if most is not None and len(positional) > most:
            return TemplateError(
                f"{name} takes {most} argument{'s' * (most != 1)}, not {len(positional)}: {takes}",
                positional[most].column,
            )
        return TemplateError(f"{name} does not fit, {error}: {takes}", column)
    return None


def _plain(signature: inspect.Signature) -> inspect.Signature:
    """Return the signature without its annotations: names and defaults are what a template is written by."""
    bare = [parameter.replace(annotation=parameter.empty) for parameter in signature.parameters.values()]
    return signature.replace(parameters=bare, return_annotation=signature.empty)


def _takes_keyword(signature: inspect.Signature, keyword: str) -> bool:
    for parameter in signature.parameters.values():
        if parameter.kind is parameter.VAR_KEYWORD:
            return True
        if parameter.name == keyword and parameter.kind is not parameter.POSITIONAL_ONLY:
            return True
    return False


def _positional_max(signature: inspect.Signature) -> int | None:
    """Return how many arguments may be given by their place; None: any number."""
    count = 0
    for parameter in signature.parameters.values():
        if parameter.kind is parameter.VAR_POSITIONAL:
            return None
        if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD):
            count += 1
    return count
