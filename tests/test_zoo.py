"""The zoo itself: what is called correct is accused by no story, what is called a bug is one, and names stay unique."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from zoo import catalogue
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


@pytest.mark.parametrize("kind", ["correct", "story", "planted"])
def test_a_profile_is_made_for_each_kind_that_leads_to_its_manager(kind: str, tmp_path: Path) -> None:
    entry = next(one for one in ALL.values() if one.kind == kind and not one.base.startswith("reference"))
    assert tell(FIRST, Runner(load(str(entry.profile(tmp_path)))))


def test_there_are_bugs_enough_of_every_kind() -> None:
    kinds = Counter(entry.kind for entry in ALL.values())
    assert kinds["planted"] >= 45
    assert kinds["planted"] + kinds["story"] + kinds["mutant"] >= 80
