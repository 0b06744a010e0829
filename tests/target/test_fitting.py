"""Only what certainly does not fit an operation is refused."""

from __future__ import annotations

import pytest

from pytest_sessionguard.core.operations import RESULTS, VERBS
from pytest_sessionguard.target.fitting import RESULTS_OF, misfits
from pytest_sessionguard.target.templates import parse


def told(verb: str, text: str, *, bound: bool = False, last: bool = True) -> list[tuple[int, str]]:
    return [(fault.column, fault.message) for fault in misfits(verb, parse(text), session_bound=bound, last=last)]


def test_every_operation_may_answer_nothing_and_only_known_results() -> None:
    assert set(RESULTS_OF) == set(VERBS)
    for results in RESULTS_OF.values():
        assert "nothing" in results
        assert results <= set(RESULTS)


@pytest.mark.parametrize("verb", VERBS)
def test_every_operation_may_hand_over_its_own_arguments(verb: str) -> None:
    assert told(verb, f"f({', '.join((*VERBS[verb].arguments, 'manager'))})") == []


@pytest.mark.parametrize(
    ("verb", "text"),
    [
        ("save", "set(id, data, timeout)"),
        ("touch", "touch(session)"),
        ("update", "edit(id, mutate)"),
        ("put", "session[key] = value"),
        ("rotate", "session.cycle(owner, version) -> id"),
        ("history", "log(id, n) -> versions"),
    ],
)
def test_what_the_harness_knows_of_a_session_may_be_handed_over(verb: str, text: str) -> None:
    assert told(verb, text) == []


@pytest.mark.parametrize(
    ("verb", "text", "column", "message"),
    [
        ("sweep", "purge(id)", 7, "sweep has no `id` to hand over"),
        ("create", "make(version)", 6, "create has no `version`"),
        ("get", "load(id, mutate)", 10, "get has no `mutate`"),
        ("delete", "delete(id, mutate)", 12, "delete has no `mutate`"),
        ("count", "session.size -> count", 1, "count addresses no session"),
        ("count", "size() -> session", 11, "count cannot answer 'session'; expected one of: count, nothing"),
        ("create", "make() -> ids", 11, "create cannot answer 'ids'"),
        ("get", "manager[key] -> data", 9, "get has no `key` to hand over"),
    ],
)
def test_what_certainly_does_not_fit_is_refused(verb: str, text: str, column: int, message: str) -> None:
    ((where, what),) = told(verb, text)
    assert where == column
    assert what.startswith(message)


def test_a_session_of_an_earlier_step_is_known_to_the_later_ones() -> None:
    assert told("create", "session.save(id)", bound=True) == []
    assert told("create", "open() -> ids", last=False) == []
