"""Functions on a dict of dicts: no class anywhere, and no more than one caller.

A time to live of 0 means "for ever", None means "the usual one"; whoever makes what is there is told so by False.
"""

from __future__ import annotations

import copy
import time
from typing import Any

Shelf = dict[str, Any]


def new_shelf(usual_s: float, room: int) -> Shelf:
    """Return a shelf with nothing on it."""
    return {"usual_s": usual_s, "room": room, "items": {}}


def item(shelf: Shelf, name: str) -> dict[str, Any] | None:
    """Return what is there under a name and not over; what is over goes away by being looked at."""
    found: dict[str, Any] | None = shelf["items"].get(name)
    if found is not None and found["span_s"] and time.monotonic() - found["used"] > found["span_s"]:
        del shelf["items"][name]
        return None
    return found


def names(shelf: Shelf) -> list[str]:
    """Return the names of all items that live."""
    return [name for name in tuple(shelf["items"]) if item(shelf, name) is not None]


def make(shelf: Shelf, name: str, data: dict[str, Any], span_s: float | None = None) -> bool:
    """Put something there; False where there is something, or no room."""
    if item(shelf, name) is not None or len(names(shelf)) >= shelf["room"]:
        return False
    span_s = shelf["usual_s"] if span_s is None else span_s
    shelf["items"][name] = {"data": copy.deepcopy(data), "span_s": span_s, "used": time.monotonic()}
    return True


def data_of(shelf: Shelf, name: str) -> dict[str, Any]:
    """Return the data; none where there is no such item."""
    found = item(shelf, name)
    return copy.deepcopy(found["data"]) if found is not None else {}


def keep(shelf: Shelf, name: str) -> bool:
    """Renew an item; False when there is none."""
    found = item(shelf, name)
    if found is None:
        return False
    found["used"] = time.monotonic()
    return True


def change(shelf: Shelf, name: str, data: dict[str, Any]) -> bool:
    """Replace the data of an item; False when there is none."""
    found = item(shelf, name)
    if found is None:
        return False
    found["data"] = copy.deepcopy(data)
    found["used"] = time.monotonic()
    return True


def left_s(shelf: Shelf, name: str) -> float | None:
    """Return how long an item has to live: -1 for ever, None where there is none."""
    found = item(shelf, name)
    if found is None:
        return None
    return found["span_s"] - (time.monotonic() - found["used"]) if found["span_s"] else -1


def drop(shelf: Shelf, name: str) -> bool:
    """Take an item away; False when there was none."""
    return item(shelf, name) is not None and shelf["items"].pop(name) is not None
