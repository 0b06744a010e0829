"""Which fault strikes where: chances counted, faults that have fired noted."""

from __future__ import annotations

import threading
from collections.abc import Iterable

from pytest_sessionguard.core.faults import Fault, Fired
from pytest_sessionguard.faults import Effect, FaultKind, Point, kinds


class Injector:
    """The faults of one case.

    Attributes:
        armed: whether chances count; before a story begins and after it they do not.
        fired: what has struck, in its order.
        chances: how many chances there were of each fault.
    """

    def __init__(self, faults: Iterable[Fault]) -> None:
        self._faults: tuple[tuple[Fault, FaultKind], ...] = ()
        self._ports: frozenset[str] = frozenset()
        self._at: dict[tuple[str, str], list[tuple[int, Fault, FaultKind]]] = {}
        self._lock = threading.Lock()
        self.armed = False
        self.fired: list[Fired] = []
        self.chances: list[int] = []
        self.add(faults)

    def add(self, faults: Iterable[Fault]) -> None:
        """Take more faults; their chances count from now on."""
        with self._lock:
            self._faults += tuple((fault, kinds()[fault.kind]) for fault in faults)
            self._ports = frozenset(kind.port for _, kind in self._faults)
            self._at = {}
            for number, (fault, kind) in enumerate(self._faults):
                self._at.setdefault((kind.port, fault.when), []).append((number, fault, kind))
            self.chances += [0] * (len(self._faults) - len(self.chances))

    def wants(self, port: str) -> bool:
        """Say whether any fault may have a chance at a port."""
        return port in self._ports

    def at(self, point: Point, when: str) -> Effect | None:
        """Return what happens at a chance, before or after its effect; None: nothing."""
        faults = self._at.get((point.port, when)) if self.armed else None
        if not faults:
            return None
        with self._lock:
            for number, fault, kind in faults:
                if not kind.has_chance(fault, point):
                    continue
                self.chances[number] = chance = self.chances[number] + 1
                if chance == fault.at or (fault.lasting and fault.at is not None and chance > fault.at):
                    self.fired.append(Fired(fault=fault, chance=chance, point=str(point)))
                    return kind.effect(fault, point)
        return None

    def missed(self) -> tuple[Fault, ...]:
        """Return the faults that never struck."""
        struck = {id(one.fault) for one in self.fired}
        return tuple(fault for fault, _ in self._faults if id(fault) not in struck)
