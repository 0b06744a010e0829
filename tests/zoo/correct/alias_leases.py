"""Leases that may be given another name while the old one goes on to work, replaced under one lock."""

from __future__ import annotations

import copy
import threading
import time
import uuid
from dataclasses import dataclass, field, replace
from typing import Any


@dataclass(frozen=True)
class Lease:
    """One lease, and all the names that it ever had; the last one is its own."""

    names: tuple[str, ...]
    terms: dict[str, Any]
    span_s: float
    used: float = field(default_factory=time.monotonic)

    @property
    def name(self) -> str:
        """The name that it has now."""
        return self.names[-1]


class AliasLeases:
    """Keeps leases; every name of a lease leads to its number, and a number to the lease."""

    def __init__(self, span_s: float) -> None:
        self.span_s = span_s
        self.lock = threading.RLock()
        self.numbers: dict[str, int] = {}
        self.leases: dict[int, Lease] = {}
        self.begun = 0

    def _find(self, name: str) -> tuple[int, Lease] | None:
        """Return a lease that lives, and its number; the caller has the lock."""
        number = self.numbers.get(name)
        if number is None:
            return None
        lease = self.leases[number]
        if time.monotonic() - lease.used >= lease.span_s:
            self._forget(number)
            return None
        return number, lease

    def _forget(self, number: int) -> None:
        for name in self.leases.pop(number).names:
            del self.numbers[name]

    def lease(self, terms: dict[str, Any], span_s: float | None = None) -> str:
        """Begin a lease and return its name."""
        with self.lock:
            name = uuid.uuid4().hex
            self.begun += 1
            self.numbers[name] = self.begun
            span_s = self.span_s if span_s is None else span_s
            self.leases[self.begun] = Lease((name,), copy.deepcopy(terms), span_s)
            return name

    def terms(self, name: str) -> dict[str, Any] | None:
        """Return the terms, or None."""
        with self.lock:
            found = self._find(name)
            return None if found is None else copy.deepcopy(found[1].terms)

    def renew(self, name: str) -> bool:
        """Renew a lease; False when there is none."""
        return self.amend(name, {})

    def amend(self, name: str, terms: dict[str, Any]) -> bool:
        """Change some of the terms; False when there is no such lease."""
        with self.lock:
            found = self._find(name)
            if found is None:
                return False
            number, lease = found
            amended = {**lease.terms, **copy.deepcopy(terms)}
            self.leases[number] = replace(lease, terms=amended, used=time.monotonic())
            return True

    def rename(self, name: str) -> str | None:
        """Give a lease another name, which is returned; None when there is no such lease."""
        with self.lock:
            found = self._find(name)
            if found is None:
                return None
            number, lease = found
            other = uuid.uuid4().hex
            self.numbers[other] = number
            self.leases[number] = replace(lease, names=(*lease.names, other))
            return other

    def left_s(self, name: str) -> float | None:
        """Return how long a lease has to run, or None."""
        with self.lock:
            found = self._find(name)
            return None if found is None else found[1].span_s - (time.monotonic() - found[1].used)

    def end(self, name: str) -> bool:
        """End a lease under all its names; False when there was none."""
        with self.lock:
            found = self._find(name)
            if found is None:
                return False
            self._forget(found[0])
            return True

    def sweep(self) -> int:
        """Forget what is over and return how much that was."""
        with self.lock:
            return sum(self._find(lease.name) is None for lease in list(self.leases.values()))

    def names(self) -> list[str]:
        """Return the present names of all leases that live."""
        with self.lock:
            return [lease.name for lease in list(self.leases.values()) if self._find(lease.name) is not None]
