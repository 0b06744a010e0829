"""Whether ids can be guessed: what a sample of them shows of the entropy that they hold.

Pure.  No sample proves that ids are random; many show that they are not.  What is counted is an upper bound: how many
different characters stand at each place.  Ids that were all given at one instant and still rise or fall count up.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from typing import Final

# So many ids of one manager are enough for the estimate.
ENOUGH: Final = 150

IDS: Final = "security.id-entropy"

# A sample misses some characters of the alphabet that it is drawn from: so much of the promise will do.
_SHARE: Final = 0.93


def guessable(ids: Sequence[Hashable], bits: int) -> str:
    """Return why ids, given one after the other at one instant, do not hold so many bits; empty where they may.

    Shape: text, bytes or numbers; others are known by their text.
    """
    texts = [_text(one) for one in ids]
    repeated = len(texts) - len(set(texts))
    if repeated:
        return f"{repeated} of {len(texts)} ids were given before"
    if _rises(texts):
        return f"{len(texts)} ids given at one instant are in order, as a counter or a clock would give them"
    found = entropy_max(texts)
    if found < bits * _SHARE:
        return f"{len(texts)} ids show {found:.0f} bits at most where {bits} are promised"
    return ""


def _text(one: Hashable) -> str:
    if isinstance(one, int):
        return format(one, "x")
    return one.hex() if isinstance(one, bytes) else str(one)


def _rises(texts: Sequence[str]) -> bool:
    keyed = [(len(text), text) for text in texts]
    return keyed == sorted(keyed) or keyed == sorted(keyed, reverse=True)


def entropy_max(texts: Sequence[str]) -> float:
    """Return how many bits texts can hold at most, counted from the end: numbers of one place less are shorter."""
    length = max(map(len, texts), default=0)
    whole = 0.0
    for place in range(1, length + 1):
        seen = {text[-place] if place <= len(text) else "" for text in texts}
        whole += math.log2(len(seen))
    return whole
