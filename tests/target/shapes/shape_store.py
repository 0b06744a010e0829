"""A framework's async store: set, get, delete by key, bytes or text, a timeout at each set."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


class MemoryStore:
    def __init__(self) -> None:
        self._kept: dict[str, tuple[bytes, datetime | None]] = {}

    async def set(self, key: str, value: str | bytes, expires_in: int | timedelta | None = None) -> None:
        if isinstance(value, str):
            value = value.encode("utf-8")
        if isinstance(expires_in, int):
            expires_in = timedelta(seconds=expires_in)
        expires_at = None if expires_in is None else datetime.now(UTC) + expires_in
        self._kept[key] = (value, expires_at)

    async def get(self, key: str) -> bytes | None:
        value, expires_at = self._kept.get(key, (None, None))
        if expires_at is not None and datetime.now(UTC) >= expires_at:
            del self._kept[key]
            return None
        return value

    async def delete(self, key: str) -> None:
        self._kept.pop(key, None)

    async def delete_all(self) -> None:
        self._kept.clear()

    async def exists(self, key: str) -> bool:
        return await self.get(key) is not None
