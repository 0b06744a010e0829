"""A class of whatever shape gets a first profile that loads and runs as it is, each guess marked as one."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import pytest

from pytest_sessionguard.core.operations import Ok, Operation, Outcome
from pytest_sessionguard.core.values import UNSET, FrozenMap
from pytest_sessionguard.errors import UsageError
from pytest_sessionguard.target.binding import Binding
from pytest_sessionguard.target.discover import guesses, propose
from pytest_sessionguard.target.profile import Profile, load
from pytest_sessionguard.target.reading import read_text

SHAPES = Path(__file__).parent / "shapes"

ALL = (
    "shape_usual:SessionManager",
    "shape_async:AsyncSessions",
    "shape_mapping:TTLStore",
    "shape_store:MemoryStore",
    "shape_records:sessionRegistry",
    "shape_durable:SqliteSessions",
    "shape_login:LoginSessions",
    "shape_login:make_login_sessions",
    "shape_login:opened_login_sessions",
    "shape_login:unannotated",
    "shape_keywords:KeywordSessions",
    "shape_odd:OddSessions",
)


@pytest.fixture(autouse=True)
def path_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))


def proposed(reference: str) -> Profile:
    return read_text(propose(reference, start_folder=SHAPES), source=reference, name=reference, folder=SHAPES)


def operations(profile: Profile) -> dict[str, str]:
    return {verb: templates[0].text for verb, templates in profile.operations.items()}  # type: ignore[index]


def policy(profile: Profile, *keys: str) -> dict[str, Any]:
    return {key: getattr(profile.policy, key) for key in keys}


@pytest.mark.parametrize("reference", ALL)
def test_a_proposal_loads_without_a_fault_and_is_the_same_every_time(reference: str) -> None:
    text = propose(reference, start_folder=SHAPES)
    assert text == propose(reference, start_folder=SHAPES)
    profile = read_text(text, source=reference, name=reference, folder=SHAPES)
    assert "create" in profile.operations
    assert "Left out" not in text
    assert load(reference, start_folder=SHAPES).operations == profile.operations


def test_usual_names_are_known() -> None:
    profile = proposed("shape_usual:SessionManager")
    assert operations(profile) == {
        "create": "get_or_create(id) -> session",
        "get": "get_session(id) -> session",
        "touch": "update_activity(id) -> found",
        "sweep": "cleanup_stale_sessions() -> count",
        "delete": "remove_session(id) -> found",
        "list": "active_sessions() -> ids",
        "count": "__len__() -> count",
    }
    assert dict(profile.args) == {"timeout_secs": "{idle_timeout}", "max_sessions": "{limit}"}
    assert (profile.callers, profile.session.id, profile.session.data) == ("threads", "session_id", "data")
    assert policy(profile, "idle_timeout", "limit", "at_timeout", "expired", "revivable", "existing", "data") == {
        "idle_timeout": 3_600_000_000,
        "limit": 100,
        "at_timeout": "alive",
        "expired": "stale",
        "revivable": True,
        "existing": "return",
        "data": "live",
    }
    assert profile.errors["limit"] == ("shape_usual:TooManySessions",)


def test_an_async_manager_with_milliseconds_and_own_exceptions() -> None:
    profile = proposed("shape_async:AsyncSessions")
    assert operations(profile) == {
        "create": "create_session(owner, data?) -> id",
        "get": "load(id) -> session",
        "touch": "heartbeat(id)",
        "update": "update_session(id, changes) -> version",
        "delete": "destroy(id)",
        "sweep": "purge_expired() -> count",
        "list": "session_ids() -> ids",
    }
    assert (profile.callers, profile.timeout_unit) == ("tasks", "ms")
    assert (profile.session.data, profile.session.owner, profile.session.version) == ("payload", "user_id", "version")
    told = policy(profile, "idle_timeout", "sweep_interval", "limit", "limit_counts", "expired", "at_timeout")
    assert told == {
        "idle_timeout": 60_000_000,
        "sweep_interval": 5_000_000,
        "limit": 10,
        "limit_counts": "live",
        "expired": "gone",
        "at_timeout": "expired",
    }
    assert profile.policy.of("missing", "get") == "error"
    assert set(profile.errors) == {"missing", "expired", "limit"}


def test_a_mapping_creates_by_setting_an_item() -> None:
    profile = proposed("shape_mapping:TTLStore")
    assert operations(profile) == {
        "create": "manager[id] = data",
        "save": "manager[id] = data",
        "get": "manager[id] -> data",
        "delete": "del manager[id]",
        "exists": "__contains__(id) -> flag",
        "count": "__len__() -> count",
    }
    assert policy(profile, "existing", "clock", "at_limit", "limit") == {
        "existing": "replace",
        "clock": "monotonic",
        "at_limit": "evict-oldest",
        "limit": 128,
    }
    assert (profile.policy.of("missing", "get"), profile.errors["missing"]) == ("error", ("KeyError",))


def test_a_store_that_sets_by_key_creates_by_saving() -> None:
    profile = proposed("shape_store:MemoryStore")
    assert operations(profile) == {
        "create": "set(id, data, timeout?)",
        "save": "set(id, data, timeout?)",
        "get": "get(id) -> data",
        "delete": "delete(id)",
        "exists": "exists(id) -> flag",
        "clear": "delete_all()",
    }
    assert profile.session.data_type == "bytes"
    assert policy(profile, "per_session_timeout", "none_timeout", "existing", "data") == {
        "per_session_timeout": True,
        "none_timeout": "never",
        "existing": "replace",
        "data": "copies",
    }


def test_records_without_annotations_are_known_by_their_source() -> None:
    profile = proposed("shape_records:sessionRegistry")
    assert operations(profile) == {
        "create": "newSession(owner, data?) -> id",
        "get": "getSession(id) -> session",
        "touch": "keepAlive(id)",
        "delete": "endSession(id)",
        "sweep": "evictExpired() -> count",
        "count": "countSessions() -> count",
    }
    assert (profile.session.id, profile.session.data, profile.session.owner) == ("id", "data", "user")
    assert policy(profile, "idle_timeout", "limit", "expired") == {
        "idle_timeout": 1_200_000_000,
        "limit": 50,
        "expired": "gone",
    }
    assert dict(profile.errors) == {"limit": ("RuntimeError",), "missing": ("KeyError",)}


def test_a_durable_one_gets_a_fresh_file_and_its_frame() -> None:
    profile = proposed("shape_durable:SqliteSessions")
    told = operations(profile)
    assert (told["start"], told["close"]) == ("start()", "close()")
    assert told["save"] == "save(id, data, version) -> version"
    assert told["list"] == "list_sessions(owner?) -> ids"
    assert dict(profile.args) == {"db_path": "{dir}/sessions.db", "idle_timeout": "{idle_timeout}"}
    assert (profile.timeout_unit, profile.granularity_us) == ("timedelta", 1_000_000)
    assert (profile.session.version, profile.session.status) == ("revision", "status")
    assert policy(profile, "expired", "revivable") == {"expired": "stale", "revivable": True}
    assert profile.errors["conflict"] == ("shape_durable:StaleVersion",)


def test_tokens_with_a_limit_for_each_user() -> None:
    profile = proposed("shape_login:LoginSessions")
    assert operations(profile) == {
        "create": "login(owner, 'x') -> session",
        "get": "validate(id) -> session",
        "put": "set_value(id, key, value) -> found",
        "touch": "extend(id) -> found",
        "delete": "logout(id) -> found",
        "list": "get_user_sessions(owner) -> ids",
    }
    assert profile.timeout_unit == "m"
    assert (profile.session.id, profile.session.data, profile.session.owner) == ("token", "values", "username")
    assert policy(profile, "idle_timeout", "limit", "limit_scope", "limit_counts", "at_limit", "activity") == {
        "idle_timeout": 900_000_000,
        "limit": 3,
        "limit_scope": "owner",
        "limit_counts": "live",
        "at_limit": "evict-oldest",
        "activity": ("create", "touch"),
    }


@pytest.mark.parametrize("factory", ["make_login_sessions", "opened_login_sessions", "unannotated"])
def test_a_factory_function_is_known_by_what_it_makes(factory: str) -> None:
    profile = proposed(f"shape_login:{factory}")
    assert profile.factory == f"shape_login:{factory}"
    assert dict(profile.args) == {}
    assert policy(profile, "idle_timeout", "limit") == {"idle_timeout": 900_000_000, "limit": 3}


def test_keywords_and_open_ended_data_are_handed_over_by_name() -> None:
    profile = proposed("shape_keywords:KeywordSessions")
    told = operations(profile)
    assert told["create"] == "create(client_id=owner?, ttl=timeout?, **data) -> id"
    assert told["update"] == "update(id, **changes) -> data"
    assert told["count"] == "active_count -> count"
    assert dict(profile.args) == {"namespace": "x"}
    assert profile.policy.of("missing", "get") == "empty"
    text = propose("shape_keywords:KeywordSessions", start_folder=SHAPES)
    assert "# Not used: touch (looks like touch: nothing to hand over as 'now')" in text


def test_odd_habits_are_followed_as_far_as_source_goes() -> None:
    profile = proposed("shape_odd:OddSessions")
    assert operations(profile) == {
        "create": "open_session(owner) -> session",
        "get": "fetch_session(id) -> session",
        "list": "session_ids -> ids",
        "save": "save(session) -> found",
        "pop": "take_out(id) -> data",
        "append": "add_message(id, message=value, field=key)",
        "update": "update(id, changes) -> version",
        "sweep": "prune() -> ids",
        "history": "history(id) -> versions",
        "exists": "is_valid(id) -> flag",
        "metrics": "stats() -> metrics",
        "use": "checkout(id) -> id",
        "ttl": "remaining(id) -> seconds",
        "touch": "keepalive(id) -> found",
        "delete": "close(id)",
    }
    assert dict(profile.args) == {
        "folder": "{dir}",
        "url": "x",
        "lifetime_hours": 24,
        "max_history": "{history_limit}",
        "limit": "{limit}",
    }
    assert (profile.session.data, profile.session.owner, profile.session.id) == ("context", "client", "key")
    told = policy(profile, "absolute_timeout", "history_limit", "limit", "at_limit", "update", "at_timeout")
    assert told == {
        "absolute_timeout": 86_400_000_000,
        "history_limit": 5,
        "limit": 9,
        "at_limit": "false",
        "update": "replace",
        "at_timeout": "alive",
    }
    assert profile.policy.of("missing", "get") == "empty"
    assert dict(profile.errors) == {"missing": ("LookupError", "KeyError"), "conflict": ("ValueError",)}
    assert (profile.policy.of("missing", "touch"), profile.policy.of("missing", "update")) == ("error", "error")
    text = propose("shape_odd:OddSessions", start_folder=SHAPES)
    assert "# Not used: lookup (looks like get, as fetch_session does)" in text


@pytest.mark.parametrize("reference", ALL)
def test_every_guess_stands_on_its_line(reference: str) -> None:
    text = propose(reference, start_folder=SHAPES)
    told = guesses(text)
    assert len(told) == text.count("# guessed: ") > 0
    assert all("\n" not in one for one in told)


def test_a_module_under_src_gets_its_path(tmp_path: Path) -> None:
    (tmp_path / "src" / "kept_under_src").mkdir(parents=True)
    (tmp_path / "src" / "kept_under_src" / "__init__.py").write_text("")
    (tmp_path / "src" / "kept_under_src" / "store.py").write_text(
        "class Store:\n    def create(self, user_id: int, label: str) -> str:\n        return 'x'\n"
    )
    text = propose("kept_under_src.store:Store", start_folder=tmp_path)
    assert 'path = ["src"]' in text
    assert "create(1, 'x') -> id" in text


def test_a_class_that_is_installed_gets_no_path() -> None:
    text = propose("pytest_sessionguard.reference:SessionManager", start_folder=SHAPES)
    assert "path = [" not in text.partition("[operations]")[0].replace("args.path", "")
    assert "create(" in text


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("class X:\n    def run(self): ...", "no method of X looks like one that creates sessions"),
        ("X = 5", "is a int: expected a class, or a function that makes a manager"),
        ("async def X(): ...", "what it makes is not known: annotate what it returns"),
        ("class X:\n    def __init__(self, engine: Exception): ...\n    def create(self): ...", "also needs 'engine'"),
    ],
)
def test_where_nothing_can_be_proposed_the_reason_is_told(body: str, message: str, tmp_path: Path) -> None:
    name = f"nothing_to_propose_{tmp_path.name}"
    (tmp_path / f"{name}.py").write_text(body)
    with pytest.raises(UsageError, match=message):
        propose(f"{name}:X", start_folder=tmp_path)
    with pytest.raises(UsageError, match="no module 'nowhere_to_be_found'"):
        propose("nowhere_to_be_found:X", start_folder=tmp_path)


async def lives(profile: Profile, folder: Path, *, in_loop: bool) -> tuple[Outcome, Outcome]:
    """Make a manager, create a session in it and read it."""
    bound = Binding(profile, policy=profile.policy, folder=folder, noted=lambda **told: None, in_loop=in_loop)
    await bound.make()
    if "start" in profile.operations:
        await bound.perform("client", Operation(verb="start"))
    names = profile.operations["create"][0].names  # type: ignore[index]
    data: Any = b"x" if profile.session.data_type == "bytes" else FrozenMap({"a": 1})
    given: dict[str, Any] = {"id": "s1", "owner": "o1", "data": data}
    wanted = {name: value for name, value in given.items() if name in names}
    created = await bound.perform("client", Operation(verb="create", **wanted))
    assert isinstance(created, Ok), created
    made = wanted.get("id", created.answer.id)
    return created, await bound.perform("client", Operation(verb="get", id=made))


@pytest.mark.parametrize("reference", ALL)
def test_a_proposal_runs_as_it_is(reference: str, tmp_path: Path) -> None:
    profile = proposed(reference)
    if profile.callers == "tasks":
        created, read = asyncio.run(lives(profile, tmp_path, in_loop=True))
    else:
        with pytest.raises(StopIteration) as done:
            lives(profile, tmp_path, in_loop=False).send(None)
        created, read = done.value.value
    assert isinstance(created, Ok)
    assert isinstance(read, Ok), read
    assert read.answer.absent is UNSET
    if "data" in profile.operations["create"][0].names and profile.session.data_type == "dict":  # type: ignore[index]
        assert read.answer.data == FrozenMap({"a": 1})
