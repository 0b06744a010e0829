"""The k-th call of a hook fails: before the hook has done its work, or after."""

from __future__ import annotations

import builtins
from typing import Final

from pytest_sessionguard.core.faults import Fault
from pytest_sessionguard.faults import Effect, FaultKind, Option, Point, Raise, is_subject


def error_of(name: str, text: str) -> Exception:
    """Return an error of a built-in class, or a RuntimeError where there is none of that name."""
    found = getattr(builtins, name, None)
    if isinstance(found, type) and issubclass(found, Exception):
        return found(text)
    return RuntimeError(f"{name}: {text}")


def _effect(fault: Fault, point: Point) -> Effect:
    return Raise(error_of(str(fault.options.get("error", "ConnectionError")), f"injected into {point}"))


FAULT: Final = FaultKind(
    name="fail_call",
    summary="a hook that the harness supplies raises an error at its k-th call",
    example="{fail_call: close, at: 2, error: TimeoutError}",
    takes="text",
    port="hook",
    effect=_effect,
    has_chance=is_subject,
    options={"error": Option(takes="text", summary="the name of a built-in class of errors; ConnectionError")},
)
