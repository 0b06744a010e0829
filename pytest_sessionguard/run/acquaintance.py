"""What a story's clients know: which session has which name, and what was last told of it.

From this and a step comes the operation: what the story leaves out and the manager must be given is filled in, so that
the record shows it too.
"""

from __future__ import annotations

import re
import uuid
import zlib
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import Any

from pytest_sessionguard.core.history import Event, Stamp
from pytest_sessionguard.core.operations import Ok, Operation
from pytest_sessionguard.core.policy import Policy
from pytest_sessionguard.core.quick import quick, replace
from pytest_sessionguard.core.scenario import Place, RawId, Step
from pytest_sessionguard.core.values import UNSET, FrozenMap, Unset, show
from pytest_sessionguard.errors import Fault, UsageError, did_you_mean
from pytest_sessionguard.target.abilities import must_be_given
from pytest_sessionguard.target.session_objects import conform, smallest
from pytest_sessionguard.target.shape import Profile

# Where a manager must be told how many and the story does not say.
_MANY = 1_000

# Numbers that no case counts up to.
_NEVER_ISSUED = 1_000_000_000

# Ids of so many characters may well be part of what a session holds.
_SHORT = 2

_WHERE_SESSIONS_STAND = re.compile(
    r"(?P<before>^[a-z_]+\(|\banswer of [a-z_]+\(|\bid=|^\w+ .* of )"
    r"(?P<one>'[^']*'|[^\s,()]+(?:\('[^']*'\))?)(?=[,)]|$| or )"
    r"|\bids=\[(?P<many>[^\[\]]*)\]"
)

_READS = frozenset({"get", "exists", "ttl", "is_expired", "history", "health", "list", "count", "metrics"})


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What was last told of one session."""

    owner: Any = UNSET
    data: Any = UNSET
    version: Any = UNSET
    timeout_us: int | Unset | None = UNSET


class NeverMade(Exception):
    """A story speaks of a session that the manager refused to make."""

    def __init__(self, name: str, answer: str) -> None:
        self.name = name
        self.answer = answer
        super().__init__(f"{name} was never made: {answer}")


class Acquaintance:
    """The sessions of one case, by the names of its story."""

    def __init__(self, profile: Profile, policy: Policy) -> None:
        self._profile = profile
        self._policy = policy
        self._ids: dict[str, Hashable] = {}
        self._meant: dict[str, Hashable] = {}
        self._refused: dict[str, str] = {}
        self._known: dict[Hashable, Known] = {}
        self._told: dict[Hashable, str] = {}
        self._needs: dict[str, frozenset[str]] = {}
        self.given: list[tuple[Stamp, Hashable]] = []
        self._chosen = 0

    # -- names

    def id_of(self, reference: Any, place: Place) -> Hashable:
        """Return the id that a story means.

        Raises:
            NeverMade: the manager gave no session when it was to be made.
            UsageError: no session has the name yet.
        """
        if isinstance(reference, RawId):
            return self._of_their_kind(reference.value)
        name = str(reference)
        if name in self._refused:
            raise NeverMade(name, self._refused[name])
        if name not in self._ids:
            text = f"no session is named {name!r} by now{did_you_mean(name, self._ids)}"
            raise UsageError([Fault(place.path, place.line, place.column, text)])
        return self._ids[name]

    def has_heard_of(self, reference: Any) -> bool:
        """Say whether the reference is to a session that there is, or was to be; an id written out is one."""
        return not isinstance(reference, str) or reference in self._ids or reference in self._refused

    def _of_their_kind(self, written: Hashable) -> Hashable:
        """Return an id written out as text as one of the kind that the manager gives, where that is another."""
        if not isinstance(written, str) or written in self._known:
            return written
        kinds = {type(one) for one in self._known}
        if kinds == {int}:
            return _NEVER_ISSUED + zlib.crc32(written.encode())
        if kinds == {uuid.UUID}:
            return uuid.uuid5(uuid.NAMESPACE_OID, written)
        return written.encode() if kinds == {bytes} else written

    def name(self, name: str, session_id: Hashable) -> None:
        """Let the story call the session by a name from now on."""
        self._ids[name] = session_id
        self._refused.pop(name, None)

    def never_made(self, name: str, answer: str) -> None:
        """Note that the manager gave no session for a name that no session has."""
        if name not in self._ids:
            self._refused[name] = answer

    def shown(self, text: str) -> str:
        """Return the text with ids replaced by the names that the story gave them."""
        short: dict[str, str] = {}
        unnamed = ((name, session_id) for session_id, name in self._told.items())
        for name, session_id in (*self._ids.items(), *self._meant.items(), *unnamed):
            if isinstance(session_id, str) and len(session_id) > _SHORT:
                text = text.replace(repr(session_id), name)
            else:
                short.setdefault(show(session_id), name)
        if short:
            # A short id may be a word of the data too: it is a session's only where a session stands.
            text = _WHERE_SESSIONS_STAND.sub(lambda match: _renamed(match, short), text)
        return text

    @property
    def ids(self) -> tuple[Hashable, ...]:
        """The ids of all sessions that were made, in the order in which they were."""
        return tuple(self._known)

    def data_of(self, session_id: Hashable) -> Any:
        """Return the data last told of the session, or UNSET."""
        return self._known.get(session_id, Known()).data

    # -- what is learnt

    def learn(self, event: Event) -> None:
        """Remember what an answer tells."""
        operation, outcome = event.operation, event.outcome
        if not isinstance(outcome, Ok):
            return
        answer = outcome.answer
        if answer.id is not UNSET and answer.id not in self._told:
            self._told[answer.id] = f"<id {len(self._told) + 1}>"
        absent = answer.absent in ("none", "false") or answer.found is False or answer.flag is False
        if operation.verb == "create":
            made = answer.id if answer.id is not UNSET else operation.id
            if made is not UNSET and not absent:
                if operation.id is UNSET:
                    self.given.append((event.returned, made))
                told = Known(owner=operation.owner, data=operation.data, timeout_us=operation.timeout_us)
                self._known[made] = _with(told, answer)
            return
        session_id = operation.id
        if session_id is UNSET:
            return
        renamed = answer.id is not UNSET and answer.id != session_id and operation.verb in ("use", "rotate", "save")
        if not absent and renamed:
            known = self._known.get(session_id, Known())
            if operation.verb == "save":
                known = replace(known, version=UNSET, data=operation.data)
            self._known[answer.id] = _with(known, answer)
            return
        if session_id in self._known and not absent:
            before = self._known[session_id]
            if operation.verb not in _READS:
                before = replace(before, version=UNSET, data=operation.data)
            self._known[session_id] = _with(before, answer)

    def version_of(self, session_id: Hashable) -> Any:
        """Return the version last told of the session, or UNSET where it may have changed since."""
        return self._known.get(session_id, Known()).version

    # -- from a step to an operation

    def operation(self, step: Step) -> Operation:
        """Return what a step asks, ids in the place of names, data in the profile's type.

        Raises:
            UsageError: a name that is no session's, or data that the profile's type cannot hold.
        """
        told = step.arguments
        given: dict[str, Any] = {name: value for name, value in told.items() if name in _SAME}
        if "session" in told:
            given["id"] = self.id_of(told["session"], step.place)
        try:
            if "data" in told:
                given["data"] = conform(told["data"], self._profile.session)
            if "set" in told:
                given["changes"] = self._changes(told["set"])
            if "value" in told and self._profile.session.data_type == "flat":
                given["value"] = next(iter(self._changes(FrozenMap({"": told["value"]})).values()))
        except ValueError as error:
            place = step.place
            raise UsageError([Fault(place.path, place.line, place.column, f"{step.verb}: {error}")]) from None
        asked = Operation(verb=step.verb, **given)
        if asked.verb == "create" and asked.id is UNSET and "id" in must_be_given(self._profile, "create"):
            asked = replace(asked, id=self._choose(str(told.get("as", "session"))))
        if asked.verb == "create" and asked.id is not UNSET and "as" in told:
            self._meant[str(told["as"])] = asked.id  # So that a create that gives no session is told by name too.
        return self.completed(asked)

    def _changes(self, changes: Any) -> FrozenMap:
        conformed = conform(changes, self._profile.session) if self._profile.session.data_type == "flat" else changes
        return conformed if isinstance(conformed, FrozenMap) else FrozenMap(dict(changes))

    def needs(self, verb: str) -> frozenset[str]:
        """Return the arguments that the manager must be given."""
        found = self._needs.get(verb)
        if found is None:
            found = self._needs[verb] = must_be_given(self._profile, verb)
        return found

    def completed(self, asked: Operation) -> Operation:
        """Return the operation with what the manager must be given and nobody has said."""
        needed = self.needs(asked.verb)
        if needed.isdisjoint(_FILLED_IN):
            return asked
        known = Known() if asked.id is UNSET else self._known.get(asked.id, Known())
        added: dict[str, Any] = {}
        if "owner" in needed and asked.owner is UNSET:
            added["owner"] = known.owner if known.owner is not UNSET else "somebody"
        if "data" in needed and asked.data is UNSET and asked.changes is UNSET:
            added["data"] = known.data if known.data is not UNSET else smallest(self._profile.session)
        if "version" in needed and asked.version is UNSET and known.version is not UNSET:
            added["version"] = known.version
        if "timeout" in needed and asked.timeout_us is UNSET:
            added["timeout_us"] = self._usual_timeout(asked, known)
        if "n" in needed and asked.n is UNSET:
            added["n"] = self._policy.history_limit or _MANY
        return replace(asked, **added) if added else asked

    def _usual_timeout(self, asked: Operation, known: Known) -> int | None:
        if asked.verb == "expire":
            return 0
        if not isinstance(known.timeout_us, Unset):
            return known.timeout_us
        return self._policy.idle_timeout if self._policy.idle_timeout is not None else self._policy.absolute_timeout

    def _choose(self, name: str) -> str:
        """Return an id for a session that its caller must name: its name in the story, if that will do.

        Raises:
            UsageError: none that fits `id_pattern` was found.
        """
        self._chosen += 1
        number = self._chosen
        taken = set(self._known)
        digest = uuid.uuid5(uuid.NAMESPACE_OID, f"{name} {number}").hex
        for one in _candidates(name, number, digest):
            if one not in taken and (
                self._policy.id_pattern is None or re.fullmatch(self._policy.id_pattern, one) is not None
            ):
                return one
        raise UsageError(
            f"{self._profile.name}: create must be given an id, and none was found that fits "
            f"id_pattern = {self._policy.id_pattern!r}: say `id` in the step"
        )


def _renamed(match: re.Match[str], names: dict[str, str]) -> str:
    """Return what stands where one session stands, or a list of them, with their names."""
    if match["many"] is None:
        return str(match["before"]) + names.get(match["one"], match["one"])
    return f"ids=[{', '.join(names.get(one, one) for one in match['many'].split(', '))}]"


# Named alike in a step and in an operation.
_SAME = frozenset({"id", "owner", "key", "value", "version", "timeout_us", "resource", "fails", "stale", "n"})

# What is filled in where nobody has said it.
_FILLED_IN = frozenset({"owner", "data", "version", "timeout", "n"})


def _with(known: Known, answer: Any) -> Known:
    told = {name: getattr(answer, name) for name in ("owner", "data", "version") if getattr(answer, name) is not UNSET}
    return replace(known, **told) if told else known


def _candidates(name: str, number: int, digest: str) -> Iterable[str]:
    yield name
    yield f"{name}-{number}"
    yield f"{name}{number}"
    yield digest
    yield str(uuid.UUID(digest))
    yield str(int(digest, 16))
    for length in (4, 8, 16, 24, 32, 40, 48, 64, 128):
        yield (digest * 4)[:length]
        yield str(number).zfill(length)
