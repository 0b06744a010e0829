"""What a story's clients know of sessions, and the operations that come of it."""

from __future__ import annotations

import re
import uuid
from typing import Any

import pytest
import toys

from pytest_sessionguard.core.history import Event, Stamp
from pytest_sessionguard.core.operations import Answer, Ok, Operation, Outcome, Refused
from pytest_sessionguard.core.scenario import Place, RawId, Step
from pytest_sessionguard.core.values import UNSET, FrozenMap, freeze
from pytest_sessionguard.errors import UsageError
from pytest_sessionguard.run.acquaintance import Acquaintance, NeverMade
from pytest_sessionguard.target.shape import Profile

HERE = Place("a.session.yaml", 4, 5)
NOW = Stamp(0, 0)


def known(operations: dict[str, Any] | None = None, **tables: Any) -> Acquaintance:
    profile = toys.a_profile(lambda **given: None, operations, **tables)
    return Acquaintance(profile, profile.policy)


def a_step(verb: str, **arguments: Any) -> Step:
    return Step(verb=verb, arguments=FrozenMap({key: freeze(value) for key, value in arguments.items()}), place=HERE)


def told(sessions: Acquaintance, outcome: Outcome | Answer, verb: str = "create", **given: Any) -> None:
    if isinstance(outcome, Answer):
        outcome = Ok(outcome)
    sessions.learn(
        Event(client="A", operation=Operation(verb=verb, **given), outcome=outcome, called=NOW, returned=NOW,
              call_order=1, return_order=2)
    )  # fmt: skip


# -- names ----------------------------------------------------------------------------------------------------------


def test_a_name_stands_for_the_session_that_had_it_last() -> None:
    sessions = known()
    sessions.name("cart", "one")
    assert sessions.id_of("cart", HERE) == "one"
    sessions.name("cart", "two")
    assert sessions.id_of("cart", HERE) == "two"
    assert sessions.id_of(RawId("written out"), HERE) == "written out"
    assert sessions.shown("get('two') and get('one')") == "get(cart) and get('one')"


@pytest.mark.parametrize("issued", [7, uuid.uuid4(), b"raw"])
def test_an_id_written_out_is_of_the_kind_that_the_manager_gives(issued: Any) -> None:
    sessions = known()
    assert sessions.id_of(RawId("never-issued"), HERE) == "never-issued"
    told(sessions, Answer(id=issued))
    found = sessions.id_of(RawId("never-issued"), HERE)
    assert type(found) is type(issued)
    assert found not in sessions.ids
    assert sessions.id_of(RawId(issued), HERE) == issued
    told(sessions, Answer(id="text"))
    assert sessions.id_of(RawId("never-issued"), HERE) == "never-issued"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("get('1')", "get(cart)"),
        ("get(5)", "get(bag)"),
        ("put('1', key='1', value=5)", "put(cart, key='1', value=5)"),
        ("get(UUID('3d813cbb-47fb-32ba-91df-831e1593ac29'))", "get(box)"),
        ("id='1', data={'1': 5, 'n': '1'}", "id=cart, data={'1': 5, 'n': '1'}"),
        ("ok: id=5", "ok: id=bag"),
        ("ids=['1', 5, 6], count=3", "ids=[cart, bag, 6], count=3"),
        ("count=5", "count=5"),
        ("get('10')", "get('10')"),
        ("closed connection of '1'", "closed connection of cart"),
        ("the answer of get('1'): ok: data=5", "the answer of get(cart): ok: data=5"),
    ],
)  # fmt: skip
def test_a_short_or_odd_id_is_shown_by_name_where_a_session_stands(text: str, told: str) -> None:
    sessions = known()
    sessions.name("cart", "1")
    sessions.name("bag", 5)
    sessions.name("box", uuid.UUID("3d813cbb-47fb-32ba-91df-831e1593ac29"))
    assert sessions.shown(text) == told


def test_a_session_that_its_caller_named_is_shown_by_its_name_though_none_was_made() -> None:
    sessions = known(NEEDY, policy=PER_SESSION)
    asked = sessions.operation(a_step("create", **{"as": "cart"}))
    assert sessions.shown(str(asked)).startswith("create(cart, owner=")
    sessions.operation(a_step("create", **{"as": "bag", "id": "k0"}))
    assert sessions.shown("create('k0')") == "create(bag)"


def test_a_name_that_no_session_has_is_the_users_mistake() -> None:
    sessions = known()
    sessions.name("cart", "x1")
    with pytest.raises(UsageError, match=r"a.session.yaml:4:5: no session is named 'card' by now, did you mean 'cart'"):
        sessions.id_of("card", HERE)


def test_a_session_that_was_refused_is_nobodys_mistake() -> None:
    sessions = known()
    sessions.never_made("cart", "refused (limit)")
    with pytest.raises(NeverMade, match="cart was never made: refused"):
        sessions.id_of("cart", HERE)
    sessions.name("cart", "x1")
    assert sessions.id_of("cart", HERE) == "x1"
    sessions.never_made("cart", "refused (limit)")  # The old one still has the name.
    assert sessions.id_of("cart", HERE) == "x1"


# -- what is learnt -------------------------------------------------------------------------------------------------


def test_sessions_are_known_from_their_making_on() -> None:
    sessions = known()
    told(sessions, Answer(id="a"), owner="ann", data=FrozenMap({"n": 1}))
    told(sessions, Answer(), id="b")
    told(sessions, Answer(absent="none"), id="c")
    told(sessions, Answer(flag=False), id="d")
    told(sessions, Answer())
    told(sessions, Refused(frozenset({"limit"})), id="e")
    assert sessions.ids == ("a", "b")
    assert sessions.data_of("a") == FrozenMap({"n": 1})
    assert sessions.data_of("z") is UNSET


def test_a_version_counts_until_something_may_have_changed_it() -> None:
    sessions = known()
    told(sessions, Answer(id="a", version=1))
    assert sessions.version_of("a") == 1
    told(sessions, Answer(found=True), verb="exists", id="a")
    told(sessions, Answer(found=False), verb="touch", id="a")
    assert sessions.version_of("a") == 1
    told(sessions, Answer(found=True), verb="touch", id="a")
    assert sessions.version_of("a") is UNSET
    told(sessions, Answer(version=7), verb="get", id="a")
    assert sessions.version_of("a") == 7
    told(sessions, Answer(version=9), verb="get", id="stranger")
    told(sessions, Answer(count=1), verb="sweep")
    assert sessions.ids == ("a",)


def test_a_session_under_a_new_id_is_known_too() -> None:
    sessions = known()
    told(sessions, Answer(id="a"), owner="ann")
    told(sessions, Answer(id="b"), verb="rotate", id="a")
    assert sessions.ids == ("a", "b")


# -- operations -----------------------------------------------------------------------------------------------------


def test_a_step_becomes_an_operation_with_ids_for_names() -> None:
    sessions = known()
    sessions.name("cart", "x1")
    assert sessions.operation(a_step("update", session="cart", set={"a": [1]})) == Operation(
        verb="update", id="x1", changes=FrozenMap({"a": (1,)})
    )
    assert sessions.operation(a_step("create", **{"as": "x", "data": {"a": 1}, "timeout_us": 5})) == Operation(
        verb="create", data=FrozenMap({"a": 1}), timeout_us=5
    )


def test_data_takes_the_profiles_type_or_is_refused() -> None:
    flat = known(session={"data_type": "flat"})
    flat.name("cart", "x1")
    assert flat.operation(a_step("update", session="cart", set={"a": 1})).changes == FrozenMap({"a": "1"})
    assert flat.operation(a_step("put", session="cart", key="a", value=1)).value == "1"
    with pytest.raises(UsageError, match=r"a\.session\.yaml:4:5: save: the profile's sessions hold .* 'dict'"):
        sessions = known()
        sessions.name("cart", "x1")
        sessions.operation(a_step("save", session="cart", data="text"))


NEEDY = {
    "create": "create(id, owner, data, ttl=timeout) -> id",
    "save": "save(id, data, version, owner) -> version",
    "touch": "touch(id, timeout)",
    "expire": "expire(id, timeout)",
    "sweep": "sweep(n) -> count",
    "get": "get(id) -> data",
    "delete": "drop(id)",
}
PER_SESSION = {"per_session_timeout": True}


def test_what_the_manager_must_be_given_and_nobody_says_is_filled_in() -> None:
    sessions = known(NEEDY, policy=PER_SESSION)
    made = sessions.operation(a_step("create", **{"as": "cart"}))
    assert (made.id, made.owner, made.data, made.timeout_us) == ("cart", "somebody", FrozenMap({}), 1_800_000_000)
    told(sessions, Answer(id="cart", version=3), id="cart", owner="ann", timeout_us=7, data=FrozenMap({"n": 1}))
    sessions.name("cart", "cart")
    save = sessions.completed(Operation(verb="save", id="cart", data=FrozenMap({})))
    assert (save.version, save.owner) == (3, "ann")
    assert sessions.completed(Operation(verb="save", id="cart")).data == FrozenMap({"n": 1})
    assert sessions.completed(Operation(verb="touch", id="cart")).timeout_us == 7
    assert sessions.completed(Operation(verb="expire", id="cart")).timeout_us == 0
    assert sessions.completed(Operation(verb="sweep")).n == 1000
    assert sessions.completed(Operation(verb="get", id="cart")) == Operation(verb="get", id="cart")


def test_an_absolute_timeout_is_the_usual_one_where_there_is_no_idle_one() -> None:
    profile = Profile.of(
        {"manager": {"factory": dict}, "operations": {"create": "setdefault(id, timeout)", "get": "get(id) -> data"},
         "policy": {"absolute_timeout": "2h", "per_session_timeout": True}}
    )  # fmt: skip
    sessions = Acquaintance(profile, profile.policy)
    assert sessions.operation(a_step("create", **{"as": "a"})).timeout_us == 7_200_000_000


@pytest.mark.parametrize("pattern", [None, "[a-f0-9]{32}", "cart-[0-9]+", "[0-9]{8}", "[0-9a-f-]{36}", "[0-9]+"])
def test_an_id_that_the_caller_must_choose_fits_the_pattern_and_is_new(pattern: str | None) -> None:
    policy = {**PER_SESSION, **({"id_pattern": pattern} if pattern else {})}
    sessions = known(NEEDY, policy=policy)
    ids = []
    for _ in range(3):
        chosen = sessions.operation(a_step("create", **{"as": "cart"})).id
        told(sessions, Answer(), id=chosen)
        ids.append(chosen)
    assert len(set(ids)) == 3
    assert all(re.fullmatch(pattern or "cart.*", str(one)) for one in ids)


def test_a_pattern_that_no_id_was_found_for_asks_for_one() -> None:
    sessions = known(NEEDY, policy={**PER_SESSION, "id_pattern": "sess_[XYZ]{5}"})
    with pytest.raises(UsageError, match="say `id` in the step"):
        sessions.operation(a_step("create", **{"as": "cart"}))
