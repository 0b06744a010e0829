"""The sequential model: what a session manager of a given policy may answer, and what follows from each answer.

Pure, and a relation: `step` gives the set of states that may follow, empty when the answer is illegal.  Every freedom
that a policy leaves (ties in eviction, when a background sweep runs, a random id, the instant at which the clock was
read, an unknown outcome) is a branch, never a fault.

Source: M. Herlihy, J. Wing, "Linearizability: a correctness condition for concurrent objects", 1990, section 2: the
sequential specification of an object as a set of legal histories.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from pytest_sessionguard.core.model.creation import on_create
from pytest_sessionguard.core.model.expecting import Alternative
from pytest_sessionguard.core.model.manager import RULES
from pytest_sessionguard.core.model.moments import Timeline
from pytest_sessionguard.core.model.sessions import on_session
from pytest_sessionguard.core.model.state import GONE, LIVE, Ask, Record, State
from pytest_sessionguard.core.operations import Ok, Outcome, Unknown
from pytest_sessionguard.core.policy import Policy
from pytest_sessionguard.core.values import UNSET

__all__ = ["Alternative", "Ask", "Model", "Record", "State", "Timeline"]

_SURVIVES = ("nothing", "restart", "kill", "power-loss")


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """One target's policy, and the operations that it has.

    Attributes:
        background: its cleaner really runs under the clock that the history was recorded with, so that
            `sweep_interval` can be judged.
        close_hook: the target tells of every closing through a hook of the role `close`.
    """

    policy: Policy
    operations: frozenset[str] = frozenset()
    background: bool = False
    close_hook: bool = False

    def initial(self) -> State:
        """Return the state before anything was asked."""
        return State({}, running=self.background and "start" not in self.operations)

    def timeline(self) -> Timeline:
        """Return the policy's clock before anything was seen."""
        return Timeline(monotonic=self.policy.clock == "monotonic")

    def alternatives(self, state: State, ask: Ask) -> Iterator[Alternative]:
        """Give every answer that the operation may get in this state."""
        verb = ask.verb
        if verb == "create":
            yield from on_create(state, ask)
        elif verb in RULES and (ask.event.operation.id is UNSET or verb not in ("health", "checkpoint", "recover")):
            yield from RULES[verb](state, ask)
        else:
            yield from on_session(state, ask)
        keep = replace(state)
        if state.closed:
            closed = frozenset({"closed"})
            yield Alternative(kind="refused", words=closed, after=lambda _: (keep,), property="lifecycle.errors")
        if ask.overlapped:
            busy = frozenset({"busy"})
            yield Alternative(kind="refused", words=busy, after=lambda _: (keep,), property="concurrency.no-error")

    def step(self, state: State, ask: Ask, outcome: Outcome) -> tuple[State, ...]:
        """Return the states that may follow when the operation is answered so; none where it may not be."""
        found: dict[State, None] = {}
        if isinstance(outcome, Unknown):
            found[replace(state, last=ask.now)] = None
        for alternative in self.alternatives(state, ask):
            if isinstance(outcome, Unknown):
                worlds = alternative.after(None)
            elif alternative.fits(outcome):
                worlds = alternative.after(outcome.answer if isinstance(outcome, Ok) else None)
            else:
                continue
            for world in worlds:
                found[self._settled(world, ask)] = None
        return tuple(found)

    def _settled(self, world: State, ask: Ask) -> State:
        running = world.running and self.background
        return replace(world, last=ask.now, running=running)

    def restarted(self, state: State) -> State:
        """Return the state after the manager was closed in good order and made anew."""
        policy = self.policy
        changed = []
        for record in state.records.values():
            if record.phase == GONE:
                continue
            survives = _SURVIVES.index(policy.of("survives", record.wrote)) > 0 and policy.close == "keeps"
            fresh = replace(record, since=record.since | {"restarted"}, resources=())
            changed.append(fresh if survives or record.phase != LIVE else replace(fresh, doubt=True))
        return replace(state.having(*changed), running=self.background and "start" not in self.operations, closed=False)
