"""The mutants of the zoo: which the operators were let make, and on which properties each may rightly be blamed.

For each correct manager four operators were drawn, the one that drops a lock always where there is one, and for each of
them one place, by a generator seeded with the manager's name (`mutation.draw`).  No mutant was chosen or left out for being found.  The
ones that are equal to their originals, as far as their profiles promise anything, are listed with the reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from pytest_sessionguard.core.properties import PROPERTIES


@dataclass(frozen=True)
class Mutant:
    """One mutant of a correct manager."""

    name: str
    properties: frozenset[str]
    difficulty: str
    about: str

    @property
    def base(self) -> str:
        """The correct manager that it is made from."""
        return self.name.partition(":")[0]


# Name, difficulty, the rooms of the properties that it breaks, what is changed.
_ROWS: Final = (
    (
        "agent_runs:negate:2",
        "easy",
        "data expiry lifecycle limit sweep",
        "line 55: `not` before `time.time() - run.used >= self.idle_s`",
    ),
    (
        "agent_runs:arithmetic:1",
        "easy",
        "concurrency data expiry lifecycle limit sweep",
        "line 55: `time.time() + run.used` for `time.time() - run.used`",
    ),
    (
        "agent_runs:drop-return:2",
        "easy",
        "lifecycle",
        "line 63: without `return run`",
    ),
    (
        "agent_runs:drop-lock:2",
        "medium",
        "concurrency",
        "line 80: without `with self.lock`",
    ),
    (
        "alias_leases:drop-guard:4",
        "medium",
        "lifecycle",
        "line 88: without `if found is None:`",
    ),
    (
        "alias_leases:boundary:1",
        "easy",
        "expiry lifecycle sweep",
        "line 44: `time.monotonic() - lease.used > lease.span_s` for `time.monotonic() - lease.used >= lease.span_s`",
    ),
    (
        "alias_leases:constant:6",
        "easy",
        "data expiry lifecycle",
        "line 82: False for True",
    ),
    (
        "alias_leases:drop-lock:1",
        "very hard",
        "concurrency lifecycle data security",
        "line 55: without `with self.lock`",
    ),
    (
        "async_rooms:constant:12",
        "medium",
        "expiry lifecycle",
        "line 111: True for False",
    ),
    (
        "async_rooms:share:2",
        "medium",
        "data",
        "line 83: `room.words` for `copy.deepcopy(room.words)`",
    ),
    (
        "async_rooms:call-other:3",
        "easy",
        "lifecycle limit resources sweep expiry",
        "line 60: `self.rooms.get` for `self.rooms.pop`",
    ),
    (
        "cached_profiles:drop-lock:4",
        "medium",
        "concurrency",
        "line 100: without `with self.locks[key]`",
    ),
    (
        "cas_notes:drop-return:6",
        "easy",
        "lifecycle data",
        "line 84: without `return None if row is None else {'name': name, 'text': copy.deepcopy(row.text), 'revision': row.revision}`",
    ),
    (
        "cas_notes:boundary:1",
        "easy",
        "expiry sweep lifecycle",
        "line 46: `time.time() - row.seen <= self.idle_s` for `time.time() - row.seen < self.idle_s`",
    ),
    (
        "cas_notes:call-other:1",
        "easy",
        "expiry lifecycle sweep",
        "line 46: `time.monotonic` for `time.time`",
    ),
    (
        "chat_cache:constant:3",
        "easy",
        "limit",
        "line 55: True for False",
    ),
    (
        "chat_cache:call-other:1",
        "easy",
        "data expiry lifecycle limit sweep",
        "line 34: `time.time` for `time.monotonic`",
    ),
    (
        "chat_cache:drop-lock:5",
        "very hard",
        "concurrency lifecycle data expiry",
        "line 75: without `with self.lock`",
    ),
    (
        "cookie_sessions:boundary:1",
        "medium",
        "expiry lifecycle",
        "line 38: `time.time_ns() // 1000 - saved_us <= self.life_us` for `time.time_ns() // 1000 - saved_us < self.life_us`",
    ),
    (
        "cookie_sessions:swap:2",
        "easy",
        "lifecycle",
        "line 36: `found: dict[str, Any] = data` before `saved_us, data = json.loads(base64.urlsafe_b64decode(body))`",
    ),
    (
        "cookie_sessions:arithmetic:1",
        "easy",
        "data expiry lifecycle",
        "line 38: `time.time_ns() // 1000 + saved_us` for `time.time_ns() // 1000 - saved_us`",
    ),
    (
        "cookie_sessions:drop-return:2",
        "easy",
        "lifecycle",
        "line 29: without `return f'{body.decode()}.{self._sign(body)}'`",
    ),
    (
        "file_folder:drop-guard:1",
        "easy",
        "lifecycle",
        "line 79: without `if found is None:`",
    ),
    (
        "file_folder:negate:1",
        "easy",
        "data expiry lifecycle",
        "line 79: `not` before `found is None`",
    ),
    (
        "file_folder:constant:5",
        "easy",
        "concurrency data expiry lifecycle",
        "line 82: False for True",
    ),
    (
        "gauge_board:constant:4",
        "easy",
        "expiry lifecycle",
        "line 86: False for True",
    ),
    (
        "gauge_board:drop-return:9",
        "easy",
        "expiry lifecycle",
        "line 99: without `return [name for name in self.gauges if self._live(name) is not None]`",
    ),
    (
        "gauge_board:drop-lock:5",
        "hard",
        "concurrency lifecycle sweep metrics",
        "line 90: without `with self.lock`",
    ),
    (
        "keyed_desk:boundary:3",
        "medium",
        "expiry lifecycle",
        "line 112: `time.monotonic() <= found[0]` for `time.monotonic() < found[0]`",
    ),
    (
        "keyed_desk:arithmetic:1",
        "medium",
        "resources cancel",
        "line 33: `turn.users -= 1` for `turn.users += 1`",
    ),
    (
        "keyed_desk:drop-return:11",
        "medium",
        "lifecycle",
        "line 120: without `return [key for key, (until, _) in self.drafts.items() if time.monotonic() < until]`",
    ),
    (
        "keyed_desk:drop-lock:1",
        "medium",
        "concurrency lifecycle data",
        "line 35: without `with turn.lock`",
    ),
    (
        "live_tabs:negate:2",
        "easy",
        "lifecycle sweep expiry",
        "line 60: `not` before `tab is not None`",
    ),
    (
        "live_tabs:swap:5",
        "easy",
        "lifecycle",
        "line 41: `over = [key for key, tab in self.tabs.items() if now - tab.used > self.idle_s]` before `now = time.time()`",
    ),
    (
        "live_tabs:call-other:3",
        "easy",
        "expiry lifecycle sweep",
        "line 61: `time.monotonic` for `time.time`",
    ),
    (
        "live_tabs:boundary:1",
        "medium",
        "expiry lifecycle",
        "line 42: `now - tab.used >= self.idle_s` for `now - tab.used > self.idle_s`",
    ),
    (
        "locked_web:drop-return:2",
        "easy",
        "lifecycle",
        "line 70: without `return self.stored[key]`",
    ),
    (
        "locked_web:drop-lock:1",
        "hard",
        "concurrency limit lifecycle",
        "line 77: without `with self.lock`",
    ),
    (
        "marked_desk:constant:2",
        "easy",
        "expiry lifecycle",
        "line 73: True for False",
    ),
    (
        "marked_desk:negate:3",
        "medium",
        "lifecycle",
        "line 65: `not` before `ticket is None or ticket.state is State.LAPSED`",
    ),
    (
        "mcp_sessions:constant:3",
        "very hard",
        "sweep concurrency",
        "line 77: True for False",
    ),
    (
        "mcp_sessions:drop-statement:33",
        "easy",
        "limit",
        "line 105: without `self.opening -= 1`",
    ),
    (
        "mcp_sessions:drop-guard:2",
        "very hard",
        "concurrency lifecycle sweep",
        "line 76: without `if session is None:`",
    ),
    (
        "mcp_sessions:drop-lock:1",
        "medium",
        "concurrency",
        "line 124: without `with session.lock`",
    ),
    (
        "moving_agent:drop-guard:4",
        "medium",
        "lifecycle",
        "line 57: without `if talk is None:`",
    ),
    (
        "moving_agent:call-other:1",
        "easy",
        "lifecycle limit resources sweep expiry",
        "line 74: `self.talks.get` for `self.talks.pop`",
    ),
    (
        "moving_agent:share:1",
        "medium",
        "data",
        "line 35: `topic` for `copy.deepcopy(topic)`",
    ),
    (
        "owned_leases:share:1",
        "medium",
        "data",
        "line 49: `self.leases[name]` for `copy.deepcopy(self.leases[name])`",
    ),
    (
        "owned_leases:boundary:1",
        "easy",
        "expiry sweep lifecycle",
        "line 38: `now - lease.used > self.idle_s` for `now - lease.used >= self.idle_s`",
    ),
    (
        "owned_leases:swap:8",
        "easy",
        "lifecycle",
        "line 79: `self.leases[name] = replace(before, terms=amended, used=time.monotonic())` before `amended = {**before.terms, **copy.deepcopy(terms)}`",
    ),
    (
        "owned_leases:drop-lock:1",
        "hard",
        "concurrency limit lifecycle data",
        "line 45: without `with self.lock`",
    ),
    (
        "plain_functions:constant:5",
        "medium",
        "expiry lifecycle",
        "line 62: True for False",
    ),
    (
        "plain_functions:boundary:2",
        "easy",
        "limit",
        "line 36: `len(names(shelf)) > shelf['room']` for `len(names(shelf)) >= shelf['room']`",
    ),
    (
        "plain_functions:negate:4",
        "easy",
        "data expiry lifecycle",
        "line 61: `not` before `found is None`",
    ),
    (
        "plain_functions:call-other:2",
        "easy",
        "expiry lifecycle limit",
        "line 39: `time.time` for `time.monotonic`",
    ),
    (
        "quota_async:negate:3",
        "easy",
        "concurrency expiry lifecycle",
        "line 63: `not` before `space is None`",
    ),
    (
        "quota_async:call-other:1",
        "easy",
        "lifecycle",
        "line 85: `self.spaces.get` for `self.spaces.pop`",
    ),
    (
        "quota_async:drop-guard:1",
        "medium",
        "limit",
        "line 46: without `if held >= self.quota:`",
    ),
    (
        "quota_async:drop-lock:1",
        "medium",
        "concurrency limit",
        "line 44: without `with self.locks[owner]`",
    ),
    (
        "reply_server:negate:7",
        "easy",
        "lifecycle",
        "line 64: `not` before `not self._has(key)`",
    ),
    (
        "reply_server:drop-statement:9",
        "easy",
        "lifecycle",
        "line 67: without `del self.hashes[key]`",
    ),
    (
        "reply_server:arithmetic:3",
        "medium",
        "lifecycle",
        "line 60: `self.deadlines[key] + time.time()` for `self.deadlines[key] - time.time()`",
    ),
    (
        "sql_async:drop-guard:1",
        "easy",
        "concurrency lifecycle",
        "line 69: without `if row is None:`",
    ),
    (
        "sql_async:constant:9",
        "easy",
        "concurrency data",
        "line 124: 2 for 1",
    ),
    (
        "sql_async:drop-lock:10",
        "very hard",
        "sweep cancel concurrency lifecycle",
        "line 157: without `with self._transaction()`",
    ),
    (
        "sql_desk:call-other:1",
        "medium",
        "limit",
        "line 68: `min` for `max`",
    ),
    (
        "sql_desk:drop-statement:3",
        "easy",
        "lifecycle",
        "line 32: without `self.per_owner = per_owner`",
    ),
    (
        "sql_desk:arithmetic:2",
        "easy",
        "concurrency data expiry lifecycle limit sweep",
        "line 68: `len(mine) + self.per_owner` for `len(mine) - self.per_owner`",
    ),
    (
        "sqlite_shelf:drop-guard:1",
        "easy",
        "limit",
        "line 45: without `if self.count() >= self.room:`",
    ),
    (
        "sqlite_shelf:negate:3",
        "easy",
        "data expiry lifecycle",
        "line 64: `not` before `not done.rowcount`",
    ),
    (
        "sqlite_shelf:constant:6",
        "easy",
        "lifecycle",
        "line 81: 1 for 0",
    ),
    (
        "sqlite_shelf:call-other:2",
        "easy",
        "expiry lifecycle limit sweep",
        "line 48: `time.monotonic` for `time.time`",
    ),
    (
        "stale_registry:call-other:4",
        "easy",
        "lifecycle limit",
        "line 56: `self.workers.get` for `self.workers.pop`",
    ),
    (
        "stale_registry:swap:5",
        "medium",
        "lifecycle",
        "line 67: `self.workers.clear()` before `count = len(self.workers)`",
    ),
    (
        "stale_registry:negate:2",
        "medium",
        "expiry lifecycle sweep",
        "line 38: `not` before `number not in self.workers`",
    ),
    (
        "stale_registry:drop-return:7",
        "easy",
        "data",
        "line 52: without `return True`",
    ),
    (
        "strict_vault:arithmetic:5",
        "medium",
        "expiry lifecycle limit sweep",
        "line 70: `self.seen[0] - self.set_back_s` for `self.seen[0] + self.set_back_s`",
    ),
    (
        "strict_vault:drop-statement:33",
        "easy",
        "expiry lifecycle sweep limit",
        "line 139: without `self.purge()`",
    ),
    (
        "strict_vault:constant:1",
        "easy",
        "expiry lifecycle limit sweep data",
        "line 67: 1 for 0",
    ),
    (
        "striped_carts:drop-statement:23",
        "medium",
        "expiry lifecycle",
        "line 110: without `cart.used = time.time()`",
    ),
    (
        "striped_carts:share:3",
        "medium",
        "data",
        "line 109: `value` for `copy.deepcopy(value)`",
    ),
    (
        "swept_cache:share:3",
        "medium",
        "data",
        "line 77: `changes` for `copy.deepcopy(changes)`",
    ),
    (
        "swept_cache:arithmetic:1",
        "easy",
        "sweep expiry",
        "line 92: `now + used` for `now - used`",
    ),
    (
        "swept_cache:constant:8",
        "easy",
        "lifecycle expiry sweep",
        "line 76: True for False",
    ),
    (
        "swept_cache:drop-lock:6",
        "hard",
        "concurrency lifecycle sweep",
        "line 90: without `with self.lock`",
    ),
    (
        "timer_rooms:swap:13",
        "easy",
        "lifecycle",
        "line 124: `self._end(key)` before `room = self._live(key)`",
    ),
    (
        "timer_rooms:negate:5",
        "easy",
        "limit",
        "line 77: `not` before `len(self.rooms) >= self.seats`",
    ),
    (
        "timer_rooms:drop-return:9",
        "medium",
        "data expiry lifecycle",
        "line 107: without `return True`",
    ),
    (
        "ttl_cache:drop-statement:20",
        "easy",
        "expiry lifecycle",
        "line 64: without `self.expire()`",
    ),
    (
        "ttl_cache:drop-return:4",
        "medium",
        "lifecycle",
        "line 53: without `return value`",
    ),
    (
        "ttl_cache:boundary:2",
        "medium",
        "limit",
        "line 32: `len(self.entries) > self.room` for `len(self.entries) >= self.room`",
    ),
    (
        "user_logins:negate:1",
        "easy",
        "data expiry lifecycle",
        "line 62: `not` before `kept is None or not self._lives(kept)`",
    ),
    (
        "user_logins:share:3",
        "medium",
        "data",
        "line 92: `data` for `copy.deepcopy(data)`",
    ),
    (
        "user_logins:boundary:1",
        "easy",
        "expiry sweep lifecycle",
        "line 58: `now - kept.seen <= self.idle` for `now - kept.seen < self.idle`",
    ),
    (
        "web_store:boundary:2",
        "medium",
        "sweep expiry",
        "line 71: `time.time() > until` for `time.time() >= until`",
    ),
    (
        "web_store:negate:2",
        "easy",
        "lifecycle security",
        "line 44: `not` before `not self._alive(sid)`",
    ),
    (
        "web_store:arithmetic:1",
        "easy",
        "expiry lifecycle security sweep",
        "line 47: `time.time() - self.lifetime_s` for `time.time() + self.lifetime_s`",
    ),
    (
        "lru_carts:swap:6",
        "easy",
        "data expiry lifecycle limit security",
        "line 53: `self._use(cart_id, copy.deepcopy(goods))` before `self._get(cart_id)`",
    ),
    (
        "lru_carts:drop-return:4",
        "easy",
        "expiry lifecycle limit security",
        "line 61: without `return False`",
    ),
    (
        "lru_carts:arithmetic:2",
        "easy",
        "sweep",
        "line 85: `time.time() + used` for `time.time() - used`",
    ),
    (
        "lru_carts:drop-lock:1",
        "hard",
        "concurrency limit",
        "line 39: without `with self._lock`",
    ),
    (
        "whole_seconds:call-other:1",
        "medium",
        "expiry lifecycle",
        "line 18: `time.monotonic` for `time.time`",
    ),
    (
        "whole_seconds:negate:3",
        "easy",
        "data expiry lifecycle security",
        "line 39: `not` before `row is None`",
    ),
)

MUTANTS: Final = {
    name: Mutant(
        name, frozenset(one for one in PROPERTIES if one.partition(".")[0] in rooms.split()), difficulty, about
    )
    for name, difficulty, rooms, about in _ROWS
}

# Mutants that no caller can tell from their originals -> what was changed, and why that makes no difference.
EQUIVALENT: Final[Mapping[str, tuple[str, str]]] = {
    "async_rooms:drop-lock:1": (
        "line 70: without `with self.door`",
        "nothing waits between the look for room and the making of one: the door only says who comes first",
    ),
    "cached_profiles:swap:8": (
        "line 72: `self.cache.pop(key, None)` before `row = (time.time() + self.life_s, data)`",
        "nothing waits between the two, and neither looks at what the other does",
    ),
    "cached_profiles:call-other:2": (
        "line 51: `self.cache.get` for `self.cache.pop`",
        "a key that is cached already may push another out: what the cache holds is right all the same",
    ),
    "cached_profiles:constant:1": (
        "line 25: 1 for 0",
        "it takes a second, which nobody promises it does not, and looks at the clock afterwards",
    ),
    "cas_notes:constant:17": (
        "line 124: 1 for 0",
        "it takes a second, which nobody promises it does not, and looks at the clock afterwards",
    ),
    "chat_cache:swap:1": (
        "line 25: `self.room = room` before `self.ttl_s = ttl_s`",
        "two assignments that have nothing to do with each other",
    ),
    "file_folder:drop-lock:6": (
        "line 104: without `with self.lock`",
        "each file is replaced as a whole, and a list is judged session by session",
    ),
    "gauge_board:swap:7": (
        "line 76: `gauge.used = time.monotonic()` before `gauge.readings.update(copy.deepcopy(readings))`",
        "two changes under one lock, neither of which can fail",
    ),
    "locked_web:swap:2": (
        "line 51: `self.per_user = per_user` before `self.lifetime = lifetime`",
        "two assignments that have nothing to do with each other",
    ),
    "locked_web:constant:1": (
        "line 82: 33 for 32",
        "an id that is one byte longer",
    ),
    "marked_desk:drop-guard:1": (
        "line 58: without `if ticket is None:`",
        "a deep copy of None is None",
    ),
    "marked_desk:swap:4": (
        "line 74: `ticket.seen = datetime.now(UTC)` before `ticket.notes |= copy.deepcopy(notes)`",
        "two changes by one caller, neither of which can fail",
    ),
    "moving_agent:swap:4": (
        "line 59: `talk['used'] = self._now_ms()` before `talk['topic'] = copy.deepcopy(topic)`",
        "two changes by one caller, neither of which can fail",
    ),
    "reply_server:constant:2": (
        "line 30: 2 for 1",
        "2 is as true as 1",
    ),
    "sql_async:swap:19": (
        "line 137: `await asyncio.sleep(0)` before `self._version(doc_id)`",
        "it looks twice after the wait instead of once before and once after",
    ),
    "sql_desk:drop-try:1": (
        "line 51: without `try`",
        "the connection is closed on the way out, and that takes back what was not committed",
    ),
    "strict_vault:swap:4": (
        "line 58: `self.boxes: dict[str, Box] = {}` before `self.remembered = remembered`",
        "two assignments that have nothing to do with each other",
    ),
    "striped_carts:constant:2": (
        "line 47: 5 for 4",
        "one stripe more",
    ),
    "striped_carts:drop-lock:3": (
        "line 81: without `with stripe.lock`",
        "a new cart is put there in one step, and whoever walks over the carts copies their keys in one step first",
    ),
    "timer_rooms:constant:6": (
        "line 101: 1 for 0",
        "it takes a second, which nobody promises it does not, and looks at the clock afterwards",
    ),
    "ttl_cache:swap:2": (
        "line 15: `self.entries: dict[str, tuple[float, float, Any]] = {}` before `self.room = room`",
        "two assignments that have nothing to do with each other",
    ),
    "user_logins:drop-guard:2": (
        "line 90: without `if kept.version != version:`",
        "its profile loads anew before each save, one caller at a time: no version that is handed in is ever stale",
    ),
    "web_store:share:3": (
        "line 52: `session` for `dict(session)`",
        "a deep copy of the session object instead of one of a dict of its entries: the entries are the same",
    ),
    "whole_seconds:constant:3": (
        "line 31: 2 for 1",
        "the profile asks whether it was done, and one answers that as well as the other",
    ),
    "whole_seconds:boundary:1": (
        "line 22: `row[0] < self._now()` for `row[0] <= self._now()`",
        "one unit either side of a deadline is not judged, and the unit is the second that this makes of it",
    ),
}
