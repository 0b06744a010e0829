"""The published schema and the reference page say what the reader does."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path

import jsonschema
import pytest

from pytest_sessionguard.core.operations import VERBS, Answer
from pytest_sessionguard.core.properties import PROPERTIES
from pytest_sessionguard.errors import Fault
from pytest_sessionguard.run import scenario_files
from pytest_sessionguard.run import scenario_format as form
from pytest_sessionguard.run.scenario_schema import scenario_reference, scenario_schema

HERE = Path(__file__).parent
SCHEMA = scenario_schema()
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)

# What depends on the rest of the file: the order of the steps, the values of variables, a count over several lists.
BEYOND_A_SCHEMA = {
    "matrix-values-that-do-not-fit",
    "session-before-it-is-made",
    "session-beyond-a-repeat",
    "session-of-another-branch",
    "shadowed-variables",
    "too-many-cells",
    "unknown-variables",
    "unknown-zone",
}


def name_of(path: Path) -> str:
    return path.name.removesuffix(".session.yaml")


def readable(folder: str) -> list[tuple[Path, object]]:
    """Return the files that are sound YAML, with what they hold."""
    found = []
    for path in sorted((HERE / folder).glob("*.session.yaml")):
        faults: list[Fault] = []
        node = scenario_files.parse(str(path), path.read_text(encoding="utf-8"), faults)
        if node is not None and not faults:
            found.append((path, node.thawed()))
    return found


def test_the_schema_is_a_schema_and_plain_json() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert json.loads(json.dumps(SCHEMA)) == SCHEMA
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"


@pytest.mark.parametrize(
    ("path", "document"), [pytest.param(*pair, id=name_of(pair[0])) for pair in readable("wellformed")]
)
def test_the_schema_accepts_what_the_reader_accepts(path: Path, document: object) -> None:
    assert [error.message for error in VALIDATOR.iter_errors(document)] == []


@pytest.mark.parametrize(
    ("path", "document"), [pytest.param(*pair, id=name_of(pair[0])) for pair in readable("malformed")]
)
def test_the_schema_refuses_what_can_be_seen_in_one_place(path: Path, document: object) -> None:
    assert VALIDATOR.is_valid(document) is (name_of(path) in BEYOND_A_SCHEMA)


def test_most_malformed_files_are_seen_by_the_schema() -> None:
    seen = [path for path, document in readable("malformed") if not VALIDATOR.is_valid(document)]
    assert len(seen) >= 18


def test_editors_are_told_every_verb_and_every_property() -> None:
    step = SCHEMA["$defs"]["step"]["properties"]
    assert {name for name in step if name in VERBS} == set(VERBS)
    assert all(step[verb]["description"] == VERBS[verb].summary for verb in VERBS)
    assert SCHEMA["$defs"]["properties"]["items"]["enum"] == sorted(PROPERTIES)


def test_every_reference_in_the_schema_leads_somewhere() -> None:
    text = json.dumps(SCHEMA)
    used = {part.split('"')[0] for part in text.split("#/$defs/")[1:]}
    assert used <= set(SCHEMA["$defs"])


def test_every_kind_that_an_entry_takes_is_described() -> None:
    entries = [
        *form.HEADER, *form.MODIFIERS, *form.FACETS, *form.EXPECT_ENTRIES,
        *(entry for kind in form.STEPS.values() for entry in kind.entries),
    ]  # fmt: skip
    assert {entry.takes for entry in entries} <= set(form.TAKES)
    assert all(entry.summary for entry in entries)


def test_the_facets_are_those_of_an_answer() -> None:
    assert [facet.becomes for facet in form.FACETS if facet.name != "value"] == [
        field.name for field in fields(Answer) if field.name != "value"
    ]


def test_the_page_tells_every_key_of_the_format() -> None:
    page = scenario_reference()
    for verb in form.STEPS:
        assert f"### `{verb}`\n" in page
    for entry in (*form.HEADER, *form.MODIFIERS, *form.FACETS, *form.EXPECT_ENTRIES):
        assert f"| `{entry.name}`" in page
    assert page == scenario_reference()
    assert page.endswith("`label`.\n")
    assert "\n\n\n" not in page
