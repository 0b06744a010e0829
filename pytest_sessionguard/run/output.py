"""What a target prints and logs while a case runs, kept for the report and kept away from the terminal."""

from __future__ import annotations

import io
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Final, TextIO

CHARACTERS_MAX: Final = 20_000

_FORMATTER: Final = logging.Formatter("%(levelname)s %(name)s: %(message)s")


class Output:
    """Catch standard output, standard error and the log while entered."""

    def __init__(self) -> None:
        self._caught = io.StringIO()
        self._handler = logging.StreamHandler(self._caught)
        self._handler.setFormatter(_FORMATTER)
        self._before: tuple[TextIO, TextIO] | None = None

    @property
    def text(self) -> str:
        """What was caught so far; of very much, the end."""
        caught = self._caught.getvalue()
        if len(caught) <= CHARACTERS_MAX:
            return caught
        return f"({len(caught) - CHARACTERS_MAX} characters left out)\n{caught[-CHARACTERS_MAX:]}"

    def __enter__(self) -> Output:
        self._before = (sys.stdout, sys.stderr)
        sys.stdout = sys.stderr = self._caught
        logging.getLogger().addHandler(self._handler)
        return self

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Let what is printed reach the terminal again, for a while."""
        entered = self._before is not None
        if entered:
            self.__exit__(None, None, None)
        try:
            yield
        finally:
            if entered:
                self.__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        logging.getLogger().removeHandler(self._handler)
        if self._before is not None:
            sys.stdout, sys.stderr = self._before
            self._before = None
