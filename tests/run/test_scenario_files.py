"""Scenario files are read strictly: all that is right is kept, all that is wrong is named at its place."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pytest_sessionguard.core import plan, scenario
from pytest_sessionguard.core.operations import VERBS
from pytest_sessionguard.core.scenario import Count, Parallel, RawId, Repeat, Scenario, Span, Step, Text, Variable
from pytest_sessionguard.core.values import FrozenMap
from pytest_sessionguard.errors import Fault, UsageError
from pytest_sessionguard.run import scenario_files
from pytest_sessionguard.run.scenario_format import STEPS

HERE = Path(__file__).parent
MALFORMED = sorted((HERE / "malformed").glob("*.session.yaml"))
WELLFORMED = sorted((HERE / "wellformed").glob("*.session.yaml"))

SMALL = "scenario: A story\nversion: 1\nsteps:\n"


def faults_of(text: str) -> list[str]:
    with pytest.raises(UsageError) as caught:
        scenario_files.load("a.session.yaml", text)
    return [str(fault).removeprefix("a.session.yaml:") for fault in caught.value.faults]


def read(text: str) -> tuple[Scenario | None, tuple[Fault, ...]]:
    try:
        return scenario_files.load("a.session.yaml", text), ()
    except UsageError as error:
        return None, error.faults


# -- what is wrong --------------------------------------------------------------------------------------------------


def test_there_are_malformed_files_to_refuse() -> None:
    assert len(MALFORMED) >= 30


@pytest.mark.parametrize("path", MALFORMED, ids=lambda path: path.name.removesuffix(".session.yaml"))
def test_a_malformed_file_is_refused_with_every_fault_at_its_place(path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        scenario_files.load(path)
    expected = path.with_name(path.name.replace(".session.yaml", ".faults")).read_text(encoding="utf-8")
    assert [str(fault) for fault in caught.value.faults] == [f"{path}:{line}" for line in expected.splitlines()]


@pytest.mark.parametrize("path", MALFORMED, ids=lambda path: path.name.removesuffix(".session.yaml"))
def test_the_places_are_the_same_without_the_fast_parser(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError) as fast:
        scenario_files.load(path)
    monkeypatch.setattr(scenario_files, "_PARSER", yaml.SafeLoader)
    with pytest.raises(UsageError) as slow:
        scenario_files.load(path)
    if path.name != "broken-yaml.session.yaml":  # Each parser has its own words for what is no YAML at all.
        assert slow.value.faults == fast.value.faults


def test_a_character_that_yaml_forbids_is_shown_with_its_place() -> None:
    assert faults_of(SMALL + "  - touch: '\x07'\n") == ["4:13: character '\\x07' may not stand in a YAML file"]
    assert faults_of("\ud800") == ["1:1: character '\\ud800' may not stand in a YAML file"]


def test_columns_count_characters_not_bytes() -> None:
    assert faults_of(SMALL + "  - {label: 'äöü€😀', tuch: a}\n") == ["4:22: unknown verb 'tuch', did you mean 'touch'?"]


def test_a_file_that_is_far_too_long_is_refused_unread() -> None:
    assert faults_of("#" * 1_000_001) == ["1:1: 1000001 characters: a scenario file has at most 1000000"]


def test_an_unknown_directive_version_is_no_crash() -> None:
    assert faults_of("%YAML 2.0\n---\na: 1\n")[0].startswith("1:1: not YAML: found incompatible YAML document")


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        (b"scenario: caf\xe9\nversion: 1\n", "1:14: byte 0xe9 is not UTF-8: save the file in that encoding"),
        (b"a: 1\n# \xc3\xa4 \xff", "2:5: byte 0xff is not UTF-8: save the file in that encoding"),
        (b"", "1:1: the file is empty; expected a scenario (scenario, version, steps)"),
    ],
)
def test_bytes_that_are_no_text_are_told_with_their_place(tmp_path: Path, raw: bytes, told: str) -> None:
    path = tmp_path / "a.session.yaml"
    path.write_bytes(raw)
    with pytest.raises(UsageError) as caught:
        scenario_files.load(path)
    assert str(caught.value) == f"{path}:{told}"


def test_a_file_that_is_not_there_or_has_another_name_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"none\.session\.yaml: cannot be read: No such file"):
        scenario_files.load(tmp_path / "none.session.yaml")
    with pytest.raises(UsageError, match=r"its name must end in \.session\.yaml"):
        scenario_files.load(tmp_path / "a.yaml")


def test_a_folder_named_like_a_scenario_file_is_no_file_to_load(tmp_path: Path) -> None:
    path = tmp_path / "a.session.yaml"
    path.mkdir()
    with pytest.raises(UsageError, match="cannot be read: Is a directory"):
        scenario_files.load(path)


# Words of the format in odd places reach further than plain noise does.
WORDS = sorted(
    {*VERBS, *STEPS, "scenario", "version", "steps", "matrix", "as", "session", "refused", "capture", "$i", "1"}
)
PIECES = st.sampled_from(
    [*WORDS, "- ", ": ", "{", "}", "[", "]", ", ", "\n", "  ", "\t", "&a ", "*a", "!t ", "$", "'", "#"]
)


@settings(max_examples=300, deadline=None)
@given(st.text() | st.lists(PIECES).map("".join) | st.lists(PIECES).map(lambda some: SMALL + "  - " + "".join(some)))
@example("%YAML 2.0\n---\n")
@example("? [a]\n: b\n")
@example("&a [*a]")
@example("\ufeff" + SMALL + "  - sweep: {}")
def test_any_text_gives_a_scenario_or_a_usage_error(text: str) -> None:
    story, faults = read(text)
    assert bool(faults) is (story is None)
    assert all(fault.line >= 1 and fault.column >= 1 and fault.message for fault in faults)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.sampled_from(WORDS) | st.text(),
    lambda deeper: st.lists(deeper, max_size=4) | st.dictionaries(st.sampled_from(WORDS), deeper, max_size=4),
    max_leaves=20,
)


@settings(max_examples=300, deadline=None)
@given(JSON, st.sampled_from(["steps", "matrix", "with", "requires", "invariants", "finally", "markers", "one step"]))
def test_any_tree_in_any_place_gives_a_scenario_or_a_usage_error(tree: object, place: str) -> None:
    document: dict[str, object] = {"scenario": "A story", "version": 1, "steps": [{"sweep": {}}]}
    if place == "one step":
        document["steps"] = [{"create": {"as": "a"}}, tree, {"update": tree}, {"expect": tree}, {"repeat": tree}]
    else:
        document[place] = tree
    text = yaml.dump(document, Dumper=yaml.SafeDumper)
    story, faults = read(text)
    assert faults if story is None else plan.cells(story)


# -- what is right --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", WELLFORMED, ids=lambda path: path.name.removesuffix(".session.yaml"))
def test_a_well_formed_file_is_read_and_every_step_knows_its_place(path: Path) -> None:
    story = scenario_files.load(path)
    lines = path.read_text(encoding="utf-8").splitlines()
    assert story.lines == tuple(lines)
    for step in story.all_steps:
        at = lines[step.place.line - 1][step.place.column - 1 :]
        assert step.place.path == str(path)
        assert at.startswith((f"{step.verb}:", f"{{{step.verb}:", "{session:", "&fresh", "- "))
        assert scenario.show(step).startswith(step.verb)


def test_the_well_formed_files_use_every_verb() -> None:
    used = {step.verb for path in WELLFORMED for step in scenario_files.load(path).all_steps}
    assert used == set(STEPS)


def test_the_contract_s_example_reads_as_it_is_meant() -> None:
    story = scenario_files.load(HERE / "wellformed" / "contract.session.yaml")
    assert story.title == "A touch in the last second keeps an idle session alive"
    assert story.matrix == FrozenMap({"early": ("1s", "1ms")})
    create, advance, touch, again, expect, parallel, *_ = story.steps
    assert isinstance(create, Step)
    assert create.arguments == FrozenMap({"as": "cart", "data": FrozenMap({"items": 1})})
    assert isinstance(advance, Step)
    assert advance.arguments == FrozenMap({"to_timeout_of": "cart", "minus_us": Span(Variable("early"))})
    assert isinstance(touch, Step)
    assert touch.arguments == FrozenMap({"session": "cart"})
    assert isinstance(again, Step)
    assert again.arguments == FrozenMap({"by_us": Span(Variable("early"))})
    assert isinstance(expect, Step)
    assert expect.arguments["alive"] is True
    assert isinstance(parallel, Parallel)
    assert [len(branch) for branch in parallel.branches] == [2, 1]
    assert [case.name for case in plan.cells(story)] == ["early=1s", "early=1ms"]
    assert story.invariants == ("data.isolation", "limit.enforced")


def test_variables_are_kept_open_by_what_must_stand_in_their_place() -> None:
    story = scenario_files.load(HERE / "wellformed" / "variables.session.yaml")
    assert story.figures["limit"] == Count(Variable("limit"))
    assert story.figures["absolute_timeout"] == 24 * 3_600_000_000
    (base,) = story.start
    assert isinstance(base, Step)
    assert base.arguments["data"] == FrozenMap(
        {
            "cost": "$5",
            "who": Variable("who"),
            Variable("who"): Text((Variable("who"), "!")),
            "both": Text((Variable("who"), " has ", Variable("limit"))),
        }
    )
    assert base.capture == FrozenMap(
        {"v": ("version",), "items": ("data", "items", "first"), "sid": ("id",), "left": ("seconds_us",)}
    )
    by_id = story.steps[2]
    assert isinstance(by_id, Step)
    assert by_id.arguments["session"] == RawId(Variable("sid"))
    repeat = story.steps[6]
    assert isinstance(repeat, Repeat)
    assert repeat.times == Count(Variable("history_limit"))
    filled = scenario.fill(base, {"who": "alice", "limit": 3})
    assert filled.arguments["data"] == FrozenMap(
        {"cost": "$5", "who": "alice", "alice": "alice!", "both": "alice has 3"}
    )


def test_modifiers_are_kept_as_they_are_meant() -> None:
    story = scenario_files.load(HERE / "wellformed" / "every-verb.session.yaml")
    steps = [step for step in story.steps if isinstance(step, Step)]
    assert [step.refused for step in steps if step.refused is not None] == [
        frozenset(),
        frozenset({"missing", "expired"}),
    ]
    last = next(step for step in steps if step.verb == "delete")
    assert (last.client, last.label) == ("B", "the end")
    assert next(step for step in steps if step.verb == "ttl").answer == FrozenMap({"seconds_us": 1_800_000_000})
    timeouts = [step.arguments["timeout_us"] for step in steps if "timeout_us" in step.arguments]
    assert timeouts == [1_800_000_000, None, 3_600_000_000, 1_000_000]


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text("ab $1:-{}#"), st.lists
    )
)
def test_data_written_by_any_yaml_writer_is_read_back(data: object) -> None:
    written = yaml.dump(_escaped(data), Dumper=yaml.SafeDumper, default_flow_style=True)
    text = SMALL + "  - create:\n      as: a\n      data: " + written.replace("\n...", "").replace("\n", "\n       ")
    (step,) = scenario_files.load("a.session.yaml", text).steps
    assert isinstance(step, Step)
    assert step.arguments["data"] == _frozen(data)


def _escaped(data: object) -> object:
    if isinstance(data, list):
        return [_escaped(item) for item in data]
    return data.replace("$", "$$") if isinstance(data, str) else data


def _frozen(data: object) -> object:
    return tuple(map(_frozen, data)) if isinstance(data, list) else data


# -- finding files --------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("b.session.yaml", "a.session.yaml", "deep/c.session.yaml", "other.yaml"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(SMALL + "  - sweep: {}\n")
    (tmp_path / "empty").mkdir()
    return tmp_path


def test_folders_are_searched_and_sorted_and_files_taken_as_given(folder: Path) -> None:
    found = scenario_files.find([folder / "deep" / "c.session.yaml", folder])
    assert [path.name for path in found] == ["c.session.yaml", "a.session.yaml", "b.session.yaml"]


def test_what_gives_no_scenario_file_is_told_all_at_once(folder: Path) -> None:
    with pytest.raises(UsageError) as caught:
        scenario_files.find([folder / "empty", folder / "other.yaml", folder / "gone", folder])
    assert [(Path(fault.path).name, fault.message) for fault in caught.value.faults] == [
        ("empty", "this folder holds no scenario file; expected *.session.yaml"),
        ("gone", "there is no such file or folder"),
        ("other.yaml", "not a scenario file: its name must end in .session.yaml"),
    ]


def test_validating_tells_the_faults_of_every_file_and_path(folder: Path) -> None:
    (folder / "a.session.yaml").write_text("scenario: x\nversion: 2\nsteps: [{sweep: {}}]\n")
    (folder / "deep" / "c.session.yaml").write_text("version: 1\n")
    faults = scenario_files.validate([folder / "gone", folder])
    assert [(Path(fault.path).name, fault.line, fault.column) for fault in faults] == [
        ("gone", 0, 0),
        ("a.session.yaml", 2, 10),
        ("c.session.yaml", 1, 1),
        ("c.session.yaml", 1, 1),
    ]
    assert scenario_files.validate([folder / "b.session.yaml"]) == ()
