"""Bugs of asyncio managers with sessions in memory: what happens between two awaits, and when a caller is cancelled."""

from __future__ import annotations

import asyncio
from types import ModuleType
from typing import Any

from zoo.planted import planted
from zoo.planted.by_hand import HandClock, cancelled_after, outcome, run, steps


class Stream:
    """Something to be closed; may fail."""

    def __init__(self, *, fails: bool = False) -> None:
        self.closed = 0
        self.fails = fails

    async def close(self) -> None:
        self.closed += 1
        if self.fails:
            raise OSError("it is broken")


# -- mcp_sessions -----------------------------------------------------------------------------------------------------


@planted(
    "mcp_sessions:counts-no-one-at-the-door",
    "concurrency.limit limit.enforced",
    "medium",
    ("self.opening += 1", "self.opening += 0"),
    ("self.opening -= 1", "self.opening -= 0"),
)
def _(module: ModuleType) -> bool:
    """Whoever shakes hands is not counted: two who come at once both take the last place."""

    async def show() -> bool:
        manager = module.McpSessions(60, 1, 9)
        await asyncio.gather(*(outcome(manager.initialize("ada", {})) for _ in range(2)))
        return len(await manager.ids()) > 1

    return run(show())


@planted(
    "mcp_sessions:place-lost-when-cancelled",
    "cancel.no-leak limit.enforced limit.released",
    "medium",
    (
        """        try:
            await self._shake_hands()
            session_id = secrets.token_urlsafe(24)
            self.sessions[session_id] = McpSession(client, state)
            return session_id
        finally:
            self.opening -= 1
""",
        """        await self._shake_hands()
        session_id = secrets.token_urlsafe(24)
        self.sessions[session_id] = McpSession(client, state)
        self.opening -= 1
        return session_id
""",
    ),
)
def _(module: ModuleType) -> bool:
    """Who is cancelled while he shakes hands leaves his place taken for ever."""

    async def show() -> bool:
        manager = module.McpSessions(60, 1, 9)
        await cancelled_after(1, manager.initialize("ada", {}))
        return await outcome(manager.initialize("bob", {})) == "TooManySessions"

    return run(show())


@planted(
    "mcp_sessions:streams-left-open-when-cancelled",
    "cancel.no-leak resources.closed-once",
    "hard",
    ("await asyncio.shield(closing)", "await closing"),
)
def _(module: ModuleType) -> bool:
    """Who is cancelled while he ends a session cancels the closing too: the streams stay open for good."""

    async def show() -> bool:
        manager, streams = module.McpSessions(60, 5, 9), [Stream(), Stream()]
        session_id = await manager.initialize("ada", {})
        for stream in streams:
            await manager.adopt(session_id, stream)
        await cancelled_after(2, manager.terminate(session_id))
        await steps(9)
        return [stream.closed for stream in streams] != [1, 1]

    return run(show())


@planted(
    "mcp_sessions:both-who-end-it-close",
    "resources.closed-once",
    "medium",
    ("session = self.sessions.pop(session_id, None)\n", "session = self.sessions.get(session_id)\n"),
    (
        "        await asyncio.shield(closing)\n",
        "        await asyncio.shield(closing)\n        self.sessions.pop(session_id, None)\n",
    ),
)
def _(module: ModuleType) -> bool:
    """A session leaves the table only when its streams are closed: two who end it at once close them twice."""

    async def show() -> bool:
        manager, stream = module.McpSessions(60, 5, 9), Stream()
        session_id = await manager.initialize("ada", {})
        await manager.adopt(session_id, stream)
        await asyncio.gather(*(outcome(manager.terminate(session_id)) for _ in range(2)))
        return stream.closed == 2

    return run(show())


@planted(
    "mcp_sessions:patch-does-not-look-again",
    "expiry.no-resurrection concurrency.linearizable expiry.idle",
    "hard",
    (
        """            if self._live(session_id) is not session:
                raise SessionUnknown(session_id)
            session.state = patched
""",
        """            session.state = patched
""",
    ),
)
def _(module: ModuleType) -> bool:
    """A patch that waits over the end of its session renews it all the same, after others have seen it gone."""

    async def show() -> bool:
        clock, manager = HandClock(module), module.McpSessions(60, 5, 9)
        session_id = await manager.initialize("ada", {})
        clock.now_s += 59
        patch = asyncio.ensure_future(outcome(manager.patch(session_id, {"a": 1})))
        await steps(1)
        clock.now_s += 1
        gone = session_id not in await manager.ids()
        await patch
        return gone and session_id in await manager.ids()

    return run(show())


@planted(
    "mcp_sessions:a-broken-stream-ends-the-cleaner",
    "sweep.survives-errors sweep.background resources.closed-once lifecycle.errors",
    "medium",
    ("except Exception:\n                continue", "except ValueError:\n                continue"),
)
def _(module: ModuleType) -> bool:
    """What goes wrong while a stream is closed comes out of the sweep, whose other sessions stay."""

    async def show() -> bool:
        clock, manager = HandClock(module), module.McpSessions(60, 5, 9)
        for _ in range(2):
            await manager.adopt(await manager.initialize("ada", {}), Stream(fails=True))
        clock.now_s += 60
        return await outcome(manager.sweep()) != 2

    return run(show())


@planted(
    "mcp_sessions:lock-kept-when-cancelled",
    "cancel.no-leak concurrency.deadlock-free",
    "medium",
    (
        """        async with session.lock:
            patched = {**session.state, **copy.deepcopy(changes)}
            await asyncio.sleep(0)
            if self._live(session_id) is not session:
                raise SessionUnknown(session_id)
            session.state = patched
            session.used = time.monotonic()
""",
        """        await session.lock.acquire()
        patched = {**session.state, **copy.deepcopy(changes)}
        await asyncio.sleep(0)
        if self._live(session_id) is not session:
            session.lock.release()
            raise SessionUnknown(session_id)
        session.state = patched
        session.used = time.monotonic()
        session.lock.release()
""",
    ),
)
def _(module: ModuleType) -> bool:
    """Who is cancelled in the middle of a patch keeps the session's lock: the next one waits for ever."""

    async def show() -> bool:
        manager = module.McpSessions(60, 5, 9)
        session_id = await manager.initialize("ada", {})
        await cancelled_after(1, manager.patch(session_id, {"a": 1}))
        await manager.patch(session_id, {"b": 2})
        return False

    return run(show())


@planted(
    "mcp_sessions:the-request-is-kept-on-the-manager",
    "security.cross-session data.isolation concurrency.linearizable",
    "medium",
    (
        """        await asyncio.sleep(0)
        session = self._live(session_id)
        return {"id": session_id, "client": session.client""",
        """        self.current = self._live(session_id)
        await asyncio.sleep(0)
        session = self.current
        return {"id": session_id, "client": session.client""",
    ),
)
def _(module: ModuleType) -> bool:
    """What belongs to one request is kept where all requests look: one reader is shown another's session."""

    async def show() -> bool:
        manager = module.McpSessions(60, 5, 9)
        ids = [await manager.initialize(owner, {}) for owner in ("ada", "bob")]
        first, _ = await asyncio.gather(*map(manager.read, ids))
        return first["client"] == "bob"

    return run(show())


# -- cas_notes --------------------------------------------------------------------------------------------------------


@planted(
    "cas_notes:swaps-whatever-is-there",
    "concurrency.no-lost-update concurrency.linearizable",
    "medium",
    (
        "        if (now if self.lives(now) else None) is not old:",
        "        if self.lives(now) is not (old is not None):",
    ),
)
def _(module: ModuleType) -> bool:
    """The store looks whether there is a row, not whether it is the one that was read: an update is lost."""

    async def show() -> bool:
        notes = module.CasNotes(60)
        await notes.write("n", {})
        await asyncio.gather(notes.amend("n", {"a": 1}), notes.amend("n", {"b": 2}))
        return len((await notes.read("n"))["text"]) < 2

    return run(show())


@planted(
    "cas_notes:compares-revisions-only",
    "concurrency.linearizable concurrency.no-lost-update data.isolation data.read-your-writes",
    "very hard",
    (
        "        if (now if self.lives(now) else None) is not old:",
        (
            "        there = now if self.lives(now) else None\n"
            "        if (there and there.revision) != (old and old.revision):"
        ),
    ),
)
def _(module: ModuleType) -> bool:
    """A note that was torn up and begun anew is at the same revision: an amendment brings the old text back."""

    async def show() -> bool:
        notes = module.CasNotes(60)
        await notes.write("n", {"old": 1})
        amending = asyncio.ensure_future(outcome(notes.amend("n", {"a": 1})))
        await steps(2)  # It has fetched, and is on its way to swap.
        notes.store.rows["n"] = module.Row({"new": 1}, 1, module.time.time())  # What tearing up and writing come to.
        await amending
        return "old" in (await notes.read("n"))["text"]

    return run(show())


@planted(
    "cas_notes:swaps-what-is-over",
    "expiry.no-resurrection concurrency.linearizable expiry.idle",
    "hard",
    (
        "        if (now if self.lives(now) else None) is not old:",
        "        if now is not old and not (old is None and not self.lives(now)):",
    ),
)
def _(module: ModuleType) -> bool:
    """The store does not look at the clock when it swaps: a touch under way brings back what others saw expire."""

    async def show() -> bool:
        clock, notes = HandClock(module), module.CasNotes(60)
        await notes.write("n", {})
        clock.now_s += 59
        touch = asyncio.ensure_future(notes.touch("n"))
        await steps(2)
        clock.now_s += 1
        gone = not notes.store.lives(notes.store.rows["n"])
        await touch
        return gone and await notes.read("n") is not None

    return run(show())


@planted(
    "cas_notes:tries-only-once",
    "concurrency.linearizable concurrency.no-error lifecycle.get lifecycle.errors concurrency.no-lost-update",
    "medium",
    (
        """        while (row := await self.store.fetch(name)) is not None:
            text = {**row.text, **copy.deepcopy(changes)}
""",
        """        if (row := await self.store.fetch(name)) is not None:
            text = {**row.text, **copy.deepcopy(changes)}
""",
    ),
)
def _(module: ModuleType) -> bool:
    """Who was outrun does not try again, and says that there is no such note."""

    async def show() -> bool:
        notes = module.CasNotes(60)
        await notes.write("n", {})
        told = await asyncio.gather(*(outcome(notes.amend("n", {key: 1})) for key in "ab"))
        return "NoSuchNote" in told

    return run(show())


@planted(
    "cas_notes:revisions-come-round",
    "data.version",
    "medium",
    (
        (
            "if await self.store.swap(name, row, replace(row, text=text, revision=row.revision + 1)):\n"
            "                return row.revision + 1"
        ),
        (
            "if await self.store.swap(name, row, replace(row, text=text, revision=row.revision % 4 + 1)):\n"
            "                return row.revision % 4 + 1"
        ),
    ),
)
def _(module: ModuleType) -> bool:
    """After the fourth revision comes the first: who read long ago may save over all that happened since."""

    async def show() -> bool:
        notes = module.CasNotes(60)
        await notes.write("n", {})
        for number in range(4):
            await notes.amend("n", {"n": number})
        return await outcome(notes.rewrite("n", {}, 1)) != "Outdated"

    return run(show())


# -- keyed_desk -------------------------------------------------------------------------------------------------------


@planted(
    "keyed_desk:lock-thrown-away-too-early",
    "concurrency.linearizable concurrency.no-error concurrency.no-lost-update lifecycle.get lifecycle.errors "
    "data.read-your-writes",
    "very hard",
    (
        "            if not turn.users:\n                del self.turns[key]\n",
        "            self.turns.pop(key, None)\n",
    ),
)
def _(module: ModuleType) -> bool:
    """The first of three throws the lock away while the second waits for it; the third makes another."""

    async def show() -> bool:
        desk = module.KeyedDesk(60)
        await desk.ensure("k", {})
        first = [asyncio.ensure_future(outcome(desk.put("k", key, 1))) for key in "ab"]
        while not first[0].done():
            await steps(1)
        told = [await outcome(desk.put("k", "c", 1)), await first[1]]
        return "KeyError" in told or len(await desk.get("k")) < 3

    return run(show())


@planted(
    "keyed_desk:ensure-out-of-turn",
    "concurrency.linearizable concurrency.no-lost-update data.read-your-writes data.isolation lifecycle.create",
    "medium",
    ("    @in_turn\n    async def ensure(", "    async def ensure("),
    (
        "            known = copy.deepcopy(draft)\n",
        "            known = copy.deepcopy(draft)\n            await asyncio.sleep(0)\n",
    ),
)
def _(module: ModuleType) -> bool:
    """Two who ensure the same key at once both find nothing: each is given a draft of his own, and one is gone."""

    async def show() -> bool:
        desk = module.KeyedDesk(60)
        one, other = await asyncio.gather(desk.ensure("k", {"a": 1}), desk.ensure("k", {"b": 2}))
        return bool(one["draft"] != other["draft"])

    return run(show())


@planted(
    "keyed_desk:writes-back-what-was-cleared",
    "concurrency.linearizable lifecycle.delete expiry.no-resurrection lifecycle.get data.read-your-writes "
    "lifecycle.views-agree",
    "hard",
    (
        (
            "        if found is None or found[1] is not before or time.monotonic() >= found[0]:\n"
            "            raise KeyError(key)\n"
            "        self.drafts[key] = (found[0], after)\n"
        ),
        (
            "        until = found[0] if found is not None else time.monotonic() + self.life_s\n"
            "        self.drafts[key] = (until, after)\n"
        ),
    ),
)
def _(module: ModuleType) -> bool:
    """A put that was under way when all was cleared writes its draft back."""

    async def show() -> bool:
        desk = module.KeyedDesk(60)
        await desk.ensure("k", {})
        putting = asyncio.ensure_future(outcome(desk.put("k", "a", 1)))
        await steps(2)
        await desk.clear()
        seen_gone = await desk.exists("k") is False
        await putting
        return seen_gone and await desk.exists("k")

    return run(show())


@planted(
    "keyed_desk:turns-left-behind",
    "resources.none-left cancel.no-leak",
    "medium",
    (
        """        try:
            async with turn.lock:
                return await method(self, key, *rest)
        finally:
            turn.users -= 1
            if not turn.users:
                del self.turns[key]
""",
        """        async with turn.lock:
            answer = await method(self, key, *rest)
        turn.users -= 1
        if not turn.users:
            del self.turns[key]
        return answer
""",
    ),
)
def _(module: ModuleType) -> bool:
    """Whoever asks for a key that is not there leaves its lock behind: whoever guesses keys fills the memory."""

    async def show() -> bool:
        desk = module.KeyedDesk(60)
        await outcome(desk.get("nothing"))
        return bool(desk.turns)

    return run(show())


# -- agent_runs -------------------------------------------------------------------------------------------------------


@planted(
    "agent_runs:two-heirs",
    "lifecycle.use concurrency.linearizable",
    "hard",
    (
        '''        """Return the run, or the one that stands in its place."""
        async with self.lock:
''',
        '''        """Return the run, or the one that stands in its place."""
        if self.runs:
''',
    ),
)
def _(module: ModuleType) -> bool:
    """Two who use an expired run at once are given two runs in its place."""

    async def show() -> bool:
        clock, runs = HandClock(module), module.AgentRuns(60, 9)
        begun = await runs.begin({})
        clock.now_s += 60
        runs.runs[begun.run_id].used = clock.time() - 60
        one, other = await asyncio.gather(runs.use(begun.run_id), runs.use(begun.run_id))
        return bool(one.run_id != other.run_id)

    return run(show())


@planted(
    "agent_runs:an-heir-is-for-ever",
    "lifecycle.use expiry.no-resurrection expiry.idle expiry.boundary",
    "medium",
    (
        'if heir is None or self._find(heir.run_id).status == "expired":',
        "if heir is None:",
    ),
)
def _(module: ModuleType) -> bool:
    """A replacement that has expired in its turn is given out once more."""

    async def show() -> bool:
        clock, runs = HandClock(module), module.AgentRuns(60, 9)
        begun = await runs.begin({})
        runs.runs[begun.run_id].used = clock.time() - 60
        heir = await runs.use(begun.run_id)
        runs.runs[heir.run_id].used = clock.time() - 60
        return bool((await runs.use(begun.run_id)).run_id == heir.run_id)

    return run(show())


@planted(
    "agent_runs:coming-back-is-never-too-late",
    "expiry.no-resurrection lifecycle.resume expiry.idle expiry.boundary",
    "easy",
    (
        """        await asyncio.sleep(0)
        run = self._live(run_id)
        run.used = time.time()
        return copy.deepcopy(run)
""",
        """        await asyncio.sleep(0)
        run = self._find(run_id)
        run.used, run.status = time.time(), "active"
        return copy.deepcopy(run)
""",
    ),
)
def _(module: ModuleType) -> bool:
    """A client that comes back after the end of its run finds it alive."""

    async def show() -> bool:
        clock, runs = HandClock(module), module.AgentRuns(60, 9)
        begun = await runs.begin({})
        runs.runs[begun.run_id].used = clock.time() - 60
        return await outcome(runs.come_back(begun.run_id)) != "RunOver"

    return run(show())


# -- quota_async ------------------------------------------------------------------------------------------------------


@planted(
    "quota_async:everybody-has-his-own-lock",
    "concurrency.limit limit.enforced",
    "medium",
    (
        "        async with self.locks[owner]:\n            held",
        "        async with asyncio.Lock():\n            held",
    ),
)
def _(module: ModuleType) -> bool:
    """The lock is made anew for each call, so that it keeps nobody out: the quota is passed."""

    async def show() -> bool:
        spaces = module.QuotaAsync(60, 1)
        await asyncio.gather(spaces.open("ada", {}), spaces.open("ada", {}))
        return len(await spaces.of("ada")) > 1

    return run(show())


@planted(
    "quota_async:saves-over-a-delete",
    "lifecycle.delete concurrency.linearizable expiry.no-resurrection lifecycle.get",
    "hard",
    (
        """            if self._live(space_id) is None:
                return None
            space.files, space.used""",
        """            self.spaces[space_id] = space
            space.files, space.used""",
    ),
)
def _(module: ModuleType) -> bool:
    """A write that was under way when its workspace was given up puts it back."""

    async def show() -> bool:
        spaces = module.QuotaAsync(60, 3)
        space_id = await spaces.open("ada", {})
        writing = asyncio.ensure_future(spaces.write(space_id, {"a": 1}))
        await steps(1)
        given_up = await spaces.give_up(space_id) and await spaces.load(space_id) is None
        await writing
        return given_up and await spaces.load(space_id) is not None

    return run(show())


@planted(
    "quota_async:the-expired-take-up-the-quota",
    "limit.released limit.enforced",
    "medium",
    ("held = sum(one.owner == owner and self._live(key) is not None", "held = sum(one.owner == owner and key != ''"),
)
def _(module: ModuleType) -> bool:
    """What has expired counts until somebody reclaims it: its owner cannot begin anew."""

    async def show() -> bool:
        clock = HandClock(module)
        spaces = module.QuotaAsync(60, 1, clock.monotonic)
        await spaces.open("ada", {})
        clock.now_s += 60
        return await spaces.open("ada", {}) is None

    return run(show())


# -- timer_rooms ------------------------------------------------------------------------------------------------------


class HandLoop:
    """Stands in the place of a loop: timers that run when they are told to."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.timers: list[list[Any]] = []

    def time(self) -> float:
        return self.now_s

    def call_at(self, when: float, function: Any, *arguments: Any) -> Any:
        timer = [when, function, arguments]
        self.timers.append(timer)
        return type("Handle", (), {"cancel": lambda _: timer in self.timers and self.timers.remove(timer)})()

    def advance(self, seconds: float) -> None:
        self.now_s += seconds
        for timer in sorted(self.timers, key=lambda one: one[0]):
            if timer in self.timers and timer[0] <= self.now_s:
                self.timers.remove(timer)
                timer[1](*timer[2])


def waiting_rooms(module: ModuleType) -> tuple[Any, HandLoop]:
    """Return a manager of waiting rooms on a loop that is moved by hand."""
    rooms = module.TimerRooms(60, 5)
    rooms.loop = HandLoop()
    return rooms, rooms.loop


@planted(
    "timer_rooms:the-old-timer-runs-on",
    "expiry.touch-renews expiry.not-early expiry.boundary",
    "medium",
    (
        "        if room.timer is not None:\n            room.timer.cancel()\n        room.deadline",
        "        room.deadline",
    ),
)
def _(module: ModuleType) -> bool:
    """Who renews a room sets another timer and leaves the old one, which ends the room as if nothing had happened."""

    async def show() -> bool:
        rooms, loop = waiting_rooms(module)
        key = await rooms.open({})
        loop.advance(50)
        await rooms.stay(key)
        loop.advance(20)
        return await rooms.read(key) is None

    return run(show())


@planted(
    "timer_rooms:looks-before-it-waits",
    "concurrency.linearizable expiry.touch-renews expiry.idle expiry.boundary expiry.not-early",
    "very hard",
    (
        """        await asyncio.sleep(0)
        room = self._live(key)
        if room is None:
            return False
        self._set_timer(key, room)
        return True

    async def pin""",
        """        room = self._live(key)
        await asyncio.sleep(0)
        if room is None:
            return False
        self._set_timer(key, room)
        return True

    async def pin""",
    ),
)
def _(module: ModuleType) -> bool:
    """A room that ends while somebody is about to renew it: he is told that he has, and it is gone."""

    async def show() -> bool:
        rooms, loop = waiting_rooms(module)
        key = await rooms.open({})
        loop.advance(59)
        staying = asyncio.ensure_future(rooms.stay(key))
        await steps(1)
        loop.advance(1)
        return await staying and await rooms.read(key) is None

    return run(show())


# -- cached_profiles --------------------------------------------------------------------------------------------------


@planted(
    "cached_profiles:fills-the-cache-too-late",
    "concurrency.linearizable lifecycle.delete data.read-your-writes concurrency.no-lost-update lifecycle.get "
    "lifecycle.views-agree",
    "very hard",
    (
        """        async with self.locks[key]:
            data = await self._load(key)
            if data is None:
""",
        """        if key is not None:
            data = await self._load(key)
            if data is None:
""",
    ),
)
def _(module: ModuleType) -> bool:
    """A reader who was slow puts into the cache what was replaced meanwhile: all read the old one from then on."""

    async def show() -> bool:
        profiles, gate = module.CachedProfiles(60), asyncio.Event()
        for key in "pqr":  # The last two push the first out of the cache.
            await profiles.put(key, {"old": 1})
        reading_store = profiles.store.read

        async def slow(key: str) -> Any:
            row = await reading_store(key)
            await gate.wait()
            return row

        profiles.store.read = slow
        reading = asyncio.ensure_future(profiles.get("p"))
        await steps(3)
        profiles.store.read = reading_store
        replacing = asyncio.ensure_future(profiles.replace("p", {"new": 1}))
        await steps(9)
        gate.set()
        await asyncio.gather(reading, replacing)
        return bool(await profiles.get("p") == {"old": 1})

    return run(show())


@planted(
    "cached_profiles:cache-kept-at-delete",
    "lifecycle.delete concurrency.linearizable lifecycle.views-agree lifecycle.get",
    "easy",
    (
        "            self.cache.pop(key, None)\n            await self.store.remove(key)\n",
        "            await self.store.remove(key)\n",
    ),
)
def _(module: ModuleType) -> bool:
    """A profile is deleted in the store and not in the cache."""

    async def show() -> bool:
        profiles = module.CachedProfiles(60)
        await profiles.put("p", {"a": 1})
        await profiles.delete("p")
        return await profiles.has("p")

    return run(show())


@planted(
    "cached_profiles:cached-before-it-is-stored",
    "cancel.atomic",
    "very hard",
    (
        """        self.cache.pop(key, None)
        await self.store.write(key, row)
        self._fill(key, row)

    async def put""",
        """        self._fill(key, row)
        await self.store.write(key, row)

    async def put""",
    ),
)
def _(module: ModuleType) -> bool:
    """Who is cancelled before the store has it leaves in the cache what is gone once others push it out."""

    async def show() -> bool:
        profiles = module.CachedProfiles(60)
        await profiles.put("p", {"a": 1})
        await cancelled_after(1, profiles.put("p", {"a": 2}))
        seen = await profiles.get("p")
        for other in "qr":
            await profiles.put(other, {})
        return bool(await profiles.get("p") != seen)

    return run(show())
