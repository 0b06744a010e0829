"""The `commit` hooks that fail: such a hook is called before a change takes effect, and where it fails none may.

An operation whose `commit` hook has failed and that says it was done has hidden that; one that has failed, and whose
change is seen afterwards all the same, was done without leave.  A hook that was called again and did not fail then is
no veto, and of operations that overlap nobody says whose hook it was.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import TYPE_CHECKING, Any, Final

from pytest_sessionguard.core.history import Event, Note
from pytest_sessionguard.core.operations import Ok, Operation, Outcome, Unknown
from pytest_sessionguard.core.values import UNSET, Unset
from pytest_sessionguard.run.looking import Mismatch

if TYPE_CHECKING:
    from pytest_sessionguard.core.model import State
    from pytest_sessionguard.run.stage import Stage

COMMIT: Final = "commit"

# What changes one session and no other: of the rest nobody says which of the sessions a hook was about.
_OF_ONE: Final = frozenset({"create", "update", "save", "put", "append", "delete"})


class Vetoes:
    """The calls of `commit` hooks in one case, and the operations that had no leave."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._calls: list[tuple[Hashable | Unset, bool]] = []
        self._mixed = False
        self._vetoed = False
        self._events: list[Event] = []

    def called(self, when: str, *, failed: bool) -> None:
        """Note a call of the hook as it comes in, "before", and what became of it."""
        self._mixed |= len(self._stage.recorder.under_way()) != 1
        if when == "before":
            latest = self._stage.recorder.latest()
            self._calls.append((latest.id if isinstance(latest, Note) else UNSET, failed))
        elif failed:
            self._calls[-1] = (self._calls[-1][0], True)

    def take(self, operation: Operation, outcome: Outcome) -> bool:
        """Say whether the operation that has just answered had no leave."""
        calls, mixed = self._calls, self._mixed
        self._calls, self._mixed = [], False
        self._vetoed = not mixed and self._was_vetoed(operation, outcome, calls)
        return self._vetoed

    def _was_vetoed(self, operation: Operation, outcome: Outcome, calls: list[tuple[Hashable | Unset, bool]]) -> bool:
        if operation.verb not in _OF_ONE:
            return False
        if operation.verb == "create" and self._stage.policy.at_limit.startswith("evict"):
            return False
        own: Any = outcome.answer.id if isinstance(outcome, Ok) and operation.id is UNSET else operation.id
        if len(calls) > 1:
            calls = [call for call in calls if own is not UNSET and call[0] == own]
        return bool(calls) and calls[-1][1] and (own is UNSET or calls[-1][0] in (UNSET, own))

    def note(self, event: Event) -> None:
        """Note the operation as it stands in the record."""
        if self._vetoed and (isinstance(event.outcome, Unknown) or _says_done(event)):
            self._events.append(event)
        self._vetoed = False

    def overruled(self, states: Iterable[State]) -> tuple[Event, Mismatch] | None:
        """Return the last operation that was done without leave, with what was expected; None where none was."""
        for event in reversed(self._events):
            told = isinstance(event.outcome, Ok)
            if told:
                return event, Mismatch(expected="an error, since its commit hook has failed", given=str(event.outcome))
            if all(any(record.vetoed for record in state.records.values()) for state in states):
                expected = "no change, since its commit hook has failed"
                return event, Mismatch(expected=expected, given="the change, as later answers show")
        return None


def _says_done(event: Event) -> bool:
    return isinstance(event.outcome, Ok) and event.outcome.answer.absent is UNSET
