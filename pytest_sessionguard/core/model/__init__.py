"""The sequential model: what a session manager of a given policy may answer, and what follows from each answer.

Pure, and a relation: `step` gives the set of states that may follow, empty when the answer is illegal.  Every freedom
that a policy leaves (ties in eviction, when a background sweep runs, a random id, the instant at which the clock was
read, an unknown outcome) is a branch, never a fault.

Source: M. Herlihy, J. Wing, "Linearizability: a correctness condition for concurrent objects", 1990, section 2: the
sequential specification of an object as a set of legal histories.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pytest_sessionguard.core.model.cases import keeping
from pytest_sessionguard.core.model.crashes import crashed, expires, survives
from pytest_sessionguard.core.model.creation import on_create
from pytest_sessionguard.core.model.expecting import Alternative
from pytest_sessionguard.core.model.manager import RULES
from pytest_sessionguard.core.model.moments import DEAD, Moment, Timeline
from pytest_sessionguard.core.model.sessions import on_session
from pytest_sessionguard.core.model.state import EXPIRED, GONE, LIVE, Ask, Record, State, standing
from pytest_sessionguard.core.operations import Ok, Outcome, Unknown
from pytest_sessionguard.core.policy import Policy
from pytest_sessionguard.core.quick import replace
from pytest_sessionguard.core.values import UNSET

__all__ = ["Alternative", "Ask", "Model", "Record", "State", "Timeline"]


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
        if state.closed:
            closed = frozenset({"closed"})
            yield Alternative(kind="refused", words=closed, after=keeping(state), property="lifecycle.errors")
        if ask.overlapped:
            busy = frozenset({"busy"})
            yield Alternative(kind="refused", words=busy, after=keeping(state), property="concurrency.no-error")

    def step(self, state: State, ask: Ask, outcome: Outcome) -> tuple[State, ...]:
        """Return the states that may follow when the operation is answered so; none where it may not be."""
        return self.follow(state, ask, outcome)[0]

    def follow(self, state: State, ask: Ask, outcome: Outcome) -> tuple[tuple[State, ...], Alternative | None]:
        """Return the states that may follow, and the first alternative that the answer is."""
        worlds: list[State] = []
        first: Alternative | None = None
        if isinstance(outcome, Unknown):
            worlds.append(state)
            for alternative in self.alternatives(state, ask):
                done = alternative.after(None)
                worlds.extend((_against_a_veto(state, world) for world in done) if outcome.vetoed else done)
        else:
            answer = outcome.answer if isinstance(outcome, Ok) else None
            for alternative in self.alternatives(state, ask):
                if alternative.fits(outcome):
                    first = first or alternative
                    worlds.extend(alternative.after(answer))
        settled = [world.after(ask.now, running=world.running and self.background) for world in worlds]
        return (tuple(settled) if len(settled) < 2 else tuple(dict.fromkeys(settled))), first

    def restarted(self, state: State, now: Moment, *, how: str = "restarted") -> State:
        """Return the state after the manager was made anew.

        Args:
            how: "restarted" (it was closed in good order), "killed" or "power-lost".
        """
        if how == "restarted":
            changed = [self._reopened(record) for record in state.records.values() if record.phase != GONE]
        else:
            changed = [crashed(record, self.policy, how) for record in state.records.values()]
        begun = replace(state.having(*changed), closed=False, begun=now)
        return begun.after(now, running=self.background and "start" not in self.operations)

    def _reopened(self, record: Record) -> Record:
        policy = self.policy
        if policy.close == "ends":
            return replace(record, phase=GONE, how="cleared", doubt=False)
        fresh = replace(record, since=record.since | {"restarted"}, resources=())
        if record.phase != LIVE:
            return fresh
        if not survives(policy, record.wrote, "restart"):
            return replace(fresh, doubt=True, how="restarted")
        # A monotonic clock starts anew: what it showed before says nothing of what it shows now.
        return replace(fresh, unjudged=True) if policy.clock == "monotonic" and expires(record, policy) else fresh

    def clock_set_back(self, state: State, before: Moment) -> State:
        """Return the state after the clock was set back.

        What had expired before stays expired; where that is not declared, even what was shown dead may come back,
        unless it was ended otherwise.
        """
        policy = self.policy
        if policy.clock_back == "undeclared":
            expired = (one for one in state.records.values() if one.phase == EXPIRED and not one.how)
            return state.having(*(replace(one, phase=LIVE) for one in expired))
        return state.having(
            *(
                replace(one, phase=EXPIRED, since=one.since | {"clock-back"})
                for one in state.records.values()
                if (one.phase == EXPIRED and not one.how)
                or (one.phase == LIVE and standing(one, before, policy) == DEAD)
            )
        )


def _against_a_veto(before: State, after: State) -> State:
    """Return the state with a mark on every session that was made, changed or ended; renewed alone does not count."""
    marked = [
        replace(record, vetoed=True)
        for key, record in after.records.items()
        if (known := before.records.get(key)) is None
        or (record.phase, record.data, record.version) != (known.phase, known.data, known.version)
    ]
    return after.having(*marked)
