"""The stacks of threads, as far as they are the user's: the facts of a warning or a deadlock."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

# The standard library's waiting rooms and our own: where a thread waits is not who waits.
_INNER: Final = (str(Path(__file__).parent), "threading.py", "queue.py", "_base.py", "selectors.py")
_LINES_MAX: Final = 6


def lines_of(ident: int) -> list[str]:
    """Return the innermost lines of a thread's own code, outermost first: where, in which function."""
    frame = sys._current_frames().get(ident)
    lines: list[str] = []
    while frame is not None and len(lines) < _LINES_MAX:
        file = frame.f_code.co_filename
        if not (file.startswith(_INNER[0]) or file.endswith(_INNER[1:])):
            lines.append(f"{file}:{frame.f_lineno} in {frame.f_code.co_qualname}")
        frame = frame.f_back
    return lines[::-1]
