"""Live managers of many shapes behind their profiles."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Hashable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_sessionguard.core.operations import Answer, Failed, Ok, Operation, Outcome, Refused
from pytest_sessionguard.core.values import UNSET, FrozenMap, Unset
from pytest_sessionguard.errors import HarnessError, UsageError
from pytest_sessionguard.run.driving import by_hand
from pytest_sessionguard.target.binding import Binding
from pytest_sessionguard.target.making import CannotBeMade, NeedsLoop, wants_loop
from pytest_sessionguard.target.shape import Profile

PLAIN = {
    "create": "create(id, data?) -> id",
    "get": "get(id) -> data",
    "save": "save(id, data)",
    "delete": "delete(id) -> found",
}


class Plain:
    """A dict with methods; remembers what it was made with."""

    def __init__(self, **options: Any) -> None:
        self.options = options
        self.kept: dict[Any, Any] = {}

    def create(self, id: str, data: Any = None) -> str:
        self.kept[id] = {} if data is None else data
        return id

    def get(self, id: str) -> Any:
        return self.kept.get(id)

    def save(self, id: str, data: Any) -> None:
        self.kept[id] = data

    def delete(self, id: str) -> bool:
        return self.kept.pop(id, None) is not None

    def __getitem__(self, id: str) -> Any:
        return self.kept[id]

    def __setitem__(self, id: str, data: Any) -> None:
        self.kept[id] = data

    def __delitem__(self, id: str) -> None:
        del self.kept[id]


@dataclass
class Noticed:
    """What hooks and resources told."""

    notes: list[tuple[str, str, Any]] = field(default_factory=list)

    def __call__(self, *, kind: str, subject: str, id: Hashable | Unset) -> None:
        self.notes.append((kind, subject, id))


def a_binding(
    factory: Any,
    operations: dict[str, Any] | None = None,
    *,
    in_loop: bool = False,
    scribble: bool = False,
    noted: Noticed | None = None,
    folder: Path = Path("somewhere"),
    **tables: Any,
) -> Binding:
    manager = {"factory": factory, **tables.pop("manager", {})}
    profile = Profile.of({"manager": manager, "operations": operations or PLAIN, **tables})
    return Binding(
        profile,
        policy=profile.policy,
        folder=folder,
        noted=noted or Noticed(),
        in_loop=in_loop,
        scribble=scribble,
    )


def made(factory: Any, operations: dict[str, Any] | None = None, **more: Any) -> Binding:
    binding = a_binding(factory, operations, **more)
    by_hand(binding.make())
    return binding


def done(binding: Binding, verb: str, **given: Any) -> Outcome:
    return by_hand(binding.perform("A", Operation(verb=verb, **given)))


def ok(binding: Binding, verb: str, **given: Any) -> Answer:
    outcome = done(binding, verb, **given)
    assert isinstance(outcome, Ok), outcome
    return outcome.answer


DATA = FrozenMap({"a": 1})


# -- making ---------------------------------------------------------------------------------------------------------


def test_a_class_is_called_with_arguments_filled_in(tmp_path: Path) -> None:
    arguments = {
        "root": "{dir}",
        "deep": {"at": ["{dir}/x"], "n": 3},
        "idle": "{idle_timeout}",
        "limit": "{limit}",
        "never": "{absolute_timeout}",
        "text": "idle for {idle_timeout} s",
    }
    binding = made(Plain, manager={"args": arguments}, policy={"idle_timeout": "90s", "limit": 3}, folder=tmp_path)
    assert binding.manager.options == {
        "root": str(tmp_path), "deep": {"at": [f"{tmp_path}/x"], "n": 3}, "idle": 90, "limit": 3, "never": None,
        "text": "idle for 90 s",
    }  # fmt: skip


def test_an_endpoint_is_handed_over_whole_and_in_parts() -> None:
    arguments = {"url": "redis://{endpoint}", "host": "{host}", "port": "{port}"}
    binding = made(Plain, manager={"args": arguments, "endpoint": "localhost:6379"})
    assert binding.manager.options == {"url": "redis://localhost:6379", "host": "localhost", "port": 6379}


def test_a_context_manager_is_entered_and_left_once() -> None:
    steps: list[str] = []

    class Entered(Plain):
        def __enter__(self) -> Entered:
            steps.append("in")
            return self

        def __exit__(self, *_: object) -> None:
            steps.append("out")

    binding = made(Entered)
    assert binding.framed
    assert by_hand(binding.leave()) is None
    assert by_hand(binding.leave()) is None
    assert steps == ["in", "out"]


def test_a_context_manager_that_gives_nothing_is_itself_the_manager() -> None:
    class Shy(Plain):
        def __enter__(self) -> None:
            return None

        def __exit__(self, *_: object) -> None:
            return None

    assert isinstance(made(Shy).manager, Shy)


def test_a_generator_gives_the_manager_and_goes_on_at_the_end() -> None:
    steps: list[str] = []

    def factory() -> Iterator[Plain]:
        steps.append("in")
        yield Plain()
        steps.append("out")

    binding = made(factory)
    assert isinstance(binding.manager, Plain)
    assert by_hand(binding.leave()) is None
    assert steps == ["in", "out"]


def test_a_decorated_generator_is_a_context_manager() -> None:
    @contextlib.contextmanager
    def factory() -> Iterator[Plain]:
        yield Plain()

    binding = made(factory)
    assert isinstance(binding.manager, Plain)
    assert by_hand(binding.leave()) is None


def test_an_error_on_leaving_is_told_and_not_swallowed() -> None:
    def factory() -> Iterator[Plain]:
        yield Plain()
        raise RuntimeError("the lid is stuck")

    failed = by_hand(made(factory).leave())
    assert isinstance(failed, Failed)
    assert failed.error == "RuntimeError: the lid is stuck"


def test_a_declared_error_on_leaving_is_an_error_all_the_same() -> None:
    def factory() -> Iterator[Plain]:
        yield Plain()
        raise KeyError("x")

    failed = by_hand(made(factory, errors={"missing": "KeyError"}).leave())
    assert failed == Failed("KeyError: 'x'")


def test_a_generator_that_yields_twice_is_told() -> None:
    def factory() -> Iterator[Plain]:
        yield Plain()
        yield Plain()

    failed = by_hand(made(factory).leave())
    assert failed is not None
    assert "yielded twice" in failed.error


def test_a_factory_that_raises_is_the_users_to_mend() -> None:
    def factory(size: int) -> Plain:
        raise ValueError(f"no such size: {size}")

    with pytest.raises(CannotBeMade, match=r"factory\(size=3\) gave no manager: ValueError: no such size: 3 at .*:\d+"):
        made(factory, manager={"args": {"size": 3}})


def test_methods_that_a_made_object_lacks_are_all_named() -> None:
    def factory() -> Any:
        return SimpleNamespace(create=print, remove=print, fetch=print)

    with pytest.raises(UsageError) as caught:
        made(factory, {"create": "create() -> id", "get": "fetsh(id) -> data", "delete": "delete(id)"})
    assert "SimpleNamespace has no method or attribute 'fetsh', did you mean 'fetch'?" in str(caught.value)
    assert "has no method or attribute 'delete'" in str(caught.value)


def test_a_manager_that_was_not_made_is_our_fault() -> None:
    with pytest.raises(HarnessError):
        _ = a_binding(Plain).manager


def test_the_reset_function_is_called_and_must_exist() -> None:
    calls: list[int] = []
    by_hand(a_binding(Plain, manager={"reset": lambda: calls.append(1)}).reset())
    by_hand(a_binding(Plain).reset())
    assert calls == [1]

    def failing() -> None:
        raise OSError("no such table")

    with pytest.raises(UsageError, match=r"reset raised OSError: no such table at .*:\d+"):
        by_hand(a_binding(Plain, manager={"reset": failing}).reset())
    with pytest.raises(UsageError, match="reset"):
        binding = a_binding(Plain)
        binding.profile = replace(binding.profile, reset="nowhere:reset")
        by_hand(binding.reset())


# -- async ----------------------------------------------------------------------------------------------------------


class Async:
    """A dict with async methods."""

    def __init__(self) -> None:
        self.kept: dict[str, Any] = {}

    async def create(self, id: str, data: Any = None) -> str:
        await asyncio.sleep(0)
        self.kept[id] = data or {}
        return id

    async def get(self, id: str) -> Any:
        return self.kept.get(id)

    async def ids(self) -> AsyncIterator[str]:
        for id in self.kept:
            yield id

    async def cut(self, id: str) -> None:
        raise asyncio.CancelledError


ASYNC = {"create": "create(id, data?) -> id", "get": "get(id) -> data", "delete": "cut(id)", "list": "ids() -> ids"}


@contextlib.asynccontextmanager
async def entered() -> AsyncIterator[Async]:
    yield Async()


async def generated() -> AsyncIterator[Async]:
    yield Async()


async def awaited() -> Async:
    return Async()


class AsyncEntered(Async):
    async def __aenter__(self) -> None:
        return None

    async def __aexit__(self, *_: object) -> None:
        return None


@pytest.mark.parametrize("factory", [Async, entered, generated, awaited, AsyncEntered])
def test_async_managers_of_every_kind_are_made_called_and_left(factory: Any) -> None:
    async def story() -> None:
        binding = a_binding(factory, ASYNC, in_loop=True)
        await binding.make()
        assert binding.framed is (factory not in (Async, awaited))
        await binding.perform("A", Operation(verb="create", id="s1", data=DATA))
        assert await binding.perform("A", Operation(verb="get", id="s1")) == Ok(Answer(data=DATA))
        assert await binding.perform("A", Operation(verb="list")) == Ok(Answer(ids=("s1",), count=1))
        assert await binding.leave() is None

    asyncio.run(story())


@pytest.mark.parametrize("factory", [Async, entered, generated, awaited, AsyncEntered])
def test_an_async_manager_is_known_by_its_looks(factory: Any) -> None:
    assert wants_loop(a_binding(factory, ASYNC).profile)
    assert not wants_loop(a_binding(Plain).profile)
    assert not wants_loop(a_binding(lambda: Plain()).profile)


@pytest.mark.parametrize("factory", [entered, generated, awaited, AsyncEntered])
def test_without_a_loop_an_async_factory_asks_for_one(factory: Any) -> None:
    with pytest.raises(NeedsLoop):
        made(factory, ASYNC)


def test_without_a_loop_an_async_method_asks_for_one() -> None:
    binding = made(lambda: Async(), ASYNC)
    for verb in ("create", "list"):
        with pytest.raises(NeedsLoop):
            done(binding, verb, id="s1")


def test_a_cancellation_that_nobody_asked_for_is_the_targets_failure() -> None:
    async def story() -> Outcome:
        binding = a_binding(Async, ASYNC, in_loop=True)
        await binding.make()
        return await binding.perform("A", Operation(verb="delete", id="s1"))

    outcome = asyncio.run(story())
    assert isinstance(outcome, Failed)
    assert "CancelledError" in outcome.error


def test_a_cancellation_of_the_harness_passes_through() -> None:
    class Slow(Async):
        async def get(self, id: str) -> Any:
            await asyncio.sleep(3600)

    async def story() -> None:
        binding = a_binding(Slow, ASYNC, in_loop=True)
        await binding.make()
        task = asyncio.ensure_future(binding.perform("A", Operation(verb="get", id="s1")))
        await asyncio.sleep(0)
        task.cancel()
        await task

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(story())


# -- templates ------------------------------------------------------------------------------------------------------


def test_items_are_read_set_and_deleted() -> None:
    binding = made(
        Plain,
        {"create": "manager[id] = data", "get": "manager[id] -> data", "delete": "del manager[id]"},
        errors={"missing": "KeyError"},
    )
    assert ok(binding, "create", id="s1", data=DATA).id == "s1"
    assert ok(binding, "get", id="s1").data == DATA
    assert ok(binding, "delete", id="s1") == Answer()
    assert done(binding, "get", id="s1") == Refused(frozenset({"missing"}), "KeyError: 's1'")


def test_attributes_are_read_and_dotted_paths_walked() -> None:
    operations = {
        **PLAIN,
        "list": "kept.keys() -> ids",
        "count": "kept.__len__() -> count",
        "metrics": "kept -> metrics",
    }
    binding = made(Plain, operations, metrics={"total": "total"})
    ok(binding, "create", id="total")
    assert ok(binding, "list").ids == ("total",)
    assert ok(binding, "count").count == 1
    assert ok(binding, "metrics").metrics == FrozenMap({"total": FrozenMap({})})


def count_of(manager: Plain, more: int) -> int:
    return len(manager.kept) + more


def test_functions_literals_keywords_and_spreads_are_handed_over() -> None:
    def factory() -> Any:
        def create(kind: str, *, owner: str, **data: Any) -> str:
            calls.append((kind, owner, data))
            return "s1"

        calls: list[Any] = []
        return SimpleNamespace(create=create, calls=calls, kept={"a": 1})

    operations = {
        "create": 'create("web", owner=owner, **data) -> id',
        "count": f"{__name__}:count_of(manager, 2) -> count",
    }
    binding = made(factory, operations)
    assert ok(binding, "create", owner="ann", data=DATA).id == "s1"
    assert binding.manager.calls == [("web", "ann", {"a": 1})]
    assert [ok(binding, "count").count, ok(binding, "count").count] == [3, 3]


def test_placeholders_work_in_literals() -> None:
    binding = made(Plain, {**PLAIN, "create": 'create("{dir}/x") -> id'}, folder=Path("here"))
    assert ok(binding, "create").id == "here/x"


def test_an_optional_argument_is_handed_over_only_when_given() -> None:
    calls: list[Any] = []

    class Picky(Plain):
        def create(self, id: str, owner: str = "nobody", data: Any = "nothing") -> str:
            calls.append((owner, data))
            return id

    binding = made(Picky, {**PLAIN, "create": "create(id, owner?, data?) -> id"})
    ok(binding, "create", id="s")
    ok(binding, "create", id="s", owner="ann")
    ok(binding, "create", id="s", owner="ann", data=DATA)
    ok(binding, "create", id="s", data=DATA)  # The one before it is left out: handed over by its name.
    assert calls == [("nobody", "nothing"), ("ann", "nothing"), ("ann", {"a": 1}), ("nobody", {"a": 1})]


def test_a_left_out_argument_before_one_without_a_name_is_the_users_to_mend() -> None:
    binding = made(lambda: SimpleNamespace(create=lambda *given: "s"), {"create": "create(owner?, data?) -> id"})
    with pytest.raises(UsageError, match="write the later one with its keyword"):
        done(binding, "create", data=DATA)


def test_an_argument_that_must_be_given_and_is_not_is_named() -> None:
    with pytest.raises(UsageError, match="save must be given 'data'"):
        done(made(Plain), "save", id="s1")
    with pytest.raises(UsageError, match="has no 'touch'"):
        done(made(Plain), "touch", id="s1")


@pytest.mark.parametrize(
    ("unit", "timeout_us", "expected"),
    [("s", 1_500_000, 1.5), ("s", 60_000_000, 60), ("ms", 1_500_000, 1500), ("s", 0, 0), ("s", None, None)],
)
def test_a_timeout_is_handed_over_in_the_profiles_unit(unit: str, timeout_us: int | None, expected: Any) -> None:
    def factory() -> Any:
        return SimpleNamespace(create=lambda ttl: given.append(ttl), given=[])

    given: list[Any] = []
    binding = made(
        factory,
        {"create": "create(ttl=timeout)"},
        manager={"timeout_unit": unit},
        policy={"per_session_timeout": True, "idle_timeout": "1h"},
    )
    done(binding, "create", timeout_us=timeout_us)
    assert given == [expected]
    assert isinstance(given[0], type(expected))


def test_an_update_may_be_handed_over_as_a_function_of_the_old_data() -> None:
    class Mutating(Plain):
        def change(self, id: str, function: Any) -> Any:
            self.kept[id] = function(self.kept[id])
            return self.kept[id]

    binding = made(Mutating, {**PLAIN, "update": "change(id, mutate) -> data"})
    ok(binding, "create", id="s1", data=DATA)
    assert ok(binding, "update", id="s1", changes=FrozenMap({"b": 2})).data == FrozenMap({"a": 1, "b": 2})


# -- session objects ------------------------------------------------------------------------------------------------


class Session:
    """Saves itself, as the sessions of many frameworks."""

    def __init__(self, store: dict[str, Any], id: str, data: Any) -> None:
        self._store, self.id, self.data = store, id, dict(data)

    def save(self) -> None:
        self._store[self.id] = dict(self.data)

    def rename(self, id: str) -> None:
        self.id = id
        self.save()


class Holding:
    """Gives session objects that must be saved."""

    def __init__(self) -> None:
        self.kept: dict[str, Any] = {}
        self.saved: list[Any] = []

    def new(self) -> Session:
        return Session(self.kept, f"s{len(self.kept) + 1}", {})

    def get(self, id: str) -> Session | None:
        return Session(self.kept, id, self.kept[id]) if id in self.kept else None

    def store(self, session: Session) -> None:
        self.saved.append(session)
        session.save()


HOLDING = {
    "create": ["new() -> session", "session.save()"],
    "get": "get(id) -> session",
    "update": ["get(id) -> session", "store(session)"],
    "save": "session.save()",
    "rotate": "session.rename('renamed')",
    "ttl": "session.data -> seconds",
}
SHAPE = {"id": "id", "data": "data"}


def test_a_session_that_one_step_gives_is_bound_for_the_later_ones() -> None:
    binding = made(Holding, HOLDING, session=SHAPE)
    assert ok(binding, "create").id == "s1"
    assert binding.holds("A", "s1")
    ok(binding, "update", id="s1", changes=FrozenMap({"b": 2}))
    assert binding.manager.kept == {"s1": {"b": 2}}


def test_a_new_session_is_filled_before_it_is_saved() -> None:
    binding = made(Holding, HOLDING, session=SHAPE)
    assert ok(binding, "create", data=DATA).id == "s1"
    assert binding.manager.kept == {"s1": {"a": 1}}


def test_a_held_session_is_changed_before_it_is_saved() -> None:
    binding = made(Holding, HOLDING, session=SHAPE)
    ok(binding, "create")
    assert ok(binding, "save", id="s1", data=DATA) == Answer()
    assert binding.manager.kept == {"s1": {"a": 1}}


def test_steps_stop_where_one_gives_no_session() -> None:
    binding = made(Holding, HOLDING, session=SHAPE)
    assert ok(binding, "update", id="s9", changes=DATA) == Answer(absent="none")
    assert binding.manager.saved == []


def test_a_step_that_is_refused_is_the_answer() -> None:
    class Refusing(Holding):
        def get(self, id: str) -> Any:
            return 404

    binding = made(Refusing, HOLDING, session=SHAPE, answers={"missing": 404})
    assert done(binding, "update", id="s1", changes=DATA) == Refused(frozenset({"missing"}), "answered 404", True)


def test_without_a_held_session_its_methods_cannot_be_called() -> None:
    binding = made(Holding, HOLDING, session=SHAPE)
    assert binding.wants_session("save")
    assert not binding.wants_session("update")
    assert not binding.wants_session("get")
    with pytest.raises(UsageError, match="needs a session object"):
        done(binding, "save", id="s1", data=DATA)


def test_clients_hold_objects_of_their_own_until_they_are_dropped() -> None:
    binding = made(Holding, HOLDING, session=SHAPE)
    ok(binding, "create")
    by_hand(binding.perform("B", Operation(verb="get", id="s1")))
    binding.drop("s2")
    assert binding.holds("A", "s1")
    assert binding.holds("B", "s1")
    binding.drop("s1")
    assert not binding.holds("A", "s1")
    binding.hold("A", "s1", object())
    binding.drop()
    assert not binding.holds("A", "s1")


def test_a_session_object_without_the_method_is_the_users_to_mend() -> None:
    binding = made(Holding, {**HOLDING, "save": "session.safe()"}, session=SHAPE)
    ok(binding, "create")
    with pytest.raises(UsageError, match="Session has no 'safe', did you mean 'save'"):
        done(binding, "save", id="s1", data=DATA)


def test_a_session_that_is_a_dict_is_walked_by_its_keys() -> None:
    def factory() -> Any:
        return SimpleNamespace(get=lambda id: {"id": id, "left": 5})

    binding = made(factory, {"create": "get('x') -> session", "ttl": "session.left -> seconds"}, session={"id": "id"})
    ok(binding, "create")
    assert ok(binding, "ttl", id="x").seconds_us == 5_000_000


def test_a_session_object_unlike_its_profile_is_the_users_mistake() -> None:
    binding = made(Holding, {**HOLDING, "update": "store(session)"}, session={"id": "id", "data": "contents"})
    with pytest.raises(UsageError, match=r"column \d+: .*has no 'contents'.*; write the result word that fits"):
        done(binding, "create")


def test_an_answer_unlike_those_before_it_is_a_failure_of_the_target() -> None:
    class Fickle(Plain):
        def count(self) -> Any:
            return 1 if not hasattr(self, "asked") and setattr(self, "asked", True) is None else "many"

    binding = made(Fickle, {"create": "create(id) -> id", "count": "count() -> count"})
    assert ok(binding, "count").count == 1
    outcome = done(binding, "count")
    assert isinstance(outcome, Failed)
    assert "answered 'many' where `-> count` was expected" in outcome.error


def test_the_id_of_a_session_that_is_saved_under_a_new_one_is_told() -> None:
    binding = made(Holding, {**HOLDING, "rotate": ["get(id) -> session", "session.rename('new')"]}, session=SHAPE)
    ok(binding, "create")
    assert ok(binding, "rotate", id="s1").id == "new"
    assert binding.holds("A", "new")


# -- outcomes -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [RuntimeError("x"), SystemExit(3), AttributeError("inner")])
def test_whatever_a_target_raises_is_its_failure(error: BaseException) -> None:
    class Failing(Plain):
        def get(self, id: str) -> Any:
            raise error

    outcome = done(made(Failing), "get", id="s1")
    assert isinstance(outcome, Failed)
    assert type(error).__name__ in outcome.error


def test_an_attribute_that_raises_is_the_targets_failure_and_not_a_missing_one() -> None:
    class Failing(Plain):
        armed = False

        @property
        def total(self) -> int:
            if self.armed:
                raise AttributeError("inside")
            return 0

    binding = made(Failing, {**PLAIN, "count": "total -> count"})
    binding.manager.armed = True
    assert isinstance(done(binding, "count"), Failed)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), GeneratorExit(), HarnessError("ours"), UsageError("theirs")])
def test_what_is_not_the_targets_passes_through(error: BaseException) -> None:
    class Passing(Plain):
        def get(self, id: str) -> Any:
            raise error

    with pytest.raises(type(error)):
        done(made(Passing), "get", id="s1")


def test_what_is_not_the_targets_passes_through_on_leaving_too() -> None:
    def factory() -> Iterator[Plain]:
        yield Plain()
        raise HarnessError("ours")

    with pytest.raises(HarnessError):
        by_hand(made(factory).leave())


# -- copies ---------------------------------------------------------------------------------------------------------


def test_data_handed_over_and_answered_is_spoiled_where_it_should_be_copied() -> None:
    sharing = made(Plain, scribble=True)
    ok(sharing, "create", id="s1", data=DATA)
    assert ok(sharing, "get", id="s1").data != DATA

    class Copying(Plain):
        def save(self, id: str, data: Any) -> None:
            self.kept[id] = dict(data)

        create = lambda self, id, data=None: self.save(id, data) or id  # noqa: E731
        get = lambda self, id: dict(self.kept[id])  # noqa: E731

    copying = made(Copying, scribble=True)
    ok(copying, "create", id="s1", data=DATA)
    assert [ok(copying, "get", id="s1").data for _ in range(3)] == [DATA] * 3


def test_live_data_is_not_spoiled() -> None:
    binding = made(Plain, scribble=True, policy={"data": "live"})
    ok(binding, "create", id="s1", data=DATA)
    assert ok(binding, "get", id="s1").data == DATA


# -- hooks and resources --------------------------------------------------------------------------------------------


class Hooked(Plain):
    """Calls its hooks in every way there is."""

    def __init__(self, on_close: Any, on_open: Any) -> None:
        super().__init__()
        self.on_close, self.on_open = on_close, on_open

    def create(self, id: str, data: Any = None) -> str:
        self.on_open(id)
        return super().create(id, data)

    def delete(self, id: str) -> bool:
        self.on_close(session={"id": id})
        self.on_close({"name": id})
        return True


def test_hooks_are_noted_with_the_id_that_they_are_told() -> None:
    noted = Noticed()
    hooks = {"on_close": "close(session)", "on_open": "open(id)"}
    binding = made(Hooked, manager={"hooks": hooks}, session={"id": "id"}, noted=noted)
    ok(binding, "create", id="s1")
    ok(binding, "delete", id="s1")
    assert noted.notes == [("hook", "open", "s1"), ("hook", "close", "s1"), ("hook", "close", UNSET)]


def test_an_async_hook_is_awaited_by_the_target() -> None:
    class Awaiting(Async):
        def __init__(self, on_commit: Any) -> None:
            super().__init__()
            self.on_commit = on_commit

        async def create(self, id: str, data: Any = None) -> str:
            await self.on_commit()
            return id

    noted = Noticed()

    async def story() -> None:
        hooks = {"on_commit": "async commit()"}
        binding = a_binding(Awaiting, ASYNC, in_loop=True, manager={"hooks": hooks}, noted=noted)
        assert wants_loop(binding.profile)
        await binding.make()
        await binding.perform("A", Operation(verb="create", id="s1"))

    asyncio.run(story())
    assert noted.notes == [("hook", "commit", UNSET)]


class Owning(Plain):
    """Keeps what it is given."""

    def attach(self, id: str, resource: Any) -> None:
        self.kept[id] = resource


@pytest.mark.parametrize(("form", "close"), [("close()", lambda one: one.close()), ("()", lambda one: one())])
def test_a_resource_tells_when_it_is_closed(form: str, close: Any) -> None:
    noted = Noticed()
    binding = made(Owning, {**PLAIN, "attach": "attach(id, resource)"}, policy={"resource": form}, noted=noted)
    ok(binding, "attach", id="s1", resource="file")
    close(binding.manager.kept["s1"])
    assert noted.notes == [("closed", "file", "s1")]
    ok(binding, "attach", id="s1", resource="bad", fails=True)
    with pytest.raises(Exception, match="'bad' cannot be closed"):
        close(binding.manager.kept["s1"])
    assert noted.notes[-1] == ("closed", "bad", "s1")


@pytest.mark.parametrize(
    ("form", "close"), [("async close()", lambda one: one.close()), ("async ()", lambda one: one())]
)
def test_an_async_resource_is_awaited(form: str, close: Any) -> None:
    noted = Noticed()
    binding = made(Owning, {**PLAIN, "attach": "attach(id, resource)"}, policy={"resource": form}, noted=noted)
    ok(binding, "attach", id="s1", resource="file")
    resource = binding.manager.kept["s1"]
    assert form == "async ()" or repr(resource) == "<resource file>"
    asyncio.run(close(resource))
    assert noted.notes == [("closed", "file", "s1")]


# -- functions of the user's ----------------------------------------------------------------------------------------


def test_a_users_function_is_given_the_manager_where_it_asks_for_it() -> None:
    binding = made(Plain)
    assert by_hand(binding.call(count_of, {"more": 4})) == 4
    assert by_hand(binding.call(lambda more: more, {"more": 4})) == 4
    assert by_hand(binding.call(dict, {"more": 4})) == {"more": 4}
