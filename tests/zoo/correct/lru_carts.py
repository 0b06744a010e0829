"""A cache of carts: the one not asked for the longest makes room, and nobody is told.

Reading counts as use, looking whether a cart is there does not; what has expired goes when it is met at the cold end.
"""

from __future__ import annotations

import copy
import threading
import time
import uuid
from collections import OrderedDict
from typing import Any


class LruCarts:
    """Keeps the carts used last."""

    def __init__(self, ttl: float, maxsize: int) -> None:
        self.ttl = ttl
        self.maxsize = maxsize
        self._carts: OrderedDict[str, tuple[float, dict[str, Any]]] = OrderedDict()
        self._lock = threading.Lock()

    def _get(self, cart_id: str) -> dict[str, Any]:
        used, goods = self._carts[cart_id]
        if time.time() - used >= self.ttl:
            del self._carts[cart_id]
            raise KeyError(cart_id)
        return goods

    def _use(self, cart_id: str, goods: dict[str, Any]) -> None:
        self._carts[cart_id] = time.time(), goods
        self._carts.move_to_end(cart_id)

    def add(self, goods: dict[str, Any]) -> str:
        """Keep a new cart and return its id."""
        cart_id = uuid.uuid4().hex
        with self._lock:
            while len(self._carts) >= self.maxsize:
                self._carts.popitem(last=False)
            self._use(cart_id, copy.deepcopy(goods))
        return cart_id

    def __getitem__(self, cart_id: str) -> dict[str, Any]:
        with self._lock:
            goods = self._get(cart_id)
            self._use(cart_id, goods)
            return copy.deepcopy(goods)

    def __setitem__(self, cart_id: str, goods: dict[str, Any]) -> None:
        with self._lock:
            self._get(cart_id)
            self._use(cart_id, copy.deepcopy(goods))

    def __contains__(self, cart_id: str) -> bool:
        with self._lock:
            try:
                self._get(cart_id)
            except KeyError:
                return False
            return True

    def __delitem__(self, cart_id: str) -> None:
        with self._lock:
            self._get(cart_id)
            del self._carts[cart_id]

    def pop(self, cart_id: str, default: Any = None) -> Any:
        """Take a cart out."""
        with self._lock:
            try:
                goods = self._get(cart_id)
            except KeyError:
                return default
            del self._carts[cart_id]
            return goods

    def trim(self) -> int:
        """Drop what has expired, from the cold end."""
        dropped = 0
        with self._lock:
            while self._carts:
                used, _ = next(iter(self._carts.values()))
                if time.time() - used < self.ttl:
                    break
                self._carts.popitem(last=False)
                dropped += 1
        return dropped

    def __len__(self) -> int:
        return len(self._carts)
