"""A session system small enough to be run thousands of times a second: `touch` reads, is stopped, and writes.

`delete` in between takes away what `touch` then writes back, so that `get` finds a session that was deleted.
"""

from __future__ import annotations

import random
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field

from pytest_sessionguard.core import schedule as schedules
from pytest_sessionguard.core.found import Ran
from pytest_sessionguard.core.plan import Plan
from pytest_sessionguard.core.result import CaseResult
from pytest_sessionguard.core.scenario import AnyStep, Parallel, Step
from pytest_sessionguard.core.schedule import Schedule
from pytest_sessionguard.core.values import FrozenMap
from pytest_sessionguard.core.violation import Row, ViolationFound
from pytest_sessionguard.errors import ScheduleMisfit, UsageError

Strand = Generator[None, None, None]


@dataclass
class Toy:
    """One run of one plan.

    Attributes:
        choices: what is decided, in order; past its end whoever runs goes on.
        rng: decides instead, where there is one.
        able: of each decision that was made, who could run, and who ran before.
    """

    choices: tuple[int, ...] = ()
    rng: random.Random | None = None
    made: list[int] = field(default_factory=list)
    able: list[tuple[tuple[int, ...], int]] = field(default_factory=list)
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
        preempted = sum(
            chosen != before and before in able for chosen, (able, before) in zip(self.made, self.able, strict=True)
        )
        return Ran(case=case, schedule=str(Schedule(tuple(self.made))), preemptions=preempted)

    def at_once(self, strands: dict[int, Strand]) -> None:
        before = -1
        while strands:
            able = tuple(sorted(strands))
            chosen = before if before in able else able[0]
            if len(able) > 1:
                if self.rng is not None:
                    chosen = self.rng.choice(able)
                elif len(self.made) < len(self.choices):
                    chosen = self.choices[len(self.made)]
                    if chosen not in able:
                        raise ScheduleMisfit("", decision=1, wanted=str(chosen), able=map(str, able))
                self.able.append((able, before))
                self.made.append(chosen)
            before = chosen
            if next(strands[chosen], strands) is strands:
                del strands[chosen]


class ToyRerun:
    """Runs plans on toys; orders of few preemptions come first."""

    def once(self, plan: Plan, schedule: str, fault: str) -> Ran:
        return Toy(schedules.parse(schedule).choices).run(plan)

    def some(self, plan: Plan, fault: str, *, runs_max: int, seed: int) -> Iterator[Ran]:
        left = runs_max
        for bound in range(4):
            waiting: list[tuple[int, ...]] = [()]
            while waiting and left:
                choices = waiting.pop()
                toy = Toy(choices)
                ran = toy.run(plan)
                if ran.preemptions == bound:
                    left -= 1
                    yield ran
                for at in range(len(toy.made) - 1, len(choices) - 1, -1):
                    for other in toy.able[at][0]:
                        tried = (*toy.made[:at], other)
                        spent = sum(c != b and b in able for c, (able, b) in zip(tried, toy.able, strict=False))
                        if other != toy.made[at] and spent <= bound:
                            waiting.append(tried)
