"""Clock, target and recorder, wired: what is recorded, held, cleared up."""

from __future__ import annotations

import logging
import sys
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any

import pytest
import toys

from pytest_sessionguard.clock.virtual import VirtualClock
from pytest_sessionguard.core.history import Event, Note
from pytest_sessionguard.core.operations import Answer, Failed, Ok, Operation
from pytest_sessionguard.errors import HarnessError, UsageError
from pytest_sessionguard.run import output
from pytest_sessionguard.run.driving import by_hand, drive
from pytest_sessionguard.run.stage import HARNESS, Stage
from pytest_sessionguard.target.shape import Profile

FILED = {"args": {"root": "{dir}", "idle": "{idle_timeout}", "limit": "{limit}"}}


def staged(
    profile: Profile, story: Callable[[Stage], Awaitable[Any]], *, in_loop: bool = False
) -> tuple[Stage, tuple[Failed, ...]]:
    """Open a stage, play the story, close it; return the stage and what went wrong at its end."""
    clock = VirtualClock()
    stage = Stage(profile, profile.policy, clock, in_loop=in_loop)

    async def all_of_it() -> tuple[Failed, ...]:
        try:
            await stage.open()
            await story(stage)
            return await stage.close()
        finally:
            stage.clear()

    return stage, drive(clock, all_of_it, in_loop=in_loop)


async def nothing(stage: Stage) -> None:
    """Do nothing."""


def verbs(stage: Stage) -> list[str]:
    return [one.operation.verb if isinstance(one, Event) else one.kind for one in stage.recorder.history().entries]


# -- the life of the manager ----------------------------------------------------------------------------------------

FRAMES = {**toys.OPERATIONS, "start": "start()", "stop": "stop()", "close": "close()"}


class Framed(toys.Toy):
    """Counts how often it is started, stopped and closed."""

    def __init__(self, idle: float, limit: int | None) -> None:
        super().__init__(idle, limit)
        self.did: list[str] = []
        made.append(self)

    def start(self) -> None:
        self.did.append("start")

    def stop(self) -> None:
        self.did.append("stop")

    def close(self) -> None:
        self.did.append("close")


class Entered(Framed):
    """Is a context manager too."""

    def __enter__(self) -> Entered:
        self.did.append("in")
        return self

    def __exit__(self, *_: object) -> None:
        self.did.append("out")


made: list[Framed] = []


def test_start_stop_and_close_frame_a_case() -> None:
    stage, problems = staged(toys.a_profile(Framed, FRAMES), nothing)
    assert made[-1].did == ["start", "stop", "close"]
    assert verbs(stage) == ["start", "stop", "close"]
    assert [event.client for event in stage.recorder.history().events] == [HARNESS] * 3
    assert problems == ()


def test_a_context_manager_is_entered_and_left_and_neither_started_nor_stopped() -> None:
    stage, problems = staged(toys.a_profile(Entered, FRAMES), nothing)
    assert made[-1].did == ["in", "out"]
    assert verbs(stage) == ["start", "stop"]  # Entering it is its start: the record says so.
    assert problems == ()


def test_what_the_story_has_ended_is_not_ended_twice() -> None:
    async def story(stage: Stage) -> None:
        await stage.perform("A", Operation(verb="stop"), "")
        assert stage.ended_by_story
        await stage.perform("A", Operation(verb="start"), "")
        assert not stage.ended_by_story
        await stage.perform("A", Operation(verb="close"), "")

    staged(toys.a_profile(Framed, FRAMES), story)
    assert made[-1].did == ["start", "stop", "start", "close"]


def test_a_manager_that_the_story_stopped_is_left_all_the_same() -> None:
    async def story(stage: Stage) -> None:
        await stage.perform("A", Operation(verb="stop"), "")

    stage, _ = staged(toys.a_profile(Entered, FRAMES), story)
    assert made[-1].did == ["in", "stop", "out"]
    assert verbs(stage) == ["start", "stop"]


def test_an_error_on_leaving_is_the_answer_of_its_stop_or_else_reported() -> None:
    _, problems = staged(toys.a_profile(toys.leaving_badly), nothing)
    assert [problem.error for problem in problems] == ["OSError: the lid is stuck"]

    def factory(idle: float, limit: int | None) -> Any:
        yield SimpleNamespace(create=print, stop=print)
        raise OSError("the lid is stuck")

    stage, problems = staged(toys.a_profile(factory, {"create": "create() -> id", "stop": "stop()"}), nothing)
    assert problems == ()
    (event,) = stage.recorder.history().events
    assert isinstance(event.outcome, Failed)


def test_a_fault_of_ours_on_leaving_is_no_answer() -> None:
    def factory(idle: float, limit: int | None) -> Any:
        yield SimpleNamespace(create=print, stop=print)
        raise HarnessError("ours")

    with pytest.raises(HarnessError):
        staged(toys.a_profile(factory, {"create": "create() -> id", "stop": "stop()"}), nothing)


def test_a_restart_ends_the_manager_and_makes_it_anew_in_the_same_folder() -> None:
    async def story(stage: Stage) -> None:
        await stage.perform("A", Operation(verb="create", id="s1"), "here:1:1")
        first = stage.binding.manager
        assert await stage.restart("here:2:1") == ()
        assert not first.opened
        assert stage.binding.manager is not first
        event = await stage.perform("A", Operation(verb="get", id="s1"), "here:3:1")
        assert isinstance(event.outcome, Ok)
        assert event.outcome.answer.data is not None

    stage, _ = staged(toys.a_profile(toys.Filed, {**toys.OPERATIONS, "close": "close()"}, manager=FILED), story)
    assert verbs(stage) == ["create", "close", "restarted", "get", "close"]
    assert not stage.folder.exists()


def test_a_manager_that_cannot_be_made_again_is_reported() -> None:
    async def story(stage: Stage) -> None:
        (problem,) = await stage.restart("here:2:1")
        assert "the file is locked" in problem.error

    operations = {**toys.OPERATIONS, "close": "close()"}
    staged(toys.a_profile(toys.NeverAgain, operations, manager=FILED), story)


def test_whatever_happens_folder_and_output_are_cleared() -> None:
    before = sys.stdout, sys.stderr, list(logging.getLogger().handlers)

    async def story(stage: Stage) -> None:
        raise RuntimeError("a slip")

    for profile in (toys.a_profile(), toys.a_profile(toys.AsyncToy)):
        stages: list[Stage] = []

        async def noted(stage: Stage, stages: list[Stage] = stages) -> None:
            stages.append(stage)
            await story(stage)

        with pytest.raises(RuntimeError):
            staged(profile, noted, in_loop=profile.factory is toys.AsyncToy)
        assert not stages[0].folder.exists()
        assert (sys.stdout, sys.stderr, list(logging.getLogger().handlers)) == before


# -- the record -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("in_loop", [False, True])
def test_operations_carry_the_instants_of_both_clocks(in_loop: bool) -> None:
    async def story(stage: Stage) -> None:
        await stage.perform("A", Operation(verb="create", id="s1"), "here:1:2")
        await stage.advance(5_000_000)
        await stage.set_clock(stage.clock.wall_us - 60_000_000)
        await stage.perform("A", Operation(verb="touch", id="s1"), "here:2:2")

    factory = toys.AsyncToy if in_loop else toys.Toy
    stage, _ = staged(toys.a_profile(factory), story, in_loop=in_loop)
    create, touch = stage.recorder.history().events
    assert (create.client, create.place) == ("A", "here:1:2")
    assert stage.recorder.offset_us(create.called) == 0
    assert stage.recorder.offset_us(create.returned) == (1000 if in_loop else 0)
    assert touch.called.mono_us - create.returned.mono_us == 5_000_000
    assert touch.called.wall_us - create.returned.wall_us == -55_000_000
    assert create.return_order < touch.call_order


def test_time_is_never_turned_back() -> None:
    async def story(stage: Stage) -> None:
        await stage.advance(-1)

    with pytest.raises(HarnessError):
        staged(toys.a_profile(), story)


def test_hooks_are_recorded_where_they_are_called() -> None:
    class Hooked(toys.Toy):
        def __init__(self, idle: float, limit: int | None, on_close: Any) -> None:
            super().__init__(idle, limit)
            self.on_close = on_close

        def delete(self, id: str) -> bool:
            self.on_close(id)
            return super().delete(id)

    async def story(stage: Stage) -> None:
        await stage.perform("A", Operation(verb="create", id="s1"), "")
        await stage.perform("A", Operation(verb="delete", id="s1"), "here:3:1")

    stage, _ = staged(toys.a_profile(Hooked, manager={"hooks": {"on_close": "close(id)"}}), story)
    _, note, delete = stage.recorder.history().entries
    assert isinstance(note, Note)
    assert isinstance(delete, Event)
    assert (note.kind, note.subject, note.id, note.place) == ("hook", "close", "s1", "here:3:1")
    assert delete.call_order < note.order < delete.return_order


def test_an_operation_that_did_not_answer_is_under_way_or_forgotten() -> None:
    clock = VirtualClock()
    profile = toys.a_profile()
    stage = Stage(profile, profile.policy, clock, in_loop=False)
    begun = stage.recorder.begin("A", Operation(verb="touch", id="s1"), "")
    assert stage.recorder.under_way() == (begun,)
    stage.recorder.forget(begun)
    assert stage.recorder.under_way() == ()
    stage.clear()


def test_what_the_target_prints_and_logs_is_kept_and_very_much_is_cut() -> None:
    class Noisy(toys.Toy):
        def touch(self, id: str) -> bool:
            print("said", end=";")
            print("complained", end=";", file=sys.stderr)
            logging.getLogger("shop").warning("logged")
            return False

    async def story(stage: Stage) -> None:
        await stage.perform("A", Operation(verb="touch", id="s1"), "")
        assert stage.output.text == "said;complained;WARNING shop: logged\n"
        print("x" * output.CHARACTERS_MAX)

    stage, _ = staged(toys.a_profile(Noisy), story)
    assert stage.output.text.startswith("(")
    assert "characters left out)" in stage.output.text


# -- session objects that clients hold ------------------------------------------------------------------------------


class Desk:
    """Gives session objects that save themselves."""

    def __init__(self) -> None:
        self.kept: dict[str, Any] = {}

    def open(self, id: str) -> Any:
        self.kept[id] = {}
        return self.get(id)

    def get(self, id: str) -> Any:
        if id not in self.kept:
            return None
        session = SimpleNamespace(id=id, data=dict(self.kept[id]))
        session.save = lambda: self.kept.__setitem__(id, dict(session.data))
        return session

    def touch(self, id: str) -> bool:
        return id in self.kept

    def drop(self, id: str) -> bool:
        return self.kept.pop(id, None) is not None


DESK = {
    "create": "open(id) -> session",
    "get": "get(id) -> session",
    "save": "session.save()",
    "touch": "touch(id) -> found",
    "delete": "drop(id) -> found",
}


def desk(operations: dict[str, Any] | None = None) -> Profile:
    return Profile.of({"manager": {"factory": Desk}, "operations": operations or DESK,
                       "session": {"id": "id", "data": "data"}})  # fmt: skip


async def fresh(stage: Stage, client: str = "A", session_id: str = "s1") -> Event | None:
    return await stage.fresh_holder(client, "save", session_id, "")


def test_a_client_reads_again_what_may_have_changed_since() -> None:
    async def story(stage: Stage) -> None:
        await stage.perform("A", Operation(verb="create", id="s1"), "")
        assert await fresh(stage) is None
        assert verbs(stage) == ["create"]  # Just made: as fresh as can be.
        await stage.perform("B", Operation(verb="touch", id="s2"), "")
        assert await fresh(stage) is None
        assert verbs(stage)[1:] == ["touch"]  # Another session's business.
        await stage.perform("B", Operation(verb="touch", id="s1"), "")
        assert await fresh(stage) is None
        assert verbs(stage)[2:] == ["touch", "get"]
        await stage.advance(1)
        assert await fresh(stage) is None
        assert await fresh(stage, "B") is None
        assert verbs(stage)[4:] == ["get", "get"]
        await stage.perform("A", Operation(verb="save", id="s1"), "")
        assert await fresh(stage) is None
        assert verbs(stage)[6:] == ["save"]  # Who saved it himself knows it.

    staged(desk(), story)


def test_where_there_is_no_session_the_reading_is_the_answer() -> None:
    async def story(stage: Stage) -> None:
        await stage.perform("A", Operation(verb="create", id="s1"), "")
        await stage.perform("B", Operation(verb="delete", id="s1"), "")
        event = await fresh(stage)
        assert event is not None
        assert event.outcome == Ok(Answer(absent="none"))
        assert await stage.fresh_holder("A", "touch", "s1", "") is None

    staged(desk(), story)


def test_without_a_get_that_gives_sessions_the_one_from_create_must_do() -> None:
    operations = {key: DESK[key] for key in ("create", "save", "touch")}

    async def story(stage: Stage) -> None:
        await stage.perform("A", Operation(verb="create", id="s1"), "")
        await stage.advance(1)
        assert await fresh(stage) is None
        with pytest.raises(UsageError, match="expected `get` with `-> session`"):
            await fresh(stage, "B")

    staged(desk(operations), story)


def test_by_hand_nothing_can_be_waited_for() -> None:
    class Wait:
        def __await__(self) -> Any:
            yield

    async def waiting() -> None:
        await Wait()

    with pytest.raises(HarnessError, match="waits for something"):
        by_hand(waiting())
