"""What the harness hands to a manager: hooks that tell when they are called, and resources that tell when they close.

Every call is told through `Noted` at the moment it happens, so that the record shows it in its place.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable
from typing import Any, Protocol

from pytest_sessionguard.core.values import UNSET, Unset, freeze
from pytest_sessionguard.target.shape import Hook


class Noted(Protocol):
    """Where hooks and resources tell that they were called."""

    def __call__(self, *, kind: str, subject: str, id: Hashable | Unset) -> None: ...


class Ports(Protocol):
    """Where something may be made to go wrong in a hook: asked before its work is done, and after.

    Raises whatever is to come instead; returns how long an asynchronous hook is to take, in virtual microseconds: one
    that is not has waited by then.
    """

    def __call__(self, role: str, when: str) -> int: ...


def undisturbed(role: str, when: str) -> int:
    """Let every hook do its work."""
    del role, when
    return 0


class ResourceFailed(Exception):
    """What a resource that was made to fail raises when it is closed."""


def hook(
    declared: Hook,
    noted: Noted,
    id_of: Callable[[Any], Hashable | Unset],
    *,
    in_loop: bool = False,
    ports: Ports = undisturbed,
) -> Callable[..., Any]:
    """Return the callable that stands for a declared hook.

    `id_of` reads the id out of a session object.  In a loop, an asynchronous one waits for its next turn.
    """
    names = [argument.name for argument in declared.arguments]

    def told(args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        given = dict(zip(names, args, strict=False)) | kwargs
        session_id: Hashable | Unset = UNSET
        if "id" in given:
            session_id = freeze(given["id"])
        elif "session" in given:
            session_id = id_of(given["session"])
        noted(kind="hook", subject=declared.role, id=session_id)

    if declared.asynchronous:

        async def asynchronous(*args: Any, **kwargs: Any) -> None:
            told(args, kwargs)  # It was called, whatever comes of that.
            span_us = ports(declared.role, "before")
            if in_loop:
                await asyncio.sleep(span_us / 1e6)  # others may run here, or the caller be cancelled
            ports(declared.role, "after")

        return asynchronous

    def plain(*args: Any, **kwargs: Any) -> None:
        told(args, kwargs)
        ports(declared.role, "before")
        ports(declared.role, "after")

    return plain


def resource(form: str | None, name: str, session_id: Hashable | Unset, noted: Noted, *, fails: bool) -> Any:
    """Return a resource of the policy's form, such as "async close()" or "()"; one that `fails` raises when closed."""

    def told() -> None:
        noted(kind="closed", subject=name, id=session_id)
        if fails:
            raise ResourceFailed(f"the resource {name!r} cannot be closed")

    async def told_later() -> None:
        told()

    closing: Callable[[], Any] = told_later if form is not None and form.startswith("async") else told
    if form in ("async ()", "()"):
        return closing
    return _Resource(name, closing)


class _Resource:
    """Something that a session owns and that is closed once."""

    def __init__(self, name: str, closing: Callable[[], Any]) -> None:
        self.name = name
        self.close = closing

    def __repr__(self) -> str:
        return f"<resource {self.name}>"
