"""What a class seems to promise: settings of its factory, constants, comparisons, exceptions -> lines of a profile."""

from __future__ import annotations

import inspect
import math
import re
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from pytest_sessionguard.core import durations
from pytest_sessionguard.core.policy import ACTIVITY
from pytest_sessionguard.target import evidence
from pytest_sessionguard.target.guessing import Guess, Subject
from pytest_sessionguard.target.imports import error_class
from pytest_sessionguard.target.placeholders import TIMES, UNITS_US
from pytest_sessionguard.target.templates import parse
from pytest_sessionguard.target.usual_names import EXISTING, FIELDS, error_meaning, setting_meaning, snake, unit_of

# What is handed over where the factory gives no figure of its own.
_FIGURES_US: Final = {"idle_timeout": 1_800_000_000, "absolute_timeout": 86_400_000_000, "sweep_interval": 60_000_000}
_NUMBERS: Final = {"limit": 5, "history_limit": 5}
_FOLDER: Final = re.compile(r"(^|_)(dir|directory|folder|root)$")
_FILE: Final = re.compile(r"(^|_)(path|file|filename|db|database)$")
_REACHES: Final = re.compile(
    r"(return|del) self\.\w+\[|self\.\w+\[\w+\][.\[]|self\.\w+\.pop\(\w+\)|= self\.\w+\[\w+\]$", re.MULTILINE
)
_CHECKS: Final = re.compile(r"is_expired|is_valid|is_alive|is_stale|\.expired|_alive\(|not_expired|has_expired")
_CLEANS: Final = re.compile(r"expir|purge|sweep|evict|valid|alive|clean|prune")
_ASKS_FOR_ONE: Final = frozenset({"get", "exists", "ttl", "touch", "update", "save", "put", "append", "pop", "delete",
                                  "use", "rotate", "resume", "history"})  # fmt: skip
_HOURS_US: Final = {"hour": 3_600_000_000, "day": 86_400_000_000}


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a proposal; `note` says what of it was guessed."""

    key: str
    value: str
    note: str = ""

    def __str__(self) -> str:
        return f"{self.key} = {self.value}" + (f"  # guessed: {self.note}" if self.note else "")


def manager_lines(factory: Any, subject: Subject) -> tuple[list[Line], dict[str, Line]]:
    """Return the lines of [manager], and the figures of the policy that they and the class's constants give."""
    figures: dict[str, Line] = {}
    settings = list(_settings(factory))
    unit = next((told.unit for told in settings if told.key == "idle_timeout" and told.unit != "?"), None)
    unit = unit or next((told.unit for told in settings if told.key in TIMES and told.unit != "?"), "s")
    lines = [Line("callers", f'"{_callers(subject)}"', "by what its source uses")]
    if unit != "s":
        lines.append(Line("timeout_unit", f'"{unit}"', "by the names of its parameters"))
    if re.search(r"int\(\s*time\.time\(\)", _source(subject)):
        lines.append(Line("granularity", '"1s"', "it counts whole seconds"))
    for told in settings:
        lines += _argument_lines(told, unit, figures)
    if factory is not subject.owner:
        for told in _settings(subject.owner):  # What the function leaves at its default is still promised.
            list(_argument_lines(told, unit, figures))
    for name, value in _constants(subject):
        key = setting_meaning(name)
        if key is not None and key not in figures:
            text = _figure(key, value, name)
            if text is not None:
                figures[key] = Line(key, text, f"by the constant {name}")
    return lines, figures


# -- the factory's parameters ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Setting:
    name: str
    key: str | None
    default: Any
    unit: str
    needed: bool
    annotation: str


def _settings(factory: Any) -> Iterator[_Setting]:
    try:
        parameters = inspect.signature(factory).parameters.values()
    except (TypeError, ValueError):
        return
    for one in parameters:
        if one.kind in (one.VAR_KEYWORD, one.VAR_POSITIONAL, one.POSITIONAL_ONLY):
            continue
        shown = "" if one.annotation is one.empty else str(getattr(one.annotation, "__name__", one.annotation))
        needed = one.default is one.empty
        unit = "timedelta" if "timedelta" in shown or isinstance(one.default, timedelta) else unit_of(one.name) or "s"
        yield _Setting(one.name, setting_meaning(one.name), None if needed else one.default, unit, needed, shown)


def _argument_lines(told: _Setting, unit: str, figures: dict[str, Line]) -> Iterator[Line]:
    """Yield what the factory is handed for one parameter, and note the figure of the policy that it gives."""
    plain = told.default is None or (_is_number(told.default) or isinstance(told.default, timedelta))
    if told.key is not None and told.key not in figures and plain:
        yield from _figure_lines(told, unit, figures)
    elif _FOLDER.search(snake(told.name)) and (told.needed or isinstance(told.default, str)):
        yield Line(f"args.{told.name}", '"{dir}"', "a fresh folder for each case")
    elif _FILE.search(snake(told.name)) and (
        told.needed or (isinstance(told.default, str) and told.default not in ("", ":memory:"))
    ):
        yield Line(f"args.{told.name}", '"{dir}/sessions.db"', "a fresh file for each case")
    elif told.needed:
        literal = next((text for kind, text in _LITERALS.items() if re.search(rf"\b{kind}\b", told.annotation)), None)
        if literal is not None or not told.annotation:
            yield Line(f"args.{told.name}", literal or '"x"', "any value that fits; there is no default")


_LITERALS: Final = {"str": '"x"', "int": "1", "float": "1.0", "bool": "true", "dict": "{}", "list": "[]"}


def _figure_lines(told: _Setting, unit: str, figures: dict[str, Line]) -> Iterator[Line]:
    key = str(told.key)
    times = key in TIMES or key == "absolute_timeout"
    note = f"{told.name} looks like {key}"
    if told.default is None:
        if not told.needed and key != "idle_timeout":
            return  # None is its own default, and most likely means that there is no such bound.
        value = f'"{durations.show(_FIGURES_US[key])}"' if times else str(_NUMBERS[key])
        figures[key] = Line(key, value, f"{told.name} has no figure of its own")
    else:
        text = _figure(key, told.default, told.name)
        if text is None:
            return
        figures[key] = Line(key, text, f"the default of {told.name}")
    if not times or told.unit == unit:
        yield Line(f"args.{told.name}", f'"{{{key}}}"', note)
    elif told.needed:
        yield Line(f"args.{told.name}", str(_FIGURES_US[key] // UNITS_US.get(told.unit, _HOURS_US["hour"])), note)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _figure(key: str, value: Any, name: str) -> str | None:
    """Return a figure as the policy would have it; None where it is none, or says that there is no bound."""
    if isinstance(value, timedelta):
        span_us = value // timedelta(microseconds=1)
        return f'"{durations.show(span_us)}"' if key not in _NUMBERS and span_us > 0 else None
    if not _is_number(value) or value <= 0 or not math.isfinite(value):
        return None
    if key in _NUMBERS:
        return str(int(value))
    unit = unit_of(name) or "s"
    hours = _HOURS_US["day"] if "day" in name.lower() else _HOURS_US["hour"]
    return f'"{durations.show(round(value * UNITS_US.get(unit, hours)))}"'


def _constants(subject: Subject) -> Iterator[tuple[str, Any]]:
    """Yield the constants of the class and of its module that its methods use."""
    module = sys.modules.get(subject.owner.__module__)
    source = _source(subject)
    for space in (vars(subject.owner), vars(module) if module is not None else {}):
        for name, value in space.items():
            plain = _is_number(value) or isinstance(value, timedelta)
            if plain and name.upper() == name and re.search(rf"\b{re.escape(name)}\b", source):
                yield name, value


def _source(subject: Subject) -> str:
    return "\n".join(method.source for method in subject.methods.values())


def _callers(subject: Subject) -> str:
    if any(inspect.iscoroutinefunction(guess.method.function) for guess in subject.guesses.values()):
        return "tasks"
    return "threads" if re.search(r"\b(threading\.|RLock|Lock\()", _source(subject)) else "one"


# -- the policy -----------------------------------------------------------------------------------------------------


def policy_lines(subject: Subject, figures: dict[str, Line], factory: Any) -> tuple[list[Line], list[Line]]:
    """Return the lines of [policy] and of [errors]."""
    errors = _errors(subject)
    lines = list(figures.values())
    own_timeouts = "timeout" in _arguments_of(subject.guesses["create"])
    if "idle_timeout" in figures or "absolute_timeout" in figures or own_timeouts:
        lines += _time_lines(subject, factory)
    if own_timeouts:
        meaning = "default" if "idle_timeout" in figures else "never"
        lines.append(Line("per_session_timeout", "true"))
        lines.append(Line("none_timeout", f'"{meaning}"', "what is usual"))
    lines += _existing_lines(subject, errors)
    lines += _missing_lines(subject, errors)
    if "limit" in figures:
        limits = _limit_lines(subject, errors, figures["limit"])
        lines = [*lines, *limits] if limits is not None else [line for line in lines if line.key != "limit"]
    lines += _data_lines(subject)
    told = [Line(kind, _list(names), "by their names and where they are raised") for kind, names in errors.items()]
    return lines, told


def _list(words: list[str]) -> str:
    shown = [f'"{word}"' for word in words]
    return shown[0] if len(shown) == 1 else f"[{', '.join(shown)}]"


def _arguments_of(guess: Guess) -> frozenset[str]:
    return parse(guess.text).names


def _time_lines(subject: Subject, factory: Any) -> Iterator[Line]:
    guesses = subject.guesses
    told = {guess.method.comparison() for guess in guesses.values()} - {None}
    told |= {method.comparison() for name, method in subject.methods.items() if _CLEANS.search(name)} - {None}
    if subject.session_class is not None:
        told |= {method.comparison() for method in evidence.methods_of(subject.session_class).values()} - {None}
    if told == {"alive"}:
        yield Line("at_timeout", '"alive"', "it compares so that the timeout itself is still alive")
    if re.search(r"monotonic|loop\.time\(", _source(subject)) or _is_given_monotonic(factory):
        yield Line("clock", '"monotonic"', "it reads that clock")
    yield from _activity_lines(subject)
    looking = guesses.get("get") or guesses.get("exists")
    if looking is None or looking.method.tree is None:
        return
    renewing = guesses.get("touch")
    revives = renewing is not None and renewing.method.tree is not None and not _checks(renewing)
    if _marks(subject, looking) and not revives:
        yield Line("expired", '"marked"', f"{looking.method.name} tells a status")
    elif not _checks(looking) or (_marks(subject, looking) and revives):
        yield Line("expired", '"stale"', f"{looking.method.name} gives what has expired")
        if renewing is not None and revives:
            yield Line("revivable", "true", f"{renewing.method.name} does not look at the time")


def _is_given_monotonic(factory: Any) -> bool:
    try:
        parameters = inspect.signature(factory).parameters.values()
    except (TypeError, ValueError):
        return False
    return any(one.default in (time.monotonic, time.perf_counter) for one in parameters)


def _marks(subject: Subject, looking: Guess) -> bool:
    has_status = any(name in subject.fields for name in FIELDS["status"])
    return has_status and any(re.search(r"""["']expired["']|\.EXPIRED\b""", one.source) for one in looking.method.reach)


def _checks(guess: Guess) -> bool:
    """Say whether the method lets nobody see a session that has run out of time."""
    if guess.method.comparison() is not None:
        return True
    return any(
        _CHECKS.search(method.source) or (method is not guess.method and _CLEANS.search(method.name))
        for method in guess.method.reach
    )


def _activity_lines(subject: Subject) -> Iterator[Line]:
    renewing = []
    for verb, guess in subject.guesses.items():
        if verb in ("sweep", "clear", "list", "count", "delete", "metrics", "is_expired", "start", "stop", "close"):
            continue
        certain = verb in ("create", "touch") or (guess.method.tree is None and verb in ACTIVITY)
        if certain or guess.method.renews:
            renewing.append(verb)
    if set(renewing) != set(ACTIVITY) & set(subject.guesses):
        yield Line("activity", _words(renewing), "what sets a time of last use")


def _words(words: list[str]) -> str:
    return "[" + ", ".join(f'"{word}"' for word in words) + "]"


def _existing_lines(subject: Subject, errors: dict[str, list[str]]) -> Iterator[Line]:
    create = subject.guesses["create"]
    if "id" not in _arguments_of(create):
        return
    if snake(create.method.name).replace("_session", "") in EXISTING:
        yield Line("existing", '"return"', "by its name")
    elif "exists" in errors:
        return
    elif re.search(r" in self\.\w+:?\n?\s*return|if \w+ is not None:\s*return", create.method.source):
        yield Line("existing", '"return"', "it returns what is there")
    else:
        yield Line("existing", '"replace"', "nothing refuses an id that is live")


def _missing_lines(subject: Subject, errors: dict[str, list[str]]) -> Iterator[Line]:
    for verb, guess in subject.guesses.items():
        if verb not in _ASKS_FOR_ONE:
            continue
        raised = [
            name.rpartition(".")[2] for name, condition in guess.method.raised() if not evidence.is_limit(condition)
        ]
        known = {word.rpartition(":")[2] for word in errors.get("missing", ())}
        if known & set(raised) or _subscripts(guess):
            yield Line(f"missing.{verb}", '"error"', "it raises")
        elif guess.result in ("found", "flag"):
            yield Line(f"missing.{verb}", '"false"', "it answers yes or no")
        elif guess.result in ("data", "session") and _falls_back_to_empty(guess):
            yield Line(f"missing.{verb}", '"empty"', "it answers an empty one")


def _falls_back_to_empty(guess: Guess) -> bool:
    return any(text in ("{}", "dict()") or re.search(r"\.get\(\w+, \{\}\)", text) for text in guess.method.returned)


def _limit_lines(subject: Subject, errors: dict[str, list[str]], limit: Line) -> list[Line] | None:
    """Return what happens at the limit; None where nothing is known to happen."""
    create = subject.guesses["create"]
    source = "\n".join(method.source for method in create.method.reach)
    lines = []
    if re.search(r"per_(user|owner|client|account)", limit.note):
        lines.append(Line("limit_scope", '"owner"', "by its name"))
    if _checks(create):
        lines.append(Line("limit_counts", '"live"', "it does not count what has expired"))
    if "limit" in errors:
        return lines
    if re.search(r"last_|accessed|activity|move_to_end|lru", source) and re.search(
        r"min\(|popitem|sorted|evict", source
    ):
        return [*lines, Line("at_limit", '"evict-idle"', "it makes room by the last use")]
    if re.search(r"min\(|popitem|next\(iter|evict|oldest", source):
        return [*lines, Line("at_limit", '"evict-oldest"', "it makes room")]
    if re.search(r"return (None|False)", source) and re.search(r"max_|limit|capacity", source):
        return [*lines, Line("at_limit", '"false"', "it answers nothing")]
    return None


def _passes_data(guess: Guess) -> bool:
    """Say whether the method takes data in or gives it out."""
    gives = guess.verb in ("get", "use", "resume", "pop") and guess.result in ("data", "session")
    return gives or bool(_arguments_of(guess) & {"data", "changes", "value"})


def _data_lines(subject: Subject) -> Iterator[Line]:
    passing = [guess for guess in subject.guesses.values() if _passes_data(guess)]
    sharing = next((one for one in passing if one.method.tree is not None and not one.method.copies), None)
    if sharing is not None and subject.data_type not in ("str", "bytes"):
        yield Line("data", '"live"', f"{sharing.method.name} makes no deep copy")
    update = subject.guesses.get("update")
    if update is not None and update.method.tree is not None:
        source = "\n".join(method.source for method in update.method.reach)
        if not re.search(r"\.update\(|\*\*|\|=|setattr|\[\w+\] = |merge", source):
            yield Line("update", '"replace"', "it does not merge")


# -- exceptions -----------------------------------------------------------------------------------------------------


def _errors(subject: Subject) -> dict[str, list[str]]:
    """Return kind -> exceptions: those of the module by their names, builtins by where they are raised."""
    found: dict[str, list[str]] = {}
    module = sys.modules.get(subject.owner.__module__)
    package = subject.owner.__module__.partition(".")[0]
    for name, value in sorted(vars(module).items()) if module is not None else ():
        if isinstance(value, type) and issubclass(value, Exception) and value.__module__.partition(".")[0] == package:
            kind = error_meaning(name)
            if kind is not None:
                found.setdefault(kind, []).append(f"{value.__module__}:{value.__qualname__}")
    known = {word.rpartition(":")[2] for words in found.values() for word in words}
    for verb, guess in subject.guesses.items():
        for name, condition in guess.method.raised():
            builtin = error_class(name) if "." not in name else None
            if name in known or builtin is None:
                continue
            kind = _kind_raised(verb, condition)
            if kind is not None and name not in found.get(kind, []):
                found.setdefault(kind, []).append(name)
    reaching = any(_subscripts(guess) for verb, guess in subject.guesses.items() if verb in _ASKS_FOR_ONE)
    if reaching and "KeyError" not in found.get("missing", []):
        found.setdefault("missing", []).append("KeyError")
    return found


def _subscripts(guess: Guess) -> bool:
    """Say whether the method reaches for an item that may not be there, unguarded."""
    source = guess.method.source
    return bool(_REACHES.search(source)) and not re.search(r" in self\.|except|\.get\(", source)


def _kind_raised(verb: str, condition: str) -> str | None:
    if evidence.is_limit(condition):
        return "limit"
    if verb == "create":
        return "exists" if re.search(r" in self\.|is not None", condition) else "invalid" if condition else None
    if re.search(r"not in |is None|KeyError|^ not ", condition):
        return "missing"
    if re.search(r"version|rev", condition):
        return "conflict"
    if re.search(r"expir|timeout|ttl", condition):
        return "expired"
    return None
