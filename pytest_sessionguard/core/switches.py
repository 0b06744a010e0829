"""Where strands were stopped in favour of others: what a schedule means in the target's own lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pytest_sessionguard.core.schedule import letter


@dataclass(frozen=True, slots=True, kw_only=True)
class Switch:
    """One preemption: a strand that could have gone on was stopped, and another ran.

    Attributes:
        strand: who was stopped; `to`: who ran instead.
        place: `file:line` of the target's innermost line that was under way; empty before its first one.
        function: the name of the function that it stands in.
    """

    strand: int
    to: int
    place: str
    function: str = ""

    def __str__(self) -> str:
        place = f"at {self.place} in {self.function}" if self.place else "before its first step"
        return f"{letter(self.strand)} stopped {place}; {letter(self.to)} ran"


def told(switches: Sequence[Switch]) -> str:
    """Return the preemptions in one sentence; empty where there was none."""
    if len(switches) == 1:
        return f"{switches[0]}; {letter(switches[0].strand)} went on"
    return "; then ".join(str(switch) for switch in switches)
