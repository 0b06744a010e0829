"""The account as a reader meets it: a table, then why, then the verdict in one line."""

from __future__ import annotations

from pathlib import Path

import jsonschema
import pytest

from pytest_sessionguard.core.gate_account import (
    Account,
    BehaviourVerdict,
    account_schema,
    exit_status,
    to_json,
)
from pytest_sessionguard.core.gates import (
    INCOMPLETE,
    MET,
    MISSED,
    Component,
    Count,
    FileCount,
    Gate,
    Measurement,
    Verdict,
    judge,
)
from pytest_sessionguard.reports import gate_text, github

CART = FileCount(
    path="src/cart.py",
    lines=Count(3, 6),
    branches=Count(1, 4),
    run_lines=(1, 2, 9),
    missing_lines=(4, 5, 12),
    run_branches=((1, 2),),
    missing_branches=((2, 9), (9, -1), (2, 4)),
)
PRICE = FileCount(path="src/price.py", lines=Count(4, 4), run_lines=(1, 2, 3, 4))
GATE = Gate(
    least=5000,
    least_branches=2500,
    components=(
        Component(name="cart", paths=("src/cart.py",), least=8500, least_branches=8500),
        Component(name="price", paths=("src/price.py",), least=8500, least_branches=8500),
    ),
)
MISSED_ONE = Account(coverage=judge(GATE, Measurement(files=(CART, PRICE))))
STEPS = "scenario: Get of a live session\nversion: 1\nsteps:\n  - get: cart\n"


def behaviour(missing: int, status: str = MISSED) -> BehaviourVerdict:
    names = tuple(f"get {number}" for number in range(missing))
    return BehaviourVerdict(
        manager="shop",
        status=status,
        count=Count(20 - missing, 20),
        least=9500,
        missing=names,
        steps=(STEPS,) * missing,
    )


def test_every_component_has_a_line_and_what_missed_says_why() -> None:
    assert gate_text.lines(MISSED_ONE) == [
        "               files        lines  least    branches  least",
        "MISSED  cart       1   50 % (3/6)     85  25 % (1/4)     85",
        "met     price      1  100 % (4/4)     85        none     85",
        "met     total      2  70 % (7/10)     50  25 % (1/4)     25",
        "cart: lines 50 % (3/6) are short of 85 %; branches 25 % (1/4) are short of 85 %",
    ]
    assert gate_text.closing(MISSED_ONE) == "coverage gate: MISSED; cart"


def test_nothing_is_shown_of_an_incomplete_measurement_but_why() -> None:
    account = Account(coverage=judge(GATE, Measurement(files=(CART,), problems=("worker gw0 crashed",))))
    assert gate_text.lines(account) == []
    assert gate_text.closing(account) == "coverage gate: INCOMPLETE; worker gw0 crashed"


def test_branches_that_were_not_measured_are_told_with_what_to_do() -> None:
    account = Account(coverage=judge(Gate(least=0, least_branches=1), Measurement(files=(PRICE,), branches=False)))
    assert gate_text.lines(account)[1].split()[-4:] == ["0", "not", "measured", "0.01"]
    assert gate_text.closing(account).endswith("not measured (total): set [tool.coverage.run] branch = true")


def test_files_of_no_component_are_listed_up_to_a_bound() -> None:
    one = Component(name="cart", paths=("src/cart.py",), least=0, least_branches=0)
    files = [FileCount(path=f"lib/{number:02}.py", lines=Count(1, 1)) for number in range(12)]
    gate = Gate(least=0, least_branches=0, components=(one,))
    told = gate_text.lines(Account(coverage=judge(gate, Measurement(files=(CART, *files)))))[-1]
    assert told.startswith("in no component: lib/00.py, lib/01.py")
    assert told.endswith("lib/09.py and 2 more")


def test_a_component_without_files_has_no_share() -> None:
    gate = Gate(least=0, least_branches=0, components=(Component(name="x", paths=("x",), least=0, least_branches=0),))
    row = gate_text.lines(Account(coverage=judge(gate, Measurement(files=(CART,)))))[1]
    assert row.split() == ["MISSED", "x", "0", "-", "0", "none", "0"]


def test_missing_behaviour_is_named_and_its_first_ones_shown_as_scenarios() -> None:
    told = gate_text.lines(Account(behaviour=(behaviour(12),)))
    assert told[0] == "MISSED  behaviour of shop: 40 % (8/20), least 95 %"
    assert told[1] == "never exercised: " + ", ".join(f"get {number}" for number in range(12))
    assert told[2:8] == ["", "# get 0", *STEPS.splitlines()]
    assert "# and 2 more: `sessionguard coverage check --write DIR` writes a scenario for each" in told


def test_what_is_missing_of_a_gate_that_is_met_is_named_without_steps() -> None:
    assert gate_text.lines(Account(behaviour=(behaviour(1, MET),))) == [
        "met  behaviour of shop: 95 % (19/20), least 95 %",
        "never exercised: get 0",
    ]
    assert gate_text.lines(Account(behaviour=(behaviour(0, MET),))) == [
        "met  behaviour of shop: 100 % (20/20), least 95 %"
    ]


UNKNOWN = BehaviourVerdict(manager="shop", status=INCOMPLETE, problems=("behaviour: no case ran against shop",))
SHORT = behaviour(3)
SOUND = Verdict(status=MET)


@pytest.mark.parametrize(
    ("account", "told", "status"),
    [
        (Account(coverage=SOUND), "coverage gate: met", 0),
        (Account(coverage=SOUND, behaviour=(SHORT,)), "coverage gate: MISSED; behaviour of shop", 1),
        (
            Account(coverage=SOUND, behaviour=(UNKNOWN,)),
            "coverage gate: INCOMPLETE; behaviour: no case ran against shop",
            3,
        ),
        (
            Account(behaviour=(UNKNOWN, SHORT)),
            "coverage gate: MISSED; behaviour: no case ran against shop; behaviour of shop",
            1,
        ),
        (Account(), "coverage gate: met", 0),
    ],
)
def test_the_verdict_is_the_worst_of_all_and_gives_its_reasons(account: Account, told: str, status: int) -> None:
    assert gate_text.closing(account) == told
    assert exit_status(account) == status


@pytest.mark.parametrize(
    "account",
    [
        MISSED_ONE,
        Account(behaviour=(SHORT, UNKNOWN)),
        Account(coverage=judge(Gate(least=0, least_branches=1), Measurement(files=(PRICE,), branches=False))),
    ],
)
def test_the_json_is_of_the_shape_that_its_schema_says(account: Account) -> None:
    told = to_json(account)
    jsonschema.validate(told, account_schema())
    assert told["verdict"] == account.status


def test_the_json_says_where() -> None:
    told = to_json(MISSED_ONE)["coverage"]
    assert told["short"] == [{"path": "src/cart.py", "lines": [[4, 5], [12, 12]], "branches": [[2, 9], [9, -1]]}]
    assert told["components"][0]["lines"] == {"covered": 3, "total": 6}


# -- GitHub ---------------------------------------------------------------------------------------------------------


def test_warnings_stand_at_the_lines_and_branches_of_what_missed() -> None:
    head = "::warning file=src/cart.py,line="
    assert github.warnings(MISSED_ONE) == [
        f"{head}4,endLine=5,title=coverage gate::lines 4 to 5 were not run",
        f"{head}12,endLine=12,title=coverage gate::line 12 was not run",
        f"{head}2,endLine=2,title=coverage gate::line 2 never went on to line 9",
        f"{head}9,endLine=9,title=coverage gate::line 9 never left the function",
    ]
    assert github.warnings(Account(behaviour=(SHORT,))) == []


def test_no_more_warnings_are_given_than_are_shown() -> None:
    many = FileCount(
        path="a.py", lines=Count(20, 40), run_lines=tuple(range(0, 40, 2)), missing_lines=tuple(range(1, 41, 2))
    )
    told = github.warnings(Account(coverage=judge(Gate(least=9000, least_branches=0), Measurement(files=(many,)))))
    assert len(told) == github.ANNOTATIONS_MAX
    assert told[-1] == "::warning title=coverage gate::11 more places did not run"


def test_a_path_cannot_end_its_property_early() -> None:
    odd = FileCount(path="a,b:c%\n.py", lines=Count(0, 1), missing_lines=(1,))
    (told,) = github.warnings(Account(coverage=judge(Gate(least=1, least_branches=0), Measurement(files=(odd,)))))
    assert told.startswith("::warning file=a%2Cb%3Ac%25%0A.py,line=1,")


def test_warnings_are_given_from_the_repositorys_root() -> None:
    assert github.warnings(MISSED_ONE, prefix="services/shop")[0].startswith(
        "::warning file=services/shop/src/cart.py,line=4,"
    )


def test_the_summary_is_a_table_with_what_was_never_exercised() -> None:
    told = github.summary(Account(coverage=MISSED_ONE.coverage, behaviour=(SHORT,)))
    assert told.startswith("### coverage gate: MISSED; cart; behaviour of shop\n")
    assert "| cart | 1 | 50 % (3/6) | 85 | 25 % (1/4) | 85 | MISSED |" in told
    assert "Behaviour of `shop`: 85 % (17/20), least 95 %: MISSED" in told
    assert "- get 2\n" in told


def test_the_summary_of_what_is_incomplete_has_no_table() -> None:
    account = Account(coverage=judge(GATE, Measurement(problems=("worker gw0 crashed",))), behaviour=(UNKNOWN,))
    assert github.summary(account).count("|") == 0
    unmeasured = judge(Gate(least=0, least_branches=1), Measurement(files=(PRICE,), branches=False))
    assert "not measured" in github.summary(Account(coverage=unmeasured))


def test_the_projects_folder_is_told_from_the_repositorys_root(tmp_path: Path) -> None:
    assert github.prefix_of(tmp_path / "services" / "shop", str(tmp_path)) == "services/shop"
    assert github.prefix_of(tmp_path, str(tmp_path)) == ""
    assert github.prefix_of(tmp_path, str(tmp_path / "other")) == ""
    assert github.prefix_of(tmp_path, None) == ""


def test_the_summary_is_added_to_what_other_steps_wrote(tmp_path: Path) -> None:
    path = tmp_path / "summary.md"
    path.write_text("before\n", encoding="utf-8")
    github.append_summary(MISSED_ONE, path)
    assert path.read_text(encoding="utf-8") == "before\n" + github.summary(MISSED_ONE)


def test_what_is_wrong_with_the_whole_run_is_told_once() -> None:
    crashed = ("worker gw0 crashed",)
    broken = [BehaviourVerdict(manager=name, status=INCOMPLETE, problems=crashed) for name in ("shop", "bar")]
    account = Account(coverage=judge(GATE, Measurement(problems=crashed)), behaviour=tuple(broken))
    assert gate_text.closing(account) == "coverage gate: INCOMPLETE; worker gw0 crashed"
