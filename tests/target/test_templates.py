"""Every form of a template is read as it is meant; every mistake has its column and a hint."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_sessionguard.core.operations import ARGUMENTS, RESULTS
from pytest_sessionguard.core.values import FrozenMap
from pytest_sessionguard.target.templates import Argument, TemplateError, parse, parse_hook


def test_a_method_with_arguments_and_a_result() -> None:
    template = parse("create(owner, data?) -> id")
    assert (template.root, template.path, template.call, template.result) == ("manager", ("create",), True, "id")
    assert [(one.name, one.optional, one.column) for one in template.arguments] == [
        ("owner", False, 8),
        ("data", True, 15),
    ]
    assert str(template) == "create(owner, data?) -> id"


@pytest.mark.parametrize(
    ("text", "root", "path", "call", "result"),
    [
        ("store.load(id)", "manager", ("store", "load"), True, "nothing"),
        ("store.count -> count", "manager", ("store", "count"), False, "count"),
        ("manager.session.load(id)", "manager", ("session", "load"), True, "nothing"),
        ("session.save()", "session", ("save",), True, "nothing"),
        ("session.data -> data", "session", ("data",), False, "data"),
        ("session(id) -> session", "manager", ("session",), True, "session"),
        ("manager(id)", "manager", (), True, "nothing"),
        ("  purge ( ) ->count ", "manager", ("purge",), True, "count"),
    ],
)
def test_a_path_starts_at_the_manager_or_at_a_held_session(
    text: str, root: str, path: tuple[str, ...], call: bool, result: str
) -> None:
    template = parse(text)
    assert (template.root, template.path, template.call, template.result) == (root, path, call, result)


def test_a_function_of_a_module_may_be_handed_the_manager() -> None:
    template = parse("shop.tools:Extra.load(manager, id) -> session")
    assert (template.root, template.module, template.path) == ("function", "shop.tools", ("Extra", "load"))
    assert template.names == {"manager", "id"}


def test_an_item_is_read_set_or_deleted() -> None:
    read, written, deleted = parse("manager[id] -> data"), parse("manager[id] = data"), parse("del kept.by_id[id]")
    assert (read.item, read.assigned, read.deletes) == (Argument(name="id", column=9), None, False)
    assert written.assigned == Argument(name="data", column=15)
    assert (deleted.deletes, deleted.path) == (True, ("kept", "by_id"))
    assert parse("session[key] = value").root == "session"
    assert written.names == {"id", "data"}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("5", 5),
        ("-1.5e3", -1500.0),
        ("'a {dir} b'", "a {dir} b"),
        ('"it\'s"', "it's"),
        ("'\\n'", "\n"),
        ("true", True),
        ("False", False),
        ("None", None),
        ("null", None),
        ("[1, 'x', [],]", (1, "x", ())),
        ("{'a': 1, 'b': [true],}", FrozenMap({"a": 1, "b": (True,)})),
        ("{}", FrozenMap({})),
    ],
)
def test_a_literal_is_handed_over_as_it_stands(text: str, value: Any) -> None:
    (argument,) = parse(f"f({text})").arguments
    assert (argument.name, argument.literal) == (None, value)


def test_keywords_and_spread_arguments() -> None:
    arguments = parse("f(id, ttl=timeout?, tag='x', **data)").arguments
    assert [str(one) for one in arguments] == ["id", "ttl=timeout?", "tag='x'", "**data"]
    assert (arguments[1].keyword, arguments[1].optional, arguments[3].spread) == ("ttl", True, True)


@pytest.mark.parametrize("name", [*ARGUMENTS, "manager"])
def test_every_argument_is_known(name: str) -> None:
    assert parse(f"f({name})").arguments[0].name == name


@pytest.mark.parametrize("result", RESULTS)
def test_every_result_is_known(result: str) -> None:
    assert parse(f"f() -> {result}").result == result


@pytest.mark.parametrize(
    ("text", "column", "message"),
    [
        ("", 1, "an empty template"),
        ("f(idd)", 3, "unknown argument 'idd', did you mean 'id'?"),
        ("f(id) -> sesion", 10, "unknown result 'sesion', did you mean 'session'?"),
        ("f(id) ->", 9, "`->` names no result"),
        ("f(id", 5, "the end is out of place: expected `,` or `)`"),
        ("f(id id)", 6, "'id' is out of place: expected `,` or `)`"),
        ("f(id) id", 7, "expected `-> result` or the end"),
        ("f(id) -> id id", 13, "expected the end"),
        ("f(*id)", 3, "`*` is not known here"),
        ("f(**5)", 5, "5 is spread: expected the name of an argument"),
        ("f(5?)", 3, "a literal is always handed over"),
        ("f(a=id, id)", 9, "expected `name=id`"),
        ("f(data?, id)", 10, "would move when that is left out"),
        ("f(a=id, a=data)", 9, "the keyword 'a' is given twice"),
        ("f('x)", 3, "never ends"),
        ("f(id & data)", 6, "'&' has no meaning"),
        ("f(01)", 3, "01 is no number"),
        ("a..b()", 3, "expected a name after the dot"),
        ("m:5", 3, "expected the name of a function"),
        ("m:f", 4, "a function is called"),
        ("session", 1, "`session` alone does nothing"),
        ("manager -> data", 1, "`manager` alone does nothing"),
        ("del f(id)", 6, "`del` takes an item"),
        ("del m[id] = data", 6, "`del` takes an item"),
        ("m[id", 5, "expected `]`"),
        ("m[] -> data", 3, "expected an argument or a literal"),
        ("f([id])", 4, "lists and tables hold no arguments"),
        ("f({'a' 1})", 8, "expected `:`"),
        ("f([1 2])", 6, "expected `,` or `]`"),
        ("f({'a': 1 'b': 2})", 11, "expected `,` or `}`"),
        ("async f()", 1, "`async` is for hooks"),
        ("f(id)[0]", 6, "expected `-> result` or the end"),
        ("__import__('os').system('x')", 17, "expected `-> result` or the end"),
    ],
)
def test_a_mistake_is_told_at_its_column(text: str, column: int, message: str) -> None:
    with pytest.raises(TemplateError) as caught:
        parse(text)
    assert message in caught.value.message
    assert caught.value.column == column


def test_a_placeholder_without_quotes_is_told_how_to_be_written() -> None:
    with pytest.raises(TemplateError) as raised:
        parse("make(id, limit={limit})")
    assert raised.value.column == 16
    assert raised.value.message == "{limit} is no literal: expected a placeholder in quotes, '{limit}'"
    assert str(parse("make(id, limit='{limit}')").arguments[1].literal) == "{limit}"


def test_a_hook_has_a_role_and_may_be_async() -> None:
    plain, awaited = parse_hook("close(session)"), parse_hook("async open(id, owner=owner) -> data")
    assert (plain.path, plain.asynchronous, plain.result) == (("close",), False, "nothing")
    assert (awaited.path, awaited.asynchronous, awaited.result) == (("open",), True, "data")
    assert parse_hook("async()").path == ("async",)


@pytest.mark.parametrize(
    ("text", "column"),
    [
        ("session.close()", 1),
        ("close", 1),
        ("a.b(id)", 1),
        ("close(5)", 7),
        ("close(id?)", 7),
        ("close(id, **data)", 11),
    ],
)
def test_a_hook_of_another_form_is_refused(text: str, column: int) -> None:
    with pytest.raises(TemplateError, match="a hook is") as caught:
        parse_hook(text)
    assert caught.value.column == column
