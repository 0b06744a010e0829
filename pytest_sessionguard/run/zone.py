"""The local time zone of a case, and the one that it found."""

from __future__ import annotations

import os
import time
from typing import Final

_VARIABLE: Final = "TZ"


class Zone:
    """Set the process's local time zone, and put back what was there.

    Attributes:
        name: the zone that was set, or empty.
        was_set: whether any was, now or before it was restored.
    """

    def __init__(self) -> None:
        self.name = ""
        self.was_set = False
        self._before: str | None = None

    def set(self, name: str) -> None:
        """Let local time be that of a zone; where the system knows no zones, nothing changes."""
        if not self.name:
            self._before = os.environ.get(_VARIABLE)
        self.name = name
        self.was_set = True
        os.environ[_VARIABLE] = name
        _tell()

    def restore(self) -> None:
        """Put back what was there; may be called again."""
        if not self.name:
            return
        self.name = ""
        if self._before is None:
            os.environ.pop(_VARIABLE, None)
        else:
            os.environ[_VARIABLE] = self._before
        _tell()


def _tell() -> None:
    if hasattr(time, "tzset"):
        time.tzset()
