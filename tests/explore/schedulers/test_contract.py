"""What every scheduler of the catalogue keeps."""

from __future__ import annotations

import subprocess
import sys
from itertools import islice

import pytest

from pytest_sessionguard.core.schedule import Schedule, Settings
from pytest_sessionguard.errors import UsageError
from pytest_sessionguard.explore import schedulers
from tests.explore.strands import runs, steps_of

NAMES = sorted(schedulers.kinds())


@pytest.mark.parametrize("name", NAMES)
def test_a_kind_tells_its_name_and_what_it_does(name: str) -> None:
    kind = schedulers.kinds()[name]
    assert kind.name == name
    assert kind.summary
    assert not kind.summary.endswith(".")


@pytest.mark.parametrize("name", NAMES)
def test_only_strands_that_can_run_are_chosen(name: str) -> None:
    # `runs` asserts it at every decision.
    assert list(islice(runs(schedulers.make(name), steps_of(3, 2, 4)), 50))


@pytest.mark.parametrize("name", NAMES)
def test_the_same_seed_gives_the_same_runs(name: str) -> None:
    settings = Settings(seed=7)
    once, again = (list(islice(runs(schedulers.make(name, settings), steps_of(3, 3)), 30)) for _ in range(2))
    assert once == again


@pytest.mark.parametrize("name", NAMES)
def test_what_ends_comes_to_an_end_and_what_does_not_goes_on(name: str) -> None:
    done = len(list(runs(schedulers.make(name), steps_of(3, 3), runs_max=200)))
    assert (done < 200) is schedulers.kinds()[name].ends


@pytest.mark.parametrize("name", NAMES)
def test_every_recorded_run_can_be_replayed(name: str) -> None:
    for seen in islice(runs(schedulers.make(name), steps_of(2, 3, 2)), 20):
        settings = Settings(schedule=Schedule(seen.choices))
        assert list(runs(schedulers.make("replay", settings), steps_of(2, 3, 2))) == [seen]


def test_runs_do_not_depend_on_the_hash_seed() -> None:
    program = (
        "from itertools import islice; from pytest_sessionguard.core.schedule import Settings; "
        "from pytest_sessionguard.explore import schedulers; from tests.explore.strands import runs, steps_of\n"
        "print([(n, [r.choices for r in islice(runs(schedulers.make(n, Settings(seed=3)), steps_of(3, 3, 2)), 40)])"
        " for n in sorted(schedulers.kinds())])"
    )
    told = {
        subprocess.run(
            [sys.executable, "-c", program], env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        ).stdout
        for seed in ("0", "1")
    }
    assert len(told) == 1


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(UsageError, match=r"there is no scheduler 'radnom', did you mean 'random'\?"):
        schedulers.make("radnom")
