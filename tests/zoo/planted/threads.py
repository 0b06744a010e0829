"""Bugs of managers for threads: what happens between two statements, and sometimes within one."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import ModuleType

from zoo.planted import planted
from zoo.planted.by_hand import Between, HandClock, answer, at_copy


class Number(int):
    """A number that lets another thread in when something is taken from it."""

    between: Between

    def __sub__(self, other: int) -> int:
        return self.between(int(self) - other)

    def __ge__(self, other: object) -> bool:
        return self.between(int(self) >= other)  # type: ignore[operator]  # it is a number


def number(value: int, between: Between) -> Number:
    """Return a number that lets another thread in."""
    made = Number(value)
    made.between = between
    return made


# -- striped_carts ----------------------------------------------------------------------------------------------------


@planted(
    "striped_carts:places-given-back-without-the-lock",
    "concurrency.limit limit.released limit.enforced concurrency.linearizable",
    "very hard",
    ("        with self.counting:\n            self.taken -= 1\n", "        self.taken -= 1\n"),
)
def _(module: ModuleType) -> bool:
    """Two who check out at once both subtract from the same number: one place is lost for ever."""
    carts = module.StripedCarts(60, 9)
    ids: list[str] = []
    while len({id(carts._stripe(one)) for one in ids}) < 2:
        ids.append(carts.open({}))
    first = ids[-1]
    other = next(one for one in ids if carts._stripe(one) is not carts._stripe(first))
    between = Between(lambda: carts.check_out(other))
    carts.taken = number(carts.taken, between)
    carts.check_out(first)
    between.result()
    return bool(carts.taken != len(carts.ids()))


@planted(
    "striped_carts:places-taken-without-the-lock",
    "concurrency.limit limit.enforced",
    "hard",
    (
        """        with self.counting:
            if self.taken >= self.places:
                return False
            self.taken += 1
            return True
""",
        """        if self.taken >= self.places:
            return False
        self.taken += 1
        return True
""",
    ),
)
def _(module: ModuleType) -> bool:
    """Two who open a cart at once both see the last place."""
    carts = module.StripedCarts(60, 1)
    between = Between(lambda: carts.open({}))
    carts.taken = number(0, between)
    carts.open({})
    between.result()
    return len(carts.ids()) > 1


@planted(
    "striped_carts:looks-then-checks-out",
    "concurrency.linearizable concurrency.no-error lifecycle.errors lifecycle.delete",
    "hard",
    (
        """            if cart is None:
                return None
            self._drop(stripe, cart_id)
            return cart.items
""",
        """            if cart is None:
                return None
        items = copy.deepcopy(cart.items)
        with stripe.lock:
            if cart_id in stripe.carts:
                self._drop(stripe, cart_id)
        return items
""",
    ),
)
def _(module: ModuleType) -> bool:
    """Two who check the same cart out at once are both given what was in it."""
    carts = module.StripedCarts(60, 9)
    cart_id = carts.open({"a": 1})
    between = Between(lambda: carts.check_out(cart_id))
    at_copy(module, between)
    first = carts.check_out(cart_id)
    return first is not None and between.thread is not None and between.result() is not None


class TimidLock:
    """A lock that says after a short while that nobody will ever give it back."""

    def __init__(self, taken: Callable[[], object] = lambda: None) -> None:
        self.lock = threading.Lock()
        self.taken = taken

    def __enter__(self) -> None:
        if not self.lock.acquire(timeout=0.05):
            raise TimeoutError("nobody gives it back")
        self.taken()

    def __exit__(self, *_: object) -> None:
        self.lock.release()


@planted(
    "striped_carts:two-ways-through-the-stripes",
    "concurrency.deadlock-free",
    "hard",
    ("import copy\nimport secrets", "import contextlib\nimport copy\nimport secrets"),
    (
        """        collected = 0
        for stripe in self.stripes:
            with stripe.lock:
                for cart_id in list(stripe.carts):
                    collected += self._find(stripe, cart_id) is None
        return collected
""",
        """        collected = 0
        with contextlib.ExitStack() as locked:
            for stripe in self.stripes:
                locked.enter_context(stripe.lock)
            for stripe in self.stripes:
                for cart_id in list(stripe.carts):
                    collected += self._find(stripe, cart_id) is None
        return collected
""",
    ),
    (
        """        found = []
        for stripe in self.stripes:
            with stripe.lock:
                found += [""",
        """        found = []
        with contextlib.ExitStack() as locked:
            for stripe in reversed(self.stripes):
                locked.enter_context(stripe.lock)
            for stripe in self.stripes:
                found += [""",
    ),
)
def _(module: ModuleType) -> bool:
    """Who collects locks all stripes from the first to the last, who lists from the last to the first."""
    carts = module.StripedCarts(60, 9)
    other = Between(lambda: answer(carts.ids))
    for stripe in carts.stripes:
        stripe.lock = TimidLock()
    carts.stripes[0].lock.taken = other
    told = answer(carts.collect)
    return "TimeoutError" in (told, other.result())


# -- locked_web -------------------------------------------------------------------------------------------------------


class Name(str):
    """A user's name that lets another thread in when it is compared."""

    between: Between
    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        return self.between(str(self) == other)


@planted(
    "locked_web:lists-without-the-lock",
    "concurrency.no-error lifecycle.errors",
    "hard",
    (
        '''        """Return the ids of the sessions of a user."""
        with self.lock:
            self._prune()
''',
        '''        """Return the ids of the sessions of a user."""
        if user:
            self._prune()
''',
    ),
)
def _(module: ModuleType) -> bool:
    """A session that begins while others are listed makes the listing fail."""
    web = module.LockedWeb(module.timedelta(60), module.timedelta(60), 9)
    name = Name("ada")
    name.between = Between(lambda: web.begin("bob", {}))
    for _ in range(3):
        web.begin("ada", {})
    next(iter(web.stored.values())).user = name
    told = answer(lambda: web.sessions_of("ada"))
    name.between.result()
    return bool(told == "RuntimeError")


@planted(
    "locked_web:two-new-ids-at-once",
    "concurrency.linearizable concurrency.no-error security.rotation lifecycle.errors lifecycle.list",
    "hard",
    (
        '''        """Give the session a new id, which is returned."""
        with self.lock:
''',
        '''        """Give the session a new id, which is returned."""
        if key:
''',
    ),
)
def _(module: ModuleType) -> bool:
    """Two who give a session a new id at once: it goes on under both, or one of them stumbles."""
    web = module.LockedWeb(module.timedelta(60), module.timedelta(60), 9)
    key = web.begin("ada", {}).key
    between = Between(lambda: web.renew_id(key))
    real = module.secrets.token_urlsafe
    module.secrets = type("Secrets", (), {"token_urlsafe": staticmethod(lambda size: between(real(size)))})
    told = answer(lambda: web.renew_id(key))
    return between.result() != "SessionGone" and told != "SessionGone"


@planted(
    "locked_web:anybodys-session-makes-room",
    "limit.eviction security.cross-session lifecycle.get lifecycle.list expiry.not-early",
    "medium",
    ("del self.stored[min(mine, key=", "del self.stored[min(self.stored, key="),
)
def _(module: ModuleType) -> bool:
    """Where a user has no place left, whoever of all users was idle for longest loses his session."""
    web = module.LockedWeb(module.timedelta(60), module.timedelta(60), 1)
    web.begin("bob", {})
    web.begin("ada", {})
    web.begin("ada", {})
    return not web.sessions_of("bob")


@planted(
    "locked_web:a-refused-save-renews",
    "expiry.idle expiry.boundary expiry.no-resurrection expiry.absolute",
    "medium",
    (
        """            stored = self._find(key)
            if stored.version != version:
""",
        """            stored = self._find(key)
            stored.used = datetime.now(UTC)
            if stored.version != version:
""",
    ),
)
def _(module: ModuleType) -> bool:
    """Whoever tries to save over another's version is refused, and keeps the session alive by that."""
    clock = HandClock(module)
    web = module.LockedWeb(module.timedelta(seconds=60), module.timedelta(9), 1)
    key = web.begin("ada", {}).key
    clock.now_s += 50
    answer(lambda: web.save(key, {}, 7))
    clock.now_s += 50
    return bool(web.sessions_of("ada"))


@planted(
    "locked_web:time-without-a-zone",
    "expiry.timezone expiry.not-early expiry.idle expiry.absolute expiry.boundary expiry.clock-back "
    "expiry.no-resurrection",
    "medium",
    ("        now = datetime.now(UTC)\n        over", "        now = datetime.now()\n        over"),
    ("secrets.token_urlsafe(32), datetime.now(UTC)\n", "secrets.token_urlsafe(32), datetime.now()\n"),
    (
        "            stored = self._find(key)\n            stored.used = datetime.now(UTC)\n            return self._copy",
        "            stored = self._find(key)\n            stored.used = datetime.now()\n            return self._copy",
    ),
    (
        "            stored.version += 1\n            stored.used = datetime.now(UTC)",
        "            stored.version += 1\n            stored.used = datetime.now()",
    ),
    (
        "            del self.stored[key]\n            stored.used = datetime.now(UTC)\n            return new_key",
        "            del self.stored[key]\n            stored.used = datetime.now()\n            return new_key",
    ),
)
def _(module: ModuleType) -> bool:
    """Times are those of the clock on the wall: in the night when summer begins, everybody is logged out."""
    clock = HandClock(module)
    web = module.LockedWeb(module.timedelta(minutes=20), module.timedelta(9), 1)
    web.begin("ada", {})
    clock.summer_time = True
    return not web.sessions_of("ada")


@planted(
    "locked_web:ids-are-counted",
    "security.id-entropy",
    "easy",
    (
        "key, now = secrets.token_urlsafe(32), datetime.now(UTC)",
        'key, now = f"{len(self.stored):043d}", datetime.now(UTC)\n            while key in self.stored or key in self.given:\n                key = f"{int(key) + 1:043d}"\n            self.given.add(key)',
    ),
    (
        "        self.lock = threading.RLock()\n",
        "        self.lock = threading.RLock()\n        self.given: set[str] = set()\n",
    ),
)
def _(module: ModuleType) -> bool:
    """The ids are long, and each is the one before and one more."""
    web = module.LockedWeb(module.timedelta(60), module.timedelta(60), 9)
    first, second = (web.begin("ada", {}).key for _ in range(2))
    return bool(first.isdigit() and int(second) == int(first) + 1)


@planted(
    "locked_web:ids-come-from-a-seed",
    "security.id-entropy",
    "very hard",
    ("import secrets\n", "import random\nimport secrets\n"),
    (
        "        self.lock = threading.RLock()\n",
        "        self.lock = threading.RLock()\n        self.chance = random.Random(len(__name__))\n",
    ),
    (
        "key, now = secrets.token_urlsafe(32), datetime.now(UTC)",
        'key, now = f"{self.chance.getrandbits(256):064x}", datetime.now(UTC)',
    ),
)
def _(module: ModuleType) -> bool:
    """The ids look as they should, and are the same after every start."""
    first, second = (module.LockedWeb(module.timedelta(60), module.timedelta(60), 9) for _ in range(2))
    return bool(first.begin("ada", {}).key == second.begin("ada", {}).key)


# -- swept_cache ------------------------------------------------------------------------------------------------------


@planted(
    "swept_cache:decides-before-it-takes",
    "sweep.only-expired concurrency.linearizable expiry.touch-renews expiry.not-early",
    "hard",
    (
        """            for key in over:
                del self.entries[key]
        self._tell(over)
""",
        """        for key in over:
            with self.lock:
                self.entries.pop(key, None)
        self._tell(over)
""",
    ),
)
def _(module: ModuleType) -> bool:
    """The sweep notes who is over, lets the lock go, and then removes them: one that was touched in between is gone."""
    clock = HandClock(module)
    cache = module.SweptCache(60, 9, lambda key: None)
    cache.add("k", {})
    clock.now_s += 60
    between = Between(lambda: cache.touch("k"))

    class Locked:
        """A lock, behind which another thread waits to be let in."""

        def __init__(self) -> None:
            self.lock, self.left = threading.Lock(), 0

        def __enter__(self) -> None:
            self.lock.acquire()

        def __exit__(self, *_: object) -> None:
            self.lock.release()
            self.left += 1
            if self.left == 1:
                between()

    cache.lock = Locked()
    cache.sweep()
    return between.result() is True and cache.get("k") is None


@planted(
    "swept_cache:a-failing-hook-ends-the-sweeper",
    "sweep.survives-errors sweep.background resources.closed-once lifecycle.errors",
    "medium",
    (
        """            with contextlib.suppress(Exception):
                self.on_close(key)
""",
        """            with contextlib.suppress(KeyError):
                self.on_close(key)
""",
    ),
)
def _(module: ModuleType) -> bool:
    """What a hook raises ends the sweep; in the background it is the last."""
    clock, told = HandClock(module), []

    def hook(key: str) -> None:
        told.append(key)
        raise OSError(key)

    cache = module.SweptCache(60, 9, hook)
    for key in "ab":
        cache.add(key, {})
    clock.now_s += 60
    answer(cache.sweep)
    return told != ["a", "b"]


@planted(
    "swept_cache:comes-every-other-time",
    "sweep.background",
    "medium",
    ("while not self.stopped.wait(self.every_s):", "while not self.stopped.wait(self.every_s * 2):"),
)
def _(module: ModuleType) -> bool:
    """The sweeper waits for twice its interval."""
    cache, waited = module.SweptCache(60, 9, lambda key: None), []
    cache.stopped = type("Stopped", (), {"wait": lambda _, span_s: waited.append(span_s) or True})()
    cache._sweep_for_ever()
    return waited != [9]


@planted(
    "swept_cache:both-who-remove-tell",
    "resources.closed-once concurrency.linearizable lifecycle.delete",
    "hard",
    (
        """            found = self.entries.pop(key, None)
        if found is not None:
            self._tell([key])
        return found is not None
""",
        """            found = self.entries.get(key)
        if found is not None:
            self._tell([key])
        with self.lock:
            self.entries.pop(key, None)
        return found is not None
""",
    ),
)
def _(module: ModuleType) -> bool:
    """Who removes an entry tells of it first: two who do so at once tell twice."""
    told: list[str] = []

    def hook(key: str) -> None:
        told.append(key)
        between()

    cache = module.SweptCache(60, 9, hook)
    between = Between(lambda: cache.remove("k"))
    cache.add("k", {})
    cache.remove("k")
    between.result()
    return told == ["k", "k"]


@planted(
    "swept_cache:reads-outside-of-the-lock",
    "concurrency.no-lost-update concurrency.linearizable",
    "medium",
    (
        """        with self.lock:
            if key not in self.entries:
                return False
            self.entries[key] = (time.monotonic(), {**self.entries[key][1], **copy.deepcopy(changes)})
            return True
""",
        """        found = self.entries.get(key)
        if found is None:
            return False
        value = {**found[1], **copy.deepcopy(changes)}
        with self.lock:
            self.entries[key] = (time.monotonic(), value)
            return True
""",
    ),
)
def _(module: ModuleType) -> bool:
    """What is merged was read before the lock was taken: of two updates one is lost."""
    cache = module.SweptCache(60, 9, lambda key: None)
    cache.add("k", {})
    between = Between(lambda: cache.update("k", {"b": 2}))
    at_copy(module, between)
    cache.update("k", {"a": 1})
    between.result()
    return len(cache.get("k")) < 2


# -- gauge_board ------------------------------------------------------------------------------------------------------


@planted(
    "gauge_board:measures-without-the-lock",
    "concurrency.no-error lifecycle.errors metrics.consistent concurrency.linearizable",
    "hard",
    (
        """        with self.lock:
            now = time.monotonic()
            born = [""",
        """        if self.places:
            now = time.monotonic()
            born = [""",
    ),
)
def _(module: ModuleType) -> bool:
    """A gauge that is put up while the board is measured makes the measuring fail."""
    board = module.GaugeBoard(60, 9)
    for name in "abc":
        board.hang(name, {})
    between = Between(lambda: board.hang("d", {}))

    class Gauge(module.Gauge):  # type: ignore[name-defined, misc]  # a class of the module at hand
        """A gauge that lets another thread in when it is asked how old it is."""

        born = property(lambda self: between(1.0), lambda self, value: None)

    board.gauges["a"] = Gauge({}, 1.0, module.time.monotonic())
    told = answer(board.figures)
    between.result()
    return bool(told == "RuntimeError")


@planted(
    "gauge_board:the-sum-drifts",
    "metrics.consistent",
    "medium",
    (
        """            for name in over:
                self._take_down(name)
""",
        """            for name in over:
                del self.gauges[name]
""",
    ),
)
def _(module: ModuleType) -> bool:
    """What is wiped stays in the sum of ages: from then on the mean is wrong."""
    clock, board = HandClock(module), module.GaugeBoard(60, 9)
    board.hang("a", {})
    clock.now_s += 60
    board.wipe()
    board.hang("b", {})
    return abs(board.figures()["mean"]) > 1


@planted(
    "gauge_board:notes-by-the-other-clock",
    "expiry.idle expiry.not-early expiry.boundary expiry.absolute expiry.no-resurrection expiry.touch-renews",
    "easy",
    (
        "            gauge.used = time.monotonic()\n            return True",
        "            gauge.used = time.time()\n            return True",
    ),
)
def _(module: ModuleType) -> bool:
    """Whoever taps a gauge notes the time of the wall clock, which is far from the one that it is compared with."""
    clock, board = HandClock(module), module.GaugeBoard(60, 9)
    board.hang("a", {})
    board.tap("a")
    clock.now_s += 61
    return board.read("a") is not None


# -- alias_leases -----------------------------------------------------------------------------------------------------


@planted(
    "alias_leases:old-names-lead-nowhere",
    "lifecycle.errors lifecycle.delete security.rotation",
    "medium",
    (
        """        for name in self.leases.pop(number).names:
            del self.numbers[name]
""",
        """        del self.numbers[self.leases.pop(number).name]
""",
    ),
)
def _(module: ModuleType) -> bool:
    """Who ends a lease that had another name before leaves that name behind: asking for it fails."""
    leases = module.AliasLeases(60)
    old = leases.lease({})
    leases.end(leases.rename(old))
    return bool(answer(lambda: leases.terms(old)) == "KeyError")


@planted(
    "alias_leases:an-old-name-changes-nothing",
    "data.merge security.rotation expiry.touch-renews data.read-your-writes expiry.not-early expiry.boundary",
    "medium",
    (
        """            amended = {**lease.terms, **copy.deepcopy(terms)}
""",
        """            if lease.name != name:
                return True
            amended = {**lease.terms, **copy.deepcopy(terms)}
""",
    ),
)
def _(module: ModuleType) -> bool:
    """What is amended under an old name is acknowledged and forgotten."""
    leases = module.AliasLeases(60)
    old = leases.lease({})
    new = leases.rename(old)
    leases.amend(old, {"a": 1})
    return bool(leases.terms(new) == {})


@planted(
    "alias_leases:its-own-time-is-lost-with-its-name",
    "expiry.per-session security.rotation expiry.not-early expiry.idle expiry.boundary lifecycle.edge-values",
    "medium",
    ("replace(lease, names=(*lease.names, other))", "replace(lease, names=(*lease.names, other), span_s=self.span_s)"),
)
def _(module: ModuleType) -> bool:
    """A lease that is renamed runs for as long as all others from then on."""
    leases = module.AliasLeases(60)
    return bool(leases.left_s(leases.rename(leases.lease({}, 600))) < 100)


# -- managers behind a lock that were here before ------------------------------------------------------------------------


@planted(
    "chat_cache:asking-keeps-alive",
    "expiry.idle expiry.boundary limit.eviction expiry.no-resurrection lifecycle.views-agree",
    "easy",
    (
        '''        """Say whether there is a chat, and renew nothing."""
        with self.lock:
            return self._find(key) is not None
''',
        '''        """Say whether there is a chat, and renew nothing."""
        with self.lock:
            return self._find(key, renew=True) is not None
''',
    ),
)
def _(module: ModuleType) -> bool:
    """Whoever asks whether a chat is there keeps it there."""
    clock, chats = HandClock(module), module.ChatCache(60, 9)
    chats.open("k")
    clock.now_s += 50
    chats.has("k")
    clock.now_s += 50
    return chats.has("k")


@planted(
    "owned_leases:drops-while-it-looks",
    "concurrency.linearizable lifecycle.create concurrency.no-lost-update data.read-your-writes concurrency.limit "
    "data.isolation",
    "hard",
    (
        """            self.begun += 1
            self.leases[name] = Lease(name, holder, copy.deepcopy(terms), self.begun)
            return copy.deepcopy(self.leases[name])
""",
        """            self.begun += 1
            number = self.begun
        lease = Lease(name, holder, copy.deepcopy(terms), number)
        with self.lock:
            self.leases[name] = lease
        return copy.deepcopy(lease)
""",
    ),
)
def _(module: ModuleType) -> bool:
    """Two who obtain the same lease at once both begin it: each is given his own terms, and one is wrong."""
    leases = module.OwnedLeases(60, 9)
    between = Between(lambda: leases.obtain("k", "bob", {"b": 2}))
    at_copy(module, between)
    mine = leases.obtain("k", "ada", {"a": 1})
    return bool(mine.terms != between.result().terms)
