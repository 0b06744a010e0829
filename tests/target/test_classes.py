"""What a class certainly lacks is refused; what its instances may have is not."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from pytest_sessionguard.target.classes import class_faults, live_faults
from pytest_sessionguard.target.templates import parse


def told(text: str, owner: type) -> list[str]:
    return [fault.message for fault in class_faults(parse(text), owner)]


def told_live(text: str, manager: object) -> list[str]:
    return [fault.message for fault in live_faults(parse(text), manager)]


def loose(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def outer(*given: Any, **named: Any) -> Any:
        return function(*given, **named)

    return outer


class Plain:
    annotated: Any
    number = 5

    def __init__(self) -> None:
        self.store = {}
        self.on_load, self.other = print, 1

    def later(self) -> None:
        def inner() -> None:
            self.made_later = 1

        inner()

    def load(self, id: str, *, version: int = 0) -> None: ...

    @loose
    def decorated(self, id: str) -> None: ...

    @classmethod
    def of_class(cls, id: str) -> None: ...

    @staticmethod
    def of_nobody(id: str) -> None: ...

    def open_ended(self, *ids: str, **named: Any) -> None: ...

    def only_by_place(self, id: str, /) -> None: ...

    @property
    def size(self) -> int:
        raise AssertionError("looked at too early")


class Slotted:
    __slots__ = ("kept",)


@dataclass
class Data:
    kept: dict[str, Any] = field(default_factory=dict)


class Dynamic:
    def __getattr__(self, name: str) -> Any:
        return name


class SetsAnything:
    def __init__(self, **named: Any) -> None:
        for name, value in named.items():
            setattr(self, name, value)


class WithMeta(type):
    def __call__(cls) -> Any:
        return Plain()


class Made(metaclass=WithMeta):
    pass


@pytest.mark.parametrize(
    ("owner", "text"),
    [
        (Plain, "annotated(id)"),
        (Plain, "store.get(id)"),
        (Plain, "on_load(id)"),
        (Plain, "other"),
        (Plain, "made_later"),
        (Plain, "load(id) -> data"),
        (Plain, "load(id, version=version?)"),
        (Plain, "decorated(1, 2, 3)"),
        (Plain, "of_class(id)"),
        (Plain, "of_nobody(id)"),
        (Plain, "open_ended(id, id, x=data, **data)"),
        (Plain, "only_by_place(id)"),
        (Plain, "load(**data)"),
        (Plain, "size -> count"),
        (Plain, "number -> count"),
        (Slotted, "kept.get(id)"),
        (Data, "kept[id] -> data"),
        (Dynamic, "anything.at.all(id)"),
        (Dynamic, "manager[id]"),
        (SetsAnything, "whatever()"),
        (Made, "load(id)"),
        (dict, "manager[id] -> data"),
        (dict, "manager[id] = data"),
        (dict, "del manager[id]"),
        (dict, "pop(id, None) -> data"),
        (dict, "__len__() -> count"),
    ],
)
def test_what_a_class_may_have_is_accepted(owner: type, text: str) -> None:
    assert told(text, owner) == []


@pytest.mark.parametrize(
    ("owner", "text", "message"),
    [
        (Plain, "lod(id)", "Plain has no method or attribute 'lod', did you mean 'load'?"),
        (Plain, "stor.get(id)", "Plain has no method or attribute 'stor'"),
        (Plain, "load -> data", "'load' is a method: expected `load(...)`"),
        (Plain, "of_class", "'of_class' is a method"),
        (Plain, "number()", "'number' of Plain is no method"),
        (Plain, "load()", "load does not fit, missing a required argument: 'id': expected load(id, *, version=0)"),
        (Plain, "load(id, 5)", "load takes 1 argument, not 2"),
        (Plain, "load(id, versio=version)", "load takes no keyword 'versio'"),
        (Plain, "of_class()", "of_class does not fit"),
        (Plain, "of_nobody(id, id)", "of_nobody takes 1 argument, not 2"),
        (Plain, "only_by_place(id=id)", "only_by_place takes no keyword 'id'"),
        (Plain, "manager[id]", "Plain has no __getitem__"),
        (Plain, "manager[id] = data", "Plain has no __setitem__"),
        (Plain, "del manager[id]", "Plain has no __delitem__"),
        (Plain, "manager(id)", "Plain has no __call__"),
        (Slotted, "kep", "Slotted has no method or attribute 'kep', did you mean 'kept'?"),
        (Data, "lost()", "Data has no method or attribute 'lost'"),
        (dict, "fetch(id)", "dict has no method or attribute 'fetch'"),
    ],
)
def test_what_a_class_certainly_lacks_is_refused(owner: type, text: str, message: str) -> None:
    assert [one for one in told(text, owner) if one.startswith(message)], told(text, owner)


def test_optional_arguments_are_tried_with_and_without() -> None:
    assert told("load(id?)", Plain) == [
        "load does not fit, missing a required argument: 'id': expected load(id, *, version=0)"
    ]
    assert told("load(id, data?)", Plain) == ["load takes 1 argument, not 2: expected load(id, *, version=0)"]


class Inner:
    def load(self, id: str) -> None: ...


class Live(Plain):
    def __init__(self) -> None:
        super().__init__()
        self.inner = Inner()

    def __getitem__(self, id: str) -> None: ...


@pytest.mark.parametrize("text", ["load(id)", "inner.load(id)", "size -> count", "size.real", "manager[id]", "store"])
def test_a_live_manager_is_looked_at_along_the_whole_path_but_not_asked(text: str) -> None:
    assert told_live(text, Live()) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("lod(id)", "Live has no method or attribute 'lod', did you mean 'load'?"),
        ("inner.lod(id)", "Inner has no method or attribute 'lod', did you mean 'load'?"),
        ("inner.load()", "load does not fit"),
        ("del manager[id]", "Live has no __delitem__"),
    ],
)
def test_a_live_manager_that_lacks_something_is_refused(text: str, message: str) -> None:
    assert [one.startswith(message) for one in told_live(text, Live())] == [True]
