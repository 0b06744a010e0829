"""A case travels as one word, and a word that was damaged on the way is noticed."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_sessionguard.core import replay_token
from pytest_sessionguard.errors import UsageError

CASE = """\
scenario: lifecycle.delete is broken by create, touch, delete, get
version: 1
steps:
  - create: {as: s1}
  - parallel:
      - [{touch: s1}]
      - [{delete: s1}]
    schedules: ABB
  - get: s1
"""


@given(st.text())
def test_any_text_comes_back(text: str) -> None:
    token = replay_token.encode(text)
    assert replay_token.decode(token) == text
    assert re.fullmatch(r"sg1:[A-Za-z0-9_-]+", token)


def test_a_small_case_is_a_short_word_of_which_the_form_never_changes() -> None:
    token = replay_token.encode(CASE)
    assert len(token) < 60
    assert replay_token.decode(f" {token}\n") == CASE
    assert replay_token.is_token(token)
    # A token that was told by an earlier version is read by all later ones.
    assert replay_token.decode("sg1:0OjmQiMtmHQgrtWB-kEH5C_koMMdUtR1thNKoAIA") == CASE


@given(st.data())
def test_a_letter_that_is_lost_or_changed_is_noticed(data: st.DataObject) -> None:
    token = replay_token.encode(CASE)
    at = data.draw(st.integers(len(replay_token.PREFIX), len(token) - 1))
    other = data.draw(st.sampled_from("ABab01-_ ?ü"))
    for damaged in (token[:at], token[:at] + token[at + 1 :], token[:at] + other + token[at + 1 :], token + other):
        if damaged.strip() != token:
            assert read(damaged) in ("damaged", CASE)  # The last letter holds bits that mean nothing.


def read(token: str) -> str:
    try:
        return replay_token.decode(token)
    except UsageError as error:
        return "damaged" if "is damaged" in str(error) else str(error)


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("sg2:abc", "of another version of sessionguard"),
        ("hello", "is no token"),
        ("sg1:", "is damaged"),
        ("sg1:AAAA", "is damaged"),
        ("sg1:" + "A" * 100, "'sg1:AAAAAAAAAAAAAAAA...' is damaged"),
    ],
)
def test_what_is_no_token_is_refused_with_what_is_wrong(word: str, told: str) -> None:
    with pytest.raises(UsageError, match=re.escape(told)):
        replay_token.decode(word)
