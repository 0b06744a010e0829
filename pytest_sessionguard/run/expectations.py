"""What a story expects: looked at with the operations that disturb least, and compared.

Where only an operation that renews can tell, it renews, and its row says so.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pytest_sessionguard.core.history import Event, Note
from pytest_sessionguard.core.operations import VERBS, Operation
from pytest_sessionguard.core.scenario import Place, Step
from pytest_sessionguard.core.values import UNSET
from pytest_sessionguard.run import looking
from pytest_sessionguard.run.conversation import EXPECTATION, Conversation
from pytest_sessionguard.run.looking import Mismatch


class Expectations:
    """Look for what one case's story expects."""

    def __init__(self, talk: Conversation) -> None:
        self._talk = talk

    async def look(self, step: Step, client: str) -> Mismatch | None:
        """Look, and return what is not as expected."""
        expected: Any = step.arguments
        if "resource" in expected:
            return self._resource(str(expected["resource"]), bool(expected["closed"]))
        session_id: Any = UNSET
        if "session" in expected:
            session_id = self._talk.sessions.id_of(expected["session"], step.place)
        looks = looking.looks_for(expected, self._talk.stage.profile, self._talk.stage.policy)
        for name in sorted(
            set(expected) - {"session", "resource", "acknowledged"} - {one for look in looks for one in look.expects}
        ):
            self._talk.unjudged[EXPECTATION] = f"{step.place}: no operation can tell {name.removesuffix('_us')}"
        for look in looks:
            known_data = self._talk.sessions.data_of(session_id)
            # The id first, so that a list which must be given an owner is asked of this session's own.
            operation = self._talk.sessions.completed(Operation(verb=look.verb, id=session_id))
            if VERBS[look.verb].addresses != "session":
                operation = replace(operation, id=UNSET)
            event = await self._talk.perform(client, operation, step.place)
            if look.renews:
                self._talk.teller.remark(event, "looked at by an operation that renews")
            mismatch = self._looked(look, expected, event, session_id, known_data, step.place)
            if mismatch is not None:
                return mismatch
        return None

    def _looked(
        self, look: looking.Look, expected: Any, event: Event, session_id: Any, known_data: Any, place: Place
    ) -> Mismatch | None:
        profile, policy = self._talk.stage.profile, self._talk.stage.policy
        by_record = looking.life(self._talk.examination, session_id, event.returned)
        for name in look.expects:
            wanted = expected[name]
            if name == "ids":
                ids = tuple(self._talk.sessions.id_of(one, place) for one in wanted)
                mismatch = looking.ids_mismatch(ids, event, self._talk.examination, policy)
            elif name == "count":
                mismatch = looking.count_mismatch(wanted, event, self._talk.examination, policy)
            elif name == "metrics":
                mismatch = looking.metrics_mismatch(wanted, event)
            else:
                mismatch = looking.session_mismatch(
                    name,
                    wanted,
                    _of_session(event, session_id),
                    profile=profile,
                    by_record=by_record,
                    known_data=known_data,
                    policy=policy,
                )
            if mismatch is not None and mismatch.open:
                self._talk.unjudged[EXPECTATION] = (
                    f"{place}: {event.operation.verb} does not tell whether {mismatch.expected}"
                )
            elif mismatch is not None:
                return replace(mismatch, event=event)
        return None

    def _resource(self, name: str, wanted: bool) -> Mismatch | None:
        entries = self._talk.stage.recorder.history().entries
        closed = any(isinstance(one, Note) and one.kind == "closed" and one.subject == name for one in entries)
        if closed == wanted:
            return None
        words = {True: "closed", False: "open"}
        return Mismatch(expected=f"resource {name} {words[wanted]}", given=f"it is {words[closed]}")


def _of_session(event: Event, session_id: Any) -> Event:
    """Return a look at all sessions as a look at the one that is asked about."""
    return (
        event if event.operation.id is not UNSET else replace(event, operation=replace(event.operation, id=session_id))
    )
