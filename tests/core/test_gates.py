"""Shares by whole numbers, components by patterns, and no figure where something is missing."""

from __future__ import annotations

import itertools
from fractions import Fraction

import pytest

from pytest_sessionguard.core import gates
from pytest_sessionguard.core.gates import (
    CHANGED,
    INCOMPLETE,
    MET,
    MISSED,
    TOTAL,
    Component,
    Count,
    FileCount,
    Gate,
    Measurement,
)


def a_file(path: str, lines: tuple[int, int], branches: tuple[int, int] = (0, 0)) -> FileCount:
    return FileCount(path=path, lines=Count(*lines), branches=Count(*branches))


def a_component(name: str, *paths: str, least: int = 8500, least_branches: int = 8500) -> Component:
    return Component(name=name, paths=paths, least=least, least_branches=least_branches)


CART = a_file("src/cart.py", (17, 20), (17, 20))
PRICE = a_file("src/price.py", (16, 20), (20, 20))
GATE = Gate(
    least=8000,
    least_branches=8000,
    components=(a_component("cart", "src/cart.py"), a_component("price", "src/price.py")),
)


def test_a_share_is_reached_exactly_where_the_fraction_is() -> None:
    for covered, total in itertools.product(range(60), range(1, 60)):
        for least in (0, 1, 3333, 3334, 5000, 6666, 6667, 8500, 9999, 10_000):
            assert Count(covered, total).reaches(least) is (Fraction(covered, total) >= Fraction(least, 10_000))


def test_a_share_just_short_is_not_rounded_up() -> None:
    just_short = Count(84_999_999, 100_000_000)
    assert not just_short.reaches(8500)
    assert str(just_short) == "84.99 % (84999999/100000000)"
    assert str(Count(0, 0)) == "100 % (0/0)"


@pytest.mark.parametrize(
    ("pattern", "fits", "others"),
    [
        ("src/app", ["src/app", "src/app/a.py", "src/app/b/c.py"], ["src/apps.py", "src/app.py", "x/src/app/a.py"]),
        ("src/app/", ["src/app/a.py"], ["src/app.py"]),
        ("./src/app/a.py", ["src/app/a.py"], ["src/app/b.py", "src/app/axpy"]),
        ("src/app/**", ["src/app/a.py", "src/app/b/c.py"], ["src/app", "src/b.py"]),
        ("src/*/a.py", ["src/x/a.py"], ["src/a.py", "src/x/y/a.py"]),
        ("src/**/a.py", ["src/a.py", "src/x/a.py", "src/x/y/a.py"], ["src/ba.py", "a.py"]),
        ("**/test_?.py", ["test_a.py", "x/test_b.py"], ["test_ab.py", "x/test_.py"]),
        ("*.py", ["a.py"], ["x/a.py", "a.pyc"]),
        ("../lib/**", ["../lib/a.py"], ["lib/a.py"]),
    ],
)
def test_a_pattern_fits_what_it_says(pattern: str, fits: list[str], others: list[str]) -> None:
    assert [path for path in fits if not gates.matches(pattern, path)] == []
    assert [path for path in others if gates.matches(pattern, path)] == []


def test_the_last_pattern_that_fits_decides() -> None:
    part = a_component("app", "src/**", "!src/old/**", "src/old/kept.py")
    assert [part.has(path) for path in ("src/a.py", "src/old/b.py", "src/old/kept.py", "lib/c.py")] == [
        True,
        False,
        True,
        False,
    ]


def test_each_component_and_the_total_has_a_row_with_its_own_least() -> None:
    verdict = gates.judge(GATE, Measurement(files=(CART, PRICE)))
    assert [(row.name, row.status, row.lines, row.branches, row.files) for row in verdict.rows] == [
        ("cart", MET, Count(17, 20), Count(17, 20), 1),
        ("price", MISSED, Count(16, 20), Count(20, 20), 1),
        (TOTAL, MET, Count(33, 40), Count(37, 40), 2),
    ]
    assert verdict.status == MISSED
    assert verdict.rows[1].why == ("lines 80 % (16/20) are short of 85 %",)
    assert verdict.short == (PRICE,)


@pytest.mark.parametrize(("lines", "branches"), list(itertools.product((84, 85), (84, 85))))
def test_lines_and_branches_are_gated_apart(lines: int, branches: int) -> None:
    gate = Gate(least=8500, least_branches=8500)
    verdict = gates.judge(gate, Measurement(files=(a_file("a.py", (lines, 100), (branches, 100)),)))
    assert (verdict.status == MET) is (lines == branches == 85)
    assert len(verdict.rows[0].why) == (lines == 84) + (branches == 84)


def test_a_component_that_matches_no_file_is_missed() -> None:
    gate = Gate(least=0, least_branches=0, components=(a_component("store", "src/store/**", least=0),))
    verdict = gates.judge(gate, Measurement(files=(CART,)))
    assert verdict.status == MISSED
    assert verdict.rows[0].why == ("matches no file that was measured",)


def test_a_component_without_a_line_of_code_is_missed() -> None:
    gate = Gate(least=0, least_branches=0, components=(a_component("empty", "src/__init__.py"),))
    verdict = gates.judge(gate, Measurement(files=(CART, a_file("src/__init__.py", (0, 0)))))
    assert verdict.rows[0].why == ("its files hold no code",)


@pytest.mark.parametrize("problems", [(), ("worker gw0 crashed",)])
def test_where_something_is_missing_no_figure_is_shown(problems: tuple[str, ...]) -> None:
    files = (a_file("src/cart.py", (0, 20)),) if problems else ()
    verdict = gates.judge(GATE, Measurement(files=files, problems=problems))
    assert (verdict.status, verdict.rows) == (INCOMPLETE, ())
    assert verdict.problems == (problems or ("no data: the measurement met none of the code that it was to measure",))


def test_branches_that_were_not_measured_are_incomplete_and_never_none_of_none() -> None:
    gate = Gate(least=8000, least_branches=8000)
    verdict = gates.judge(gate, Measurement(files=(CART,), branches=False))
    assert (verdict.status, verdict.rows[0].branches) == (INCOMPLETE, None)
    assert gates.judge(Gate(least=8000, least_branches=0), Measurement(files=(CART,), branches=False)).status == MET


def test_what_missed_for_certain_outweighs_what_is_not_known() -> None:
    verdict = gates.judge(Gate(least=9000, least_branches=8000), Measurement(files=(CART,), branches=False))
    assert verdict.status == MISSED
    assert verdict.rows[0].why == ("lines 85 % (17/20) are short of 90 %", "branches were not measured")


def test_files_of_no_component_are_named_and_a_miss_where_every_file_must_have_one() -> None:
    parts = (a_component("cart", "src/cart.py"),)
    measured = Measurement(files=(CART, PRICE, a_file("src/__init__.py", (0, 0))))
    lax = gates.judge(Gate(least=0, least_branches=0, components=parts), measured)
    assert (lax.status, lax.left_out) == (MET, ("src/price.py",))
    strict = gates.judge(Gate(least=0, least_branches=0, components=parts, every_file=True), measured)
    assert (strict.status, strict.rows[-1].name, strict.rows[-1].files) == (MISSED, "(no component)", 1)
    without = gates.judge(Gate(least=0, least_branches=0, every_file=True), measured)
    assert (without.status, without.left_out) == (MET, ())


def test_a_file_of_two_components_counts_in_both_and_once_in_the_total() -> None:
    parts = (a_component("one", "src/**"), a_component("two", "src/cart.py"))
    verdict = gates.judge(Gate(least=0, least_branches=0, components=parts), Measurement(files=(CART,)))
    assert [row.lines for row in verdict.rows] == [Count(17, 20)] * 3


LISTED = FileCount(
    path="a.py",
    lines=Count(3, 8),
    branches=Count(1, 4),
    run_lines=(1, 2, 20),
    missing_lines=(5, 7, 8, 21, 30),
    run_branches=((2, 20),),
    missing_branches=((2, 5), (5, 7), (2, -1)),
)


def test_gaps_join_over_what_is_no_code_and_break_at_what_ran() -> None:
    assert LISTED.gaps() == ((5, 8), (21, 30))
    assert FileCount(path="a.py", lines=Count(1, 1), run_lines=(1,)).gaps() == ()


def test_a_branch_is_told_only_between_lines_that_ran() -> None:
    assert LISTED.untaken() == ((2, -1),)


def test_of_changed_lines_nothing_else_counts() -> None:
    only = LISTED.only(frozenset({2, 5, 9}))
    assert (only.lines, only.branches, only.missing_lines) == (Count(1, 2), Count(1, 4), (5,))


@pytest.mark.parametrize(
    ("lines", "status", "counted"),
    [({1, 2, 20}, MISSED, Count(3, 3)), ({1, 20}, MET, Count(2, 2)), ({5}, MISSED, Count(0, 1)), ({9}, MET, Count())],
)
def test_changed_lines_have_a_row_of_their_own(lines: set[int], status: str, counted: Count) -> None:
    gate = Gate(least=0, least_branches=0, changed=9000)
    verdict = gates.judge(gate, Measurement(files=(LISTED,)), [LISTED.only(frozenset(lines))])
    assert (verdict.rows[-1].name, verdict.rows[-1].status, verdict.rows[-1].lines) == (CHANGED, status, counted)


def test_changed_lines_are_judged_without_branches_where_none_were_measured() -> None:
    gate = Gate(least=0, least_branches=0, changed=9000)
    measured = Measurement(files=(LISTED,), branches=False)
    assert gates.judge(gate, measured, [LISTED.only(frozenset({1}))]).status == MET
    assert gates.judge(gate, measured, [LISTED.only(frozenset())]).status == MET


@pytest.mark.parametrize(("share", "text"), [(8500, "85"), (8501, "85.01"), (30, "0.30"), (10_000, "100"), (0, "0")])
def test_a_share_is_shown_as_percent(share: int, text: str) -> None:
    assert gates.shown(share) == text
