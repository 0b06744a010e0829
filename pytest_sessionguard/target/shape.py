"""What a profile says, as values.

Pure.  Whoever reads a profile makes these; whoever drives a manager needs nothing else.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from pytest_sessionguard.core.policy import Policy
from pytest_sessionguard.core.values import EMPTY, FrozenMap, freeze, thaw
from pytest_sessionguard.target.placeholders import names_in
from pytest_sessionguard.target.templates import Argument, Template


@dataclass(frozen=True, slots=True, kw_only=True)
class Hook:
    """A callable that the harness supplies to the factory.

    Attributes:
        role: `open`, `commit` (before a change takes effect), `close`, or any other name.
        arguments: what the manager calls it with, in this order.
        asynchronous: whether the manager awaits it.
        result: what the manager expects back.
    """

    text: str
    role: str
    arguments: tuple[Argument, ...] = ()
    asynchronous: bool = False
    result: str = "nothing"


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionShape:
    """Where a session object keeps what the harness looks at.

    Attributes:
        id, data, version, status, owner: an attribute, a key, a dotted path, or "." (the object itself); None: nowhere.
        data_type: "dict", "flat" (text to text), "str", "bytes", "list", or `module:function` (makes one from a dict).
        data_values: "json", "any" or "token" (plain words): what values are drawn.
        data_empty: whether data may be empty.
        expired_status: what `status` says of a session that has expired.
    """

    id: str | None = None
    data: str | None = None
    version: str | None = None
    status: str | None = None
    owner: str | None = None
    data_type: str = "dict"
    data_values: str = "json"
    data_empty: bool = True
    expired_status: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckSettings:
    """How a search is bounded.

    Units: `budget_us` microseconds.
    Shape: `allow` a property or fault that may stay unproven -> the reason ("" where none is written).
    """

    allow: FrozenMap = EMPTY
    budget_us: int | None = None
    cases: int | None = None
    seed: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """The manager under test: how it is made, how it is called, what it promises.

    Units: `granularity_us` microseconds: so much either side of a deadline is not judged.
    Shape: `args` parameter -> raw value, placeholders not yet filled in; `hooks` parameter -> Hook;
        `operations` verb -> tuple of Templates, steps in a row, the last of which answers; `errors` kind -> tuple of
        class names; `answers` kind or "never" -> tuple of frozen values; `metrics` name -> path in the answer;
        `health` state -> what health answers; `probes` name -> where a number is read.
    Attributes:
        name: what reports call it: the file's stem, the shipped name, or `module:attribute`.
        path: the file it was read from; None: there is none.
        folder: what its relative paths are relative to.
        factory: `module:attribute`, or the callable itself.
        paths: folders put on sys.path, absolute.
        background: what the harness runs beside the clients.
        reset: `module:function`, or the callable itself, called before each case.
        endpoint: `host:port` of the backend, `module:function` that gives it, or the callable itself.
        warnings: what its user should know; nothing that stops a run.
        places: (verb, index) -> the place of every character of that template, for later messages; source: its file.
    """

    name: str
    factory: str | Any
    path: Path | None = None
    folder: Path = field(default_factory=Path.cwd)
    paths: tuple[str, ...] = ()
    args: FrozenMap = EMPTY
    callers: str = "one"
    hooks: FrozenMap = EMPTY
    hooks_may_call_back: bool = False
    background: Template | None = None
    isolation: str = "none"
    instances: int = 1
    instances_share: bool = True
    time: str = "virtual"
    timeout_unit: str = "s"
    granularity_us: int = 0
    reset: str | Any | None = None
    endpoint: str | Any | None = None
    operations: FrozenMap = EMPTY
    session: SessionShape = field(default_factory=SessionShape)
    errors: FrozenMap = EMPTY
    answers: FrozenMap = EMPTY
    metrics: FrozenMap = EMPTY
    health: FrozenMap = EMPTY
    probes: FrozenMap = EMPTY
    check: CheckSettings = field(default_factory=CheckSettings)
    policy: Policy = field(default_factory=Policy)
    warnings: tuple[str, ...] = ()
    places: FrozenMap = field(default=EMPTY, repr=False, compare=False)
    source: str = field(default="", repr=False, compare=False)

    @classmethod
    def of(cls, tables: Mapping[str, Any], *, name: str = "profile", folder: Path | None = None) -> Profile:
        """Return the profile that the tables say, as a TOML file would: `{"manager": {...}, "operations": {...}}`.

        Raises:
            UsageError: every fault, named by its key.
        """
        # Here, not above: the reader makes Profiles, so it imports this file.
        from pytest_sessionguard.target.reading import read_tables

        return read_tables(tables, name=name, folder=folder)

    @property
    def placeholders(self) -> frozenset[str]:
        """The placeholders that `args` and the templates' literals hand over: figures that may be chosen for a case."""
        # Frozen here: arguments may be tables and lists, which nobody can look up by.
        return _placeholders(freeze(dict(self.args)), self.operations)


@lru_cache(maxsize=64)
def _placeholders(args: Hashable, operations: FrozenMap) -> frozenset[str]:
    literals: list[Hashable] = [
        argument.literal
        for templates in operations.values()
        for template in templates
        for argument in template.handed_over
    ]
    return frozenset(names_in(thaw(args)) + names_in(literals))
