"""Shopping carts for threads: each of a few stripes has a lock of its own, and the places are counted under another.

The order of locks is always a stripe's, then that of the places, and never two stripes at once.  A place is taken
before its cart is there and given back while the cart's stripe is still locked, so that nobody sees a cart gone whose
place is not free.
"""

from __future__ import annotations

import copy
import secrets
import threading
import time
import zlib
from dataclasses import dataclass, field
from typing import Any


class ShopFull(Exception):
    """There are no carts left."""


@dataclass
class Cart:
    """One cart."""

    items: dict[str, Any]
    used: float


@dataclass
class Stripe:
    """A part of the carts, and the lock for it."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    carts: dict[str, Cart] = field(default_factory=dict)


class StripedCarts:
    """Keeps carts."""

    def __init__(self, idle_s: float, places: int) -> None:
        self.idle_s = idle_s
        self.places = places
        self.taken = 0
        self.counting = threading.Lock()
        self.stripes = [Stripe() for _ in range(4)]

    def _stripe(self, cart_id: str) -> Stripe:
        return self.stripes[zlib.crc32(cart_id.encode()) % len(self.stripes)]

    def _find(self, stripe: Stripe, cart_id: str) -> Cart | None:
        """Return the cart if it lives; the caller has the stripe's lock."""
        cart = stripe.carts.get(cart_id)
        if cart is not None and time.time() - cart.used >= self.idle_s:
            self._drop(stripe, cart_id)
            return None
        return cart

    def _drop(self, stripe: Stripe, cart_id: str) -> None:
        """Take a cart away; the caller has the stripe's lock."""
        del stripe.carts[cart_id]
        with self.counting:
            self.taken -= 1

    def _take_place(self) -> bool:
        with self.counting:
            if self.taken >= self.places:
                return False
            self.taken += 1
            return True

    def open(self, items: dict[str, Any]) -> str:
        """Begin a cart and return its id."""
        if not self._take_place():
            self.collect()
            if not self._take_place():
                raise ShopFull(f"{self.places} carts at most")
        cart_id = secrets.token_hex(16)
        stripe = self._stripe(cart_id)
        with stripe.lock:
            stripe.carts[cart_id] = Cart(copy.deepcopy(items), time.time())
        return cart_id

    def look(self, cart_id: str) -> dict[str, Any] | None:
        """Return what is in the cart."""
        stripe = self._stripe(cart_id)
        with stripe.lock:
            cart = self._find(stripe, cart_id)
            return None if cart is None else copy.deepcopy(cart.items)

    def hold(self, cart_id: str) -> bool:
        """Renew a cart; False when there is none."""
        stripe = self._stripe(cart_id)
        with stripe.lock:
            cart = self._find(stripe, cart_id)
            if cart is None:
                return False
            cart.used = time.time()
            return True

    def put(self, cart_id: str, name: str, value: Any) -> bool:
        """Put something into a cart; False when there is none."""
        stripe = self._stripe(cart_id)
        with stripe.lock:
            cart = self._find(stripe, cart_id)
            if cart is None:
                return False
            cart.items[name] = copy.deepcopy(value)
            cart.used = time.time()
            return True

    def check_out(self, cart_id: str) -> dict[str, Any] | None:
        """Take the cart away and return what was in it."""
        stripe = self._stripe(cart_id)
        with stripe.lock:
            cart = self._find(stripe, cart_id)
            if cart is None:
                return None
            self._drop(stripe, cart_id)
            return cart.items

    def collect(self) -> int:
        """Take the carts away that were left standing and return how many they were."""
        collected = 0
        for stripe in self.stripes:
            with stripe.lock:
                for cart_id in list(stripe.carts):
                    collected += self._find(stripe, cart_id) is None
        return collected

    def ids(self) -> list[str]:
        """Return the ids of all carts in use."""
        found = []
        for stripe in self.stripes:
            with stripe.lock:
                found += [cart_id for cart_id in list(stripe.carts) if self._find(stripe, cart_id) is not None]
        return found
