"""Every operation on a session in every state, and on either side of its timeout, on both faces of the manager.

Beside what is expected here, each answer is judged against the policy of the profile, and counted as behaviour.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import pytest

from pytest_sessionguard.plugin.driver import Driver, Reply

FACES: Final = ("reference", "reference-sync-memory")
LIMIT: Final = 3

CALLS: Final[dict[str, Callable[[Driver, Any], Reply]]] = {
    "get": lambda manager, session: manager.get(session),
    "exists": lambda manager, session: manager.exists(session),
    "ttl": lambda manager, session: manager.ttl(session),
    "touch": lambda manager, session: manager.touch(session),
    "update": lambda manager, session: manager.update(session, changes={"items": 2}),
    "save": lambda manager, session: manager.save(session, data={"items": 3}),
    "delete": lambda manager, session: manager.delete(session),
    "expire": lambda manager, session: manager.expire(session),
    "use": lambda manager, session: manager.use(session),
    "rotate": lambda manager, session: manager.rotate(session),
    "disconnect": lambda manager, session: manager.disconnect(session),
    "resume": lambda manager, session: manager.resume(session),
    "attach": lambda manager, session: manager.attach(session, resource="lock"),
}


def made(manager: Driver) -> str:
    return str(manager.create(owner="ann", data={"items": 1}).id)


def live(manager: Driver) -> str:
    return made(manager)


def unknown(manager: Driver) -> str:
    return "never-issued"


def expired(manager: Driver) -> str:
    session = made(manager)
    manager.advance_to_timeout(session, plus="1m")
    return session


def swept(manager: Driver) -> str:
    session = expired(manager)
    manager.sweep()
    return session


def deleted(manager: Driver) -> str:
    session = made(manager)
    manager.delete(session)
    return session


def cleared(manager: Driver) -> str:
    session = made(manager)
    manager.clear()
    return session


def rotated(manager: Driver) -> str:
    session = made(manager)
    manager.rotate(session)
    return session


def just_before(manager: Driver) -> str:
    session = made(manager)
    manager.advance_to_timeout(session, minus="1s")
    return session


def at_the_timeout(manager: Driver) -> str:
    session = made(manager)
    manager.advance_to_timeout(session)
    return session


def just_after(manager: Driver) -> str:
    session = made(manager)
    manager.advance_to_timeout(session, plus="1us")
    return session


ALIVE: Final = (live, just_before)
EXPIRED: Final = (expired, at_the_timeout, just_after)
ENDED: Final = (unknown, swept, deleted, cleared, rotated)


def on_both_faces(limit: int | None = None) -> list[Any]:
    figures = {} if limit is None else {"limit": limit}
    return [pytest.param(face, marks=pytest.mark.sessionguard(manager=face, **figures)) for face in FACES]


@pytest.mark.parametrize("face", on_both_faces())
@pytest.mark.parametrize("verb", CALLS)
@pytest.mark.parametrize("state", ALIVE, ids=lambda state: state.__name__)
def test_a_living_session_answers_everything(
    sessionguard: Driver, face: str, verb: str, state: Callable[[Driver], str]
) -> None:
    assert not CALLS[verb](sessionguard, state(sessionguard)).refused


@pytest.mark.parametrize("face", on_both_faces())
@pytest.mark.parametrize("verb", CALLS)
@pytest.mark.parametrize("state", ENDED, ids=lambda state: state.__name__)
def test_a_session_that_is_not_there_is_refused_everything(
    sessionguard: Driver, face: str, verb: str, state: Callable[[Driver], str]
) -> None:
    session = state(sessionguard)
    assert CALLS[verb](sessionguard, session).refused
    sessionguard.expect_gone(session)


# A cleaner comes by at the timeout itself: what it took away cannot be replaced by `use`.
REPLACED: Final = "reference.profiles:UNSWEPT"


@pytest.mark.parametrize("face", on_both_faces())
@pytest.mark.parametrize("verb", [verb for verb in CALLS if verb not in ("get", "ttl", "use", "delete")])
@pytest.mark.parametrize("state", EXPIRED, ids=lambda state: state.__name__)
def test_an_expired_session_is_refused_what_only_the_living_may(
    sessionguard: Driver, face: str, verb: str, state: Callable[[Driver], str]
) -> None:
    session = state(sessionguard)
    assert CALLS[verb](sessionguard, session).refused
    sessionguard.expect_gone(session)


@pytest.mark.parametrize("face", on_both_faces())
@pytest.mark.parametrize("state", EXPIRED, ids=lambda state: state.__name__)
def test_an_expired_session_has_no_time_left(sessionguard: Driver, face: str, state: Callable[[Driver], str]) -> None:
    told = sessionguard.ttl(state(sessionguard))
    assert told.refused or told.seconds_us == 0


@pytest.mark.parametrize("face", on_both_faces())
@pytest.mark.parametrize("state", EXPIRED, ids=lambda state: state.__name__)
def test_an_expired_session_is_shown_as_that_until_it_is_swept_and_may_be_closed(
    sessionguard: Driver, face: str, state: Callable[[Driver], str]
) -> None:
    session = state(sessionguard)
    assert sessionguard.get(session).refused or sessionguard.get(session).status == "expired"
    sessionguard.delete(session)
    assert sessionguard.get(session).refused


@pytest.mark.parametrize("face", on_both_faces())
@pytest.mark.parametrize("state", EXPIRED, ids=lambda state: state.__name__)
def test_an_expired_session_may_be_closed_at_once(
    sessionguard: Driver, face: str, state: Callable[[Driver], str]
) -> None:
    session = state(sessionguard)
    sessionguard.delete(session)
    assert sessionguard.get(session).refused


@pytest.mark.sessionguard(manager=REPLACED)
@pytest.mark.parametrize("state", EXPIRED, ids=lambda state: state.__name__)
def test_an_expired_session_that_is_used_has_a_replacement(
    sessionguard: Driver, state: Callable[[Driver], str]
) -> None:
    session = state(sessionguard)
    replacement = sessionguard.use(session).id
    assert replacement != session
    assert sessionguard.use(session).id == replacement
    sessionguard.expect_alive(replacement)


# -- an id that the caller chooses ------------------------------------------------------------------------------------


@pytest.mark.parametrize("face", on_both_faces())
@pytest.mark.parametrize("state", [*EXPIRED, *ENDED], ids=lambda state: state.__name__)
def test_an_id_is_free_again_once_its_session_is_over(
    sessionguard: Driver, face: str, state: Callable[[Driver], str]
) -> None:
    session = state(sessionguard)
    assert sessionguard.create(id=session).id == session
    sessionguard.expect_alive(session)


@pytest.mark.parametrize("face", on_both_faces())
def test_the_id_of_a_living_session_is_taken(sessionguard: Driver, face: str) -> None:
    assert sessionguard.create(id=live(sessionguard)).refused


# -- the manager as a whole -------------------------------------------------------------------------------------------


def empty(manager: Driver) -> int:
    return 0


def holding(manager: Driver) -> int:
    made(manager)
    return 1


def stale(manager: Driver) -> int:
    expired(manager)
    return 0


def full(manager: Driver) -> int:
    for _ in range(LIMIT):
        made(manager)
    return LIMIT


WHOLE: Final = (empty, holding, stale, full)


@pytest.mark.parametrize("face", on_both_faces(LIMIT))
@pytest.mark.parametrize("state", WHOLE, ids=lambda state: state.__name__)
@pytest.mark.parametrize("verb", ["list", "count", "metrics", "sweep", "clear"])
def test_the_manager_tells_and_ends_what_lives(
    sessionguard: Driver, face: str, verb: str, state: Callable[[Driver], int]
) -> None:
    alive = state(sessionguard)
    match verb:
        case "list":
            assert len(sessionguard.list().ids) >= alive
        case "count":
            assert sessionguard.count().count >= alive
        case "metrics":
            assert sessionguard.metrics().metrics["active"] == alive
        case "sweep":
            sessionguard.sweep()
            assert sessionguard.metrics().metrics["active"] == alive
        case _:
            sessionguard.clear()
            assert sessionguard.metrics().metrics["active"] == 0


@pytest.mark.parametrize("face", on_both_faces(LIMIT))
@pytest.mark.parametrize("state", WHOLE, ids=lambda state: state.__name__)
def test_one_more_is_made_unless_the_limit_is_reached(
    sessionguard: Driver, face: str, state: Callable[[Driver], int]
) -> None:
    alive = state(sessionguard)
    assert sessionguard.create().refused is (alive == LIMIT)
