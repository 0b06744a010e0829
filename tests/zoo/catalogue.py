"""What is in the zoo: correct managers, bugs that stories find, bugs planted by hand, and mutants made by rule.

Everything has a stable name and a profile that a command line can be given; what is made from a correct manager is
written into a folder first.  The properties of a bug are those that it may rightly be blamed on.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from zoo import variants
from zoo.broken import catalogue as stories
from zoo.mutants import MUTANTS
from zoo.mutation import mutated
from zoo.planted import PLANTED, stores, tasks, threads
from zoo.variants import CORRECT, ZOO, source_of

# Correct managers by what they are like.
STYLES: Final = {
    "asyncio daemon": ("async_rooms", "mcp_sessions", "timer_rooms", "quota_async", "cached_profiles"),
    "agent or protocol sessions": ("agent_runs", "moving_agent", "chat_cache", "keyed_desk", "cas_notes"),
    "web sessions": ("web_store", "user_logins", "locked_web", "cookie_sessions", "live_tabs"),
    "threads and locks": ("owned_leases", "striped_carts", "alias_leases", "gauge_board", "lru_carts"),
    "file store": ("file_folder",),
    "SQLite store": ("sqlite_shelf", "sql_desk", "sql_async"),
    "background cleaner thread": ("swept_cache",),
    "plain objects and functions": (
        "plain_functions", "reply_server", "ttl_cache", "strict_vault", "marked_desk", "stale_registry",
        "whole_seconds",
    ),
}  # fmt: skip

HAND_MADE: Final = (stores, tasks, threads)


@dataclass(frozen=True)
class Entry:
    """One manager of the zoo.

    Attributes:
        kind: "correct", "story" (a bug that a shipped story finds), "planted" or "mutant".
        base: the correct manager that it is, or is made from; or a shipped profile.
        properties: those that it may rightly be blamed on; none for a correct one.
    """

    name: str
    kind: str
    base: str
    properties: frozenset[str]
    difficulty: str
    about: str

    def profile(self, folder: Path) -> Path:
        """Return the path of its profile; what has to be made for it is written into the folder."""
        if self.kind == "correct":
            if self.name in variants.FOR_SEARCH:
                return variants.write(f"correct_{self.name}", self.name, source_of(self.name), folder)
            return CORRECT / f"{self.name}.sessionguard.toml"
        if self.kind == "story":
            return _story_profile(self, folder)
        source = source_of(self.base)
        made = PLANTED[self.name].applied(source) if self.kind == "planted" else mutated(self.name, source)
        return variants.write(self.name, self.base, made, folder)


def _story_profile(entry: Entry, folder: Path) -> Path:
    """Write the profile of the original with another factory."""
    name = entry.name.partition(":")[2]
    module = importlib.import_module(f"zoo.broken.{name}")
    (broken,) = [one for _, one in inspect.getmembers(module, inspect.isclass) if one.__module__ == module.__name__]
    shipped = entry.base.startswith("reference-")
    original = stories.SHIPPED / f"{entry.base}.sessionguard.toml"
    told = (original if shipped else CORRECT / original.name).read_text(encoding="utf-8")
    (factory,) = [line for line in told.splitlines() if line.startswith("factory = ")]
    path = f'path = ["{ZOO.parent}"]'
    told = told.replace(factory, f'factory = "{module.__name__}:{broken.__name__}"' + (f"\n{path}" if shipped else ""))
    written = folder / f"story_{name}.sessionguard.toml"
    written.parent.mkdir(parents=True, exist_ok=True)
    written.write_text(told.replace('path = ["../.."]', path), encoding="utf-8")
    return written


def correct() -> Iterator[Entry]:
    """Give the correct managers."""
    for style, names in STYLES.items():
        for name in names:
            yield Entry(name, "correct", name, frozenset(), "", style)


def bugs() -> Iterator[Entry]:
    """Give all bugs: those that stories find, those planted by hand, and the mutants that are no equals."""
    for story in stories.BUGS:
        name, about = f"{story.original}:{story.file}", f"Found by the story: {story.story}."
        yield Entry(name, "story", story.original, frozenset({story.property}), "easy", about)
    for planted in PLANTED.values():
        yield Entry(planted.name, "planted", planted.base, planted.properties, planted.difficulty, planted.about)
    for mutant in MUTANTS.values():
        yield Entry(mutant.name, "mutant", mutant.base, mutant.properties, mutant.difficulty, mutant.about)


def everything() -> dict[str, Entry]:
    """Return all that is in the zoo, by name."""
    entries = [*correct(), *bugs()]
    named = {entry.name: entry for entry in entries}
    assert len(named) == len(entries)
    return named


def matching(parts: Sequence[str], kinds: Sequence[str]) -> list[Entry]:
    """Return those whose name has one of the parts, and whose kind is one of the kinds; where there are none, all."""
    return [
        entry
        for entry in everything().values()
        if (not parts or any(part in entry.name for part in parts)) and (not kinds or entry.kind in kinds)
    ]
