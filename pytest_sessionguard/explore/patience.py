"""How long Hypothesis may spend on making smaller what the harness itself has made small already.

A violation is told with a program of which nothing can be left out, found in a few hundred runs.  Hypothesis, who knows
choices and not steps, would go on for up to five minutes to make its own a little smaller.
"""

from __future__ import annotations

import sys
import time
from typing import Any, Final

from hypothesis import control

SHRINKING_S: Final = 2.0


def _context() -> Any:
    return control.current_build_context() if control.currently_in_test_context() else None


def is_final() -> bool:
    """Say whether this is an example that is told: the last one of Hypothesis', or one that is run by hand."""
    context = _context()
    return context is None or bool(getattr(context, "is_final", True))


class Patience:
    """What is known of the run of Hypothesis' that is under way.

    Units: `span_s` real seconds from the first violation of a run.
    Attributes:
        recalled: what was shown once more after that time, as Hypothesis asks before it makes anything smaller.
    """

    def __init__(self, span_s: float = SHRINKING_S) -> None:
        self._span_s = span_s
        self._run: Any = None
        self._until_s = 0.0
        self.recalled: set[tuple[str, ...]] = set()

    def begin(self) -> None:
        """Note that something was found."""
        run = getattr(_context(), "wrapped_test", None)
        if run is not None and run is not self._run:
            self._run, self._until_s = run, time.monotonic() + self._span_s
            self.recalled.clear()

    @property
    def is_over(self) -> bool:
        """Whether no more examples are to be run but those that are told."""
        context = _context()
        if self._run is None or is_final() or not hasattr(getattr(context, "data", None), "mark_overrun"):
            return False
        return context.wrapped_test is self._run and time.monotonic() >= self._until_s


def give_up() -> None:
    """End the example as one that drew too much: that tells Hypothesis nothing of what would have come of it."""
    _context().data.mark_overrun()


def trace_no_lines() -> None:
    """Let Hypothesis explain no failure by lines of code: they are ours, and to trace them takes most of the time."""
    tracer = getattr(sys.gettrace(), "__self__", None)
    if type(tracer).__module__.startswith("hypothesis."):
        sys.settrace(None)
