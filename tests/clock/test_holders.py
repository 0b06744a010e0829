"""Every way of holding a clock that was captured before the span: virtual within, exactly as before afterwards."""

from __future__ import annotations

import sys
import types
from collections.abc import Iterator
from typing import Any

import pytest

from pytest_sessionguard.clock import readings
from pytest_sessionguard.clock.virtual import START_US, VirtualClock

HEAD = """
import asyncio, collections, contextlib, dataclasses, datetime, enum, functools, sched, time, types
from datetime import UTC

class Timer:
    def __init__(self, now):
        self.__now = now
    def __call__(self):
        return self.__now()

class Cache:
    def __init__(self, now):
        self.timer = Timer(now)

class Manager:
    def __init__(self, now):
        self.cache = Cache(now)

class Slotted:
    __slots__ = ("now", "unset")
    def __init__(self, now):
        self.now = now

def made_local(now):
    class Local:
        clock = now
    return Local

def closed_over(now):
    def read():
        return now()
    return read

def unassigned():
    def read():
        return later
    return read
    later = 1

def wrapping(function):
    @functools.wraps(function)
    def wrapper(*args):
        return function(*args)
    return wrapper
"""

# What holds it, how to write it, how to read the time through it, and the object that must be the same afterwards.
FORMS = {
    "default": ("def f(now=time.time): return now()", "f()", "f.__defaults__"),
    "keyword default": ("def f(*, now=time.time): return now()", "f()", "f.__kwdefaults__['now']"),
    "partial as default": ("def f(now=functools.partial(time.time)): return now()", "f()", "f.__defaults__"),
    "lambda": ("f = lambda now=time.time: now()", "f()", "f.__defaults__"),
    "method": ("class C:\n def f(self, now=time.time): return now()", "C().f()", "C.f.__defaults__"),
    "class method": (
        "class C:\n @classmethod\n def f(cls, now=time.time): return now()",
        "C.f()",
        "C.f.__func__.__defaults__",
    ),
    "property": (
        "class C:\n @property\n def p(self, now=time.time): return now()",
        "C().p",
        "C.p.fget.__defaults__",
    ),
    "cached property": (
        "class C:\n @functools.cached_property\n def p(self, now=time.time): return now()",
        "C().p",
        "C.p.func.__defaults__",
    ),
    "static method of a clock": ("class C:\n now = staticmethod(time.time)", "C.now()", "C.__dict__['now']"),
    "static method with a default": (
        "class C:\n @staticmethod\n def f(now=time.time): return now()",
        "C.f()",
        "C.f.__defaults__",
    ),
    "class attribute": ("class C:\n now = time.time", "C().now()", "C.now"),
    "class attribute under a refusing metaclass": (
        "class M(type):\n def __setattr__(cls, name, value): raise TypeError\nclass C(metaclass=M):\n now = time.time",
        "C.now()",
        "C.now",
    ),
    "dictionary in a class": ("class C:\n clocks = {'wall': time.time}", "C.clocks['wall']()", "C.clocks['wall']"),
    "nested class": ("class C:\n class D:\n  now = time.time", "C.D.now()", "C.D.now"),
    "local class": ("C = made_local(time.time)", "C.clock()", "C.clock"),
    "closure": ("f = closed_over(time.time)", "f()", "f.__closure__[0].cell_contents"),
    "closure over an instance": (
        "f = closed_over(Timer(time.time))",
        "f()",
        "f.__closure__[0].cell_contents._Timer__now",
    ),
    "wrapped function": (
        "@wrapping\ndef f(now=time.time): return now()",
        "f()",
        "f.__wrapped__.__defaults__",
    ),
    "cached function": (
        "@functools.lru_cache\ndef f(now=time.time): return now()",
        "f()",
        "f.__wrapped__.__defaults__",
    ),
    "context manager": (
        "@contextlib.contextmanager\ndef f(now=time.time): yield now()",
        "f().__enter__()",
        "f.__wrapped__.__defaults__",
    ),
    "dataclass factory": (
        "@dataclasses.dataclass\nclass C:\n at: float = dataclasses.field(default_factory=time.time)",
        "C().at",
        "C.__init__",
    ),
    "dataclass default": (
        "@dataclasses.dataclass(frozen=True, slots=True)\nclass C:\n now: object = time.time",
        "C().now()",
        "C.__init__.__defaults__",
    ),
    "attrs factory": (
        "import attrs\n@attrs.define\nclass C:\n at: float = attrs.field(factory=time.time)",
        "C().at",
        "C.__init__",
    ),
    "partial": ("now = functools.partial(time.time)", "now()", "now"),
    "partial of a class": (
        "make = functools.partial(Manager, now=time.time)",
        "make().cache.timer()",
        "make",
    ),
    "partial of a function": (
        "def f(now=time.time): return now()\nmake = functools.partial(f)\ndel f",
        "make()",
        "make.func.__defaults__",
    ),
    "dictionary": ("CLOCKS = {'wall': time.time}", "CLOCKS['wall']()", "CLOCKS['wall']"),
    "list": ("CLOCKS = [None, time.time]", "CLOCKS[1]()", "CLOCKS[1]"),
    "tuple": ("CLOCKS = (None, time.time)", "CLOCKS[1]()", "CLOCKS"),
    "instances in a tuple": ("ALL = (Timer(time.time),)", "ALL[0]()", "ALL[0]._Timer__now"),
    "default dictionary": ("SEEN = collections.defaultdict(time.time)", "SEEN[len(SEEN)]", "SEEN.default_factory"),
    "instance": ("timer = Timer(time.time)", "timer()", "timer._Timer__now"),
    "instance in an instance": ("cache = Cache(time.time)", "cache.timer()", "cache.timer._Timer__now"),
    "three instances deep": ("m = Manager(time.time)", "m.cache.timer()", "m.cache.timer._Timer__now"),
    "managers by name": ("ALL = {'a': Cache(time.time)}", "ALL['a'].timer()", "ALL['a'].timer._Timer__now"),
    "slot": ("slotted = Slotted(time.time)", "slotted.now()", "slotted.now"),
    "namespace": ("ns = types.SimpleNamespace(now=time.time)", "ns.now()", "ns.now"),
    "bound method": ("read = Timer(time.time).__call__", "read()", "read.__self__._Timer__now"),
    "scheduler": ("s = sched.scheduler(time.time, time.sleep)", "s.timefunc()", "s.timefunc"),
    "bound now": ("now = datetime.datetime.now", "now().timestamp()", "now"),
    "bound utcnow": ("now = datetime.datetime.utcnow", "now().replace(tzinfo=UTC).timestamp()", "now"),
    "now as default": (
        "def f(now=datetime.datetime.now): return now(UTC).timestamp()",
        "f()",
        "f.__defaults__",
    ),
    "static now": (
        "class C:\n now = staticmethod(datetime.datetime.now)",
        "C.now(UTC).timestamp()",
        "C.__dict__['now']",
    ),
    "datetime class as default": (
        "def f(kind=datetime.datetime): return kind.now(UTC).timestamp()",
        "f()",
        "f.__defaults__",
    ),
    "datetime class in a class": (
        "class C:\n kind = datetime.datetime",
        "C.kind.now(UTC).timestamp()",
        "C.kind",
    ),
    "datetime class in an instance": (
        "timer = Timer(datetime.datetime)",
        "timer._Timer__now.now(UTC).timestamp()",
        "timer._Timer__now",
    ),
}


@pytest.fixture
def module() -> Iterator[types.ModuleType]:
    """Give a module of a user's own."""
    made = types.ModuleType("shop_sessions")
    define(HEAD, vars(made))
    sys.modules["shop_sessions"] = made
    yield made
    sys.modules.pop("shop_sessions", None)


def define(source: str, namespace: dict[str, Any]) -> None:
    exec(compile(source, "shop_sessions.py", "exec", dont_inherit=True), namespace)


def tells_virtual_time(seconds: float) -> bool:
    return seconds == START_US / 1e6


def tells_real_time(seconds: float) -> bool:
    return abs(seconds - readings.real_time()) < 60


def value(module: types.ModuleType, expression: str) -> Any:
    return eval(expression, vars(module))


@pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning")
@pytest.mark.parametrize("form", FORMS)
def test_a_clock_held_in_any_form_is_virtual_within_the_span_and_untouched_afterwards(
    module: types.ModuleType, form: str
) -> None:
    source, reading, held = FORMS[form]
    define(source, vars(module))
    before = value(module, held)
    with pytest.raises(KeyError), VirtualClock().installed():
        # Twice the same module: what is found is kept.
        assert tells_virtual_time(value(module, reading))
        raise KeyError
    assert value(module, held) is before
    with VirtualClock().installed():
        # A cached reading of the first span is the very same virtual instant.
        assert tells_virtual_time(value(module, reading))
    assert value(module, held) is before
    if form not in ("cached function", "default dictionary"):
        assert tells_real_time(value(module, reading))


def test_a_captured_sleep_passes_virtual_time(module: types.ModuleType) -> None:
    define("class C:\n def f(self, sleep=time.sleep): sleep(3600)\nnap = asyncio.sleep", vars(module))
    with VirtualClock().installed() as clock:
        module.C().f()
        module.asyncio.run(module.nap(3600))
        assert clock.virtual_elapsed_us == 7200 * 1_000_000


def test_the_scheduler_of_the_standard_library_sleeps_virtually_by_default(module: types.ModuleType) -> None:
    rang: list[float] = []
    with VirtualClock().installed() as clock:
        alarm = module.sched.scheduler()
        alarm.enter(3600, 1, lambda: rang.append(clock.virtual_elapsed_us / 1e6))
        alarm.run()
    assert rang == [3600]


def test_a_module_imported_within_the_span_keeps_no_stand_in_in_any_form() -> None:
    made = types.ModuleType("imported_late")
    with VirtualClock().installed():
        sys.modules["imported_late"] = made
        define(HEAD + "\n".join(source for source, _, _ in FORMS.values()), vars(made))
        define(
            "def f(now=time.time): return now()\nm = Manager(time.time)\nC2 = made_local(datetime.datetime)", vars(made)
        )
        define("now = datetime.datetime.now\nlater = functools.partial(time.time)", vars(made))
    try:
        assert made.f.__defaults__ == (readings.real_time,)
        assert made.m.cache.timer._Timer__now is readings.real_time
        assert made.C2.clock is made.datetime.datetime
        assert type(made.now()) is made.datetime.datetime
        assert made.later.func is readings.real_time
    finally:
        del sys.modules["imported_late"]


def test_partials_keep_their_arguments_and_attributes(module: types.ModuleType) -> None:
    define(
        "def f(*args, **named): return args, named\np = functools.partial(f, 1, time.time, a=2, b=time.time)",
        vars(module),
    )
    define("p.label = 'kept'", vars(module))
    with VirtualClock().installed():
        assert module.p() == ((1, module.time.time), {"a": 2, "b": module.time.time})
        assert module.p.label == "kept"


def test_methods_of_datetime_that_read_no_clock_are_left_alone(module: types.ModuleType) -> None:
    define("parse = datetime.datetime.fromisoformat", vars(module))
    before = module.parse
    with VirtualClock().installed():
        assert module.parse is before


# -- what is left alone -----------------------------------------------------------------------------------------------

STRANGE = """
class Proxy:
    __slots__ = ()
    @property
    def __dict__(self):
        raise RuntimeError("working outside of a request")
    def __getattr__(self, name):
        raise RuntimeError("working outside of a request")

class Unhashable(type):
    def __eq__(cls, other):
        raise RuntimeError("compared")

class Odd(metaclass=Unhashable):
    pass

Named = type("Named", (), {"__slots__": ("__module__",)})

class Kinds(enum.Enum):
    WALL = "wall"

class Greedy:
    def __getattribute__(self, name):
        raise RuntimeError("asked for " + name)

class Endless(list):
    def __iter__(self):
        raise RuntimeError("iterated")
    def __len__(self):
        raise RuntimeError("measured")

strange = [Proxy(), Odd(), Odd, Named(), Kinds.WALL, Greedy(), Endless(), unassigned(), Slotted(None)]
proxy, odd, named, kind, greedy, endless = strange[0], strange[1], strange[3], strange[4], strange[5], strange[6]
loop = [strange]
loop.append(loop)
"""


def test_objects_with_a_will_of_their_own_are_never_asked(module: types.ModuleType) -> None:
    define(STRANGE + "now = [time.time]", vars(module))
    with VirtualClock().installed():
        assert tells_virtual_time(module.now[0]())
    assert module.now == [readings.real_time]


def test_what_an_exempt_tool_owns_is_left_alone_wherever_it_is_passed_on(module: types.ModuleType) -> None:
    tool = types.ModuleType("freezegun.extra")
    define("import time\nCLOCKS = [time.time]\nclass T:\n def __init__(self): self.now = time.time", vars(tool))
    define("def f(now=time.time): return now()\nclass D:\n now = time.time", vars(tool))
    sys.modules["freezegun.extra"] = tool
    module.clocks, module.t, module.f, module.its, module.D = tool.CLOCKS, tool.T(), tool.f, vars(tool), tool.D
    try:
        with VirtualClock().installed():
            assert tool.CLOCKS[0] is readings.real_time
            assert module.t.now is readings.real_time
            assert tool.f.__defaults__ == (readings.real_time,)
            assert tool.D.now is readings.real_time
    finally:
        del sys.modules["freezegun.extra"]


def test_annotations_and_the_fields_of_a_class_stay_as_they_are(module: types.ModuleType) -> None:
    define(
        "@dataclasses.dataclass\nclass C:\n at: datetime.datetime\n now: object = dataclasses.field(default=1)",
        vars(module),
    )
    real = module.datetime.datetime
    with VirtualClock().installed():
        assert module.C.__annotations__["at"] is real
        assert module.C.__dataclass_fields__["at"].type is real


def test_large_containers_are_data(module: types.ModuleType) -> None:
    define("l = [time.time] * 1001\nd = dict.fromkeys(range(1001), time.time)\nt = (time.time,) * 1001", vars(module))
    with VirtualClock().installed():
        assert {*module.l, *module.d.values(), *module.t} == {readings.real_time}


def test_what_was_changed_within_the_span_is_left_as_it_is(module: types.ModuleType) -> None:
    define(
        "def f(now=time.time): return now()\nf2 = closed_over(time.time)\nl = [time.time]\ns = Slotted(time.time)",
        vars(module),
    )
    with VirtualClock().installed():
        module.f.__defaults__ = (print,)
        del module.f2.__closure__[0].cell_contents
        module.l.clear()
        del module.s.now
    assert module.f.__defaults__ == (print,)
    assert module.l == []
    assert not hasattr(module.s, "now")
    with pytest.raises(ValueError, match="empty"):
        module.f2.__closure__[0].cell_contents  # noqa: B018
