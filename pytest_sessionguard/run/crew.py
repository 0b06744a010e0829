"""Workers: processes that share the cases of a search.

Every case is run by one of them and none depends on another, so that what is found does not depend on how many they
are; what they come to is put together in the order of the cases.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from types import TracebackType
from typing import TYPE_CHECKING, Final

from pytest_sessionguard.errors import HarnessError
from pytest_sessionguard.run.bench import Bench
from pytest_sessionguard.run.checker import Batch, run_items
from pytest_sessionguard.run.rounds import Item
from pytest_sessionguard.target.profile import load

if TYPE_CHECKING:
    from pytest_sessionguard.run.checker import Search

# A worker is handed so many shares of each round, so that none waits long for the last.
_SHARES: Final = 4

_BENCHES: dict[str, Bench] = {}


def _begin(target: str, seed: int) -> None:
    _BENCHES["own"] = Bench(load(target), seed=seed, target=target)


def _run(items: Sequence[Item], asked: frozenset[str], until_s: float | None) -> Batch:
    return run_items(_BENCHES["own"], items, asked, until_s)


class Workers:
    """So many processes as the search's settings say, each with the target loaded anew."""

    def __init__(self, search: Search) -> None:
        self._search = search
        self._count = search.settings.workers
        self._pool = ProcessPoolExecutor(
            self._count,
            mp_context=multiprocessing.get_context("spawn"),
            initializer=_begin,
            initargs=(search.target, search.settings.seed),
        )

    def __enter__(self) -> Workers:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown(cancel_futures=True)

    def __call__(self, items: Sequence[Item], until_s: float | None) -> Batch:
        """Run a round.

        Raises:
            HarnessError: a worker has died.
        """
        length = max(1, -(-len(items) // (self._count * _SHARES)))
        shares = [items[first : first + length] for first in range(0, len(items), length)]
        batch = Batch()
        try:
            futures = [self._pool.submit(_run, share, self._search.asked, until_s) for share in shares]
            for future in futures:
                batch.add(future.result())
        except BrokenProcessPool as error:
            raise HarnessError(f"a worker of the search has died: {error}") from error
        return batch
