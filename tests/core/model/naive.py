"""A second, naive reading of what a session manager of a given policy does.

A manager that keeps plain dicts and obeys its policy.  Wherever the policy leaves it a choice, it asks: a chooser that
draws makes one history of a correct manager; a chooser that goes through all the answers makes every one.
Written from the words of the policy alone, for instants in whole ticks; it shares nothing with the model but the names
of operations and answers.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from pytest_sessionguard.core.operations import Answer, Ok, Operation, Outcome, Refused
from pytest_sessionguard.core.policy import Policy
from pytest_sessionguard.core.values import EMPTY, UNSET, FrozenMap

Choose = Callable[[list[Any]], Any]

NEVER_MAKES = {"exists", "ttl", "delete", "expire", "is_expired", "history", "pop", "disconnect"}


class Refusal(Exception):
    def __init__(self, kind: str) -> None:
        self.kind = kind


class Nothing(Exception):
    def __init__(self, word: str) -> None:
        self.word = word


@dataclass
class Shape:
    """How much its templates tell."""

    tells_id: bool = False
    tells_version: bool = False
    tells_found: bool = True
    tells_status: bool = False


class NaiveManager:
    """A correct manager, as far as its chooser lets it be any of the correct ones."""

    def __init__(self, policy: Policy, shape: Shape | None = None, *, way: str = "shown", step_us: int = 1) -> None:
        self.policy = policy
        self.shape = shape or Shape()
        self.way = way
        self.exact_us = step_us
        self.shown_us = self.passed_us = self.latest_us = self.mono_us = 0
        self.sessions: dict[Any, dict[str, Any]] = {}  # those that are stored
        self.ended: dict[Any, str] = {}  # why others are not: "expired" or "ended"
        self.same: dict[Any, Any] = {}  # another id of a session -> the id under which it is stored
        self.heirs: dict[Any, Any] = {}
        self.issued = 0
        self.serial = 0
        self.closed = False
        self.choose: Choose = lambda options: options[0]

    # -- time

    def advance(self, span_us: int) -> None:
        self.shown_us += span_us
        self.passed_us += span_us
        self.mono_us += span_us
        self.latest_us = max(self.latest_us, self.shown_us)

    def set_clock(self, shift_us: int) -> None:
        """Set the wall clock; what has expired by then stays so."""
        for one in self.sessions.values():
            one["dead"] = self.is_dead(one)
        self.shown_us += shift_us
        if shift_us > 0:
            self.passed_us += shift_us
        self.latest_us = max(self.latest_us, self.shown_us)

    def now(self) -> int:
        if self.policy.clock == "monotonic":
            return self.mono_us
        return {"shown": self.shown_us, "passed": self.passed_us, "latest": self.latest_us}[self.way]

    def deadlines(self, one: dict[str, Any]) -> Iterator[tuple[int, int]]:
        idle, absolute, own = self.policy.idle_timeout, self.policy.absolute_timeout, one["timeout"]
        if own != "default":
            if idle is None and absolute is not None:
                absolute = own
            else:
                idle = own
        if idle is not None:
            yield one["active"], idle
        if absolute is not None:
            yield one["created"], absolute

    def is_dead(self, one: dict[str, Any]) -> bool:
        if one["dead"]:
            return True
        for since, timeout in self.deadlines(one):
            spent, unit = self.now() - since, self.policy.granularity_us
            over = spent >= timeout if self.policy.at_timeout == "expired" else spent > timeout
            blurred = spent == timeout and (since % self.exact_us or timeout % self.exact_us)
            if (unit and abs(spent - timeout) <= unit) or blurred:
                over = self.choose([False, True])
            if over:
                one["dead"] = True
        return bool(one["dead"])

    # -- storing

    def drop_some(self) -> None:
        """Any access may drop what has expired, unless it has promised to replace it."""
        if "replacement" in self.policy.written:
            return
        for key in sorted(self.sessions):
            if self.is_dead(self.sessions[key]) and self.choose([False, True]):
                self.end(key, "expired")

    def end(self, key: Any, why: str) -> None:
        del self.sessions[key]
        self.ended[key] = why

    def find(self, asked: Any) -> Any:
        return self.same.get(asked, asked)

    def fresh(self) -> str:
        self.issued += 1
        return f"n{self.issued}"

    def store(self, key: Any, *, owner: Any = UNSET, data: Any = EMPTY, timeout: Any = "default") -> None:
        now = self.now()
        self.sessions[key] = {
            "owner": owner, "data": data, "created": now, "active": now, "timeout": timeout, "dead": False,
            "version": self.next_version(), "by_hand": False,
        }  # fmt: skip
        self.ended.pop(key, None)
        self.same.pop(key, None)

    def next_version(self) -> int:
        self.serial += 1
        return self.serial

    def make_room(self, owner: Any) -> None:
        """Refuse one session more, or put one out, where the limit is reached."""
        policy = self.policy
        if policy.limit is None:
            return
        counted = []
        for key in sorted(self.sessions):
            one = self.sessions[key]
            if policy.limit_scope == "owner" and (one["owner"] or None) != (owner or None):
                continue
            if self.is_dead(one) and policy.limit_counts == "live":
                continue
            counted.append(key)
        if len(counted) < policy.limit:
            return
        if policy.at_limit == "false":
            raise Nothing(self.choose(["false", "none"]))
        if policy.at_limit == "error" or policy.limit == 0:
            raise Refusal("limit")
        ranks = {key: self.rank(self.sessions[key]) for key in counted}
        first = min(ranks.values())
        self.end(self.choose([key for key in counted if ranks[key] == first]), "ended")

    def rank(self, one: dict[str, Any]) -> float:
        match self.policy.at_limit:
            case "evict-oldest":
                return float(one["created"])
            case "evict-idle":
                return float(one["active"])
            case "evict-soonest":
                return min((since + timeout for since, timeout in self.deadlines(one)), default=float("inf"))
        return 0.0

    # -- asking

    def ask(self, operation: Operation, choose: Choose) -> Outcome:
        """Do one operation at this instant."""
        self.choose = choose
        try:
            if operation.verb != "sweep":
                self.drop_some()
            answer = self.perform(operation)
        except Refusal as refusal:
            return Refused(frozenset({refusal.kind}))
        except Nothing as nothing:
            return self.nothing(nothing.word, operation.verb)
        finally:
            self.drop_some()
        return Ok(answer)

    def nothing(self, word: str, verb: str) -> Outcome:
        if self.shape.tells_found and verb in {"touch", "delete", "expire", "exists"}:
            return Ok(Answer(found=False))
        if word == "empty" and verb in {"get", "update", "save", "put", "pop"}:
            return Ok(Answer(data=EMPTY))
        return Ok(Answer(absent=word))

    def perform(self, operation: Operation) -> Answer:
        verb = operation.verb
        if verb == "create" and self.is_invalid(operation):
            raise Refusal("invalid")
        if verb == "create":
            return self.create(operation)
        if verb in {"list", "count", "sweep", "clear"}:
            return getattr(self, f"{verb}_all")(operation)  # type: ignore[no-any-return]  # by name
        key = self.find(operation.id)
        one = self.sessions.get(key)
        if one is None:
            if verb == "use" and key in self.heirs and self.ended.get(key) != "ended":
                return self.replace(key, None)
            return self.missing(operation, was_expired=self.ended.get(key) == "expired")
        if self.is_dead(one):
            return self.on_dead(operation, key, one)
        return self.on_live(operation, key, one)

    # -- a session that lives

    def on_live(self, operation: Operation, key: Any, one: dict[str, Any], *, renewing: bool = True) -> Answer:
        verb, policy = operation.verb, self.policy
        before = one["data"]
        if operation.version is not UNSET and operation.version != one["version"]:
            if verb in policy.refused_activity and renewing:
                one["active"] = self.now()
            raise Refusal("conflict")
        if verb == "touch" and self.is_invalid(operation):
            raise Refusal("invalid")
        told: dict[str, Any] = {}
        match verb:
            case "update":
                one["data"] = operation.changes if policy.update == "replace" else before.merged(operation.changes)
            case "save":
                one["data"] = operation.data
            case "put":
                one["data"] = before.merged({operation.key: operation.value})
            case "delete":
                self.end(key, "ended")
            case "pop":
                self.end(key, "ended")
                told["data"] = before
            case "touch" if operation.timeout_us is not UNSET:
                self.give_timeout(one, operation.timeout_us)
            case "rotate":
                return self.rotate(operation, key, one)
            case "use":
                told["id"] = key
            case "exists":
                told["found"] = True
            case "ttl":
                left = min((since + timeout - self.now() for since, timeout in self.deadlines(one)), default=None)
                told["seconds_us"] = left
        if verb in policy.activity and renewing:
            one["active"] = self.now()
        if one["data"] != before:
            one["version"] = self.next_version()
        if verb in {"get", "update", "save", "put"}:
            told["data"] = one["data"]
            if self.shape.tells_status:
                told["status"] = "active"
            if self.shape.tells_id:
                told["id"] = key
            if self.shape.tells_version:
                told["version"] = one["version"]
        if verb in {"touch", "delete"} and self.shape.tells_found:
            told["found"] = True
        return Answer(**told)

    def give_timeout(self, one: dict[str, Any], asked: Any) -> None:
        if asked is None or asked == 0:
            match self.policy.none_timeout if asked is None else self.policy.zero_timeout:
                case "expired":
                    one["dead"] = True
                case "never":
                    one["timeout"] = None
                case "default":
                    one["timeout"] = "default"
        else:
            one["timeout"] = asked

    def rotate(self, operation: Operation, key: Any, one: dict[str, Any]) -> Answer:
        new = self.fresh()
        moved = dict(one)
        if "rotate" in self.policy.activity or self.choose([False, True]):
            moved["active"] = self.now()
        if self.choose([False, True]):
            moved["created"] = self.now()
        match self.policy.old_id:
            case "alive":
                del self.sessions[key]
                self.same[key] = new
                self.same.update({name: new for name, stored in self.same.items() if stored == key})
            case "dead":
                self.end(key, "ended")
        self.sessions[new] = moved
        return Answer(id=new)

    # -- a session that has expired and is stored

    def on_dead(self, operation: Operation, key: Any, one: dict[str, Any]) -> Answer:
        verb, policy = operation.verb, self.policy
        word = policy.of("expired", verb)
        if verb == "use":
            return self.replace(key, one)
        if self.choose([False, True]):
            raise Refusal("expired")
        if word == "marked":
            if verb == "get":
                return Answer(data=one["data"], status=policy.expired_status)
            if verb == "delete" and self.choose([True, False]):
                self.end(key, "ended")
                return Answer(found=self.choose([True, False])) if self.shape.tells_found else Answer()
            if self.choose([True, False]):
                raise Refusal("missing")
            raise Nothing(self.choose(["none", "false", "empty"]))
        if word == "stale":
            if verb == "delete":
                self.end(key, "ended")
                return Answer(found=self.choose([True, False])) if self.shape.tells_found else Answer()
            revives = policy.revivable and verb in policy.activity
            if revives:
                one["dead"] = False
            return self.on_live(operation, key, one, renewing=revives)
        if verb == "delete" and self.choose([True, False]):
            self.end(key, "expired")
        return self.missing(operation, was_expired=True)

    def replace(self, key: Any, one: dict[str, Any] | None) -> Answer:
        """Give the replacement of an expired session: always the same while that lives."""
        heir = self.find(self.heirs.get(key))
        if heir in self.sessions and not self.is_dead(self.sessions[heir]):
            if "use" in self.policy.activity:
                self.sessions[heir]["active"] = self.now()
            return Answer(id=heir)
        owner = UNSET if one is None else one["owner"]
        self.make_room(owner)
        new = self.fresh()
        own = "default" if one is None else one["timeout"]
        inherits = own != "default" and self.choose([False, True])
        self.store(new, owner=owner, timeout=own if inherits else "default")
        self.heirs[key] = new
        if key in self.sessions and self.policy.replacement == "moves":
            self.end(key, "expired")
        return Answer(id=new)

    # -- a session that is not there

    def missing(self, operation: Operation, *, was_expired: bool) -> Answer:
        verb, policy = operation.verb, self.policy
        if was_expired and self.choose([False, True]):
            raise Refusal("expired")
        word = policy.of("missing", verb)
        if word == "error":
            may_say_false = verb in {"touch", "delete", "exists"} and not policy.named_for("missing", verb)
            if may_say_false and self.shape.tells_found and self.choose([False, True]):
                raise Nothing("false")
            raise Refusal("missing")
        if word in ("none", "false", "empty"):
            raise Nothing(word)
        if verb in NEVER_MAKES:
            raise Nothing(self.choose(["none", "false", "empty"]))
        self.make_room(UNSET)
        key = self.find(operation.id) if word == "creates" else self.fresh()
        if key in self.sessions:
            self.end(key, "expired")
        data: Any = EMPTY
        if operation.changes is not UNSET:
            data = operation.changes
        elif operation.data is not UNSET:
            data = operation.data
        elif verb == "put":
            data = FrozenMap({operation.key: operation.value})
        elif self.first_data is not None:
            data = self.choose(self.first_data)
        self.store(key, data=data)
        told: dict[str, Any] = {"data": data} if verb in {"get", "update", "save", "put"} else {}
        if word == "new-id" or self.shape.tells_id:
            told["id"] = key
        if verb == "touch" and self.shape.tells_found:
            told["found"] = self.choose([True, False])  # It is there now; it was not before.
        return Answer(**told)

    first_data: list[Any] | None = None

    # -- making one

    def is_invalid(self, operation: Operation) -> bool:
        asked, policy = operation.timeout_us, self.policy
        return (asked is None and policy.none_timeout == "error") or (asked == 0 and policy.zero_timeout == "error")

    def create(self, operation: Operation) -> Answer:
        policy = self.policy
        key = operation.id if operation.id is not UNSET else self.fresh()
        key = self.find(key)
        one = self.sessions.get(key)
        if one is not None and not self.is_dead(one):
            if policy.existing != "return" and self.choose([False, True]):
                self.refuse_at_limit(operation.owner)
            match policy.existing:
                case "error" | "false":
                    if "create" in policy.refused_activity:
                        one["active"] = self.now()
                    if policy.existing == "error":
                        raise Refusal("exists")
                    raise Nothing(self.choose(["false", "none"]))
                case "return":
                    return self.returned(key, one, renewing="create" in policy.activity)
                case _:
                    del self.sessions[key]
        elif one is not None:
            if policy.expired_id == "taken" and self.choose([True, False]):
                if self.choose([True, False]):
                    raise Refusal("exists")
                raise Nothing(self.choose(["false", "none"]))
            if policy.existing == "return" and policy.of("expired", "create") == "stale" and self.choose([True, False]):
                if policy.revivable and "create" in policy.activity:
                    one["dead"] = False
                    return self.returned(key, one, renewing=True)
                return self.returned(key, one, renewing=False)
            if self.choose([True, False]):
                self.end(key, "expired")  # Before it looks at the limit, or only once it puts the new one there.
            self.make_room(operation.owner)
        else:
            self.make_room(operation.owner)
        data = EMPTY if operation.data is UNSET else operation.data
        self.store(key, owner=operation.owner, data=data)
        if operation.timeout_us is not UNSET:
            self.give_timeout(self.sessions[key], operation.timeout_us)
        return Answer(id=key, version=self.sessions[key]["version"] if self.shape.tells_version else UNSET)

    def refuse_at_limit(self, owner: Any) -> None:
        """Look at the limit first, and refuse by it; a manager that would put one out looks at the id first."""
        if not self.policy.at_limit.startswith("evict"):
            self.make_room(owner)

    def returned(self, key: Any, one: dict[str, Any], *, renewing: bool) -> Answer:
        if renewing:
            one["active"] = self.now()
        return Answer(id=key, data=one["data"] if self.shape.tells_id else UNSET)

    # -- all of them

    def of_owner(self, operation: Operation) -> list[Any]:
        wanted = operation.owner
        return [key for key in sorted(self.sessions) if wanted is UNSET or self.sessions[key]["owner"] == wanted]

    def shown(self, operation: Operation) -> list[Any]:
        found = []
        for key in self.of_owner(operation):
            one = self.sessions[key]
            if not self.is_dead(one):
                if operation.verb in self.policy.activity:
                    one["active"] = self.now()
                found.append(key)
                continue
            word = self.policy.of("expired", operation.verb)
            if word == "stale" or (word == "marked" and self.choose([True, False])):
                found.append(key)
        return found

    def list_all(self, operation: Operation) -> Answer:
        found = self.shown(operation)
        return Answer(ids=tuple(found), count=len(found))

    def count_all(self, operation: Operation) -> Answer:
        return Answer(count=len(self.shown(operation)))

    def sweep_all(self, operation: Operation) -> Answer:
        over = [key for key in sorted(self.sessions) if self.is_dead(self.sessions[key])]
        if operation.n is not UNSET:
            over = over[: max(operation.n, 0)]
        for key in over:
            self.end(key, "expired")
        return Answer(count=len(over))

    def clear_all(self, operation: Operation) -> Answer:
        found = self.of_owner(operation)
        living = [key for key in found if not self.is_dead(self.sessions[key])]
        counted = found if self.choose([True, False]) else living
        for key in found:
            self.end(key, "ended")
        return Answer(count=len(counted))

    # -- as a value

    def twin(self) -> NaiveManager:
        """Return a copy that goes its own way."""
        other = copy.copy(self)
        other.sessions = {key: dict(one) for key, one in self.sessions.items()}
        other.ended, other.same, other.heirs = dict(self.ended), dict(self.same), dict(self.heirs)
        return other

    def frozen(self) -> Any:
        """Return everything that matters from now on, to tell worlds apart."""
        stored = tuple(sorted((key, tuple(sorted(one.items()))) for key, one in self.sessions.items()))
        return (stored, tuple(sorted(self.ended.items())), tuple(sorted(self.heirs.items())), self.issued)
