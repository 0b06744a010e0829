"""Puts switch points into the functions of modules that are loaded already, and takes them out again.

Each function keeps its identity, closure, defaults, attributes and wrappers: only its `__code__` is another one for the
span.  Functions that code within the span makes are given their plain code back too.  A function whose module's source
is not there, or is not what the function was made of, is left alone and named, so that it can be traced instead.
"""

from __future__ import annotations

import gc
import importlib.machinery
import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from types import CodeType, FunctionType, ModuleType, TracebackType
from typing import Any, Final
from weakref import WeakKeyDictionary

from pytest_sessionguard.explore.switch_points import Hooks, counterparts, with_points

_HERE: Final = __name__.partition(".")[0]
# Of our own package only the reference system is a target.
_TARGET: Final = f"{_HERE}.reference"
_LIBRARIES: Final = ("site-packages", "dist-packages")

Key = tuple[Any, ...]


class Weaving:
    """Switch points in the functions of some modules, between `__enter__` and `__exit__`; may be entered again.

    To look for every function there is takes a while.  It is done at first, and again only when the codes are held by
    more than before: by functions that are new.

    Attributes:
        unmatched: codes of functions that got none, because no source tells what they were made of.
    """

    def __init__(self, modules: Iterable[ModuleType], hooks: Hooks) -> None:
        self.unmatched: frozenset[CodeType] = frozenset()
        self._hooks = hooks
        self._modules = {path: module for module in modules if (path := module.__dict__.get("__file__"))}
        self._woven: dict[str, dict[Key, CodeType]] = {}
        # Identity of a woven code -> the plain one that it stands for; the woven ones are kept.
        self._plain: dict[int, CodeType] = {}
        self._twins: list[CodeType] = []
        # Each function that was found, as long as it lives, with its plain code and its woven one.
        self._found: WeakKeyDictionary[FunctionType, tuple[CodeType, CodeType]] = WeakKeyDictionary()
        self._held_plain: list[tuple[int, CodeType]] = []
        self._held_woven: list[tuple[int, CodeType]] = []
        self._depth = 0

    def __enter__(self) -> Weaving:
        self._depth += 1
        if self._depth == 1:
            self._put_in()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._depth -= 1
        if not self._depth:
            self._take_out()

    def _put_in(self) -> None:
        if not self._held_plain or _held_anew(self._held_plain):
            self._look()
        for function, (_, woven) in self._found.items():
            function.__code__ = woven

    def _take_out(self) -> None:
        for function, (plain, _) in self._found.items():
            function.__code__ = plain
        if _held_anew(self._held_woven):
            for function in _functions():
                known = self._plain.get(id(function.__code__))
                if known is not None:
                    function.__code__ = known
            self._held_woven = _held(self._twins)
        if not self._held_plain:
            self._held_plain = _held(_with_inner(plain for plain, _ in self._found.values()))

    def _look(self) -> None:
        unmatched = set()
        for function in _functions():
            code = function.__code__
            if code.co_filename not in self._modules or function in self._found:
                continue
            woven = self._codes_of(code.co_filename).get(_key(code))
            if woven is None:
                unmatched.add(code)
            elif _fits(function, woven):
                self._found[function] = (code, woven)
                self._plain[id(woven)] = code
        self.unmatched = frozenset(unmatched)
        self._held_woven, self._held_plain = _held(self._twins), []

    def _codes_of(self, path: str) -> dict[Key, CodeType]:
        """Return the plain code of each function of a file, as a key, with its woven one."""
        known = self._woven.get(path)
        if known is None:
            known = self._woven[path] = {}
            for plain, woven in self._pairs(path):
                known[_key(plain)] = woven
                self._plain[id(woven)] = plain
                self._twins.append(woven)
        return known

    def _pairs(self, path: str) -> list[tuple[CodeType, CodeType]]:
        source = _source(self._modules[path])
        if source is None:
            return []
        try:
            plain, woven = with_points(source, path, self._hooks)
        except (SyntaxError, ValueError, RecursionError):
            return []
        return list(counterparts(plain, woven))


def _held(codes: Iterable[CodeType]) -> list[tuple[int, CodeType]]:
    """Return how often each code is held, and the codes."""
    kept = list(codes)
    return [(sys.getrefcount(code), code) for code in kept]


def _held_anew(held: list[tuple[int, CodeType]]) -> bool:
    """Say whether a code is held more often than it was."""
    # One list held each when it was counted, and one list does now.
    return any(sys.getrefcount(code) > count for count, code in held)


def _with_inner(codes: Iterable[CodeType]) -> Iterator[CodeType]:
    """Give codes, and those of functions within them."""
    for code in codes:
        yield code
        yield from _with_inner(const for const in code.co_consts if isinstance(const, CodeType))


class SwitchPoints:
    """Switch points wherever they are asked for, between `__enter__` and `__exit__`; may be entered again.

    Entered again, it puts them at once wherever they were before.
    """

    def __init__(self, hooks: Hooks) -> None:
        self._hooks = hooks
        self._woven: dict[tuple[ModuleType, ...], Weaving] = {}
        self._known: dict[tuple[Any, ...], tuple[ModuleType, ...]] = {}
        self._span = ExitStack()
        self._depth = 0

    def __enter__(self) -> SwitchPoints:
        self._depth += 1
        if self._depth == 1:
            for weaving in self._woven.values():
                self._span.enter_context(weaving)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._depth -= 1
        if not self._depth:
            self._span.close()

    def put_into(self, *things: Any) -> tuple[ModuleType, ...]:
        """Put switch points into the projects of the things for the rest of the span; return their modules."""
        kinds = tuple(thing if callable(thing) else type(thing) for thing in things)
        modules = self._known.get(kinds)
        if modules is None:
            modules = self._known[kinds] = own_modules(things)
        if modules not in self._woven:
            self._woven[modules] = Weaving(modules, self._hooks)
            self._span.enter_context(self._woven[modules])
        return modules

    @property
    def unmatched(self) -> frozenset[CodeType]:
        """Return the codes of functions that got no switch points."""
        return frozenset(code for weaving in self._woven.values() for code in weaving.unmatched)


def _functions() -> list[FunctionType]:
    """Return every function that there is: closures and what decorators have hidden too."""
    return [each for each in gc.get_objects() if type(each) is FunctionType]


def _fits(function: FunctionType, code: CodeType) -> bool:
    return len(function.__closure__ or ()) == len(code.co_freevars)


def _key(code: CodeType) -> Key:
    """Return what tells a function's code from every other, and from itself in an edited source.

    The codes of Python 3.11 do not always compare equal once they have run.
    """
    return (
        code.co_qualname,
        code.co_firstlineno,
        code.co_code,
        code.co_linetable,
        code.co_names,
        code.co_varnames,
        code.co_freevars,
        tuple((type(const), const) for const in code.co_consts if not isinstance(const, CodeType)),
    )


def _source(module: ModuleType) -> str | None:
    spec = module.__dict__.get("__spec__")
    loader = module.__dict__.get("__loader__") or (spec.loader if spec is not None else None)
    get_source = getattr(loader, "get_source", None)
    try:
        if get_source is not None:
            found = get_source(module.__name__)
            return found if isinstance(found, str) else None
        return Path(str(module.__file__)).read_text(encoding="utf-8")
    except (ImportError, OSError, UnicodeDecodeError):
        return None


# -- which modules ---------------------------------------------------------------------------------------------------


def own_modules(things: Iterable[Any]) -> tuple[ModuleType, ...]:
    """Return the loaded modules of the projects that the things belong to, by name.

    A project is a top-level package; for a single module, also those beside it that it uses.
    A library is a project only if one of the things is its own.  The standard library and this package never are.
    """
    found: dict[str, ModuleType] = {}
    for thing in things:
        name = getattr(thing, "__module__", None) or type(thing).__module__
        module = sys.modules.get(name) if isinstance(name, str) else None
        if module is not None and _may_be_woven(name):
            found[name] = module
            found.update(_project(name, module))
    return tuple(found[name] for name in sorted(found))


def _may_be_woven(name: str) -> bool:
    top = name.partition(".")[0]
    if top == _HERE:
        return name == _TARGET or name.startswith(f"{_TARGET}.")
    return top not in sys.stdlib_module_names or top == "__main__"


def _project(name: str, module: ModuleType) -> dict[str, ModuleType]:
    top = name.partition(".")[0]
    loaded = {other: each for other, each in list(sys.modules.items()) if isinstance(each, ModuleType)}
    if top == _HERE:
        return {other: each for other, each in loaded.items() if _may_be_woven(other) and other.startswith(_TARGET)}
    if "." in name or hasattr(module, "__path__"):
        return {other: each for other, each in loaded.items() if other == top or other.startswith(f"{top}.")}
    file = module.__dict__.get("__file__")
    if not file or any(part in _LIBRARIES for part in Path(file).parts):
        return {}
    folder, found, waiting = Path(file).parent, {name: module}, [module]
    while waiting:
        for other in sorted(_used_by(waiting.pop()) - found.keys()):
            if other in loaded and _may_be_woven(other) and _is_beside(loaded[other], folder):
                found[other] = loaded[other]
                waiting.append(found[other])
    return found


def _used_by(module: ModuleType) -> set[str]:
    """Return the names of the modules that a module has something of."""
    used = set()
    for value in list(vars(module).values()):
        name = value.__name__ if isinstance(value, ModuleType) else getattr(value, "__module__", None)
        if isinstance(name, str):
            used.add(name)
    return used


def _is_beside(module: ModuleType, folder: Path) -> bool:
    """Say whether a module was imported from plain source within the folder, and not from a library's own."""
    file = module.__dict__.get("__file__")
    spec = module.__dict__.get("__spec__")
    if not file or spec is None or type(spec.loader) is not importlib.machinery.SourceFileLoader:
        return False
    path = Path(file)
    return folder in path.parents and not any(part in _LIBRARIES for part in path.parts)
