"""Simple objects that recorded histories speak of: a register, and a map of texts.

Pure.  A call is a tuple of its function, what it was given and what it was answered; None stands for an answer that
nobody saw.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pytest_sessionguard.core.orders import ILLEGAL, Specification


def _register_step(state: Any, call: tuple[Any, ...]) -> Any:
    match call:
        case ("read", value):
            return state if state == value else ILLEGAL
        case ("write", value):
            return value
        case ("cas", old, new, None):
            return new if state == old else state
        case ("cas", old, new, swapped):
            if swapped != (state == old):
                return ILLEGAL
            return new if swapped else state
    raise ValueError(f"a register knows read, write and cas, not {call[0]!r}")


def _register_feeds(call: tuple[Any, ...], other: tuple[Any, ...]) -> bool:
    """Say whether a call may leave the value that the other must find, or another than it must not find."""
    if call[0] == "write":
        left = call[1]
    elif call[0] == "cas" and call[3] is not False:
        left = call[2]
    else:
        return False
    return bool((left == other[1]) != (other[0] == "cas" and other[3] is False))


REGISTER: Final = Specification(
    name="register",
    initial=None,
    step=_register_step,
    looks=lambda call: call[0] == "read",
    near=lambda state, call: False,
    feeds=_register_feeds,
)
"""One value, at first None.

Shape of a call: ("read", value), ("write", value), ("cas", old, new, whether it swapped or None).
"""


def _text_step(state: str, call: tuple[str, str]) -> Any:
    match call:
        case ("get", text):
            return state if state == text else ILLEGAL
        case ("put", text):
            return text
        case ("append", text):
            return state + text
    raise ValueError(f"a key-value store knows get, put and append, not {call[0]!r}")


TEXT: Final = Specification(
    name="text",
    initial="",
    step=_text_step,
    looks=lambda call: call[0] == "get",
    # Appends only make a text longer: one that is no beginning of the text that was read never becomes it.
    near=lambda state, call: call[1].startswith(state),
    feeds=lambda call, other: call[0] == "put" and other[1].startswith(call[1]),
)
"""One key of a map of texts, at first empty.

Shape of a call: ("get", text), ("put", text), ("append", text).
"""

SPECIFICATIONS: Final[Mapping[str, Specification]] = {"register": REGISTER, "key-value": TEXT}
"""What `sessionguard judge --model` knows; a key-value history is judged key by key."""
