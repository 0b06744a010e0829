"""The life of one manager: made by its factory, entered where it is a context manager or a generator, ended.

A sync target is driven without any event loop, because some frameworks refuse one that runs.  Something to await that
turns up there is `NeedsLoop`: the case starts over inside a loop.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Hashable, Mapping
from functools import lru_cache
from types import AsyncGeneratorType, GeneratorType
from typing import Any

from pytest_sessionguard.errors import UsageError
from pytest_sessionguard.target.imports import ImportFault, put_on_path, resolve
from pytest_sessionguard.target.refusals import told, where
from pytest_sessionguard.target.shape import Profile


class NeedsLoop(Exception):
    """Something to await turned up outside an event loop."""


class CannotBeMade(UsageError):
    """The factory raised: its arguments are wrong, or it is."""


@lru_cache(maxsize=512)
def may_wait(kind: Hashable) -> bool:
    """Say whether a value of the class may have to be awaited."""
    return isinstance(kind, type) and issubclass(kind, (Awaitable, GeneratorType, AsyncGeneratorType))


async def settled(raw: Any, *, in_loop: bool) -> Any:
    """Return the value, awaited where it can be awaited.

    Raises:
        NeedsLoop: it can be, but there is no loop.
    """
    if inspect.isawaitable(raw):
        if not in_loop:
            _drop(raw)
            raise NeedsLoop
        return await raw
    if inspect.isasyncgen(raw):
        if not in_loop:
            raise NeedsLoop
        return [item async for item in raw]
    return raw


def _drop(raw: Any) -> None:
    """Close a coroutine that nobody will await, so that nobody warns of it."""
    if inspect.iscoroutine(raw):
        raw.close()


class Made:
    """One manager that was made, and how it ends."""

    def __init__(self, manager: Any, leave: Callable[[], Any] | None) -> None:
        self.manager = manager
        self._leave = leave

    @property
    def framed(self) -> bool:
        """Whether it was entered, so that leaving ends it: start, stop and close are not called beside."""
        return self._leave is not None

    async def leave(self) -> None:
        """End what was entered; once, and nothing else for what was not."""
        leave, self._leave = self._leave, None
        if leave is not None:
            result = leave()
            if inspect.isawaitable(result):
                await result


def factory_of(profile: Profile) -> Any:
    """Return the callable that makes the manager.

    Raises:
        UsageError: it cannot be imported.
    """
    put_on_path(profile.paths)
    return named(profile.factory, "factory")


def named(reference: str | Any, what: str) -> Any:
    """Return what `module:attribute` names, or the object itself.

    Raises:
        UsageError: it cannot be imported.
    """
    if not isinstance(reference, str):
        return reference
    try:
        return resolve(reference)
    except ImportFault as error:
        raise UsageError(f"{what} = {reference!r}: {error}") from None


async def make(profile: Profile, arguments: Mapping[str, Any], *, in_loop: bool, entered: bool = True) -> Made:
    """Call the factory and enter what it gives; or leave it as it is, where that is a manager before it has begun.

    Raises:
        CannotBeMade: the factory raised, or what it gives cannot be entered.
        NeedsLoop: it is to be awaited, but there is no loop.
    """
    factory = factory_of(profile)
    try:
        raw = factory(**arguments)
        if not entered and not inspect.isasyncgen(raw) and not inspect.isgenerator(raw):
            return Made(await settled(raw, in_loop=in_loop), None)
        if inspect.isasyncgen(raw) or hasattr(type(raw), "__aenter__"):
            if not in_loop:
                raise NeedsLoop
            return await (_async_generator(raw) if inspect.isasyncgen(raw) else _async_context(raw))
        if inspect.isgenerator(raw):
            return _generator(raw)
        raw = await settled(raw, in_loop=in_loop)
        if hasattr(type(raw), "__aenter__") and in_loop:
            return await _async_context(raw)
        if hasattr(type(raw), "__enter__") and hasattr(type(raw), "__exit__"):
            return _context(raw)
    except NeedsLoop:
        raise
    except Exception as error:
        name = profile.factory if isinstance(profile.factory, str) else getattr(factory, "__qualname__", repr(factory))
        given = ", ".join(f"{key}={value!r}" for key, value in arguments.items())
        place = where(error.__traceback__)
        at = f" at {place}" if place else ""
        raise CannotBeMade(f"factory {name}({given}) gave no manager: {told(error)}{at}") from error
    return Made(raw, None)


def _context(raw: Any) -> Made:
    entered = raw.__enter__()
    return Made(raw if entered is None else entered, lambda: raw.__exit__(None, None, None))


async def _async_context(raw: Any) -> Made:
    entered = await raw.__aenter__()
    return Made(raw if entered is None else entered, lambda: raw.__aexit__(None, None, None))


def _generator(raw: Any) -> Made:
    manager = next(raw)

    def leave() -> None:
        if next(raw, raw) is not raw:
            raise RuntimeError("the factory yielded twice: a generator that makes a manager yields it once")

    return Made(manager, leave)


async def _async_generator(raw: Any) -> Made:
    manager = await anext(raw)

    async def leave() -> None:
        if await anext(raw, raw) is not raw:
            raise RuntimeError("the factory yielded twice: a generator that makes a manager yields it once")

    return Made(manager, leave)


def wants_loop(profile: Profile) -> bool:
    """Say whether the manager is plainly an async one; what cannot be seen shows itself when it is called."""
    factory = factory_of(profile)
    if _is_async(factory) or _is_async(inspect.unwrap(factory)):
        return True
    hooks: Any = profile.hooks
    if any(declared.asynchronous for declared in hooks.values()):
        return True
    if not inspect.isclass(factory):
        return False
    if hasattr(factory, "__aenter__"):
        return True
    operations: Any = profile.operations
    methods = {template.path[0] for steps in operations.values() for template in steps if template.path}
    return any(_is_async(inspect.getattr_static(factory, name, None)) for name in methods)


def _is_async(code: Any) -> bool:
    return inspect.iscoroutinefunction(code) or inspect.isasyncgenfunction(code)
