"""Where a task stands that was stopped: the line of the target's own that is under way."""

from __future__ import annotations

import asyncio
import os
from types import CoroutineType
from typing import Final

from pytest_sessionguard.core.schedule import letter
from pytest_sessionguard.core.switches import Switch

_OURS: Final = ("asyncio", "pytest_sessionguard")
_TARGET: Final = "pytest_sessionguard.reference"


def stopped(strand: int, to: int) -> Switch:
    """Return the preemption of a client; of one that is no task of the running loop, without its place."""
    try:
        tasks = asyncio.all_tasks()
    except RuntimeError:
        return Switch(strand=strand, to=to, place="")
    name = f"client {letter(strand)}"
    waits: object = next((task.get_coro() for task in tasks if task.get_name() == name), None)
    place = function = ""
    while isinstance(waits, CoroutineType):
        frame = waits.cr_frame
        if frame is not None and _is_own(str(frame.f_globals.get("__name__", ""))):
            place, function = f"{_short(frame.f_code.co_filename)}:{frame.f_lineno}", frame.f_code.co_name
        waits = waits.cr_await
    return Switch(strand=strand, to=to, place=place, function=function)


def _is_own(module: str) -> bool:
    return module.partition(".")[0] not in _OURS or module.startswith(_TARGET)


def _short(path: str) -> str:
    try:
        below = os.path.relpath(path)
    except (ValueError, OSError):  # On another drive, or from a folder that is gone, there is no relative path.
        return path
    return path if below.startswith("..") else below
