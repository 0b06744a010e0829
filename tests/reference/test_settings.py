"""Where settings come from, and which cannot be."""

from __future__ import annotations

import math
from typing import Any

import pytest

from pytest_sessionguard.errors import InvalidSession, InvalidSetting
from pytest_sessionguard.reference import AsyncSessionManager, SessionManager, settings
from pytest_sessionguard.reference.settings import Rules, Settings

NOTHING: dict[str, Any] = {
    "timeout_secs": None,
    "absolute_timeout_secs": None,
    "resume_secs": None,
    "max_concurrent": None,
    "cleanup_interval_secs": None,
    "at_timeout": "expired",
    "limit_scope": "manager",
    "at_limit": "error",
    "expired": "marked",
    "at_stop": None,
    "environ": {},
}

ENVIRON = {"SESSION_TIMEOUT_SECS": "90", "SESSION_MAX_CONCURRENT": "7", "SESSION_CLEANUP_INTERVAL": "0.5"}


def read(**given: Any) -> Settings:
    return settings.read(**{**NOTHING, **given})


def test_defaults_are_an_hour_a_hundred_and_five_minutes() -> None:
    assert read() == Settings(rules=Rules(), cleanup_interval_secs=300.0, at_stop=None)
    assert (Rules().timeout_us, Rules().limit) == (3_600_000_000, 100)


def test_the_environment_goes_before_the_default() -> None:
    given = read(environ=ENVIRON)
    assert (given.rules.timeout_us, given.rules.limit, given.cleanup_interval_secs) == (90_000_000, 7, 0.5)


def test_an_argument_goes_before_the_environment() -> None:
    given = read(environ=ENVIRON, timeout_secs=1, max_concurrent=2, cleanup_interval_secs=3)
    assert (given.rules.timeout_us, given.rules.limit, given.cleanup_interval_secs) == (1_000_000, 2, 3.0)


def test_the_environment_is_that_of_the_process_when_none_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SESSION_TIMEOUT_SECS", "1.5")
    assert read(environ=None).rules.timeout_us == 1_500_000


def test_infinity_stands_for_none() -> None:
    given = read(timeout_secs=math.inf, max_concurrent=math.inf, cleanup_interval_secs=math.inf)
    assert (given.rules.timeout_us, given.rules.limit, given.cleanup_interval_secs) == (None, None, None)
    assert read(environ={"SESSION_MAX_CONCURRENT": "inf"}).rules.limit is None


@pytest.mark.parametrize(
    ("variable", "text"), [(name, text) for name in ENVIRON for text in ["", "soon", "0", "-1", "nan"]]
)
def test_a_bad_environment_is_refused_by_the_name_of_its_variable(variable: str, text: str) -> None:
    with pytest.raises(InvalidSetting, match=f"environment {variable} = ") as caught:
        read(environ={variable: text})
    assert caught.value.name == variable


@pytest.mark.parametrize("name", ["timeout_secs", "absolute_timeout_secs", "resume_secs", "cleanup_interval_secs"])
@pytest.mark.parametrize("value", [0, -1, 1e-7, math.nan, True, "60", 1e12, -math.inf, 10**400])
def test_a_span_that_is_none_is_refused_by_the_name_of_its_argument(name: str, value: object) -> None:
    with pytest.raises(InvalidSetting, match=f"argument {name} = "):
        read(**{name: value})


@pytest.mark.parametrize("value", [0, -1, 1.5, True, "5"])
def test_a_limit_is_a_whole_number_of_at_least_one(value: object) -> None:
    with pytest.raises(InvalidSetting, match="max_concurrent"):
        read(max_concurrent=value)


@pytest.mark.parametrize("name", ["at_timeout", "limit_scope", "at_limit", "expired", "at_stop"])
def test_a_word_that_is_not_of_the_policy_is_refused_and_the_right_ones_are_named(name: str) -> None:
    with pytest.raises(InvalidSetting, match=rf"{name} = 'perhaps': expected '.+' or '.+'"):
        read(**{name: "perhaps"})


@pytest.mark.parametrize("face", [SessionManager, AsyncSessionManager])
@pytest.mark.parametrize(
    "given",
    [
        {"timeout_secs": -1},
        {"store": "papyrus"},
        {"store": "sqlite"},
        {"store": "memory", "path": "somewhere"},
        {"on_close": "not a function"},
    ],
    ids=str,
)
def test_both_faces_refuse_at_construction(face: Any, given: dict[str, Any]) -> None:
    with pytest.raises(InvalidSetting):
        face(**given)


def test_the_sync_face_refuses_a_hook_that_it_could_not_await() -> None:
    async def hook(_: object) -> None: ...

    with pytest.raises(InvalidSetting, match="AsyncSessionManager"):
        SessionManager(on_close=hook)


def test_a_span_reaches_past_the_timeout_only_where_the_policy_says_alive() -> None:
    assert Rules().span(10) == 10
    assert Rules(at_timeout="alive").span(10) == 11
    assert Rules(at_timeout="alive").span(None) is None


@pytest.mark.parametrize("value", [0, -1, math.nan, True, "1"])
def test_the_timeout_of_one_session_is_checked_like_the_manager_s(value: Any) -> None:
    with pytest.raises(InvalidSession, match="timeout_secs"):
        settings.timeout_of(value, Rules())
    assert settings.timeout_of(None, Rules()) == 3_600_000_000
    assert settings.timeout_of(math.inf, Rules()) is None
    assert settings.timeout_of(2, Rules()) == 2_000_000
