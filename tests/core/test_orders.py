"""The search for an order, beside one that tries them all."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_sessionguard.core.orders import ILLEGAL, Specification, Told, by_object, calls_of, explain, explain_all
from pytest_sessionguard.core.specifications import REGISTER, TEXT

Span = tuple[Any, int, int | None]

VALUES = st.integers(0, 2)
REGISTER_CALLS = st.one_of(
    st.tuples(st.just("read"), st.one_of(st.none(), VALUES)),
    st.tuples(st.just("write"), VALUES),
    st.tuples(st.just("cas"), VALUES, VALUES, st.sampled_from([True, False, None])),
)
LETTERS = st.sampled_from(["a", "b", "ab"])
TEXT_CALLS = st.one_of(
    st.tuples(st.just("get"), st.sampled_from(["", "a", "b", "ab", "ba", "aba", "aab"])),
    st.tuples(st.just("put"), LETTERS),
    st.tuples(st.just("append"), LETTERS),
)


@st.composite
def histories(draw: st.DrawFn, calls: st.SearchStrategy[Any]) -> list[Span]:
    """Draw up to six calls whose spans overlap as they like; some never return."""
    made = draw(st.lists(calls, min_size=1, max_size=6))
    order = draw(st.permutations([(index, end) for index in range(len(made)) for end in (0, 1)]))
    places: dict[int, list[int]] = {}
    for place, (index, _) in enumerate(order):
        places.setdefault(index, []).append(place)
    spans: list[Span] = []
    for index, call in enumerate(made):
        called, returned = places[index]
        spans.append((call, called, None if draw(st.integers(0, 4)) == 0 else returned))
    return spans


def any_order_explains(spans: Sequence[Span], specification: Specification) -> bool:
    """Try every order of the calls that returned, with every choice of those that did not."""
    lost = [span for span in spans if span[2] is None]
    returned = [span for span in spans if span[2] is not None]

    def goes_on(left: list[Span], state: Any) -> bool:
        if not left:
            return True
        for span in left:
            if any(other[2] is not None and other[2] < span[1] for other in left if other is not span):
                continue
            after = specification.step(state, span[0])
            if after is not ILLEGAL and goes_on([other for other in left if other is not span], after):
                return True
        return False

    return any(
        goes_on([*returned, *happened], specification.initial)
        for size in range(len(lost) + 1)
        for happened in combinations(lost, size)
    )


@given(histories(REGISTER_CALLS))
def test_the_search_agrees_with_trying_every_order_of_a_register(spans: list[Span]) -> None:
    found = explain(calls_of(spans), REGISTER)
    assert found.verdict == ("legal" if any_order_explains(spans, REGISTER) else "illegal")
    assert (found.stuck is None) == (found.verdict == "legal")


@given(histories(TEXT_CALLS))
def test_the_search_agrees_with_trying_every_order_of_a_text(spans: list[Span]) -> None:
    found = explain(calls_of(spans), TEXT)
    assert found.verdict == ("legal" if any_order_explains(spans, TEXT) else "illegal")


@given(histories(REGISTER_CALLS))
def test_a_search_in_small_shares_says_what_one_run_says(spans: list[Span]) -> None:
    whole = explain(calls_of(spans), REGISTER)
    twice = explain_all([calls_of(spans), calls_of(spans)], REGISTER)
    assert twice.verdict == whole.verdict


def test_a_stale_read_is_named_with_what_was_explained_before_it() -> None:
    spans = [(("write", 1), 0, 1), (("read", 1), 2, 3), (("write", 2), 4, 5), (("read", 1), 6, 7)]
    found = explain(calls_of(spans), REGISTER)
    assert (found.verdict, found.explained, found.stuck) == ("illegal", 3, ("read", 1))


def test_a_lost_write_may_take_effect_at_any_later_time() -> None:
    spans = [(("write", 1), 0, 1), (("write", 2), 2, None), (("read", 1), 3, 4), (("read", 2), 5, 6)]
    assert explain(calls_of(spans), REGISTER).verdict == "legal"


def test_a_lost_write_takes_effect_once() -> None:
    back_and_forth = [("read", 2), ("read", 1), ("read", 2)]
    spans: list[Span] = [(("write", 1), 0, 1), (("write", 2), 2, None)]
    spans += [(call, 3 + 2 * n, 4 + 2 * n) for n, call in enumerate(back_and_forth)]
    assert explain(calls_of(spans), REGISTER).verdict == "illegal"


def test_two_equal_lost_writes_take_effect_twice() -> None:
    spans: list[Span] = [(("write", 2), 0, None), (("write", 2), 1, None), (("write", 1), 2, 3), (("read", 2), 4, 5)]
    spans += [(("cas", 2, 3, True), 6, 7), (("read", 2), 8, 9)]
    assert explain(calls_of(spans), REGISTER).verdict == "legal"


def test_a_search_that_runs_out_of_steps_is_undecided() -> None:
    spans = [(("append", letter), 0 + n, 100 + n) for n, letter in enumerate("abcdefgh")]
    spans.append((("get", "hgfedcba"), 50, 200))
    calls = calls_of(spans)
    assert explain(calls, TEXT, steps_max=3).verdict == "undecided"
    assert explain_all([calls], TEXT, steps_max=3).verdict == "undecided"
    assert explain_all([calls], TEXT).verdict == "legal"


def test_objects_are_explained_apart() -> None:
    told = [
        Told(client=1, object="x", call=("write", 1), called=0, returned=1),
        Told(client=1, object="y", call=("read", None), called=2, returned=3),
        Told(client=1, object="x", call=("read", 1), called=4, returned=5),
    ]
    assert explain_all(by_object(told), REGISTER).verdict == "legal"
    wrong = [*told, Told(client=1, object="y", call=("read", 1), called=6, returned=7)]
    assert explain_all(by_object(wrong), REGISTER).verdict == "illegal"


def test_spans_that_cannot_be_are_refused() -> None:
    with pytest.raises(ValueError, match="returned \\(number 1\\) before it was made \\(number 2\\)"):
        calls_of([(("read", 1), 2, 1)])
    with pytest.raises(ValueError, match="two events share the number 3"):
        calls_of([(("read", 1), 2, 3), (("read", 1), 3, 4)])


@pytest.mark.parametrize("specification", [REGISTER, TEXT])
def test_a_call_that_the_object_does_not_know_is_refused(specification: Specification) -> None:
    with pytest.raises(ValueError, match="knows"):
        explain(calls_of([(("jump", 1), 0, 1)]), specification)
