"""Every key and value of a TOML text is found where it stands."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from typing import Any

import pytest

from pytest_sessionguard.target.toml_positions import KeyPath, Place, find_positions

TEXT = '''# A comment with [brackets] = "and quotes"
title = "plain"
"quoted key" = 'raw \\ text'
site."dotted.part".deep = 1

[manager]
factory = "a\\tb\\u00e9c"   # after a tab
path = [
  "src",  # ] not here
  'lib',
]
args = { idle = "{idle_timeout}", nested = { deeper = [1, 2, {x = "y"}] }, when = 1979-05-27 07:32:00 }
long = """
first
second \\
   joined ""quotes"" end"""
raw = \'\'\'no \\n escape\'\'\'
empty = ""
date = 1979-05-27T07:32:00Z

[ a . b ]
c = true

[[rows]]
n = 1
[[rows]]
n = 2
[rows.inner]
m = -3.5e2
[[rows.list]]
z = "last"
'''


def strings(value: Any, path: KeyPath = ()) -> Iterator[tuple[KeyPath, Any]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from strings(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from strings(item, (*path, index))
    else:
        yield path, value


def at(text: str, place: Place) -> str:
    return text.split("\n")[place.line - 1][place.column - 1 :]


@pytest.mark.parametrize("text", [TEXT, TEXT.replace("\n", "\r\n")], ids=["lf", "crlf"])
def test_every_value_stands_where_it_is_said_to_and_every_key_too(text: str) -> None:
    positions = find_positions(text)
    lines = text.replace("\r\n", "\n")
    for path, value in strings(tomllib.loads(text)):
        shown = at(lines, positions.value(path))
        if isinstance(value, str):
            assert shown[0] in "\"'", path
        elif isinstance(value, bool):
            assert shown.startswith(str(value).lower()), path
        elif isinstance(value, int):
            assert shown.startswith(str(value)), path
        if isinstance(path[-1], str):
            assert at(lines, positions.key(path)).lstrip("\"'").startswith(path[-1]), path


def test_every_character_of_a_string_is_found_at_its_source() -> None:
    positions = find_positions(TEXT)
    for path, value in strings(tomllib.loads(TEXT)):
        if isinstance(value, str):
            places = positions.characters(path)
            assert len(places) == len(value) + 1, path
            for character, place in zip(value, places, strict=False):
                shown = at(TEXT, place)
                assert shown == "" or shown[0] == "\\" or shown[0] == character, (path, character)


def test_an_escape_takes_one_character_of_the_value_and_more_of_the_source() -> None:
    positions = find_positions('x = "a\\u00e9b"')
    assert [place.column for place in positions.characters(("x",))] == [6, 7, 13, 14]
    assert positions.inside(("x",), 2) == Place(1, 13)
    assert positions.inside(("x",), 99) == Place(1, 14)


def test_a_place_in_what_is_no_string_is_that_of_the_value() -> None:
    positions = find_positions("x = 12")
    assert positions.inside(("x",), 1) == Place(1, 5)
    assert positions.characters(("x",)) == ()


def test_a_key_that_is_not_written_is_looked_for_at_its_table() -> None:
    positions = find_positions("\n[manager]\npath = []\n")
    assert positions.key(("manager", "factory")) == Place(2, 2)
    assert positions.key(("operations",)) == Place(1, 1)


def test_a_table_made_by_a_dotted_key_has_a_place() -> None:
    assert find_positions("a.b = 1").value(("a",)) == Place(1, 1)
