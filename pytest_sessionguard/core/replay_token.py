"""A found case as one word that can be put into a command line, a chat or a ticket: `sg1:...`.

Pure.  The word is self-contained: the text of a scenario file, schedule included, packed, with a checksum so that a
letter lost on the way is noticed.  Letters, digits, `-` and `_` only: it needs no quoting anywhere.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import zlib
from typing import Final

from pytest_sessionguard.errors import UsageError

PREFIX: Final = "sg1:"

# What most cases are made of, so that short ones pack well.  Part of the format: never change it under the same prefix.
_WORDS: Final = (
    b"refused: missing\n    label: capture: answer: {found: true} client: restart: {}\n  - set_clock: {back: 1h}\n"
    b"  - attach: {session: s1, resource: r1}\n  - rotate: {session: s1, as: s2}\n  - append: {session: s1, key: a}\n"
    b"  - clear: {}\n  - list: {owner: a}\n  - count: {}\n  - ttl: s1\n  - exists: s1\n  - sweep: {}\n"
    b"  - put: {session: s1, key: a, value: 1}\n  - save: {session: s1, data: {a: 1}}\n"
    b"  - advance: {to_timeout_of: s1, minus: 1us, plus: 1us}\n  - advance: 1m\n"
    b"  - expect: {session: s1, alive: false}\n"
    b"scenario: lifecycle.delete is broken by create\nversion: 1\nwith: {limit: 1}\nsteps:\n"
    b"  - create: {as: s1, data: {a: 1}}\n  - create: {as: s2}\n  - get: s1\n  - delete: s1\n  - touch: s1\n"
    b"  - update: {session: s1, set: {a: 1}}\n  - parallel:\n      - [{touch: s1}]\n      - [{delete: s1}]\n"
    b"    schedules: AB\n"
)
_CHECKED: Final = 4
_TEXT_MAX: Final = 1_000_000


def encode(text: str) -> str:
    """Return the token of a scenario's text."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15, zdict=_WORDS)
    packed = packer.compress(text.encode()) + packer.flush()
    return PREFIX + base64.urlsafe_b64encode(_checksum(packed) + packed).rstrip(b"=").decode()


def decode(token: str) -> str:
    """Return the text that the token was made of.

    Raises:
        UsageError: it is none, it is of another version, or letters of it were lost or changed.
    """
    word = token.strip()
    if not word.startswith(PREFIX):
        told = "of another version of sessionguard" if word.startswith("sg") and ":" in word[:6] else "no token"
        raise UsageError(f"{_short(word)} is {told}: expected {PREFIX}..., as the message of a violation has it")
    body = word.removeprefix(PREFIX)
    try:
        whole = base64.b64decode(body + "=" * (-len(body) % 4), altchars=b"-_", validate=True)
        checksum, packed = whole[:_CHECKED], whole[_CHECKED:]
        if not packed or checksum != _checksum(packed):
            raise ValueError
        unpacker = zlib.decompressobj(-15, zdict=_WORDS)
        text = unpacker.decompress(packed, _TEXT_MAX)
        if not unpacker.eof or unpacker.unused_data:
            raise ValueError
        return text.decode()
    except (ValueError, binascii.Error, zlib.error):
        raise UsageError(
            f"the token {_short(word)} is damaged: letters of it are missing or changed; copy it whole, as it was told"
        ) from None


def is_token(word: str) -> bool:
    """Say whether the word is meant to be a token."""
    return word.strip().startswith(PREFIX)


def _checksum(packed: bytes) -> bytes:
    return hashlib.sha256(packed).digest()[:_CHECKED]


def _short(word: str) -> str:
    return repr(word if len(word) <= 24 else f"{word[:20]}...")
