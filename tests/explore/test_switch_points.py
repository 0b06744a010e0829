"""Switch points stand where another thread could make a difference, and change nothing else."""

from __future__ import annotations

import traceback
from typing import Any

import pytest

from pytest_sessionguard.explore.switch_points import Hooks, counterparts, with_points

Seen = list[Any]


def woven(source: str) -> tuple[dict[str, Any], Seen]:
    """Run a module with switch points; return its names and what passed the points since."""
    seen: Seen = []

    def hook(value: Any) -> Any:
        seen.append(value)
        return value

    _, code = with_points(source, "m.py", Hooks(point=hook, lock=hook))
    names: dict[str, Any] = {}
    exec(code, names)
    seen.clear()
    return names, seen


@pytest.mark.parametrize(
    ("body", "points"),
    [
        ("d['k'] = 1", 1),
        ("d['k'] = d['k'] + 1", 2),
        ("d['k'] += 1", 2),
        ("del d['k']", 1),
        ("return 'k' in d", 1),
        ("return 1 < 2 == 2", 0),
        ("return d.get('k')", 1),
        ("return [v for v in d]", 1),
        ("return {v for v in d}", 1),
        ("return {v: 1 for v in d}", 1),
        ("return list(v for v in d)", 1),
        ("for v in d:\n  pass", 1),
        ("while d:\n  d = None", 1),
        ("o.n += 1", 2),
        ("o.n = o.n + 1", 2),
        ("x = 1\n x += 1", 0),
        ("global G\n G += 1", 1),
        ("global G\n G = 1", 1),
        ("def f():\n  global G\n G = 1", 0),
        ("return os.sep", 0),
        ("return 'a'.join('b')", 0),
        ("return f'{d}'.upper()", 0),
        ("match o:\n  case C(n=1) if d['k']:\n   return 1", 1),
        ("o.m: int = 1", 1),
        ("o.m: int", 1),
        ("(lambda: o.n)()", 1),
        ("return C.K", 1),
        ("return o.outer(o.n)", 2),
        ("with o.cm:\n  pass", 2),
    ],
)
def test_points_stand_before_every_access_that_is_shared(body: str, points: int) -> None:
    source = f"""
import contextlib, os
G = 0
class C:
    K = 1
    def __init__(self):
        self.n = 1
        self.cm = contextlib.nullcontext()
    def outer(self, n=0):
        return self.inner(n, k=n)
    def inner(self, n, k):
        return self
def f(d, o):
 {body}
"""
    names, seen = woven(source)
    names["f"]({"k": 0}, names["C"]())
    # What the object itself was made with is not counted: nobody else knows it yet.
    assert len(seen) == points


def test_an_old_value_and_the_new_one_are_torn_apart_by_a_point() -> None:
    names, seen = woven("def f(d, n):\n    d['k'] += n\n")
    d = {"k": 5}
    names["f"](d, 2)
    # The second point passes what is added: the old value has been read, the new one is not written.
    assert (seen, d) == ([d, 2], {"k": 7})


def test_what_a_class_makes_and_annotates_stays_as_it_is() -> None:
    source = """
from __future__ import annotations
import dataclasses
class Base:
    def __init__(self): self.made = True
class C(Base):
    x: dict.values = 1
    def __init__(self, y: os.path = 3):
        super().__init__()
        self.y = y
    @property
    def z(self): return self.__y()
    def __y(self): return self.y
@dataclasses.dataclass
class D:
    n: int = 2
"""
    names, _ = woven(source)
    made = names["C"]()
    assert (made.z, made.made, names["D"]().n) == (3, True, 2)
    assert names["C"].__init__.__annotations__ == {"y": "os.path"}


def test_a_traceback_tells_the_same_lines_and_columns() -> None:
    source = "def f(d):\n    x = 1\n    return (d\n      ['nobody'])\n"
    told = []
    plain: dict[str, Any] = {}
    exec(compile(source, "m.py", "exec"), plain)
    for function in (plain["f"], woven(source)[0]["f"]):
        try:
            function({})
        except KeyError as error:
            last = traceback.extract_tb(error.__traceback__)[-1]
            told.append((last.filename, last.lineno, last.end_lineno, last.colno, last.end_colno, last.name))
    assert told[0] == told[1]


def test_every_function_has_its_counterpart_and_no_namespace_gets_a_name() -> None:
    def hook(value: Any) -> Any:
        return value

    source = (
        "def f():\n    def g(): return [x.y for x in ()]\n    return g, lambda: 1\nclass C:\n    def m(self): ...\n"
    )
    plain, code = with_points(source, "m.py", Hooks(point=hook, lock=hook))
    pairs = [(a.co_qualname, b.co_qualname) for a, b in counterparts(plain, code)]
    assert all(a == b for a, b in pairs)
    assert {"f", "f.<locals>.g", "f.<locals>.<lambda>", "C", "C.m"} <= {a for a, _ in pairs}
    assert all(set(a.co_names) == set(b.co_names) for a, b in counterparts(plain, code))


def test_other_code_has_no_counterparts() -> None:
    one, other = compile("def f(): ...", "m.py", "exec"), compile("def g(): ...", "m.py", "exec")
    assert list(counterparts(one, other)) == []
