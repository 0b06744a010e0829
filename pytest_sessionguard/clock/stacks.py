"""The stacks of threads, as far as they are the user's: the facts of a warning or a deadlock."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

# The standard library's waiting rooms and our own: where a thread waits is not who waits.
_HERE: Final = str(Path(__file__).parent)
_ROOMS: Final = ("threading.py", "queue.py", "_base.py", "selectors.py")
_LINES_MAX: Final = 6


def room_of(ident: int) -> str:
    """Return the waiting room of the standard library that a thread is in, such as `Event.wait`; empty if in none."""
    frame = sys._current_frames().get(ident)
    room = ""
    while frame is not None and _is_inner(frame.f_code.co_filename):
        if not frame.f_code.co_filename.startswith(_HERE):
            room = frame.f_code.co_qualname
        frame = frame.f_back
    return room


def lines_of(ident: int) -> list[str]:
    """Return the innermost lines of a thread's own code, outermost first: where, in which function."""
    frame = sys._current_frames().get(ident)
    lines: list[str] = []
    while frame is not None and len(lines) < _LINES_MAX:
        file = frame.f_code.co_filename
        if not _is_inner(file):
            lines.append(f"{file}:{frame.f_lineno} in {frame.f_code.co_qualname}")
        frame = frame.f_back
    return lines[::-1]


def _is_inner(file: str) -> bool:
    return file.startswith(_HERE) or file.endswith(_ROOMS)
