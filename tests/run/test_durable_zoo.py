"""The durable stores of the zoo: the sound ones are accused of nothing, and a bug of each kind is found."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest
from zoo.durable import files, logs
from zoo.durable.catalogue import BUGS, SOUND, Durable

from pytest_sessionguard.run.checker import Settings, check
from pytest_sessionguard.run.runner import claims

pytestmark = pytest.mark.unmeasured

ONLY = ("durability", "recovery", "fault")


def searched(store: Durable, cases: int, kind: str) -> list[str]:
    settings = Settings(seed=1, budget_s=None, cases=cases, only=ONLY, first=True, kinds=(kind,))
    return [violation.property for violation in check(store.profile(), settings).violations]


def test_every_bug_has_a_sound_store_beside_it_and_is_blamed_on_what_it_claims() -> None:
    assert len(BUGS) >= 40
    assert len({store.name for store in BUGS}) == len(BUGS)
    for store in BUGS:
        assert store.properties & set(claims(store.profile())), store.name
        assert any(issubclass(store.factory, sound.factory) for sound in SOUND)


@pytest.mark.parametrize("store", SOUND[:2], ids=lambda store: store.name)
def test_a_sound_store_is_accused_of_nothing(store: Durable) -> None:
    assert searched(store, 2, "crashes") == []
    assert searched(store, 2, "faults") == []


@pytest.mark.parametrize(
    ("factory", "kind"),
    [
        (files.RenameWithoutFsync, "crashes"),
        (logs.CompactedInPlace, "crashes"),
        (files.LockLeak, "faults"),
    ],
)
def test_a_bug_is_found_under_a_name_that_fits(factory: Any, kind: str) -> None:
    (store,) = [store for store in BUGS if store.factory is factory]
    (found,) = searched(store, 20, kind)
    assert found in store.properties


def test_the_table_is_made_by_one_command(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    path = Path(__file__).parents[2] / "benchmarks" / "durable_zoo.py"
    spec = importlib.util.spec_from_file_location("durable_zoo_benchmark", path)
    assert spec is not None
    assert spec.loader is not None
    benchmark = importlib.util.module_from_spec(spec)
    monkeypatch.setattr(sys, "path", list(sys.path))
    spec.loader.exec_module(benchmark)
    asked = ["durable_zoo.py", "--cases", "8", "--kinds", "crashes", "--only", "NoFolderSync", "--json"]
    monkeypatch.setattr(sys, "argv", asked)
    benchmark.main()
    out = capsys.readouterr().out
    assert "| files.NoFolderSync | `durability.power-loss` |" in out
    assert '"durable_bugs_found": 1' in out
