"""A session system small enough to be run thousands of times a second: `touch` reads, is stopped, and writes.

`delete` in between takes away what `touch` then writes back, so that `get` finds a session that was deleted.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass, field

from pytest_sessionguard.core import schedule as schedules
from pytest_sessionguard.core.found import Ran
from pytest_sessionguard.core.plan import Plan
from pytest_sessionguard.core.result import CaseResult
from pytest_sessionguard.core.scenario import AnyStep, Parallel, Step
from pytest_sessionguard.core.schedule import NOBODY, Schedule, Settings
from pytest_sessionguard.core.values import FrozenMap
from pytest_sessionguard.core.violation import Row, ViolationFound
from pytest_sessionguard.errors import UsageError
from pytest_sessionguard.explore import schedulers
from pytest_sessionguard.explore.gradual import Counted, Gradual

Strand = Generator[None, None, None]


@dataclass
class Toy:
    """One run of one plan under a scheduler."""

    scheduler: Counted | Gradual
    made: list[int] = field(default_factory=list)
    live: dict[str, object] = field(default_factory=dict)
    deleted: set[str] = field(default_factory=set)
    rows: list[Row] = field(default_factory=list)

    def step(self, step: AnyStep) -> Strand:
        assert isinstance(step, Step)
        arguments = step.arguments
        name = str(arguments.get("as", arguments.get("session", "")))
        answer, remark = "ok", ""
        match step.verb:
            case "create":
                self.live[name] = arguments.get("data", FrozenMap({}))
                self.deleted.discard(name)
            case "touch":
                found, held = name in self.live, self.live.get(name)
                yield
                if found:
                    self.live[name] = held
            case "delete":
                if self.live.pop(name, self) is not self:
                    self.deleted.add(name)
            case "get" if name in self.live and name in self.deleted:
                answer, remark = f"ok: data={self.live[name]}", "expected nothing"
        if not name.startswith("s") and step.verb not in ("advance", "sweep"):
            raise UsageError(f"there is no session {name}")
        self.rows.append(Row(client="", operation=f"{step.verb}({name})", called_us=0, returned_us=0, answer=answer,
                             remark=remark))  # fmt: skip

    def strand(self, steps: tuple[AnyStep, ...]) -> Strand:
        for step in steps:
            yield from self.step(step)
            yield

    def run(self, plan: Plan) -> Ran:
        for step in plan.scenario.steps:
            strands = [self.strand(branch) for branch in step.branches] if isinstance(step, Parallel) else None
            if strands is None:
                for _ in self.step(step):
                    pass
            else:
                self.at_once(dict(enumerate(strands)))
        bad = next((row for row in self.rows if row.remark), None)
        found = ViolationFound(
            property="expiry.no-resurrection", summary="", operations=tuple(self.rows), given=bad.answer if bad else ""
        )
        case = CaseResult(title="", status="violated" if bad else "held", violations=(found,) if bad else ())
        schedule = str(Schedule(tuple(self.made)))
        return Ran(case=case, schedule=schedule, preemptions=self.scheduler.preemptions)

    def at_once(self, strands: dict[int, Strand]) -> None:
        current = NOBODY
        while strands:
            enabled = sorted(strands)
            if len(enabled) > 1:
                current = self.scheduler.choose(enabled, current)
                self.made.append(current)
            else:
                current = enabled[0]
            if next(strands[current], strands) is strands:
                del strands[current]


def replay(schedule: str) -> Counted:
    """Return what follows a schedule."""
    return Counted(schedulers.make("replay", Settings(schedule=schedules.parse(schedule))))


class ToyRerun:
    """Runs plans on toys."""

    def once(self, plan: Plan, schedule: str, fault: str) -> Ran:
        return ran(plan, replay(schedule))

    def some(
        self, plan: Plan, fault: str, *, runs_max: int, seed: int, like: str = "", drawn: bool = True
    ) -> Iterator[Ran]:
        scheduler = Gradual(runs_max, seed, like=schedules.parse(like), drawn=drawn)
        yield ran(plan, scheduler)
        while scheduler.end():
            yield ran(plan, scheduler)


def ran(plan: Plan, scheduler: Counted | Gradual) -> Ran:
    """Return what comes of a plan."""
    scheduler.begin()
    return Toy(scheduler).run(plan)
