"""Sessions in a Redis server (extra `redis`), shared by all that reach it; expiry goes by the manager's clock.

A transaction is optimistic: the generation is watched, what is asked is read from the server, what is written is kept
back, and one MULTI/EXEC writes all of it if nobody else has written since; else `work` runs anew.  Each writes down a
token of its own with the rest: where the connection breaks during EXEC, the token tells whether it took effect.
How much of what is acknowledged outlives the server's machine is the server's `appendfsync`.

Keys, below a prefix (`?prefix=`, else "sessions:"):

    session     id -> the session, as JSON         order    all ids by serial
    active      live ids by serial                 active:OWNER   those of one owner
    due         live ids by their deadline         dead     expired ids by serial
    generation, now, serial, token:CLIENT

Source: https://redis.io/docs/latest/develop/using-commands/transactions/ (optimistic locking with WATCH).
"""

from __future__ import annotations

import json
import re
import secrets
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import parse_qsl, urlencode

from pytest_sessionguard.errors import (
    InvalidSetting,
    ManagerClosed,
    SessionError,
    StoreAway,
    StoreBusy,
    StoreDamaged,
)
from pytest_sessionguard.reference import sessions
from pytest_sessionguard.reference.sessions import Session, Status
from pytest_sessionguard.reference.stores import EVERYONE, Census, Ledger, Scope, StoreKind

if TYPE_CHECKING:
    import redis

T = TypeVar("T")

BUSY_SECS: Final = 5.0
# A server that has not answered by then is asked again, on another connection.
ANSWER_SECS: Final = 1.0
_LOOK_AGAIN_SECS: Final = 0.002
# Of those who try at once one always gets through, so nobody need wait by chance; but ever fewer need try.
_TURNS_MAX: Final = 8


class RedisLedger:
    """One transaction under way: the server's state, and over it what was written since."""

    def __init__(self, client: redis.Redis, prefix: str, place: str, now_us: int) -> None:
        self.now_us = now_us
        self._client: Any = client
        self._prefix = prefix
        self._place = place
        # What each session that was written is now, and what the server holds of it.
        self.changed: dict[str, Session | None] = {}
        self._stored: dict[str, Session | None] = {}
        self._is_marked = False

    # -- one session

    def find(self, session_id: str) -> Session | None:
        """Return the stored session, live or dead."""
        return self.changed[session_id] if session_id in self.changed else self._fetched(session_id)

    def holds(self, serial: int) -> bool:
        """Tell whether a session of this serial is stored."""
        found = self._client.zrangebyscore(self._key("order"), serial, serial)
        return any(self.find(_text(name)) is not None for name in found) or any(
            session is not None and session.serial == serial for session in self.changed.values()
        )

    def next_serial(self) -> int:
        """Return a number that no session of this store ever had; one that is not used is never given again."""
        return int(self._client.incr(self._key("serial")))

    def add(self, session: Session) -> None:
        """Keep a new session; its id is free."""
        self._write(session.session_id, session)

    def put(self, before: Session, after: Session) -> None:
        """Keep `after` in the place of `before`: the same serial, perhaps another id."""
        if before.session_id != after.session_id:
            self._write(before.session_id, None)
        self._write(after.session_id, after)

    def remove(self, session: Session) -> None:
        """Forget a session."""
        self._write(session.session_id, None)

    # -- all of them

    def count(self, scope: Scope) -> int:
        """Count the live sessions of an owner, or of everyone."""
        self._mark_due()
        count = int(self._client.zcard(self._active(scope)))
        for session_id, session in self.changed.items():
            count += _is_active(session, scope) - _is_active(self._stored[session_id], scope)
        return count

    def oldest(self, scope: Scope) -> Session | None:
        """Return the live session that was created first."""
        self._mark_due()
        first = self._client.zrange(self._active(scope), 0, len(self.changed))
        found = [self._fetched(name) for name in map(_text, first) if name not in self.changed][:1]
        found += [session for session in self.changed.values() if _is_active(session, scope)]
        return min((one for one in found if one is not None), key=lambda one: one.serial, default=None)

    def ids(self, scope: Scope) -> list[str]:
        """Return the ids of the live sessions in the order of their creation."""
        self._mark_due()
        stored = self._client.zrange(self._active(scope), 0, -1, withscores=True)
        found = [(int(serial), _text(name)) for name, serial in stored if _text(name) not in self.changed]
        found += [(one.serial, one.session_id) for one in self.changed.values() if one and _is_active(one, scope)]
        return [session_id for _, session_id in sorted(found)]

    def dead(self, at_most: int) -> Sequence[Session]:
        """Return stored sessions that have run out of time."""
        self._mark_due()
        stored = map(_text, self._client.zrange(self._key("dead"), 0, at_most + len(self.changed)))
        found = [self._fetched(name) for name in stored if name not in self.changed]
        found += [one for one in self.changed.values() if one is not None and one.status is not Status.ACTIVE]
        return [one for one in found if one is not None][:at_most]

    def some(self, at_most: int) -> Sequence[Session]:
        """Return stored sessions, whichever."""
        stored = map(_text, self._client.zrange(self._key("order"), 0, at_most + len(self.changed)))
        found = [self._fetched(name) for name in stored if name not in self.changed]
        return [one for one in (*found, *self.changed.values()) if one is not None][:at_most]

    def census(self) -> Census:
        """Count; costs what is stored."""
        self._mark_due()
        stored = self._client.hgetall(self._key("session"))
        every = {name: self._read(body) for name, body in ((_text(key), body) for key, body in stored.items())}
        every |= {session_id: session for session_id, session in self.changed.items() if session is not None}
        for session_id, session in self.changed.items():
            if session is None:
                every.pop(session_id, None)
        live = sorted((one.serial, one.created_us) for one in every.values() if one.status is Status.ACTIVE)
        return Census(
            active=len(live),
            oldest_created_us=live[0][1] if live else None,
            newest_created_us=live[-1][1] if live else None,
            age_sum_us=sum(self.now_us - created_us for _, created_us in live),
            total=len(every),
            unsettled=sum(one.status is not Status.ACTIVE and not one.settled for one in every.values()),
        )

    # -- what is written

    def send(self, pipe: Any) -> None:
        """Queue everything that was written."""
        for session_id in self.changed:
            before = self._stored[session_id]
            if before is not None:
                for key in ("order", "active", "due", "dead"):
                    pipe.zrem(self._key(key), session_id)
                pipe.zrem(self._active(before.client_id), session_id)
                pipe.hdel(self._key("session"), session_id)
        for session_id, after in self.changed.items():
            if after is None:
                continue
            pipe.hset(self._key("session"), session_id, json.dumps(sessions.told(after)))
            pipe.zadd(self._key("order"), {session_id: after.serial})
            if after.status is not Status.ACTIVE:
                pipe.zadd(self._key("dead"), {session_id: after.serial})
                continue
            pipe.zadd(self._key("active"), {session_id: after.serial})
            pipe.zadd(self._active(after.client_id), {session_id: after.serial})
            if after.expires_us is not None:
                pipe.zadd(self._key("due"), {session_id: after.expires_us})

    # -- small things

    def _write(self, session_id: str, session: Session | None) -> None:
        self._fetched(session_id)
        self.changed[session_id] = session

    def _fetched(self, session_id: str) -> Session | None:
        if session_id not in self._stored:
            body = self._client.hget(self._key("session"), session_id)
            self._stored[session_id] = None if body is None else self._read(body)
        return self._stored[session_id]

    def _read(self, body: bytes) -> Session:
        return read(body, self._place)

    def _mark_due(self) -> None:
        """Mark every session whose deadline has come: then the live ones are those that are not marked."""
        if not self._is_marked:
            due = set(map(_text, self._client.zrangebyscore(self._key("due"), "-inf", self.now_us)))
            self._is_marked = True
            self._mark(due - self.changed.keys())
        self._mark([name for name, one in self.changed.items() if one is not None and one.status is Status.ACTIVE])

    def _mark(self, names: Iterable[str]) -> None:
        found = [session for session in map(self.find, names) if session is not None]
        for session in sorted(found, key=lambda one: (one.expires_us or 0, one.serial)):
            after = sessions.aged(session, now_us=self.now_us)
            if after is not session:
                self.put(session, after)

    def _active(self, scope: Scope) -> str:
        return self._key("active") if scope is EVERYONE else self._key(f"active:{json.dumps(scope)}")

    def _key(self, name: str) -> str:
        return self._prefix + name


class RedisStore:
    """One server, one prefix.  Threads and forked processes share the client: it keeps a pool of connections."""

    durable = True

    def __init__(self, url: str) -> None:
        if not url.startswith(("redis://", "rediss://", "unix://")):
            raise InvalidSetting("path", url, 'the URL of a Redis server, such as "redis://127.0.0.1:6379/0"')
        server, _, query = url.partition("?")
        options = dict(parse_qsl(query))
        self._prefix = options.pop("prefix", "sessions:")
        self._url = f"{server}?{urlencode(options)}" if options else server
        self._place = re.sub(r"//[^/@]*@", "//", server)  # no password in a message
        self._client: redis.Redis | None = None
        self._lock = threading.Lock()
        self._now_us = 0
        self._token_key = f"{self._prefix}token:{secrets.token_hex(8)}"

    def open(self) -> None:
        """Connect.

        Raises:
            InvalidSetting: the library is missing.
            StoreAway: the server cannot be reached.
        """
        with self._lock:
            if self._client is not None:
                return
            try:
                import redis
                from redis.backoff import NoBackoff
                from redis.retry import Retry
            except ImportError:
                raise InvalidSetting("store", "redis", "pip install 'pytest-sessionguard[redis]' first") from None
            # How often to try again is decided here, once: the library would do so too, and by chance.
            once = Retry(NoBackoff(), 0)
            client = redis.Redis.from_url(
                self._url, socket_timeout=ANSWER_SECS, socket_connect_timeout=ANSWER_SECS, retry=once
            )
        now_us = self._patiently(lambda: client.get(f"{self._prefix}now"))
        with self._lock:
            self._client = client
            self._now_us = max(self._now_us, int(now_us or 0))

    def close(self) -> None:
        """Let go of all connections."""
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            client.close()

    def instant(self, now_us: int) -> int:
        """Return `now_us`, or the latest instant this process has seen when that is later."""
        with self._lock:
            self._now_us = max(self._now_us, now_us)
            return self._now_us

    def look(self, session_id: str) -> Session | None:
        """Return a session as it was committed last."""
        client = self._open_client()
        body = self._patiently(lambda: client.hget(f"{self._prefix}session", session_id))
        return None if body is None else read(body, self._place)

    def transact(self, work: Callable[[Ledger], T], now_us: int) -> T:
        """Run `work` as one transaction, anew as long as others are faster.

        Raises:
            StoreBusy: others were faster for five seconds; nothing was changed.
            StoreAway: the server could not be reached; the change may have been made.
        """
        client = self._open_client()
        deadline = time.monotonic() + BUSY_SECS
        turn = 0
        while True:
            turn += 1
            done: Callable[[], T] | None = self._patiently(lambda: self._once(client, work, now_us))
            if done is not None:
                return done()
            if time.monotonic() >= deadline:
                raise StoreBusy(self._place)
            time.sleep(_LOOK_AGAIN_SECS * min(turn, _TURNS_MAX))

    def _once(self, client: Any, work: Callable[[Ledger], T], now_us: int) -> Callable[[], T] | None:
        """Try once; return what gives the answer or raises the refusal, None where nothing came of it.

        Nothing comes of it where somebody else was faster, or where the connection broke before anything was written:
        the library says the same of both.
        """
        import redis

        try:
            return self._attempt(client, work, now_us)
        except redis.WatchError:
            return None

    def _attempt(self, client: Any, work: Callable[[Ledger], T], now_us: int) -> Callable[[], T]:
        import redis

        with client.pipeline() as pipe:
            pipe.watch(f"{self._prefix}generation")
            before_us = int(pipe.get(f"{self._prefix}now") or 0)
            at_us = self.instant(max(now_us, before_us))
            ledger = RedisLedger(pipe, self._prefix, self._place, at_us)
            try:
                done = partial(_given, work(ledger))
            except SessionError as refusal:
                done = partial(_refused, refusal)  # a refusal is an answer: an expiry that was seen stays seen
            if not ledger.changed and at_us == before_us:
                return done
            token = secrets.token_hex(8)
            pipe.multi()
            pipe.incr(f"{self._prefix}generation")
            pipe.set(f"{self._prefix}now", at_us)
            pipe.set(self._token_key, token, ex=3600)
            ledger.send(pipe)
            try:
                pipe.execute()
            except (redis.WatchError, redis.ConnectionError, redis.TimeoutError):
                # It may have taken effect all the same: then it must not be done once more.
                if _text(self._patiently(lambda: client.get(self._token_key)) or b"") != token:
                    raise
        return done

    def _patiently(self, ask: Callable[[], Any]) -> Any:
        """Ask the server, again for five seconds where it cannot be reached.

        Raises:
            StoreAway: it still cannot.
        """
        import redis

        deadline = time.monotonic() + BUSY_SECS
        turn = 0
        while True:
            turn += 1
            try:
                return ask()
            except (redis.ConnectionError, redis.TimeoutError) as problem:
                if time.monotonic() >= deadline:
                    raise StoreAway(self._place, str(problem)) from problem
                time.sleep(_LOOK_AGAIN_SECS * 10 * min(turn, _TURNS_MAX))

    def _open_client(self) -> redis.Redis:
        if self._client is None:
            raise ManagerClosed
        return self._client


def read(body: bytes, place: str) -> Session:
    """Return a session as the server keeps it.

    Raises:
        StoreDamaged: it is none.
    """
    try:
        return sessions.read(json.loads(body))
    except (KeyError, TypeError, ValueError) as problem:
        raise StoreDamaged(place, f"a session cannot be read ({problem})") from None


def _text(name: bytes | str) -> str:
    return name.decode("utf-8", "surrogatepass") if isinstance(name, bytes) else name


def _is_active(session: Session | None, scope: Scope) -> bool:
    if session is None or session.status is not Status.ACTIVE:
        return False
    return scope is EVERYONE or session.client_id == scope


def _given(answer: T) -> T:
    return answer


def _refused(refusal: SessionError) -> Any:
    raise refusal


def _built(path: str | None) -> RedisStore:
    assert path is not None  # needs_path
    return RedisStore(path)


STORE: Final = StoreKind(
    name="redis",
    summary="in a Redis server (path: its URL), shared by all that reach it; as durable as the server is",
    needs_path=True,
    build=_built,
)
