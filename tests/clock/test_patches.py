"""What is replaced is put back as it was found: in modules and classes, inherited names and classes made in C too."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from types import ModuleType
from typing import Any

import pytest

from pytest_sessionguard.clock import classes, patches
from pytest_sessionguard.clock.patches import Patches


class Base:
    def one(self) -> str:
        return "one"

    def two(self) -> str:
        return "two"


class Own(Base):
    def two(self) -> str:
        return "its own two"

    def three(self) -> str:
        return "three"


def told(kind: type[Base]) -> list[str]:
    """Return what the methods of a class say; asked so that the interpreter remembers where it found them."""
    return [each() for _ in range(20) for each in (kind().one, kind().two)][-2:]


def stand_in(self: object) -> str:
    return "stand-in"


@pytest.fixture(params=["within reach", "out of reach"])
def _reach(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "out of reach":
        monkeypatch.setattr(patches.gc, "get_referents", lambda *_: [])


@pytest.mark.usefixtures("_reach")
@pytest.mark.parametrize("names", [("one",), ("two",), ("one", "two"), ("two", "one")])
def test_methods_of_a_class_are_replaced_and_put_back_own_and_inherited(names: tuple[str, ...]) -> None:
    before, own = told(Own), list(vars(Own))
    replaced = Patches([(Own, name, stand_in) for name in names])
    for _ in range(3):
        replaced.put()
        assert told(Own) == [
            "stand-in" if name in names else said for name, said in zip(("one", "two"), before, strict=True)
        ]
        replaced.take_out()
        assert told(Own) == before
        assert list(vars(Own)) == own
    assert told(Base) == ["one", "two"]


def test_names_of_a_module_are_put_back_as_they_were_found_each_time() -> None:
    module: Any = ModuleType("module")
    module.name = 1
    replaced = Patches([(module, "name", "stand-in"), (module, "missing", "stand-in")])
    for found in (1, 2):
        module.name = found
        replaced.put()
        assert (module.name, module.missing) == ("stand-in", "stand-in")
        replaced.take_out()
        assert module.name == found
        assert not hasattr(module, "missing")


def test_taking_out_twice_or_what_was_never_put_changes_nothing() -> None:
    module: Any = ModuleType("module")
    module.name = 1
    replaced = Patches([(module, "name", "stand-in")])
    replaced.take_out()
    assert module.name == 1
    replaced.put_once()
    replaced.put_once()
    replaced.take_out()
    module.name = 2
    replaced.take_out()
    assert module.name == 2


def test_an_interrupted_way_back_can_be_taken_again() -> None:
    class Stubborn(type):
        refuses = False

        def __setattr__(cls, name: str, value: object) -> None:
            if Stubborn.refuses and value is not stand_in:
                Stubborn.refuses = False
                raise KeyboardInterrupt
            super().__setattr__(name, value)

    class Kind(metaclass=Stubborn):
        def one(self) -> str:
            return "one"

    replaced = Patches([(Kind, "one", stand_in)])
    replaced.put()
    Stubborn.refuses = True
    with pytest.raises(KeyboardInterrupt):
        replaced.take_out()
    replaced.take_out()
    assert Kind().one() == "one"


@pytest.mark.skipif(not classes.PATCHES, reason="the classes of this interpreter are out of reach")
def test_what_is_told_of_a_class_made_in_c_goes_for_those_that_inherit_from_it() -> None:
    class Day(datetime):
        pass

    today: list[Callable[[], Any]] = [lambda: date.today(), lambda: datetime.today(), lambda: Day.today()]
    real = [str(ask())[:4] for _ in range(20) for ask in today]
    opened: list[Any] = [classes.Opened(datetime), classes.Opened(date)]
    replaced = Patches([(opened[0], "now", "now"), (opened[1], "today", classmethod(lambda cls: cls.__name__))])
    replaced.put()
    try:
        assert [ask() for ask in today] == ["date", "datetime", "Day"]
        assert datetime.now == "now"
    finally:
        replaced.take_out()
    assert [str(ask())[:4] for _ in range(20) for ask in today] == real
