"""What has a name at one point of a story: variables, sessions and resources, in the order of the file.

Names may hold variables (`s$i`).  Where all values of those are known the names are counted out; where they are not (a
counter up to the policy's limit) the name stands for all that it could become.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from pytest_sessionguard.core import scenario as scenarios
from pytest_sessionguard.core.policy import KEYS
from pytest_sessionguard.core.scenario import FIGURES, Template, Text, Variable

NAME: Final = re.compile(r"[A-Za-z_][\w.-]*", re.ASCII)
IDENTIFIER: Final = re.compile(r"[A-Za-z_]\w*", re.ASCII)

COMBINATIONS_MAX: Final = 1000
VARIABLES_IN_NAME_MAX: Final = 3
COUNTED_OUT_MAX: Final = 200

_OPEN: Final = r"[\w.-]+"


@dataclass(frozen=True, slots=True)
class Domain:
    """What is known of a variable before the run.

    Attributes:
        source: "matrix", "counter", "figure" or "capture".
        values: all its values, or samples of them.
        whole: whether `values` are all.
    """

    source: str
    values: tuple[Any, ...] = ()
    whole: bool = False


def figures() -> dict[str, Domain]:
    """Return the variables that every policy gives."""
    return {name: Domain("figure", ("1s",) if KEYS[name].takes == "duration" else (1,)) for name in FIGURES}


def counter(times: object) -> Domain:
    """Return the variable of a repeat that runs so many times; `times` may be open."""
    if isinstance(times, int) and times <= COUNTED_OUT_MAX:
        return Domain("counter", tuple(range(1, times + 1)), whole=True)
    return Domain("counter", (1,))


@dataclass(slots=True)
class Names:
    """Names given so far: exact ones, and patterns for those that hold an open variable."""

    exact: set[str] = field(default_factory=set)
    patterns: set[str] = field(default_factory=set)

    def add(self, other: Names) -> None:
        """Take over all names of `other`."""
        self.exact |= other.exact
        self.patterns |= other.patterns

    def lacks(self, used: Names) -> str:
        """Return a name of `used` that was never given, or nothing."""
        for name in sorted(used.exact - self.exact):
            if not any(re.fullmatch(pattern, name) for pattern in self.patterns):
                return name
        for pattern in sorted(used.patterns - self.patterns):
            if not any(re.fullmatch(pattern, name) for name in self.exact):
                return "that"
        return ""

    def copy(self) -> Names:
        """Return these names, to be added to apart."""
        return Names(set(self.exact), set(self.patterns))


@dataclass(slots=True)
class Scope:
    """All that has a name so far."""

    variables: dict[str, Domain] = field(default_factory=figures)
    sessions: Names = field(default_factory=Names)
    resources: Names = field(default_factory=Names)

    def fork(self) -> Scope:
        """Return a scope for one branch: it knows what this one knows and adds to it apart."""
        return Scope(dict(self.variables), self.sessions.copy(), self.resources.copy())

    def join(self, branch: Scope) -> None:
        """Take over what a branch has named, once it is over."""
        self.variables = {**branch.variables, **self.variables}
        self.sessions.add(branch.sessions)
        self.resources.add(branch.resources)

    def combinations(self, value: Any) -> Iterable[Mapping[str, Any]]:
        """Give assignments of known values to the variables in `value`, none where one of them is a capture's."""
        names = tuple(dict.fromkeys(scenarios.variables_of(value)))
        choices = [self.variables[name].values for name in names]
        products = itertools.islice(itertools.product(*choices), COMBINATIONS_MAX)
        return (dict(zip(names, chosen, strict=True)) for chosen in products)

    def expand(self, template: str | Template) -> Names:
        """Return all names that the template may become."""
        if isinstance(template, str):
            return Names({template})
        names = set(scenarios.variables_of(template))
        total = 1
        for name in names:
            total *= len(self.variables[name].values)
        if total <= COMBINATIONS_MAX and all(self.variables[name].whole for name in names):
            return Names({str(scenarios.substitute(template, chosen)) for chosen in self.combinations(template)})
        parts = template.parts if isinstance(template, Text) else (template,)
        pattern = "".join(_OPEN if isinstance(part, Variable) else re.escape(part) for part in parts)
        return Names(patterns={pattern})
