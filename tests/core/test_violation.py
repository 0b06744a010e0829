"""What a reader is told of a violation."""

from __future__ import annotations

from typing import Any

from pytest_sessionguard.core.violation import Row, ViolationFound, table_of

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
        schedule="A stopped",
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
