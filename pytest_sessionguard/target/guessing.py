"""The methods of a class -> how each operation is called: a guess by names, parameters, annotations and source."""

from __future__ import annotations

import ast
import collections.abc
import inspect
import re
import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from pytest_sessionguard.target import evidence
from pytest_sessionguard.target.classes import instance_attributes
from pytest_sessionguard.target.evidence import Method
from pytest_sessionguard.target.fitting import RESULTS_OF
from pytest_sessionguard.target.usual_names import (
    EXISTING,
    FIELDS,
    SPECIAL,
    meaning,
    parameter_meaning,
    snake,
    speaks_of_a_session,
)

# What the parameters of each operation may be, the likeliest first.
_WANTED: Final[Mapping[str, tuple[str, ...]]] = {
    "create": ("owner", "data", "timeout", "id"),
    "touch": ("id", "session", "timeout"),
    "update": ("id", "changes", "version", "session"),
    "save": ("session", "id", "data", "version", "timeout"),
    "put": ("id", "key", "value"),
    "append": ("id", "key", "value"),
    "attach": ("id", "resource"),
    "list": ("owner",),
    "count": ("owner",),
    "sweep": ("n",),
    "clear": ("owner",),
    "history": ("id", "n"),
}
_OF_ONE: Final = ("id", "session")
_DRAWN_WITH_AND_WITHOUT: Final = frozenset({"owner", "data", "version", "n", "timeout"})
_LITERALS: Final[Mapping[Any, str]] = {str: "'x'", int: "1", float: "1.0", bool: "true", dict: "{}", list: "[]"}
_NEVER: Final = re.compile(r"^(now|current_time|timestamp|at|clock)$")
_ABOUT_MANY: Final = frozenset({"list", "count", "sweep", "clear", "metrics", "pop_item", "health", "start", "stop",
                                "close", "recover"})  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Guess:
    """One operation, guessed.

    Attributes:
        note: what was guessed; empty where the names leave no doubt.
    """

    verb: str
    text: str
    result: str
    method: Method
    note: str = ""


@dataclass(kw_only=True)
class Subject:
    """The class that is looked at, and what has been found out about it."""

    owner: type
    methods: Mapping[str, Method]
    guesses: dict[str, Guess] = field(default_factory=dict)
    session_class: type | None = None
    session_keys: tuple[str, ...] = ()
    left_out: list[str] = field(default_factory=list)

    @property
    def fields(self) -> tuple[str, ...]:
        """The names that a session object has."""
        if self.session_class is None:
            return self.session_keys
        shown = [name for name in dir(self.session_class) if not name.startswith("_")]
        return tuple(dict.fromkeys([*instance_attributes(self.session_class), *self.session_keys, *shown]))

    @property
    def data_type(self) -> str:
        """The type of the data, as far as annotations tell: "dict", "str" or "bytes"."""
        for guess in (self.guesses.get("get"), self.guesses.get("pop")):
            kinds = frozenset() if guess is None else _kinds(_returns(guess.method)) - {type(None)}
            if guess is not None and guess.result == "data" and kinds & {str, bytes}:
                return "bytes" if bytes in kinds else "str"
        return "dict"

    @property
    def gives_sessions(self) -> bool:
        """Whether any operation answers a session object."""
        return any(guess.result == "session" for guess in self.guesses.values())


def study(owner: type) -> Subject:
    """Return what the class's methods seem to do."""
    subject = Subject(owner=owner, methods=evidence.methods_of(owner))
    subject.session_class = _session_class(subject)
    subject.session_keys = _session_keys(subject)
    for name, method in subject.methods.items():
        if name.startswith("_"):
            continue
        guess = _guess(subject, method)
        if guess is not None:
            _enter(subject, guess)
    _enter_special(subject)
    _enter_create_by_save(subject)
    return subject


def _enter(subject: Subject, guess: Guess) -> None:
    """Keep the better of two methods for one operation: plain creation before get-or-create, else the first."""
    standing = subject.guesses.get(guess.verb)
    better, worse = guess, standing
    if standing is not None and not (guess.verb == "create" and _get_or_create(standing) and not _get_or_create(guess)):
        better, worse = standing, guess
    subject.guesses[guess.verb] = better
    if worse is not None:
        subject.left_out.append(f"{worse.method.name} (looks like {worse.verb}, as {better.method.name} does)")


def _get_or_create(guess: Guess) -> bool:
    return snake(guess.method.name).replace("_session", "") in EXISTING


def _enter_special(subject: Subject) -> None:
    for name, (verb, text) in SPECIAL.items():
        method = subject.methods.get(name)
        if method is not None and verb not in subject.guesses:
            result = "data" if verb == "get" else "count" if verb == "count" else "flag" if verb == "exists" else ""
            if verb == "get" and subject.session_class is not None:
                result = "session"
            shown = f"{text} -> {result}" if result and "->" not in text else text
            subject.guesses[verb] = Guess(verb=verb, text=shown, result=result or "nothing", method=method)


def _enter_create_by_save(subject: Subject) -> None:
    """A store that is set under an id of the caller's creates and saves by one method."""
    save = subject.guesses.get("save")
    item = subject.methods.get("__setitem__")
    if "create" in subject.guesses:
        return
    if save is not None and "(session" not in save.text:
        note = f"{save.method.name} creates, and replaces what is there"
        subject.guesses["create"] = Guess(
            verb="create", text=save.text, result=save.result, method=save.method, note=note
        )
    elif item is not None:
        text, note = "manager[id] = data", "setting an item creates, and replaces what is there"
        for verb in ("create", "save"):
            subject.guesses[verb] = Guess(verb=verb, text=text, result="nothing", method=item, note=note)


# -- one method -----------------------------------------------------------------------------------------------------


def _guess(subject: Subject, method: Method) -> Guess | None:
    if isinstance(method.function, property):
        verb = meaning(method.name, one_session=False)
        if verb not in ("count", "list"):
            return None
        result = "ids" if verb == "list" else "count"
        return Guess(verb=verb, text=f"{method.name} -> {result}", result=result, method=method, note="a property")
    parameters = _parameters(method)
    if parameters is None:
        return None
    names = [parameter.name for parameter in parameters]
    takes_one = any(parameter_meaning(name, _OF_ONE) for name in names)
    verb = meaning(method.name, one_session=takes_one or speaks_of_a_session(method.name))
    verb = _by_parameters(verb, parameters, takes_one=takes_one)
    if verb is None:
        return None
    arguments, notes = _arguments(verb, parameters)
    if arguments is None:
        subject.left_out.append(f"{method.name} (looks like {verb}: {notes[0]})")
        return None
    result, told = _result(subject, verb, method)
    if verb == "exists" and result in ("session", "data"):
        verb = "get" if "get" not in subject.guesses else verb
    if result not in RESULTS_OF[verb]:
        result, told = "nothing", "what it answers is not read"
    text = f"{method.name}({', '.join(arguments)})" + ("" if result == "nothing" else f" -> {result}")
    notes = [note for note in (*notes, told) if note]
    return Guess(verb=verb, text=text, result=result, method=method, note="; ".join(notes))


def _parameters(method: Method) -> list[inspect.Parameter] | None:
    function = getattr(method.function, "__func__", method.function)
    try:
        parameters = list(inspect.signature(function, eval_str=True).parameters.values())
    except (NameError, AttributeError, SyntaxError):
        try:
            parameters = list(inspect.signature(function).parameters.values())
        except (TypeError, ValueError):
            return None
    except (TypeError, ValueError):
        return None
    return parameters if isinstance(method.function, staticmethod) else parameters[1:]


def _by_parameters(verb: str | None, parameters: list[inspect.Parameter], *, takes_one: bool) -> str | None:
    """Return the operation once the parameters are looked at: `set(id, key, value)` puts, `set(id, data)` saves."""
    needed = [
        one for one in parameters if one.default is one.empty and one.kind not in (one.VAR_KEYWORD, one.VAR_POSITIONAL)
    ]
    if verb in ("save", "update") and len(needed) >= 3:
        last = snake(needed[2].name)
        if parameter_meaning(needed[1].name, ("key",)) and parameter_meaning(last, ("value",)):
            return "put"
    if verb in _ABOUT_MANY and takes_one and needed and parameter_meaning(needed[0].name, ("id",)):
        return {"count": "exists", "list": "get", "clear": "delete", "close": "delete", "stop": "delete"}.get(
            verb, verb
        )
    if verb in ("start", "stop", "close") and needed:
        return None
    return verb


def _arguments(verb: str, parameters: list[inspect.Parameter]) -> tuple[list[str] | None, list[str]]:
    """Return the arguments of a template and what was guessed; None, with the reason, where one cannot be had."""
    wanted = _WANTED.get(verb, _OF_ONE if verb not in _ABOUT_MANY else ())
    written: list[str] = []
    notes: list[str] = []
    used: set[str] = set()
    by_keyword = False
    for parameter in parameters:
        if parameter.kind is parameter.VAR_POSITIONAL:
            continue
        if parameter.kind is parameter.VAR_KEYWORD:
            spread = {"create": "data", "save": "data", "update": "changes"}.get(verb)
            if spread is not None and spread not in used:
                written.append(f"**{spread}")
            continue
        optional = parameter.default is not parameter.empty
        argument = parameter_meaning(parameter.name, tuple(name for name in wanted if name not in used))
        argument = _unless_unfit(argument, parameter, verb, optional=optional)
        if argument is None and optional:
            by_keyword = True  # What follows can no longer be given by its place.
            continue
        if argument is None:
            literal = None if _NEVER.match(parameter.name) else _literal(parameter)
            if literal is None:
                return None, [f"nothing to hand over as {parameter.name!r}"]
            notes.append(f"{parameter.name} = {literal}")
            argument = literal
        else:
            used.add(argument)
        mark = "?" if optional and argument in _DRAWN_WITH_AND_WITHOUT | ({"id"} if verb == "create" else set()) else ""
        by_keyword = by_keyword or parameter.kind is parameter.KEYWORD_ONLY
        written.append((f"{parameter.name}=" if by_keyword else "") + argument + mark)
    if wanted and wanted[0] == "id" and not used & {"id", "session"}:
        return None, ["no parameter looks like an id"]
    return written, notes


def _unless_unfit(argument: str | None, parameter: inspect.Parameter, verb: str, *, optional: bool) -> str | None:
    """Return the argument unless its annotation says that what would be drawn does not fit."""
    kinds = _kinds(parameter.annotation)
    if argument in ("id", "owner") and int in kinds and str not in kinds:
        return None
    if argument == "timeout" and (verb not in ("create", "save") and optional):
        return None
    if argument in ("data", "changes") and kinds and not kinds & {dict, object, str, bytes}:
        return None
    if argument == "session" and kinds & {str}:
        return "id"
    return argument


def _literal(parameter: inspect.Parameter) -> str | None:
    kinds = _kinds(parameter.annotation)
    for kind, literal in _LITERALS.items():
        if kind in kinds:
            return literal
    return "'x'" if parameter.annotation is parameter.empty else None


def _kinds(annotation: Any) -> frozenset[Any]:
    """Return the plain types that an annotation allows; collections by their builtin, anything else by itself."""
    if annotation is inspect.Parameter.empty or annotation is None:
        return frozenset()
    origin = typing.get_origin(annotation)
    if origin in (typing.Union, types.UnionType):
        return frozenset(kind for part in typing.get_args(annotation) for kind in _kinds(part))
    plain = origin or annotation
    if isinstance(plain, type):
        for collection, builtin in ((collections.abc.Mapping, dict), (str, str), (bytes, bytes)):
            if issubclass(plain, collection):
                return frozenset({builtin})
        if plain in (collections.abc.Sequence, collections.abc.Iterable, set, frozenset, tuple, collections.abc.Set):
            return frozenset({list})
    return frozenset({object}) if plain is Any else frozenset({plain})


# -- what a method answers ------------------------------------------------------------------------------------------

_BY_TYPE: Final[tuple[tuple[tuple[Any, ...], Mapping[str, str]], ...]] = (
    ((bool,), {"exists": "flag", "is_expired": "flag", "health": "flag", "*": "found"}),
    ((timedelta, float), {"ttl": "seconds", "*": "nothing"}),
    ((int,), {"create": "id", "ttl": "seconds", "count": "count", "sweep": "count", "clear": "count", "*": "version"}),
    ((str, bytes), {"get": "data", "pop": "data", "health": "status", "*": "id"}),
    ((list,), {"list": "ids", "sweep": "ids", "clear": "ids", "history": "versions", "*": "nothing"}),
    ((dict,), {"metrics": "metrics", "list": "ids", "health": "status", "*": "data"}),
)


def _returns(method: Method) -> Any:
    function = getattr(method.function, "__func__", method.function)
    try:
        annotation = inspect.signature(function, eval_str=True).return_annotation
    except Exception:  # noqa: BLE001 - an annotation may be anything, also what cannot be evaluated here.
        return inspect.Signature.empty
    while typing.get_origin(annotation) in (collections.abc.Awaitable, collections.abc.Coroutine):
        annotation = typing.get_args(annotation)[-1]
    return annotation


def _result(subject: Subject, verb: str, method: Method) -> tuple[str, str]:
    """Return what the method answers, and what of that was guessed."""
    annotation = _returns(method)
    if annotation is None:
        return "nothing", ""
    kinds = _kinds(annotation) - {type(None)}
    if kinds:
        if subject.session_class in kinds or (dict in kinds and _is_record(subject, verb, method)):
            return "session", ""
        for kind_group, by_verb in _BY_TYPE:
            if kinds & set(kind_group):
                return by_verb.get(verb, by_verb["*"]), ""
    return _by_source(subject, verb, method)


def _is_record(subject: Subject, verb: str, method: Method) -> bool:
    """Say whether a dict is the whole session, by the keys that create gives it."""
    if not subject.session_keys or verb not in ("create", "get", "update", "save", "touch", "use", "resume", "pop"):
        return False
    return not any(
        re.search(r"\[['\"]\w+['\"]\]$|\.get\(['\"]\w+['\"]\)$", _uncopied(shown)) for shown in method.returned
    )


def _uncopied(shown: str) -> str:
    """Return what a returned text hands out, without what merely copies it: `dict(x["data"]) if x else None`."""
    text = re.sub(r" if .+ else (None|\{\})$|^(None|\{\}) if .+? else ", "", shown)
    while True:
        inner = re.sub(r"^(?:dict|(?:copy\.)?(?:deep)?copy)\((.+)\)$|^(.+)\.copy\(\)$", r"\1\2", text)
        if inner == text:
            return text
        text = inner


def _by_source(subject: Subject, verb: str, method: Method) -> tuple[str, str]:
    shown = [_uncopied(text) for text in method.returned if text not in ("", "None")]
    note = "what it answers, by its source" if shown else ""
    if not shown:
        if verb in ("get", "exists", "list", "count", "ttl") and method.tree is None:
            return next(iter({"get": ["data"], "exists": ["flag"], "list": ["ids"], "count": ["count"],
                              "ttl": ["seconds"]}[verb])), "what it answers, by its name"  # fmt: skip
        return "nothing", ""
    always = {"list": "ids", "count": "count", "metrics": "metrics", "ttl": "seconds", "history": "versions",
              "exists": "flag", "is_expired": "flag"}  # fmt: skip
    if verb in always:
        return always[verb], ""
    followed = [method.assigned(text) or text if text.isidentifier() else text for text in shown]
    if all(evidence.looks_like_flag(text) for text in shown):
        return "found", note
    if verb in ("sweep", "clear"):
        listed = any(evidence.looks_like_ids(text) for text in followed)
        return ("ids" if listed else "count"), note
    if verb in ("create", "use", "rotate", "resume"):
        made = any(_makes_session(subject, text) for text in followed)
        if not made and any(evidence.looks_like_id(text) for text in (*shown, *followed)):
            return "id", note
        return ("session" if made or subject.fields else "id"), note
    if any(re.search(r"version|\brev", text) for text in shown) and verb in ("update", "save", "put"):
        return "version", note
    if any(
        re.search(r"\.(data|payload|attrs|value|values)$|\[['\"](data|payload)['\"]\]$|\[0\]$", text) for text in shown
    ):
        return "data", note
    if verb in ("touch", "delete"):
        return "found", note
    return ("session" if subject.fields else "data"), note


def _makes_session(subject: Subject, shown: str) -> bool:
    if subject.session_class is not None and shown.startswith(f"{subject.session_class.__name__}("):
        return True
    return bool(subject.session_keys) and shown.startswith("{")


# -- the session object ---------------------------------------------------------------------------------------------


def _creators(subject: Subject) -> Iterator[Method]:
    for name, method in subject.methods.items():
        if not name.startswith("_") and meaning(name, one_session=speaks_of_a_session(name)) in (
            "create",
            "get",
            "save",
        ):
            yield method


def _session_class(subject: Subject) -> type | None:
    """Return the class of session objects: annotated, or made by name in a method that creates."""
    for method in _creators(subject):
        for kind in _kinds(_returns(method)):
            if isinstance(kind, type) and _looks_like_session(kind):
                return kind
    for method in _creators(subject):
        space = getattr(getattr(method.function, "__func__", method.function), "__globals__", {})
        for node in method.nodes(ast.Call):
            if isinstance(node.func, ast.Name):
                kind = space.get(node.func.id)
                if isinstance(kind, type) and not issubclass(kind, BaseException) and _looks_like_session(kind):
                    return kind
    return None


def _looks_like_session(kind: type) -> bool:
    if kind.__module__ == "builtins" or kind.__module__.startswith(
        ("uuid", "datetime", "typing", "collections", "threading")
    ):
        return False
    names = {*instance_attributes(kind), *(name for name in dir(kind) if not name.startswith("_"))}
    return any(name in names for part in ("id", "data", "owner") for name in FIELDS[part])


def _session_keys(subject: Subject) -> tuple[str, ...]:
    """Return the keys of a session that is kept as a dict, by the dict literal that creates it."""
    session_class = subject.session_class
    if session_class is not None:
        return ()
    for method in _creators(subject):
        for node in method.nodes(ast.Dict):
            keys = [key.value for key in node.keys if isinstance(key, ast.Constant) and isinstance(key.value, str)]
            if len(keys) >= 2 and any(key in FIELDS["data"] or key in FIELDS["id"] for key in keys):
                return tuple(keys)
    return ()
