"""Whether a template makes sense for its operation: what it may hand over, and what its answer may be.

Pure.  Only what is certainly wrong is refused: a sweep has no id to hand over, a count is no session.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from pytest_sessionguard.core.operations import RESULTS, VERBS
from pytest_sessionguard.errors import did_you_mean
from pytest_sessionguard.target.templates import MANAGER, SESSION, Template, TemplateError

# What the harness knows of any session that it addresses, whether the operation is about it or not.
_KNOWN_OF_A_SESSION: Final = frozenset({"id", "owner", "data", "version", "timeout", SESSION, MANAGER})

_ONE_SESSION: Final = frozenset(RESULTS) - {"versions", "ids", "metrics"}
_YES_OR_NO: Final = frozenset({"found", "flag", "status", "session", "id", "data", "value", "count", "nothing"})
_LOOKING: Final = frozenset({"session", "data", "version", "status", "value", "found", "flag", "id", "nothing"})

RESULTS_OF: Final[Mapping[str, frozenset[str]]] = {
    **dict.fromkeys(VERBS, _ONE_SESSION),
    "create": _ONE_SESSION - {"count", "seconds"},
    "get": _LOOKING,
    "exists": _YES_OR_NO,
    "ttl": frozenset({"seconds", "nothing"}),
    "list": frozenset({"ids", "nothing"}),
    "count": frozenset({"count", "nothing"}),
    "sweep": frozenset({"count", "ids", "flag", "found", "status", "nothing"}),
    "clear": frozenset({"count", "ids", "flag", "found", "status", "nothing"}),
    "metrics": frozenset({"metrics", "nothing"}),
    "history": frozenset({"versions", "nothing"}),
    "is_expired": frozenset({"flag", "found", "status", "session", "nothing"}),
    "health": frozenset({"status", "flag", "found", "value", "metrics", "nothing"}),
    **dict.fromkeys(("start", "stop", "close"), frozenset({"nothing", "flag", "found", "count", "status", "value"})),
    **dict.fromkeys(("checkpoint", "recover"), frozenset(RESULTS) - {"metrics"}),
}

# Operations that ask: one that answers nothing is judged by its errors alone.
ASKING: Final = frozenset({"get", "exists", "ttl", "list", "count", "metrics", "history", "is_expired", "health"})


def handed_over(verb: str, *, session_bound: bool) -> frozenset[str]:
    """Return the names that a template of the operation may hand over.

    Attributes:
        session_bound: an earlier template of the same operation gave a session.
    """
    described = VERBS[verb]
    names = frozenset(described.arguments) | {MANAGER}
    if described.addresses == "session":
        names |= _KNOWN_OF_A_SESSION
        if described.changes and verb != "delete":
            names |= {"mutate"}
    if session_bound:
        names |= _KNOWN_OF_A_SESSION
    return names


def misfits(verb: str, template: Template, *, session_bound: bool, last: bool) -> Iterator[TemplateError]:
    """Yield what certainly does not fit the operation."""
    names = handed_over(verb, session_bound=session_bound)
    for argument in template.handed_over:
        if argument.name is not None and argument.name not in names:
            yield TemplateError(
                f"{verb} has no `{argument.name}` to hand over{did_you_mean(argument.name, names)}", argument.column
            )
    if template.root == SESSION and SESSION not in names:
        yield TemplateError(
            f"{verb} addresses no session: expected a method of the manager, or a step before it that gives a session",
            1,
        )
    if last and template.result not in RESULTS_OF[verb]:
        fitting = sorted(RESULTS_OF[verb])
        yield TemplateError(
            f"{verb} cannot answer {template.result!r}; expected one of: {', '.join(fitting)}", template.result_column
        )
