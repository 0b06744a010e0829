"""Switch points come into living functions and go again without a trace."""

from __future__ import annotations

import functools
import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from pytest_sessionguard.explore.switch_points import Hooks
from pytest_sessionguard.explore.weaving import Weaving, own_modules
from pytest_sessionguard.reference.manager import SessionManager

SOURCE = """
import functools

def logged(function):
    @functools.wraps(function)
    def wrapper(*args):
        wrapper.calls[0] += 1
        return function(*args)
    wrapper.calls = [0]
    return wrapper

class Store:
    def __init__(self):
        self.d = {'k': 0}

    @logged
    def touch(self, by=1):
        self.d['k'] = self.d['k'] + by
        return self.d['k']

    @property
    def k(self):
        return self.d['k']

    @staticmethod
    def one(d):
        return d['k']

    @classmethod
    def two(cls, d):
        return d['k']

    def later(self):
        return lambda: self.d['k']

def adder(start):
    total = start
    def add(n):
        nonlocal total
        total += n
        return total
    return add

REGISTRY = [adder(10)]
"""


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    (tmp_path / "wshop").mkdir()
    (tmp_path / "wshop" / "__init__.py").write_text("")
    (tmp_path / "wshop" / "store.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    yield importlib.import_module("wshop.store")
    for name in [name for name in sys.modules if name.partition(".")[0] == "wshop"]:
        del sys.modules[name]


class Counter:
    def __init__(self) -> None:
        self.n = 0

    def __call__(self, value: Any) -> Any:
        self.n += 1
        return value

    def during(self, work: Any) -> int:
        before = self.n
        work()
        return self.n - before


def weaving(module: ModuleType) -> tuple[Weaving, Counter]:
    counter = Counter()
    return Weaving([module], Hooks(point=counter, lock=counter)), counter


def test_every_kind_of_function_gets_its_points_and_loses_them_again(shop: Any) -> None:
    weave, points = weaving(shop)
    store = shop.Store()
    kinds = [
        store.touch,
        lambda: store.k,
        lambda: shop.Store.one(store.d),
        lambda: shop.Store.two(store.d),
        lambda: store.later()(),
        lambda: shop.REGISTRY[0](1),
        functools.partial(store.touch, 2),
    ]
    codes = [shop.Store.touch.__code__, shop.REGISTRY[0].__code__, shop.Store.__init__.__code__]
    with weave:
        assert [points.during(kind) > 0 for kind in kinds] == [True] * len(kinds)
        assert weave.unmatched == frozenset()
    assert [points.during(kind) for kind in kinds] == [0] * len(kinds)
    after = [shop.Store.touch.__code__, shop.REGISTRY[0].__code__, shop.Store.__init__.__code__]
    assert all(one is other for one, other in zip(codes, after, strict=True))
    assert vars(shop).keys() == vars(importlib.reload(shop)).keys()


def test_functions_that_were_made_meanwhile_lose_their_points_too(shop: Any) -> None:
    weave, points = weaving(shop)
    with weave:
        made = [shop.Store().later(), shop.adder(1)]
        assert points.during(made[0]) > 0
    assert [points.during(made[0]), points.during(lambda: made[1](1))] == [0, 0]


def test_it_may_be_entered_again_and_within_itself(shop: Any) -> None:
    weave, points = weaving(shop)
    store = shop.Store()
    with weave:
        with weave:
            pass
        assert points.during(store.touch) > 0
    assert points.during(store.touch) == 0
    with weave:
        assert points.during(store.touch) > 0
    assert points.during(store.touch) == 0


def test_an_error_within_leaves_nothing_behind(shop: Any) -> None:
    weave, points = weaving(shop)
    with pytest.raises(ZeroDivisionError), weave:
        raise ZeroDivisionError
    assert points.during(shop.Store().touch) == 0


def test_functions_whose_source_has_changed_or_gone_are_named_and_left_alone(shop: Any) -> None:
    path = Path(shop.__file__)
    for text in (SOURCE.replace("self.d['k'] + by", "self.d['k'] - by"), "def f(:", None):
        if text is None:
            path.unlink()
        else:
            path.write_text(text)
        weave, points = weaving(shop)
        with weave:
            assert "Store.touch" in {code.co_qualname for code in weave.unmatched}
            assert points.during(lambda: shop.Store().touch.__wrapped__(shop.Store())) == 0


def test_a_package_is_a_project_and_so_is_a_module_with_what_it_uses_beside_it(shop: Any, tmp_path: Path) -> None:
    assert [module.__name__ for module in own_modules([shop.Store])] == ["wshop", "wshop.store"]
    (tmp_path / "wsingle.py").write_text("from wbeside import One\nclass Manager: ...\n")
    (tmp_path / "wbeside.py").write_text("import wfurther\nclass One: ...\n")
    (tmp_path / "wfurther.py").write_text("")
    (tmp_path / "wstranger.py").write_text("import wsingle")
    try:
        single = importlib.import_module("wsingle")
        importlib.import_module("wstranger")
        names = [module.__name__ for module in own_modules([single.Manager(), single.Manager])]
        assert names == ["wbeside", "wfurther", "wsingle"]
    finally:
        for name in ("wsingle", "wbeside", "wfurther", "wstranger"):
            sys.modules.pop(name, None)


def test_a_library_is_woven_only_if_it_is_the_target_and_the_standard_library_never() -> None:
    cachelib = pytest.importorskip("cachelib")
    assert {module.__name__.partition(".")[0] for module in own_modules([cachelib.SimpleCache])} == {"cachelib"}
    assert own_modules([dict, functools.partial, 3, Weaving]) == ()
    assert all(module.__name__.startswith("pytest_sessionguard.reference") for module in own_modules([SessionManager]))
