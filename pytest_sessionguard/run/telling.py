"""From something that went wrong to the violation that a reader gets: the table of operations, the remark, the place.

Pure but for reading the record.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from typing import Final

from pytest_sessionguard.core.history import CRASHES, Entry, Event, Note
from pytest_sessionguard.core.judging import Finding
from pytest_sessionguard.core.operations import Ok, Unknown
from pytest_sessionguard.core.plan import Plan
from pytest_sessionguard.core.scenario import Place
from pytest_sessionguard.core.values import UNSET, show
from pytest_sessionguard.core.violation import Row, ViolationFound
from pytest_sessionguard.errors import UsageError, VirtualDeadlock
from pytest_sessionguard.run.acquaintance import Acquaintance
from pytest_sessionguard.run.looking import Mismatch
from pytest_sessionguard.run.recorder import Begun
from pytest_sessionguard.run.stage import Stage

# A remark names so many of the answers that would have been right.
EXPECTED_MAX = 2

# Where in memory something stands is another place in each run.
_ADDRESS: Final = re.compile(r" at 0x[0-9a-f]+")


class Teller:
    """Tell of what goes wrong in one case."""

    def __init__(self, plan: Plan, target: str, stage: Stage, sessions: Acquaintance) -> None:
        self._plan = plan
        self._target = target
        self._stage = stage
        self._sessions = sessions
        self._remarks: dict[int, str] = {}

    def remark(self, event: Event, text: str) -> None:
        """Let the row of an operation carry a remark, unless it has one."""
        self._remarks.setdefault(event.return_order, text)

    def of_finding(self, finding: Finding, name: str, *, brief: bool = False) -> ViolationFound:
        """Return the violation that the model has found; of one told briefly, the row at fault alone."""
        event = finding.event
        given = self._sessions.shown(finding.given)
        expected = tuple(dict.fromkeys(self._sessions.shown(one) for one in finding.expected))
        if isinstance(event, Event):
            summary = f"no legal run explains the answer of {self._sessions.shown(str(event.operation))}: {given}"
        else:
            summary = given
        right = " or ".join(expected[:EXPECTED_MAX]) or "no such thing"
        return self._violation(
            name,
            summary,
            place=event.place,
            expected=expected,
            given=given,
            fault=event,
            remark=f"expected {right}" if isinstance(event, Event) else given,
            finding=finding,
            brief=brief,
        )

    def of_expectation(self, name: str, place: Place | None, mismatch: Mismatch, event: Event | None) -> ViolationFound:
        """Return the violation of what the story expects."""
        expected, given = self._sessions.shown(mismatch.expected), self._sessions.shown(mismatch.given)
        return self._violation(
            name,
            f"expected {expected}; given {given}",
            place=str(place) if place is not None else "",
            expected=(expected,),
            given=given,
            fault=event,
            remark=f"expected {expected}",
        )

    def of_making(self, error: UsageError) -> ViolationFound:
        """Return the violation of a factory that has made managers before and now gives none."""
        return self._violation(
            "lifecycle.errors",
            str(error),
            place=self._stage.recorder.place,
            expected=("a manager",),
            given=str(error),
            fault=None,
            remark="",
        )

    def of_deadlock(self, deadlock: VirtualDeadlock) -> ViolationFound:
        """Return the violation of a target that would hang for ever."""
        waiting = tuple(_ADDRESS.sub("", line) for line in deadlock.waiting)
        cut_off = [event for event in self._stage.recorder.history().events if isinstance(event.outcome, Unknown)]
        for event in cut_off:
            self.remark(event, "never answers")
        begun: list[Event | Begun] = [*cut_off, *self._stage.recorder.under_way()]
        hanging = ", ".join(self._sessions.shown(str(one.operation)) for one in begun) or "the manager"
        return self._violation(
            deadlock.property_name,
            f"{hanging} never answers, however much time passes",
            place=begun[-1].place if begun else self._stage.recorder.place,
            expected=("an answer",),
            given="; ".join(("nothing, for ever", *waiting)),
            fault=None,
            remark="",
        )

    # -- the parts --------------------------------------------------------------------------------------------------

    def _violation(
        self,
        name: str,
        summary: str,
        *,
        place: str,
        expected: tuple[str, ...],
        given: str,
        fault: Entry | None,
        remark: str,
        finding: Finding | None = None,
        brief: bool = False,
    ) -> ViolationFound:
        path, line, column = _parts(place)
        story = self._plan.scenario
        return ViolationFound(
            property=name,
            summary=summary,
            operations=self._rows(fault, remark) if not brief or fault is None else (self._row(fault, fault, remark),),
            expected=expected,
            given=given,
            policy_lines=finding.policy_lines if finding is not None else (),
            undeclared=finding.undeclared if finding is not None else None,
            undeclared_value=finding.undeclared_value if finding is not None else None,
            output=self._stage.output.text,
            scenario=story.path,
            replay=replay_of(self._plan, self._target),
            path=path or story.path,
            line=line or story.place.line,
            column=column,
        )

    def _rows(self, fault: Entry | None, remark: str) -> tuple[Row, ...]:
        recorder = self._stage.recorder
        rows = [self._row(entry, fault, remark) for entry in recorder.history().entries]
        if isinstance(fault, Note) and not any(row.remark == remark for row in rows):
            rows.append(self._row(fault, fault, remark))
        for begun in recorder.under_way():
            called_us = recorder.offset_us(begun.called)
            shown = self._sessions.shown(str(begun.operation))
            now_us = recorder.offset_us(recorder.stamp())
            rows.append(
                Row(
                    client=begun.client,
                    operation=shown,
                    called_us=called_us,
                    returned_us=now_us,
                    answer="none yet",
                    remark="never answers",
                )
            )
        return tuple(rows)

    def _row(self, entry: Entry, fault: Entry | None, remark: str) -> Row:
        recorder = self._stage.recorder
        if isinstance(entry, Note):
            at_us = recorder.offset_us(entry.at)
            told = f"{entry.kind} {entry.subject}".strip()
            told += f" of {show(entry.id)}" if entry.id is not UNSET else ""
            return Row(
                client="harness" if entry.kind in ("clock", *CRASHES) else "target",
                operation=self._sessions.shown(told),
                called_us=at_us,
                returned_us=at_us,
                answer="",
                remark=remark if isinstance(fault, Note) and fault.order == entry.order else "",
            )
        outcome = entry.outcome
        at_fault = isinstance(fault, Event) and fault.return_order == entry.return_order
        return Row(
            client=entry.client,
            operation=self._sessions.shown(str(entry.operation)),
            called_us=recorder.offset_us(entry.called),
            returned_us=recorder.offset_us(entry.returned),
            answer=self._sessions.shown(str(outcome.answer) if isinstance(outcome, Ok) else str(outcome)),
            remark=remark if at_fault else self._remarks.get(entry.return_order, ""),
        )


def replay_of(plan: Plan, target: str) -> str:
    """Return the command that repeats one case."""
    words: Sequence[str] = ["sessionguard", "run", plan.scenario.path, "--manager", target]
    if plan.name:
        words = [*words, "--cell", plan.name]
    return shlex.join(words)


def _parts(place: str) -> tuple[str, int, int]:
    """Return path, line and column of a place told as text."""
    path, _, rest = place.rpartition(":")
    path, _, line = path.rpartition(":")
    if not (line.isdecimal() and rest.isdecimal()):
        return place, 0, 0
    return path, int(line), int(rest)
