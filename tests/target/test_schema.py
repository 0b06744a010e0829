"""The JSON Schema says of a profile what the reader says of it, as far as a schema can."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from pytest_sessionguard.target.profile import profile_schema
from pytest_sessionguard.target.sections import TABLES

TARGET = Path(__file__).parents[2] / "pytest_sessionguard" / "target"
MALFORMED = Path(__file__).parent / "malformed"
# What no schema sees: templates, imports, what tables say against each other, durations.
SEEN = ["unknown_tables", "tables_that_are_none", "wrong_words", "wrong_policy", "wrong_errors_and_answers",
        "wrong_check", "no_factory_and_no_create", "manager_written_as_keys"]  # fmt: skip


def checked(tables: Any) -> list[str]:
    return [error.message for error in jsonschema.Draft202012Validator(profile_schema()).iter_errors(tables)]


def test_the_schema_is_one_and_covers_every_table() -> None:
    jsonschema.Draft202012Validator.check_schema(profile_schema())
    assert set(profile_schema()["properties"]) == set(TABLES)


@pytest.mark.parametrize("file", sorted((TARGET / "shipped").glob("*.toml")), ids=lambda file: file.stem)
def test_it_accepts_every_shipped_profile(file: Path) -> None:
    assert checked(tomllib.loads(file.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize("name", SEEN)
def test_it_refuses_what_a_schema_can_see(name: str) -> None:
    assert checked(tomllib.loads((MALFORMED / f"{name}.sessionguard.toml").read_text(encoding="utf-8")))


def test_it_accepts_lists_tables_and_every_kind_of_value() -> None:
    tables = {
        "manager": {"factory": "a:b", "path": ["."], "args": {"x": 1}, "hooks": {"on_close": "close(session)"}},
        "operations": {"create": ["a() -> session", "session.save()"]},
        "policy": {"idle_timeout": 5, "missing": {"get": "none"}, "activity": ["get"], "id_pattern": "x", "limit": 0},
        "errors": {"missing": ["KeyError"]},
        "answers": {"never": [-1]},
        "probes": {"any name": "glob:*"},
        "check": {"allow": ["x", {"name": "y", "reason": "z"}], "budget": "1s"},
    }
    assert checked(tables) == []
