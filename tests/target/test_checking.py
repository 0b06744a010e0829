"""What a profile names is looked up before anything runs; behind a factory function, at the first manager."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from pytest_sessionguard.errors import UsageError
from pytest_sessionguard.target.checking import check_live, gives_itself
from pytest_sessionguard.target.profile import Profile
from pytest_sessionguard.target.reading import read_text

SHAPES = Path(__file__).parent / "shapes"


@pytest.fixture(autouse=True)
def shapes_to_import(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [str(SHAPES), *sys.path])


FUNCTION = """
[manager]
factory = "shape_shop:make_store"
background = "purgee()"
[operations]
create = "create(owner) -> id"
get = ["lod(id) -> session", "session.anything()"]
touch = "touch(id, 5)"
delete = "inner.lod(id)"
"""


def test_methods_of_what_a_factory_function_makes_are_looked_up_at_the_first_manager() -> None:
    from shape_shop import make_store  # type: ignore[import-not-found] # Beside the tests.

    profile = read_text(FUNCTION, source="p.toml", name="p", folder=SHAPES)
    with pytest.raises(UsageError) as caught:
        check_live(profile, make_store())
    assert str(caught.value).splitlines() == [
        "p.toml:4:15: WebSessionStore has no method or attribute 'purgee', did you mean 'purge'?",
        "p.toml:7:9: WebSessionStore has no method or attribute 'lod', did you mean 'load'?",
        "p.toml:8:20: touch takes 1 argument, not 2: expected touch(id)",
        "p.toml:9:17: Inner has no method or attribute 'lod', did you mean 'load'?",
    ]


def test_a_live_manager_that_has_everything_passes() -> None:
    from shape_shop import make_store

    text = FUNCTION.replace("lod", "load").replace(", 5", "").replace("purgee", "purge")
    check_live(read_text(text, source="p.toml", name="p", folder=SHAPES), make_store())


def test_faults_of_a_live_manager_are_named_by_their_key_where_there_is_no_file() -> None:
    profile = Profile.of({"manager": {"factory": lambda: 5}, "operations": {"create": "make() -> id"}}, name="mine")
    with pytest.raises(UsageError, match=r"^mine: operations.create: column 1: int has no method or attribute 'make'"):
        check_live(profile, 5)


class Itself:
    def __enter__(self) -> Any:
        return self


class Another:
    async def __aenter__(self) -> Any:
        return Itself()


def test_a_class_that_enters_as_another_object_is_looked_at_live() -> None:
    assert gives_itself(int)
    assert gives_itself(Itself)
    assert not gives_itself(Another)
    bare = type("Bare", (), {"__enter__": len})
    assert not gives_itself(bare)
    Profile.of({"manager": {"factory": Another}, "operations": {"create": "whatever() -> id"}})
    with pytest.raises(UsageError, match="Itself has no method or attribute 'whatever'"):
        Profile.of({"manager": {"factory": Itself}, "operations": {"create": "whatever() -> id"}})


def test_arguments_in_two_places_and_required_ones_are_told() -> None:
    tables = {
        "manager": {
            "factory": lambda a, b, /, c, *, d, e=1, **rest: None,
            "args": {"c": 1, "x": 2},
            "hooks": {"c": "close(session)"},
        },
        "operations": {"create": "create() -> id"},
    }
    with pytest.raises(UsageError) as caught:
        Profile.of(tables)
    assert str(caught.value).splitlines() == [
        "profile: manager.factory: the factory also needs 'a', 'b', 'd': expected it in [manager] args",
        "profile: manager.hooks.c: 'c' is in args as well: expected it in one of them",
    ]


def test_a_factory_whose_parameters_nobody_can_see_is_taken_as_it_is() -> None:
    tables = {"manager": {"factory": dict, "args": {"a": 1}}, "operations": {"create": "manager[id] = data"}}
    assert Profile.of(tables).factory is dict


def test_a_function_of_a_module_that_is_none_is_refused() -> None:
    tables = {
        "manager": {"factory": "shape_shop:Lazy"},
        "operations": {"create": "shape_shop:NOT_AN_ERROR(manager) -> id"},
    }
    with pytest.raises(UsageError, match="shape_shop:NOT_AN_ERROR is no function"):
        Profile.of(tables)
