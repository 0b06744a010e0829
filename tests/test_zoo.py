"""The zoo itself: what is called correct is accused by no story, what is called a bug is one, and names stay unique."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections import Counter
from pathlib import Path

import pytest
from zoo import catalogue, mutation
from zoo.mutants import EQUIVALENT, MUTANTS
from zoo.planted import PLANTED, PlantedBug
from zoo.stories import STORIES, correct, held, tell, troubles
from zoo.variants import CORRECT, loaded, source_of

from pytest_sessionguard.core.properties import PROPERTIES
from pytest_sessionguard.run.runner import Runner, claims
from pytest_sessionguard.target.loading import load

NAMES = sorted(path.name.partition(".")[0] for path in CORRECT.glob("*.toml"))
ALL = catalogue.everything()

# Every so many stories one is told: all of them are told to a few managers elsewhere, and here each gets others.
STRIDE = 12
FIRST = "A new session lives and holds what it was given"

_SPEC = importlib.util.spec_from_file_location("zoo_benchmark", Path(__file__).parents[1] / "benchmarks" / "zoo.py")
assert _SPEC is not None
assert _SPEC.loader is not None
benchmark = importlib.util.module_from_spec(_SPEC)
_before = list(sys.path)
_SPEC.loader.exec_module(benchmark)
sys.path[:] = _before

DIFFICULTIES = {"easy", "medium", "hard", "very hard"}


@pytest.mark.unmeasured
@pytest.mark.parametrize("name", NAMES)
def test_a_handful_of_stories_accuses_no_correct_manager(name: str) -> None:
    runner = Runner(correct(name))
    titles = {FIRST, *sorted(STORIES)[NAMES.index(name) % STRIDE :: STRIDE]}
    told = {title: tell(title, runner) for title in titles}
    assert [trouble for cases in told.values() for trouble in troubles(cases)] == []
    assert held(told[FIRST])


def test_every_correct_manager_has_a_style() -> None:
    assert sorted(name for names in catalogue.STYLES.values() for name in names) == NAMES
    assert len(NAMES) >= 24
    assert len(catalogue.STYLES) >= 6


@pytest.mark.unmeasured
@pytest.mark.parametrize("bug", PLANTED.values(), ids=lambda bug: bug.name)
def test_a_planted_bug_shows_by_hand_and_does_not_in_the_original(bug: PlantedBug) -> None:
    assert bug.demonstrate(loaded(bug.name, bug.applied(source_of(bug.base)))) is True
    assert bug.demonstrate(loaded(bug.base, source_of(bug.base))) is False


def test_every_bug_is_blamed_on_what_its_profile_claims(tmp_path: Path) -> None:
    for base in sorted({entry.base for entry in ALL.values() if entry.kind != "correct"}):
        made = [entry for entry in ALL.values() if entry.base == base and entry.kind != "correct"]
        told = set(claims(load(str(made[0].profile(tmp_path)))))
        for entry in made:
            assert entry.difficulty in DIFFICULTIES, entry
            assert entry.properties <= set(PROPERTIES), entry
            assert entry.properties & told, entry


@pytest.mark.parametrize("kind", ["correct", "story", "planted", "mutant"])
def test_a_profile_is_made_for_each_kind_that_leads_to_its_manager(kind: str, tmp_path: Path) -> None:
    entry = next(one for one in ALL.values() if one.kind == kind and not one.base.startswith("reference"))
    assert tell(FIRST, Runner(load(str(entry.profile(tmp_path)))))


@pytest.mark.parametrize("base", NAMES)
def test_the_mutants_are_those_that_were_drawn_and_change_what_they_say(base: str) -> None:
    source = source_of(base)
    listed = {name: one.about for name, one in MUTANTS.items()} | {name: done for name, (done, _) in EQUIVALENT.items()}
    assert set(mutation.draw(base, source)) == {name for name in listed if name.startswith(f"{base}:")}
    for name in mutation.draw(base, source):
        made = mutation.mutate(name, source)
        assert made.source != mutation.unchanged(source)
        assert made.done == listed[name]


def test_a_mutant_that_is_an_equal_says_why() -> None:
    assert not set(EQUIVALENT) & set(MUTANTS)
    assert all(len(why) > 10 for _, why in EQUIVALENT.values())


@pytest.mark.parametrize("operator", mutation.OPERATORS)
def test_every_operator_changes_something(operator: str) -> None:
    source = "\n".join(["def f(a, lock):", *map("    {}".format, SAMPLE)])
    _, places = mutation.sites(operator, source)
    assert places
    for number in range(1, len(places) + 1):
        assert mutation.mutated(f"f:{operator}:{number}", source) != mutation.unchanged(source)


def test_a_place_that_there_is_not_is_told() -> None:
    with pytest.raises(ValueError, match="applies at 0 places"):
        mutation.mutate("f:boundary:1", "def f(): pass")


SAMPLE = [
    "a = 1",
    "b = copy.deepcopy(a)",
    "if a >= b:",
    "    return a",
    "with lock:",
    "    a -= min(a, b)",
    "try:",
    "    a = a + b",
    "finally:",
    "    b = 2",
]


def of(properties: list[str], **more: object) -> dict[str, object]:
    """Return a result that names these as violated."""
    violations = [{"property": name, "message": f"{name} violated"} for name in properties]
    return {"verdict": "held", "cases": 1, "violations": violations, "properties": [], **more}


def test_a_find_counts_only_under_a_name_that_is_right() -> None:
    bug = next(entry for entry in ALL.values() if entry.kind == "planted")
    right = min(bug.properties)
    assert benchmark.judged(bug, of([right]))["status"] == "found"
    assert benchmark.judged(bug, of(["metrics.consistent"]))["status"] == "misnamed"
    assert benchmark.judged(bug, of([]))["status"] == "missed"
    assert benchmark.judged(bug, of([], verdict="error"))["status"] == "error"


def test_a_correct_manager_that_is_accused_spoils_the_table(tmp_path: Path) -> None:
    correct_one = next(entry for entry in ALL.values() if entry.kind == "correct")
    rows = []
    for seed, properties in enumerate([["expiry.idle"], []]):
        row = {"name": correct_one.name, "kind": "correct", "seed": seed, "budget_s": 1.0}
        rows.append(row | benchmark.judged(correct_one, of(properties)))
    assert [row["status"] for row in rows] == ["accused", "held"]
    assert not benchmark.is_good(rows)
    assert benchmark.is_good(rows[1:])
    page = tmp_path / "page.md"
    page.write_text(f"before\n{benchmark.BEGIN}what was there\n{benchmark.END}after\n", encoding="utf-8")
    benchmark.write_table(page, benchmark.table([correct_one], rows))
    told = page.read_text(encoding="utf-8")
    assert "`expiry.idle`" in told
    assert "what was there" not in told
    assert (told[:7], told[-6:]) == ("before\n", "after\n")


def test_what_was_looked_at_is_not_looked_at_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    results = tmp_path / "zoo.jsonl"
    row = {"name": "web_store", "kind": "correct", "seed": 1, "budget_s": 30.0, "status": "held", "unproven": {}}
    results.write_text(json.dumps(row) + "\n", encoding="utf-8")
    asked = ["--only", "web_store", "--kind", "correct", "--seeds", "1", "--results", str(results)]
    assert benchmark.main(asked) == 0
    assert results.read_text(encoding="utf-8").count("\n") == 1
    assert benchmark.main([*asked, "--list"]) == 0
    assert "1 managers" in capsys.readouterr().out


def test_a_sample_is_always_the_same() -> None:
    options = benchmark.parsed(["--sample", "5"])
    assert len(benchmark.chosen(options)) == 5
    assert benchmark.chosen(options) == benchmark.chosen(options)


def test_there_are_bugs_enough_of_every_kind() -> None:
    kinds = Counter(entry.kind for entry in ALL.values())
    assert kinds["correct"] >= 24
    assert kinds["planted"] >= 45
    assert kinds["mutant"] >= 40
