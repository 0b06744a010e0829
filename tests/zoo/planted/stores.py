"""Bugs of managers that keep files, and of those that one caller at a time uses: mostly a matter of several steps."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType, SimpleNamespace

from zoo.planted import planted
from zoo.planted.by_hand import Between, HandClock, answer, cancelled_after, outcome, run, steps


@contextmanager
def folder(module: ModuleType) -> Iterator[Path]:
    """Give a folder that goes away again, and spare the disk."""
    spared = {
        "open": os.open,
        "close": os.close,
        "replace": os.replace,
        "O_RDONLY": os.O_RDONLY,
        "fsync": lambda _: None,
    }
    module.os = SimpleNamespace(**spared)
    with tempfile.TemporaryDirectory(prefix="zoo-") as name:
        yield Path(name)


# -- file_folder ------------------------------------------------------------------------------------------------------


@planted(
    "file_folder:reads-before-the-lock",
    "concurrency.no-lost-update concurrency.linearizable lifecycle.delete expiry.no-resurrection lifecycle.get",
    "medium",
    (
        """        with self.lock:
            found = self._read(self._path(session_id))
            if found is None:
                return False
            self._write(session_id""",
        """        found = self._read(self._path(session_id))
        if found is None:
            return False
        with self.lock:
            self._write(session_id""",
    ),
)
def _(module: ModuleType) -> bool:
    """What is merged was read before the lock was taken: of two changes one is lost."""
    with folder(module) as root:
        kept = module.FileFolder(str(root), 60)
        session_id = kept.create({})
        between, read = Between(lambda: kept.merge(session_id, {"b": 2})), kept._read
        kept._read = lambda path: between(read(path))
        kept.merge(session_id, {"a": 1})
        between.result()
        return len(kept.load(session_id)) < 2


@planted(
    "file_folder:too-few-names",
    "data.isolation security.cross-session lifecycle.get lifecycle.list data.read-your-writes data.merge "
    "lifecycle.delete lifecycle.create expiry.not-early",
    "medium",
    ('.hexdigest() + ".json")', '.hexdigest()[:1] + ".json")'),
)
def _(module: ModuleType) -> bool:
    """There are sixteen file names: some two of a few sessions share one."""
    with folder(module) as root:
        kept = module.FileFolder(str(root), 60)
        return len({kept.create({}) for _ in range(17)}) > len(kept.ids())


@planted(
    "file_folder:whole-seconds",
    "expiry.boundary expiry.not-early expiry.touch-renews",
    "medium",
    ('"used_ns": time.time_ns()}', '"used_ns": time.time_ns() // 1_000_000_000 * 1_000_000_000}'),
)
def _(module: ModuleType) -> bool:
    """The time of use is cut to whole seconds: what was used late in a second is over almost a second too early."""
    with folder(module) as root:
        clock, kept = HandClock(module), module.FileFolder(str(root), 60)
        clock.now_s += 0.9
        session_id = kept.create({})
        clock.now_s += 59.5
        return kept.load(session_id) is None


# -- sql_desk ---------------------------------------------------------------------------------------------------------


@planted(
    "sql_desk:reads-before-the-transaction",
    "concurrency.no-lost-update concurrency.linearizable",
    "hard",
    (
        """        with self._writing() as file:
            sql = "SELECT data FROM desk WHERE id = ? AND used > ?"
            row = file.execute(sql, (desk_id, self._since())).fetchone()
            if row is None:
                raise DeskGone(desk_id)
            data = json.dumps({**json.loads(row[0]), **changes})
""",
        """        row = [json.dumps(self.look(desk_id)["data"])]
        with self._writing() as file:
            data = json.dumps({**json.loads(row[0]), **changes})
""",
    ),
)
def _(module: ModuleType) -> bool:
    """What is merged was read in another transaction: of two notes one is lost."""
    with folder(module) as root:
        desks = module.SqlDesk(str(root / "d"), 60, 3)
        desk_id = desks.open("ada", {})
        between, since = Between(lambda: desks.note(desk_id, {"b": 2})), desks._since
        writing = desks._writing

        def when_it_writes() -> object:
            between()
            return writing()

        desks._since = since
        desks._writing = when_it_writes
        desks.note(desk_id, {"a": 1})
        between.result()
        lost = len(desks.look(desk_id)["data"]) < 2
        desks.close()
        return lost


@planted(
    "sql_desk:the-oldest-by-its-name",
    "limit.eviction",
    "medium",
    ("SELECT id FROM desk WHERE owner = ? ORDER BY rowid", "SELECT id FROM desk WHERE owner = ? ORDER BY id"),
)
def _(module: ModuleType) -> bool:
    """The desk that makes room is the first by its random id."""
    with folder(module) as root:
        desks = module.SqlDesk(str(root / "d"), 60, 1)
        numbers = iter(("b", "a", "c"))
        module.uuid = type("U", (), {"uuid4": staticmethod(lambda: type("Hex", (), {"hex": next(numbers)})())})
        desks.per_owner = 2
        for _ in range(3):
            desks.open("ada", {})
        left = desks.of("ada")
        desks.close()
        return "b" in left


# -- sql_async --------------------------------------------------------------------------------------------------------


@planted(
    "sql_async:reads-what-is-not-committed",
    "concurrency.no-error concurrency.linearizable lifecycle.errors",
    "medium",
    (
        """        async with self.lock:
            try:
                version = self._version(doc_id)
""",
        """        if doc_id is not None:
            try:
                version = self._version(doc_id)
""",
    ),
)
def _(module: ModuleType) -> bool:
    """A reader sees half of a document that is being made."""

    async def show() -> bool:
        async with module.SqlAsync(":memory:", 60, 4) as docs:
            making = asyncio.ensure_future(docs.create("d", {}))
            await steps(1)
            told = await outcome(docs.read("d"))
            await making
            return bool(told == "TypeError")

    return run(show())


@planted(
    "sql_async:no-rollback-when-cancelled",
    "cancel.no-leak cancel.atomic lifecycle.errors concurrency.no-error",
    "medium",
    ("            except BaseException:\n", "            except Exception:\n"),
)
def _(module: ModuleType) -> bool:
    """Who is cancelled within a transaction leaves it open: no other can be begun."""

    async def show() -> bool:
        async with module.SqlAsync(":memory:", 60, 4) as docs:
            await cancelled_after(1, docs.create("d", {}))
            return await outcome(docs.create("e", {})) == "OperationalError"

    return run(show())


@planted(
    "sql_async:half-a-document-when-cancelled",
    "cancel.atomic cancel.no-leak lifecycle.errors",
    "medium",
    (
        '''        """Begin a document; its version is 1."""
        async with self._transaction():
''',
        '''        """Begin a document; its version is 1."""
        async with self.lock:
''',
    ),
)
def _(module: ModuleType) -> bool:
    """A document is made in two steps that are no transaction: who is cancelled between them leaves the first."""

    async def show() -> bool:
        async with module.SqlAsync(":memory:", 60, 4) as docs:
            await cancelled_after(1, docs.create("d", {}))
            return await outcome(docs.read("d")) == "TypeError"

    return run(show())


@planted(
    "sql_async:remembers-one-more",
    "data.history-bounded",
    "medium",
    ("oldest = version - self.remembered\n", "oldest = version - self.remembered - 1\n"),
)
def _(module: ModuleType) -> bool:
    """The history holds one version more than it may, once there are so many."""

    async def show() -> bool:
        async with module.SqlAsync(":memory:", 60, 4) as docs:
            await docs.create("d", {})
            for number in range(9):
                await docs.update("d", {"n": number})
            return len(await docs.versions("d")) > 4

    return run(show())


@planted(
    "sql_async:forgets-the-newest",
    "data.history-bounded",
    "hard",
    (
        (
            'sql = "SELECT version FROM page WHERE id = ? ORDER BY version DESC"\n'
            "            return [row[0] for row in self.file.execute(sql, (doc_id,))]"
        ),
        (
            'sql = "SELECT version FROM page WHERE id = ? ORDER BY version DESC"\n'
            "            return [row[0] for row in self.file.execute(sql, (doc_id,))][-self.remembered + 1 :]"
        ),
    ),
)
def _(module: ModuleType) -> bool:
    """Once the history is full it shows all versions but the newest."""

    async def show() -> bool:
        async with module.SqlAsync(":memory:", 60, 4) as docs:
            await docs.create("d", {})
            for number in range(3):
                await docs.update("d", {"n": number})
            return 4 not in await docs.versions("d")

    return run(show())


# -- one caller at a time ---------------------------------------------------------------------------------------------


@planted(
    "plain_functions:none-is-for-ever",
    "lifecycle.edge-values expiry.idle expiry.per-session expiry.boundary lifecycle.views-agree",
    "easy",
    ('    span_s = shelf["usual_s"] if span_s is None else span_s\n', ""),
)
def _(module: ModuleType) -> bool:
    """A timeout of None is taken for 0, which is for ever."""
    clock, shelf = HandClock(module), module.new_shelf(60, 9)
    module.make(shelf, "n", {}, None)
    clock.now_s += 61
    return bool(module.names(shelf))


@planted(
    "ttl_cache:its-time-outlives-an-entry",
    "expiry.per-session expiry.not-early lifecycle.id-reuse expiry.idle expiry.boundary lifecycle.views-agree "
    "data.read-your-writes lifecycle.get lifecycle.edge-values",
    "hard",
    (
        "        self.entries: dict[str, tuple[float, float, Any]] = {}\n",
        "        self.entries: dict[str, tuple[float, float, Any]] = {}\n        self.spans_s: dict[str, float] = {}\n",
    ),
    (
        "        self.entries[key] = (time.time() + span_s, span_s, value)\n",
        "        self.spans_s[key] = span_s\n        self.entries[key] = (time.time() + span_s, span_s, value)\n",
    ),
    (
        "self._set(key, value, self.entries[key][1] if key in self.entries else self.ttl_s)",
        "self._set(key, value, self.spans_s.get(key, self.ttl_s))",
    ),
)
def _(module: ModuleType) -> bool:
    """A key that is written anew after its end lives for as long as the entry before it was allowed to."""
    clock, cache = HandClock(module), module.TtlCache(60, 9)
    cache.put("k", 1, 5)
    cache.pop("k")
    cache["k"] = 2
    clock.now_s += 30
    return cache.get("k") is None


@planted(
    "moving_agent:old-talks-keep-their-tools",
    "resources.closed-once sweep.complete",
    "medium",
    (
        "        for talk_id in over:\n            self.end(talk_id)\n",
        "        for talk_id in over:\n            del self.talks[talk_id]\n",
    ),
)
def _(module: ModuleType) -> bool:
    """What a conversation was lent is closed when somebody ends it, and not when it is swept."""
    clock, agent = HandClock(module), module.MovingAgent(60_000, 9)
    closed: list[int] = []
    agent.lend(agent.begin({}), type("Tool", (), {"close": lambda _: closed.append(1)})())
    clock.now_s += 60
    agent.forget_old()
    return not closed


@planted(
    "reply_server:a-deadline-outlives-its-key",
    "lifecycle.errors lifecycle.delete",
    "hard",
    ("        self.deadlines.pop(key, None)\n        del self.hashes[key]\n", "        del self.hashes[key]\n"),
)
def _(module: ModuleType) -> bool:
    """Who asks for a deleted key after the time at which it would have been over makes the server fail."""
    clock, server = HandClock(module), module.ReplyServer()
    server.hnew("k", {}, 60)
    server.delete("k")
    clock.now_s += 60
    return bool(answer(lambda: server.exists("k")) == "KeyError")


@planted(
    "reply_server:setting-a-field-renews",
    "expiry.idle expiry.boundary expiry.per-session lifecycle.views-agree expiry.no-resurrection",
    "easy",
    (
        "        self.hashes[key][field] = value\n",
        (
            "        self.hashes[key][field] = value\n"
            "        self.deadlines[key] += time.time() - self.born.get(key, time.time())\n"
            "        self.born[key] = time.time()\n"
        ),
    ),
    (
        "        self.deadlines: dict[str, float] = {}\n",
        "        self.deadlines: dict[str, float] = {}\n        self.born: dict[str, float] = {}\n",
    ),
    (
        "        self.hashes[key] = dict(fields)\n",
        "        self.hashes[key] = dict(fields)\n        self.born[key] = time.time()\n",
    ),
)
def _(module: ModuleType) -> bool:
    """Whoever sets a field moves the deadline, which the server promises to leave where it is."""
    clock, server = HandClock(module), module.ReplyServer()
    server.hnew("k", {}, 60)
    clock.now_s += 50
    server.hset("k", "f", "v")
    clock.now_s += 50
    return bool(server.exists("k"))


@planted(
    "user_logins:an-old-copy-saves-over-a-logout",
    "lifecycle.delete lifecycle.get lifecycle.list expiry.no-resurrection lifecycle.errors data.version",
    "medium",
    (
        "        kept = self._find(key)\n        if kept.version != version:\n",
        (
            "        kept = self.kept.setdefault(key, Kept('', {}, version, datetime.now(UTC), datetime.now(UTC)))\n"
            "        if kept.version != version:\n"
        ),
    ),
)
def _(module: ModuleType) -> bool:
    """A copy that was loaded before the logout saves itself, and the login is there again."""
    logins = module.UserLogins(module.timedelta(60), module.timedelta(60), 9)
    login = logins.open("ada", {})
    held = logins.load(login.key)
    logins.logout(login.key)
    answer(held.save)
    return logins.peek(login.key)


@planted(
    "strict_vault:a-put-does-not-tell-its-version",
    "data.version data.read-your-writes",
    "medium",
    (
        "        return self.replace(box_id, {**box.content, key: value}, box.version)\n",
        "        box.content = {**box.content, key: value}\n        box.used = self.now()\n        return box.version\n",
    ),
)
def _(module: ModuleType) -> bool:
    """A value that is put changes the box and not its version: a save over what was read before is taken."""
    vault = module.StrictVault(60, 600, 9, 5)
    box = vault.add({})
    vault.put(box.id, "a", 1)
    return answer(lambda: vault.replace(box.id, {}, box.version)) != "Outdated"


@planted(
    "web_store:a-new-id-for-a-copy",
    "security.rotation data.isolation lifecycle.errors lifecycle.delete",
    "medium",
    (
        "        self.kept.pop(session.sid, None)\n        session.sid",
        "        self.kept.popitem()\n        session.sid",
    ),
)
def _(module: ModuleType) -> bool:
    """Who gives a session a new id removes whichever was stored last instead of the old one."""
    store = module.WebStore(60)
    session, other = store.start({"a": 1}), store.start({"b": 2})
    store.cycle(session)
    return not store.has(other.sid)


@planted(
    "marked_desk:a-lapsed-ticket-is-answered-once",
    "expiry.no-resurrection expiry.idle expiry.boundary expiry.touch-renews lifecycle.views-agree",
    "medium",
    (
        "        if ticket is None or ticket.state is State.LAPSED:\n            return False\n        ticket.notes |=",
        (
            "        was_open = ticket is not None and ticket.state is State.OPEN\n"
            "        if ticket is None or not was_open:\n            return False\n        ticket.state = State.OPEN\n"
            "        ticket.notes |="
        ),
    ),
    (
        '        """Add notes to an open ticket; False when it is none."""\n        ticket = self._current(number)\n',
        '        """Add notes to an open ticket; False when it is none."""\n        ticket = self.tickets.get(number)\n',
    ),
)
def _(module: ModuleType) -> bool:
    """A ticket is found to have lapsed only when somebody looks: an answer that is the first comes in time."""
    clock = HandClock(module)
    desk = module.MarkedDesk(module.timedelta(seconds=60))
    number = desk.open("ada")
    clock.now_s += 61
    return desk.answer(number, {})


@planted(
    "stale_registry:learning-is-a-heartbeat",
    "expiry.idle expiry.boundary expiry.touch-renews sweep.complete sweep.only-expired limit.released",
    "medium",
    (
        """        self.workers[number]["facts"].update(copy.deepcopy(facts))
""",
        """        self.workers[number]["facts"].update(copy.deepcopy(facts))
        self.workers[number]["heard"] = time.time()
""",
    ),
)
def _(module: ModuleType) -> bool:
    """Facts that others tell of a worker count as if he had been heard of."""
    clock, registry = HandClock(module), module.StaleRegistry(60, 9)
    number = registry.register({})
    clock.now_s += 60
    registry.learn(number, {})
    return registry.purge() == []


@planted(
    "live_tabs:any-tab-but-only-one",
    "limit.enforced limit.eviction lifecycle.views-agree",
    "medium",
    ("        if len(self.tabs) >= self.room:\n", "        if len(self.tabs) == self.room + 1:\n"),
)
def _(module: ModuleType) -> bool:
    """Room is made only when there is one tab too many already."""
    tabs = module.LiveTabs(60, 2)
    for _ in range(3):
        tabs.open({})
    return len(tabs) > 2


@planted(
    "cookie_sessions:a-cookie-without-a-signature",
    "security.fixation lifecycle.get lifecycle.errors",
    "hard",
    (
        "        if not hmac.compare_digest(self._sign(body.encode()).encode(), signature.encode()):\n            return None\n",
        "        if not body:\n            return None\n        del signature\n",
    ),
)
def _(module: ModuleType) -> bool:
    """The signature is not looked at: whoever writes a cookie himself has a session."""
    sessions = module.CookieSessions(60, "k")
    body = sessions.issue({"admin": True}).partition(".")[0]
    return sessions.open(body + ".forged") is not None


@planted(
    "cookie_sessions:one-unit-of-time-for-another",
    "expiry.idle expiry.boundary expiry.not-early",
    "easy",
    ("self.life_us = round(life_s * 1_000_000)", "self.life_us = round(life_s * 1_000)"),
)
def _(module: ModuleType) -> bool:
    """Seconds are made into milliseconds and compared with microseconds: a cookie is over at once."""
    clock, sessions = HandClock(module), module.CookieSessions(60, "k")
    cookie = sessions.issue({})
    clock.now_s += 1
    return sessions.open(cookie) is None
