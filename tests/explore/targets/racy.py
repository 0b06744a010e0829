"""Managers for threads: each with one race, and its twin that is sound."""

from __future__ import annotations

import threading
from typing import Any

# Made when this is imported, long before any clock is in force.
EARLY = threading.Lock()
EARLY_TWICE = threading.RLock()


class Hits:
    """Loses updates: reads, then writes."""

    def __init__(self) -> None:
        self.hits = {"a": 0}

    def hit(self) -> None:
        self.hits["a"] = self.hits["a"] + 1

    def is_right(self) -> bool:
        return self.hits["a"] == 2

    clients = (hit, hit)


class HitsAugmented(Hits):
    def hit(self) -> None:
        self.hits["a"] += 1

    clients = (hit, hit)


class SafeHits(Hits):
    def __init__(self) -> None:
        super().__init__()
        self.lock = threading.Lock()

    def hit(self) -> None:
        with self.lock:
            self.hits["a"] = self.hits["a"] + 1

    clients = (hit, hit)


class SafeHitsEarly(Hits):
    """Its lock is older than the clock."""

    def hit(self) -> None:
        with EARLY, EARLY_TWICE, EARLY_TWICE:
            self.hits["a"] += 1

    clients = (hit, hit)


class SafeHitsByHand(Hits):
    def hit(self) -> None:
        while not EARLY.acquire(timeout=5):
            pass
        try:
            self.hits["a"] += 1
        finally:
            EARLY.release()

    clients = (hit, hit)


class Limited:
    """Lets too many in: counts, then adds."""

    def __init__(self) -> None:
        self.kept: dict[str, Any] = {"z": {}}

    def create(self, key: str) -> bool:
        if len(self.kept) >= 2:
            return False
        self.kept[key] = {}
        return True

    def is_right(self) -> bool:
        return len(self.kept) == 2

    clients = (lambda self: self.create("a"), lambda self: self.create("b"))


class SafeLimited(Limited):
    def __init__(self) -> None:
        super().__init__()
        self.places = threading.BoundedSemaphore(1)

    def create(self, key: str) -> bool:
        return self.places.acquire(blocking=False) and super().create(key)


class Two:
    """Takes two locks in two orders."""

    def __init__(self) -> None:
        self.first, self.second = threading.Lock(), threading.RLock()
        self.done = 0

    def one(self) -> None:
        with self.first, self.second:
            self.done += 1

    def other(self) -> None:
        with self.second, self.first:
            self.done += 1

    def is_right(self) -> bool:
        return self.done == 2

    clients = (one, other)


class SafeTwo(Two):
    clients = (Two.one, Two.one)


class Resource:
    def __init__(self) -> None:
        self.closed = 0

    def close(self) -> None:
        self.closed += 1


class Closing:
    """Closes twice: asks whether it is open, then closes."""

    def __init__(self) -> None:
        self.resource = Resource()
        self.open = True

    def close(self) -> None:
        if self.open:
            self.resource.close()
            self.open = False

    def is_right(self) -> bool:
        return self.resource.closed == 1

    clients = (close, close)


class SafeClosing(Closing):
    def __init__(self) -> None:
        super().__init__()
        self.changed = threading.Condition()

    def close(self) -> None:
        with self.changed:
            if not self.open:
                self.changed.wait_for(lambda: self.resource.closed)
                return
            self.open = False
        self.resource.close()
        with self.changed:
            self.changed.notify_all()

    clients = (close, close)


class Touched:
    """Resurrects: a touch writes back what was deleted meanwhile."""

    def __init__(self) -> None:
        self.kept = {"a": {"at": 0}}

    def touch(self) -> None:
        session = self.kept.get("a")
        if session is not None:
            self.kept["a"] = {**session, "at": 1}

    def delete(self) -> None:
        self.kept.pop("a", None)

    def is_right(self) -> bool:
        return "a" not in self.kept

    clients = (touch, delete)


class SafeTouched(Touched):
    def touch(self) -> None:
        session = self.kept.get("a")
        if session is not None:
            session["at"] = 1

    clients = (touch, Touched.delete)


class Made:
    """Gives two for one: looks whether it is there, then makes it."""

    def __init__(self) -> None:
        self.kept: dict[str, Resource] = {}
        self.given: list[Resource] = []

    def get_or_create(self) -> None:
        if "a" not in self.kept:
            self.kept["a"] = Resource()
        self.given.append(self.kept["a"])

    def is_right(self) -> bool:
        return self.given[0] is self.given[1]

    clients = (get_or_create, get_or_create)


class SafeMade(Made):
    def get_or_create(self) -> None:
        self.given.append(self.kept.setdefault("a", Resource()))

    clients = (get_or_create, get_or_create)


RACY = (Hits, HitsAugmented, Limited, Two, Closing, Touched, Made)
SOUND = (SafeHits, SafeHitsEarly, SafeHitsByHand, SafeLimited, SafeTwo, SafeClosing, SafeTouched, SafeMade)


# -- what blocks, spins, sleeps and starts ---------------------------------------------------------------------------


class Spinning:
    """Each waits for the other by spinning."""

    def __init__(self) -> None:
        self.go = False

    def wait(self) -> None:
        while not self.go:
            pass

    clients = (wait, wait)


class Handing(Spinning):
    """One waits for the other by spinning, which is slow but comes to an end."""

    def give(self) -> None:
        self.go = True

    clients = (Spinning.wait, give)


class Cleaning:
    """A cleaner thread of its own, a pool and a local per thread."""

    def __init__(self) -> None:
        self.woken: list[float] = []
        self.local = threading.local()
        self.local.n = 7
        self.stopped = threading.Event()
        self.cleaner = threading.Thread(target=self.clean, daemon=True)
        self.cleaner.start()
        self.seen: list[Any] = []

    def clean(self) -> None:
        while not self.stopped.wait(60):
            self.woken.append(1)

    def work(self) -> None:
        found = getattr(self.local, "n", None)
        self.local.n = threading.get_ident()
        self.seen.append((found, self.local.n == threading.get_ident(), threading.current_thread().name))

    clients = (work, work)
