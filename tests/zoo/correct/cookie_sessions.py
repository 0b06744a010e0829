"""Sessions that their holders carry: the id is the data, with the time of the last save and a signature.

Nothing is kept, so nothing is lost and nothing can be taken back: every id that was ever given is good for its time.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from typing import Any


class CookieSessions:
    """Signs and reads."""

    def __init__(self, life_s: float, key: str) -> None:
        self.life_us = round(life_s * 1_000_000)
        self.key = key.encode()

    def _sign(self, body: bytes) -> str:
        return hmac.new(self.key, body, hashlib.sha256).hexdigest()

    def issue(self, data: dict[str, Any]) -> str:
        """Return a cookie that holds the data."""
        body = base64.urlsafe_b64encode(json.dumps([time.time_ns() // 1000, data], sort_keys=True).encode())
        return f"{body.decode()}.{self._sign(body)}"

    def open(self, cookie: str) -> dict[str, Any] | None:
        """Return the data of a cookie; None where it is not ours, or over."""
        body, _, signature = cookie.rpartition(".")
        if not hmac.compare_digest(self._sign(body.encode()).encode(), signature.encode()):
            return None
        saved_us, data = json.loads(base64.urlsafe_b64decode(body))
        found: dict[str, Any] = data
        return found if time.time_ns() // 1000 - saved_us < self.life_us else None

    def save(self, cookie: str, data: dict[str, Any]) -> str | None:
        """Return a cookie with other data in the place of one that is good."""
        return None if self.open(cookie) is None else self.issue(data)
