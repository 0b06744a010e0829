"""Documents sealed by their checksum: a line with the SHA-256 of the rest, then JSON; replaced whole or not at all."""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress
from typing import Any, Final

FRESH: Final = ".new"
"""The ending of what is being written; one that is found later was never acknowledged."""


def write(path: str, document: object, *, backup: str = "") -> None:
    """Put a document in its place, whole; what was there before is kept at `backup`, if that is named.

    The data is on the disk when this returns; that the name is too, is for the caller to see to (`sync_folder`).
    """
    body = json.dumps(document, separators=(",", ":")).encode()
    fresh = f"{path}{FRESH}"
    with open(fresh, "wb") as file:
        file.write(hashlib.sha256(body).hexdigest().encode() + b"\n" + body)
        file.flush()
        os.fsync(file.fileno())
    if backup and os.path.exists(path):
        with suppress(FileNotFoundError):
            os.unlink(backup)
        os.link(path, backup)
    os.replace(fresh, path)


def read(path: str) -> dict[str, Any] | str | None:
    """Return the document, what is wrong with it, or None where there is none."""
    try:
        with open(path, "rb") as file:
            check, _, body = file.read().partition(b"\n")
    except FileNotFoundError:
        return None
    if hashlib.sha256(body).hexdigest().encode() != check:
        return "its checksum does not fit"
    try:
        found = json.loads(body)
    except ValueError as problem:
        return f"it is not JSON ({problem})"
    return found if isinstance(found, dict) else "it is no document"


def sync_folder(path: str) -> None:
    """See to it that the names in a folder are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def digest(path: str) -> str | None:
    """Return the SHA-256 of a file's bytes, or None where it cannot be read."""
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None
