"""Switch points for functions whose source is not there, by tracing their instructions; thirty times as slow.

A tracer of somebody else's, such as that of coverage or of a debugger, is left in force: then these functions have no
switch points, and a warning says so.
"""

from __future__ import annotations

import dis
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from types import CodeType, FrameType
from typing import Any, Final

# Instructions that reach what others may reach too, by the beginnings of their names.
_SHARED: Final = (
    "BINARY_SUBSCR",
    "STORE_SUBSCR",
    "DELETE_SUBSCR",
    "LOAD_ATTR",
    "STORE_ATTR",
    "DELETE_ATTR",
    "LOAD_METHOD",
    "CONTAINS_OP",
    "FOR_ITER",
    "STORE_GLOBAL",
    "STORE_DEREF",
)


class NoSwitchPoints(RuntimeWarning):
    """Functions of the target run without switch points: races in them are not found."""


@contextmanager
def traced(codes: Iterable[CodeType], offer: Callable[[], None]) -> Iterator[None]:
    """Have `offer` called, in the current thread, before each instruction of these codes that reaches shared state."""
    kept = {id(code): code for code in codes}
    if not kept:
        yield
        return
    if tracer() is not None:
        warnings.warn(_told(kept.values()), NoSwitchPoints, stacklevel=3)
        yield
        return

    def enter(frame: FrameType, event: str, argument: Any) -> Any:
        if id(frame.f_code) not in kept:
            return None
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        offsets = shared_offsets(frame.f_code)

        def step(frame: FrameType, event: str, argument: Any) -> Any:
            if event == "opcode" and frame.f_lasti in offsets:
                offer()
            return step

        return step

    sys.settrace(enter)
    try:
        yield
    finally:
        sys.settrace(None)


def tracer() -> Any:
    """Return the tracer that is in force in the current thread."""
    return sys.gettrace()


@lru_cache(maxsize=1024)
def shared_offsets(code: CodeType) -> frozenset[int]:
    """Return where the instructions stand that reach what others may reach too."""
    return frozenset(
        step.offset
        for step in dis.get_instructions(code)
        if step.opname.startswith(_SHARED) or (step.opname == "BINARY_OP" and step.argrepr == "[]")
    )


def _told(codes: Iterable[CodeType]) -> str:
    places = sorted({f"{code.co_filename}:{code.co_firstlineno} {code.co_qualname}" for code in codes})
    shown = "".join(f"\n  {place}" for place in places[:5])
    return (
        f"{len(places)} functions get no switch points: their source is not what they were made of, and another "
        f"tracer (coverage, a debugger) is in force; run without it to have them traced{shown}"
    )
