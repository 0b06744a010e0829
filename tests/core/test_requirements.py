"""What a story requires, and what of it a target lacks."""

from __future__ import annotations

import pytest

from pytest_sessionguard.core import requirements
from pytest_sessionguard.core.policy import policy

MARKED = policy(
    idle_timeout="30m",
    limit=5,
    at_limit="error",
    expired={"get": "marked"},
    missing={"get": "false", "delete": "error"},
    per_session_timeout=True,
    activity=["create", "touch"],
)


@pytest.mark.parametrize(
    "line",
    [
        "touch",
        "idle_timeout",
        "limit",
        "limit=5",
        "idle_timeout=30m",
        "at_limit=error",
        "at_limit=false|error",
        "at_limit!=evict-oldest",
        "activity=touch",
        "activity!=get",
        "limit>4",
        "idle_timeout>29m59s",
        "absolute_timeout>365d",
        "absolute_timeout>idle_timeout",
        "per_session_timeout=true",
        "expired.get=marked",
        "expired.touch=gone",
        "missing!=none",
        "missing=false|error",
        "callers",
        "callers=threads",
        "callers=one",
        "callers=tasks|threads",
    ],
)
def test_what_the_target_offers_is_met(line: str) -> None:
    asked = requirements.parse(line)
    assert requirements.lacks(asked, MARKED, {"touch"}, "processes", ("create", "get", "delete")) == ""


@pytest.mark.parametrize(
    ("line", "missing"),
    [
        ("rotate", "operation rotate"),
        ("absolute_timeout", "policy key absolute_timeout"),
        ("survives", "policy key survives"),
        ("zero_timeout", "policy key zero_timeout"),
        ("limit=4", "limit=4 (the profile says limit = 5)"),
        ("at_limit=false", 'at_limit=false (the profile says at_limit = "error")'),
        ("at_limit!=error|false", 'at_limit!=error|false (the profile says at_limit = "error")'),
        ("limit>5", "limit>5 (the profile says limit = 5)"),
        ("idle_timeout>30m", 'idle_timeout>30m (the profile says idle_timeout = "30m")'),
        (
            "idle_timeout>absolute_timeout",
            'idle_timeout>absolute_timeout (the profile says idle_timeout = "30m")',
        ),
        ("activity=get", 'activity=get (the profile says activity = ["create", "touch"])'),
        ("update=replace", 'update=replace (the profile says update = "merge" (the default))'),
        ("expired=marked", 'expired=marked (the profile says expired = { get = "marked" })'),
        (
            "missing!=error",
            'missing!=error (the profile says missing = { get = "false", delete = "error" })',
        ),
        ("callers", "callers (the profile says callers = one)"),
        ("callers=threads", "callers=threads (the profile says callers = one)"),
    ],
)
def test_what_the_target_lacks_is_named(line: str, missing: str) -> None:
    asked = requirements.parse(line)
    assert requirements.lacks(asked, MARKED, {"touch"}, "one", ("create", "get", "delete")) == missing


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("tuch", "unknown requirement 'tuch', did you mean 'touch'?"),
        ("limitt=3", "unknown requirement 'limitt', did you mean 'limit'?"),
        ("qqqq", "unknown requirement 'qqqq'$"),
        ("at_limit=eror", "'eror' is no value of at_limit, did you mean 'error'?"),
        ("limit=many", "limit takes a whole number"),
        ("limit=" + "9" * 30, "limit takes a whole number"),
        ("idle_timeout=soon", "'soon' is not a duration"),
        ("activity=tuch", "unknown operation 'tuch'"),
        ("per_session_timeout=yes", "per_session_timeout is true or false"),
        ("callers=everybody", "unknown callers 'everybody'"),
        ("callers!=tasks", "expected callers, or callers=tasks"),
        ("callers>tasks", "expected callers, or callers=tasks"),
        ("at_limit>3", "at_limit is no figure"),
        ("limit>many", "limit takes a whole number"),
        ("limit>idle_timeout", "limit and idle_timeout cannot be compared"),
        ("limit>=3", "is no requirement"),
        ("missing.gte=none", "unknown operation 'gte', did you mean 'get'?"),
        ("limit.get=5", "limit has no table by operation"),
        ("missing.get", "expected missing=value"),
        ("touch=yes", "touch is an operation, which has no value"),
        ("id_pattern=x", "can be asked for, but not with a value"),
        ("", "is no requirement"),
        ("a b", "is no requirement"),
        ("limit=", "is no requirement"),
    ],
)
def test_what_nobody_could_offer_is_refused(line: str, told: str) -> None:
    with pytest.raises(ValueError, match=told.replace("?", r"\?")):
        requirements.parse(line)
