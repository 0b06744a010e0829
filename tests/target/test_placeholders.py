"""A placeholder is filled in with its figure, and keeps its type where it stands alone."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from pytest_sessionguard.target.placeholders import fill, in_unit, names_in, words_in


def test_one_placeholder_keeps_the_type_of_its_figure_and_text_takes_its_text() -> None:
    figures = {"limit": 5, "dir": "/d"}
    assert fill("{limit}", figures) == 5
    assert fill("{dir}/{limit}.db", figures) == "/d/5.db"
    assert fill("{other} {{}}", figures) == "{other} {{}}"


def test_lists_and_tables_are_filled_in_afresh_and_objects_handed_on() -> None:
    thing = object()
    written: Any = {"a": ["{limit}", thing], "b": ({"c": "{limit}"},)}
    made = fill(written, {"limit": 1})
    assert made == {"a": [1, thing], "b": ({"c": 1},)}
    assert made["a"] is not written["a"]


def test_the_known_placeholders_are_found_at_any_depth() -> None:
    assert names_in({"a": ["{limit}", "{nothing}"], "b": ("{dir}", 5)}) == ("limit", "dir")
    assert words_in("{limt}/{dir}") == (("limt", 0), ("dir", 7))


@pytest.mark.parametrize(
    ("span_us", "unit", "expected"),
    [
        (1_500_000, "s", 1.5),
        (2_000_000, "s", 2),
        (1_500_000, "ms", 1500),
        (90_000_000, "m", 1.5),
        (1, "timedelta", timedelta(microseconds=1)),
        (None, "s", None),
    ],
)
def test_a_span_is_whole_where_its_unit_allows(span_us: int | None, unit: str, expected: Any) -> None:
    told = in_unit(span_us, unit)
    assert told == expected
    assert type(told) is type(expected)
