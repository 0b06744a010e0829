"""The rules of the house that no linter checks."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import pytest_sessionguard

PACKAGE = Path(pytest_sessionguard.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))
MODULES = [
    ".".join(["pytest_sessionguard", *path.relative_to(PACKAGE).with_suffix("").parts]).removesuffix(".__init__")
    for path in FILES
]

# What is heavy or belongs to one door -> the only places that may import it.
KEPT_IN = {
    "pytest": ("plugin/", "__init__.py"),
    "_pytest": (),
    "click": ("cli/",),
    "yaml": ("run/scenario_files.py",),
    "coverage": ("run/coverage_data.py",),
    "freezegun": ("clock/frozen.py",),
    "hypothesis": ("explore/",),
    "prometheus_client": ("reference/prometheus.py",),
    "jinja2": ("reports/html_page.py",),
    "greenlet": ("explore/light_strands.py",),
    "trio": ("clock/trio_runs.py",),
    "pydantic": (),
    "jsonschema": (),
}
# A profile is what the users know it as, and nobody's script stands beside target/profile.py.
ALLOWED = {"__init__", "__main__", "profile"}
VAGUE = {"utils", "util", "helpers", "helper", "misc", "common", "manager2", "data", "info", "stuff"}


def imported(path: Path) -> Iterator[str]:
    """Give the top name of every module that a file imports, wherever in the file; imports for types alone left out."""
    waiting: list[ast.AST] = [ast.parse(path.read_text(encoding="utf-8"))]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.split(".")[0]
        if not (isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"):
            waiting += ast.iter_child_nodes(node)


def strays(where: Path) -> list[str]:
    """Return every import of a kept module outside of its places."""
    found = []
    for path in sorted(where.rglob("*.py")):
        place = path.relative_to(where).as_posix()
        wrong = (name for name in sorted(set(imported(path)) & set(KEPT_IN)) if not stands_in(place, KEPT_IN[name]))
        found += [f"{place} imports {name}" for name in wrong]
    return found


def stands_in(place: str, kept: tuple[str, ...]) -> bool:
    """Say whether a file is one of those named, or in one of the folders named."""
    return any(place == one or (one.endswith("/") and place.startswith(one)) for one in kept)


def test_what_is_heavy_is_imported_in_its_own_place_alone() -> None:
    assert strays(PACKAGE) == []


def test_a_stray_import_is_seen_inside_a_function_too(tmp_path: Path) -> None:
    (tmp_path / "core").mkdir()
    (tmp_path / "core" / "bad.py").write_text("def f():\n    import yaml.cyaml\n", encoding="utf-8")
    (tmp_path / "plugin").mkdir()
    (tmp_path / "plugin" / "worse.py").write_text(
        "from _pytest.python import Function\nimport pytest\n", encoding="utf-8"
    )
    assert strays(tmp_path) == ["core/bad.py imports yaml", "plugin/worse.py imports _pytest"]


@pytest.mark.parametrize("path", FILES, ids=[path.relative_to(PACKAGE).as_posix() for path in FILES])
def test_every_module_says_its_rule_first(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))


def test_no_module_has_a_vague_name() -> None:
    assert [path for path in FILES if path.stem in VAGUE] == []


def test_no_module_is_called_like_one_of_the_standard_library() -> None:
    clashes = {path.stem for path in FILES} & set(sys.stdlib_module_names) - ALLOWED
    assert clashes == set()


def test_no_underscore_name_crosses_a_file() -> None:
    crossing = []
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("pytest_sessionguard"):
                crossing += [
                    f"{path.name}: {alias.name}"
                    for alias in node.names
                    if alias.name.startswith("_") and alias.name != "__version__"
                ]
    assert crossing == []


def test_every_public_name_is_where_the_package_says() -> None:
    for name, module in pytest_sessionguard.PUBLIC.items():
        found = getattr(pytest_sessionguard, name)
        assert found is getattr(sys.modules[module], name)


def test_an_unknown_public_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'Sesion'"):
        pytest_sessionguard.Sesion  # noqa: B018


def test_the_package_alone_imports_none_of_its_rooms() -> None:
    program = "import sys, pytest_sessionguard; print([n for n in sys.modules if n.startswith('pytest_sessionguard.')])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_everything_imports_where_fcntl_resource_and_fork_are_missing() -> None:
    names = [name for name in MODULES if not name.endswith("__main__")]
    # Refused to us alone: asyncio itself needs fcntl on this system, and has its own way on others.
    program = f"""
import builtins, os
from importlib import import_module

real = builtins.__import__

def refuse(name, globals=None, *rest):
    if name in ("fcntl", "resource") and (globals or {{}}).get("__name__", "").startswith("pytest_sessionguard"):
        raise ImportError(name)
    return real(name, globals, *rest)

builtins.__import__ = refuse
if hasattr(os, "fork"):
    del os.fork
for name in {names!r}:
    import_module(name)
print("all", len({names!r}))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert done.stdout.split() == ["all", str(len(names))]
