"""What a reader is told of a violation."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_sessionguard.core.violation import Row, ViolationFound, distinct, shape_of, table_of

ALIVE = 'at_timeout = "alive"'


def a_violation(**more: Any) -> ViolationFound:
    return ViolationFound(property="expiry.idle", summary="it lives", **more)


def a_row(number: int = 0, **more: Any) -> Row:
    return Row(client="A", operation=f"get(s{number})", called_us=number, returned_us=number, answer="ok", **more)


def test_a_message_has_the_table_the_facts_and_the_command_to_repeat_it() -> None:
    found = a_violation(
        operations=(
            a_row(),
            Row(client="look", operation="get(cart)", called_us=1_800_000_000, returned_us=1_800_000_000,
                answer="data={}", remark="expected none"),
        ),
        expected=("none", "false"),
        given="data={}",
        policy_lines=('idle_timeout = "30m"',),
        undeclared="at_timeout",
        undeclared_value=ALIVE,
        output="one\ntwo\n",
        path="a.session.yaml",
        line=4,
        column=3,
        schedule="AAB",
        switch="A stopped",
        fault="torn write",
        replay="sessionguard run a.session.yaml",
    )  # fmt: skip
    assert found.message.splitlines() == [
        "expiry.idle violated: it lives",
        "",
        "  client  operation  called  returned  answer",
        "  A       get(s0)        0s        0s  ok",
        "  look    get(cart)     30m       30m  data={}  <- expected none",
        "",
        "  expected none or false",
        "  given    data={}",
        '  policy   idle_timeout = "30m"',
        "  declare  "
        + ALIVE
        + " in [policy] would allow this, if that is what is meant: the profile does not write it",
        "  switch   A stopped",
        "  schedule AAB",
        "  fault    torn write",
        "  scenario a.session.yaml:4:3",
        "  replay   sessionguard run a.session.yaml",
        "",
        "  output",
        "    one",
        "    two",
    ]


def test_a_message_of_little_says_little() -> None:
    assert a_violation().message == "expiry.idle violated: it lives"
    assert "another value of ids" in a_violation(undeclared="ids").message
    assert a_violation(scenario="b.session.yaml").message.endswith("scenario b.session.yaml")


def test_a_long_table_keeps_the_rows_around_the_fault() -> None:
    rows = tuple(a_row(number, remark="here" if number == 50 else "") for number in range(90))
    lines = table_of(rows, rows_max=10)
    assert lines[1] == "  (41 earlier operations left out)"
    assert [line.split()[1] for line in lines[2:]] == [f"get(s{number})" for number in range(41, 54)]
    assert lines[-4].endswith("<- here")


def test_a_long_answer_is_cut_in_the_table_alone() -> None:
    row = Row(client="A", operation="get()", called_us=0, returned_us=0, answer="x" * 500)
    assert table_of((row,))[1].endswith("xxx...")
    assert table_of(()) == []


# -- the same violation in several stories --------------------------------------------------------------------------


def a_wrong_answer(session: str, given: str, *, verb: str = "get", **more: Any) -> ViolationFound:
    rows = (
        Row(client="A", operation="create(data={'n': 1})", called_us=0, returned_us=0, answer=f"id={session}"),
        Row(client="A", operation=f"{verb}({session})", called_us=5, returned_us=5, answer=given, remark="expected x"),
    )
    return ViolationFound(**{"property": "expiry.idle", "summary": "s", "operations": rows, "given": given, **more})


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ok: id=cart, found=True", "ok: id=bag, found=True"),
        ("failed: KeyError: 'cart' at shop.py:161", "failed: KeyError: 'bag' at shop.py:161"),
        ("ok: data={'items': 1}", "ok: data={'n': 2}"),
        (
            "failed: KeyError: '3d813cbb-47fb-32ba-91df-831e1593ac29'",
            "failed: KeyError: '0b1f1a0e-0000-4000-8000-0123456789ab'",
        ),
        ("failed: gone 9f86d081884c7d659a2f", "failed: gone 1b4f0e9851971998e732"),
        ("ok: value='Xb3_kPq-81zzTT9aaQWe'", "ok: value='Yc4_lQr-92aaUU0bbRXf'"),
        ("ok: version=1700000000123", "ok: version=1700000999123"),
    ],
)
def test_violations_that_differ_in_ids_alone_have_one_shape(one: str, other: str) -> None:
    assert shape_of(a_wrong_answer("cart", one)) == shape_of(a_wrong_answer("bag", other))


@pytest.mark.parametrize(
    "other",
    [
        a_wrong_answer("bag", "ok: found=False"),
        a_wrong_answer("bag", "ok: found=True", verb="exists"),
        a_wrong_answer("bag", "ok: found=True", property="expiry.boundary"),
        a_wrong_answer("bag", "failed: KeyError: 'bag' at shop.py:162"),
    ],
)
def test_another_property_operation_or_answer_is_another_shape(other: ViolationFound) -> None:
    assert shape_of(a_wrong_answer("cart", "ok: found=True")) != shape_of(other)
    assert shape_of(a_wrong_answer("cart", "failed: KeyError: 'cart' at shop.py:161")) != shape_of(other)


def test_of_wrong_data_and_of_a_storys_own_wishes_the_contents_count() -> None:
    def shape(name: str, given: str, wanted: str) -> tuple[str, ...]:
        return shape_of(a_wrong_answer("cart", given, property=name, expected=(wanted,)))

    assert shape("data.merge", "{'a': 1}", "") != shape("data.merge", "{'b': 2}", "")
    assert shape("scenario.expectation", "nothing", "alive") != shape("scenario.expectation", "nothing", "count 2")
    assert shape("expiry.idle", "nothing", "alive") == shape("expiry.idle", "nothing", "refused")


def test_the_first_of_each_shape_is_kept_and_names_the_other_cases() -> None:
    one, same, another = (a_wrong_answer(*given) for given in [("a", "ok: id=a"), ("b", "ok: id=b"), ("a", "done")])
    cases = (("T", "early=1s"), ("U", ""), ("V", ""), ("W", "early=2s"))
    found = distinct(zip(cases, (one, another, same, same), strict=True))
    assert [first.given for first in found] == ["ok: id=a", "done"]
    assert [first.also for first in found] == [(("V", ""), ("W", "early=2s")), ()]
    assert distinct([]) == ()
