"""The zoo itself: what is called correct is accused by no story, what is called a bug is one, and names stay unique."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from zoo import catalogue, mutation
from zoo.mutants import EQUIVALENT, MUTANTS
from zoo.planted import PLANTED, PlantedBug
from zoo.stories import NOT_YET, STORIES, correct, held, tell, troubles
from zoo.variants import CORRECT, loaded, source_of

from pytest_sessionguard.core.properties import PROPERTIES
from pytest_sessionguard.run.runner import Runner, claims
from pytest_sessionguard.target.loading import load

NAMES = sorted(path.name.partition(".")[0] for path in CORRECT.glob("*.toml"))
ALL = catalogue.everything()

# Every so many stories one is told: all of them are told to a few managers elsewhere, and here each gets others.
STRIDE = 12
FIRST = "A new session lives and holds what it was given"

DIFFICULTIES = {"easy", "medium", "hard", "very hard"}


@pytest.mark.parametrize("name", NAMES)
def test_a_handful_of_stories_accuses_no_correct_manager(name: str) -> None:
    runner = Runner(correct(name))
    titles = {FIRST, *sorted(STORIES)[NAMES.index(name) % STRIDE :: STRIDE]}.difference(NOT_YET.get(name, ()))
    told = {title: tell(title, runner) for title in titles}
    assert [trouble for cases in told.values() for trouble in troubles(cases)] == []
    assert held(told[FIRST])


def test_every_correct_manager_has_a_style() -> None:
    assert sorted(name for names in catalogue.STYLES.values() for name in names) == NAMES
    assert len(NAMES) >= 24
    assert len(catalogue.STYLES) >= 6


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


def test_there_are_bugs_enough_of_every_kind() -> None:
    kinds = Counter(entry.kind for entry in ALL.values())
    assert kinds["correct"] >= 24
    assert kinds["planted"] >= 45
    assert kinds["mutant"] >= 40
