"""Where the tasks of an event loop wait: the facts of a deadlock."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, Final

_ASYNCIO: Final = str(Path(asyncio.__file__).parent)


def waiting_tasks(loop: asyncio.AbstractEventLoop) -> tuple[str, ...]:
    """Return a line for each pending task of the loop, by name: where it waits and for what."""
    tasks = sorted(asyncio.all_tasks(loop), key=lambda task: task.get_name())
    return tuple(f"{task.get_name()} waits {_place(task.get_coro())}" for task in tasks)


def _place(coroutine: Any) -> str:
    """Follow the chain of awaits to its end; name the last line of the user's own code and what it called there."""
    place, inner = "nowhere", ""
    while coroutine is not None:
        frame = getattr(coroutine, "cr_frame", None) or getattr(coroutine, "gi_frame", None)
        if frame is None:
            break
        name = frame.f_code.co_qualname
        if frame.f_code.co_filename.startswith(_ASYNCIO):
            inner = f", in {name}"
        else:
            place, inner = f"at {frame.f_code.co_filename}:{frame.f_lineno} in {name}", ""
        coroutine = getattr(coroutine, "cr_await", None) or getattr(coroutine, "gi_yieldfrom", None)
    return place + inner
