"""Every form of a TARGET leads to its profile; what fits nothing is told with what would."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from pytest_sessionguard.errors import UsageError
from pytest_sessionguard.target.profile import Profile, load, profile, refused_for_run, shipped_names

SHAPES = Path(__file__).parent / "shapes"
TEXT = '[manager]\nfactory = "shape_shop:Lazy"\n{more}\n[operations]\ncreate = "create() -> id"\n'


@pytest.fixture(autouse=True)
def path_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [str(SHAPES), *sys.path])


@pytest.mark.parametrize("name", shipped_names())
def test_every_shipped_profile_loads_without_a_warning_and_can_be_run(name: str) -> None:
    shipped = load(name)
    assert shipped.name == name
    assert shipped.warnings == ()
    assert refused_for_run(shipped) == ()


def test_the_reference_manager_is_shipped_in_its_shapes_and_under_a_short_name() -> None:
    assert shipped_names() == (
        "reference",
        "reference-redis",
        "reference-async-file",
        "reference-async-memory",
        "reference-async-redis",
        "reference-async-sqlite",
        "reference-recovery",
        "reference-sync-file",
        "reference-sync-memory",
        "reference-sync-redis",
        "reference-sync-sqlite",
    )
    assert load("reference").factory == load("reference-async-memory").factory


def test_a_file_is_read_relative_to_the_start_folder(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "shop.sessionguard.toml").write_bytes(TEXT.format(more="").replace("\n", "\r\n").encode())
    told = load("sub/shop.sessionguard.toml", start_folder=tmp_path)
    assert (told.name, told.folder, told.path) == (
        "shop",
        tmp_path / "sub",
        tmp_path / "sub" / "shop.sessionguard.toml",
    )
    assert load(tmp_path / "sub" / "shop.sessionguard.toml").name == "shop"
    (tmp_path / "plain.toml").write_text(TEXT.format(more=""))
    assert load("plain.toml", start_folder=tmp_path).name == "plain"


def test_a_pyproject_is_named_by_its_folder(tmp_path: Path) -> None:
    text = TEXT.format(more="").replace("[", "[tool.sessionguard.")
    (tmp_path / "pyproject.toml").write_text(text)
    assert load("pyproject.toml", start_folder=tmp_path).name == tmp_path.name


def test_the_profiles_own_folder_is_looked_in_where_no_path_is_written(tmp_path: Path) -> None:
    (tmp_path / "beside_the_profile.py").write_text("class Store:\n    def create(self): ...\n")
    (tmp_path / "a.toml").write_text(TEXT.format(more="").replace("shape_shop:Lazy", "beside_the_profile:Store"))
    assert load("a.toml", start_folder=tmp_path).paths == ()
    assert sys.path[-1] == str(tmp_path)


def test_an_attribute_may_be_a_profile_a_mapping_or_a_class(tmp_path: Path) -> None:
    (tmp_path / "kept_profiles.py").write_text(
        "from pytest_sessionguard.target.profile import Profile, profile\n"
        "TABLES = {'manager': {'factory': 'shape_shop:Lazy'}, 'operations': {'create': 'create() -> id'}}\n"
        "PLAIN = Profile.of(TABLES)\n"
        "NAMED = profile(factory='shape_shop:Lazy', operations=TABLES['operations'], name='mine', callers='tasks')\n"
        "NUMBER = 5\n"
    )
    assert load("kept_profiles:PLAIN", start_folder=tmp_path).name == "kept_profiles:PLAIN"
    assert load("kept_profiles:NAMED", start_folder=tmp_path).name == "mine"
    assert load("kept_profiles:TABLES", start_folder=tmp_path).factory == "shape_shop:Lazy"
    with pytest.raises(UsageError, match="kept_profiles:NUMBER is a int: expected a Profile, a class or a factory"):
        load("kept_profiles:NUMBER", start_folder=tmp_path)


def test_a_class_with_usual_names_needs_no_profile_and_tells_what_was_guessed() -> None:
    told = load("shape_usual:SessionManager", start_folder=SHAPES)
    assert told.operations["create"][0].text == "get_or_create(id) -> session"
    assert told.policy.idle_timeout == 3_600_000_000
    assert 'shape_usual:SessionManager: guessed: existing = "return" (by its name)' in told.warnings


def test_a_profile_itself_is_a_target() -> None:
    told = load("reference")
    assert load(told) is told


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("refrence", "'refrence' is no target: .*, did you mean 'reference'?"),
        ("zzz", "expected a profile's path, `module:attribute`, or a shipped profile; expected one of: reference, "),
        ("no_such_module_here:X", "no module 'no_such_module_here' .* or shipped: reference, "),
        ("shape_shop:Lasy", "shape_shop has no 'Lasy', did you mean 'Lazy'?"),
        ("shp.sessionguard.toml", "shp.sessionguard.toml: no such file, did you mean 'shop.sessionguard.toml'?"),
        ("nowhere/x.toml", r"nowhere/x.toml: no such file$"),
    ],
)
def test_what_fits_nothing_is_told_with_what_would(target: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "shop.sessionguard.toml").write_text("")
    with pytest.raises(UsageError, match=message.replace("?", r"\?")):
        load(target, start_folder=tmp_path)


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_bytes(b"x = '\xff'")
    with pytest.raises(UsageError, match=r"a.toml: not UTF-8 text \(byte 5\)"):
        load("a.toml", start_folder=tmp_path)


def test_a_profile_in_python_takes_the_tables_as_keywords() -> None:
    def make() -> Any: ...

    told = profile(
        factory=make,
        operations={"create": "create() -> session"},
        policy={"limit": 3},
        session={"data": "data"},
        errors={"limit": KeyError},
        answers={"missing": [404]},
        metrics={"total": "total"},
        health={"ok": "ok"},
        probes={"n": "len:kept"},
        check={"seed": 3},
    )
    assert isinstance(told, Profile)
    assert told.name.endswith("make")
    assert (told.policy.limit, told.check.seed, told.session.data) == (3, 3, "data")


@pytest.mark.parametrize(
    ("more", "word"),
    [
        ("instances = 2", "instances = 2"),
        ('callers = "processes"', 'callers = "processes"'),
        ('background = "loop()"', "background = 'loop()'"),
        ('isolation = "process"', 'isolation = "process"'),
        ('time = "real"', 'time = "real"'),
        ('[probes]\nn = "len:kept"', "[probes] n"),
    ],
)
def test_what_only_search_reaches_is_refused_by_a_run_in_clear_words(more: str, word: str, tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text(TEXT.format(more=more))
    refused = refused_for_run(load("a.toml", start_folder=tmp_path))
    assert len(refused) == 1
    assert word in refused[0]
