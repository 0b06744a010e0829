"""A reference leads to its object, or the message says what to do."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from pytest_sessionguard.target.imports import ImportFault, error_class, put_on_path, resolve


def test_a_reference_may_be_dotted_on_both_sides() -> None:
    assert resolve("os.path:join") is __import__("os").path.join
    assert resolve("collections:OrderedDict.fromkeys")({"a"}) == {"a": None}


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("collections", "names no object: expected `module:attribute`"),
        ("collections:", "names no object"),
        ("a b:c", "names no object"),
        ("collections:OrderdDict", "collections has no 'OrderdDict', did you mean 'OrderedDict'?"),
        ("collections:OrderedDict.zzz", r"collections.OrderedDict has no 'zzz'$"),
        ("no_such_module_at_all.sub:x", "no module 'no_such_module_at_all' is to be found"),
    ],
)
def test_a_reference_that_leads_nowhere_says_why(reference: str, message: str) -> None:
    with pytest.raises(ImportFault, match=message):
        resolve(reference)


def test_a_module_that_breaks_while_it_is_imported_says_how(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "breaks_at_once.py").write_text("1 / 0")
    (tmp_path / "needs_what_is_not_there.py").write_text("import not_installed_anywhere")
    monkeypatch.setattr(sys, "path", list(sys.path))
    put_on_path([tmp_path])
    assert sys.path[0] == str(tmp_path)
    with pytest.raises(ImportFault, match="ZeroDivisionError: division by zero"):
        resolve("breaks_at_once:x")
    with pytest.raises(ImportFault, match="it needs 'not_installed_anywhere', which is not installed"):
        resolve("needs_what_is_not_there:x")


def test_folders_go_first_in_their_order_or_last_and_never_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", ["/a", "/b"])
    put_on_path(["/c", "/d", "/a"])
    put_on_path(["/e", "/c"], last=True)
    assert sys.path == ["/c", "/d", "/a", "/b", "/e"]


def test_exceptions_are_found_by_builtin_name_or_by_module() -> None:
    assert error_class("KeyError") is KeyError
    assert error_class("json:JSONDecodeError") is __import__("json").JSONDecodeError
    assert error_class("json.JSONDecodeError") is __import__("json").JSONDecodeError
    assert error_class("NoSuchErrorAnywhere") is None
    assert error_class("nowhere_at_all:Error") is None
    with pytest.raises(ImportFault, match="'print' is no exception class"):
        error_class("print")
