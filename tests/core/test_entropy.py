"""Whether ids can be guessed: random ones are spared, counted, timed and short ones are told."""

from __future__ import annotations

import base64
import random
import uuid

import pytest

from pytest_sessionguard.core.entropy import ENOUGH, entropy_max, guessable

DRAWN = [random.Random(number).randbytes(32) for number in range(ENOUGH)]

SOUND = {
    "hex of 256 bits": ([one.hex() for one in DRAWN], 256),
    "base64 of 256 bits": ([base64.urlsafe_b64encode(one).decode().rstrip("=") for one in DRAWN], 256),
    "bytes": (DRAWN, 256),
    "whole numbers": ([int.from_bytes(one[:16], "big") for one in DRAWN], 128),
    "random uuids": ([str(uuid.UUID(bytes=one[:16], version=4)) for one in DRAWN], 122),
    "uuids as they are": ([uuid.UUID(bytes=one[:16], version=4) for one in DRAWN], 122),
    "after a prefix": ([f"sess_{one.hex()}" for one in DRAWN], 256),
}
GUESSED = {
    "a counter": (range(ENOUGH), 64, "in order"),
    "a counter in text": ([f"session-{number:05d}" for number in range(ENOUGH)], 64, "in order"),
    "a counter that falls": (range(ENOUGH, 0, -1), 64, "in order"),
    "a time and a counter": ([f"1767225600.{number:03d}" for number in range(ENOUGH)], 64, "in order"),
    "too short": ([one.hex()[:8] for one in DRAWN], 64, "32 bits at most where 64"),
    "uuids that promise what they do not hold": (
        [str(uuid.UUID(bytes=one[:16], version=4)) for one in DRAWN],
        256,
        "bits at most",
    ),
    "the same again": ([DRAWN[0].hex()] * 2 + [one.hex() for one in DRAWN], 64, "2 of 152"),
}


@pytest.mark.parametrize(("ids", "bits"), SOUND.values(), ids=SOUND)
def test_ids_that_hold_what_is_promised_are_spared(ids: list[object], bits: int) -> None:
    assert guessable(ids, bits) == ""


@pytest.mark.parametrize(("ids", "bits", "why"), GUESSED.values(), ids=GUESSED)
def test_ids_that_can_be_guessed_are_told(ids: list[object], bits: int, why: str) -> None:
    assert why in guessable(ids, bits)


def test_what_never_changes_holds_nothing() -> None:
    assert entropy_max(["same", "same"]) == 0.0
    assert entropy_max([]) == 0.0
