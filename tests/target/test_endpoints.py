"""Where a backend is: as told, or as a function gives it, which is asked once."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_sessionguard.errors import UsageError
from pytest_sessionguard.target.endpoints import endpoint_of, host_and_port
from pytest_sessionguard.target.shape import Profile


def a_profile(endpoint: Any) -> Profile:
    return Profile(name="p", factory=dict, endpoint=endpoint)


def test_an_address_is_taken_as_it_is_told() -> None:
    assert endpoint_of(a_profile("localhost:6379")) == "localhost:6379"
    assert endpoint_of(Profile(name="p", factory=dict)) is None


def test_a_function_is_asked_once_for_all_cases() -> None:
    asked: list[int] = []

    def start() -> str:
        asked.append(1)
        return "localhost:7001"

    profile = a_profile(start)
    assert [endpoint_of(profile) for _ in range(3)] == ["localhost:7001"] * 3
    assert asked == [1]


def test_what_gives_no_address_is_the_users_fault() -> None:
    for start, words in (
        (lambda: 7, "endpoint gave 7; expected a text such as"),
        (lambda: {}["x"], "endpoint raised KeyError"),
        ("nowhere.at.all:start", "endpoint = 'nowhere.at.all:start'"),
    ):
        with pytest.raises(UsageError, match=words):
            endpoint_of(a_profile(start))


def test_an_address_comes_apart_into_host_and_port() -> None:
    assert host_and_port("localhost:80") == ("localhost", 80)
    assert host_and_port("[::1]:80") == ("::1", 80)
