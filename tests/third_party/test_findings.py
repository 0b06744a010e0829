"""The findings of `test_third_party.py` again, in plain Python: the packages alone, no profile, no virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

# A timeout of the past makes an item that has expired, without anybody waiting for it.
PAST_S = -1


@pytest.fixture(params=["MemoryStore", "FileStore"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    stores = pytest.importorskip(f"litestar.stores.{'file' if request.param == 'FileStore' else 'memory'}")
    return stores.FileStore(tmp_path) if request.param == "FileStore" else stores.MemoryStore()


def test_litestars_stores_say_that_an_expired_key_exists(store: Any) -> None:
    async def story() -> tuple[bool, bytes | None, bool]:
        await store.set("a", b"1", expires_in=PAST_S)
        return await store.exists("a"), await store.get("a"), await store.exists("a")

    # The answer of one operation depends on whether the other was asked before.
    assert asyncio.run(story()) == (True, None, False)


CACHES: dict[str, Callable[[Any, Path], Any]] = {
    "SimpleCache": lambda cachelib, _: cachelib.SimpleCache(threshold=2),
    "FileSystemCache": lambda cachelib, folder: cachelib.FileSystemCache(str(folder), threshold=2),
}


@pytest.fixture(params=CACHES)
def cache(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    return CACHES[request.param](pytest.importorskip("cachelib"), tmp_path)


def test_cachelib_keeps_one_item_more_than_its_threshold(cache: Any) -> None:
    for key in "abcde":
        cache.set(key, 1, timeout=60)
    assert sum(cache.has(key) for key in "abcde") == 3


def test_cachelib_says_that_an_expired_item_has_been_deleted(cache: Any) -> None:
    cache.set("a", 1, timeout=PAST_S)
    assert not cache.has("a")
    assert cache.delete("a") is True


def test_cachelibs_files_say_that_what_never_was_has_been_deleted(tmp_path: Path) -> None:
    cachelib = pytest.importorskip("cachelib")
    assert cachelib.FileSystemCache(str(tmp_path)).delete("a") is True
    assert cachelib.SimpleCache().delete("a") is False


def test_cachelibs_files_refuse_a_key_that_they_say_is_not_there(tmp_path: Path) -> None:
    cachelib = pytest.importorskip("cachelib")
    files, simple = cachelib.FileSystemCache(str(tmp_path)), cachelib.SimpleCache()
    for cache in (files, simple):
        cache.set("a", 1, timeout=PAST_S)
        assert not cache.has("a")
    assert files.add("a", 2) is False
    assert simple.add("a", 2) is True


def test_aiocaches_clear_leaves_its_timers_to_remove_what_comes_later() -> None:
    aiocache = pytest.importorskip("aiocache")
    loop = asyncio.new_event_loop()
    real_time, skip_s = loop.time, 0.0
    loop.time = lambda: real_time() + skip_s  # type: ignore[method-assign]  # nobody waits for the timer

    async def story() -> list[Any]:
        nonlocal skip_s
        cache = aiocache.SimpleMemoryCache()
        await cache.set("a", "old", ttl=10)
        await cache.clear()
        await cache.set("a", "new", ttl=1000)
        seen = [await cache.get("a")]
        skip_s += 11
        for _ in range(2):
            await asyncio.sleep(0)
        return [*seen, await cache.get("a")]

    try:
        assert loop.run_until_complete(story()) == ["new", None]
    finally:
        loop.close()
