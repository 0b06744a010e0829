"""A TARGET -> a Profile: a file, a shipped name, `module:attribute`, or a Profile itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from pytest_sessionguard.errors import UsageError, did_you_mean
from pytest_sessionguard.target.imports import ImportFault, put_on_path, resolve
from pytest_sessionguard.target.reading import read_tables, read_text
from pytest_sessionguard.target.shape import Profile

SUFFIX: Final = ".sessionguard.toml"
SHIPPED: Final = Path(__file__).parent / "shipped"
ALIASES: Final = {"reference": "reference-async-memory", "reference-redis": "reference-sync-redis"}


def shipped_names() -> tuple[str, ...]:
    """Return the names of the profiles that come with the package, the short one first."""
    return (*ALIASES, *sorted(file.name.removesuffix(SUFFIX) for file in SHIPPED.glob(f"*{SUFFIX}")))


def load(target: str | Path | Profile, *, start_folder: Path | None = None) -> Profile:
    """Return the profile of a TARGET; relative paths start at `start_folder`, the working folder if it is None.

    Raises:
        UsageError: there is no such target, or every fault of its profile.
    """
    if isinstance(target, Profile):
        return target
    folder = Path.cwd() if start_folder is None else start_folder
    word = str(target)
    if word in shipped_names():
        file = SHIPPED / f"{ALIASES.get(word, word)}{SUFFIX}"
        return _file(file, source=file.name, name=word)
    path = folder / word
    if path.is_file():
        return _file(path, source=word, name=_file_name(path))
    if _looks_like_a_file(word):
        near = did_you_mean(path.name, (known.name for known in path.parent.glob("*.toml")))
        raise UsageError(f"{word}: no such file{near}")
    if ":" in word:
        return _attribute(word, folder)
    raise UsageError(
        f"{word!r} is no target: expected a profile's path, `module:attribute`, or a shipped profile"
        f"{did_you_mean(word, shipped_names())}"
    )


def _looks_like_a_file(word: str) -> bool:
    return word.endswith(".toml") or "/" in word or "\\" in word


def _file_name(path: Path) -> str:
    if path.name == "pyproject.toml":
        return path.resolve().parent.name
    return path.name.removesuffix(SUFFIX) if path.name.endswith(SUFFIX) else path.stem


def _file(path: Path, *, source: str, name: str) -> Profile:
    try:
        text = path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise UsageError(f"{source}: not UTF-8 text (byte {error.start})") from None
    except OSError as error:
        raise UsageError(f"{source}: cannot be read: {error.strerror}") from None
    return read_text(text.replace("\r\n", "\n"), source=source, name=name, path=path, folder=path.resolve().parent)


def _attribute(word: str, folder: Path) -> Profile:
    put_on_path([folder], last=True)
    try:
        found = resolve(word)
    except ImportFault as error:
        raise UsageError(
            f"{word}: {error}; a target may also be a profile's path, or shipped: {', '.join(shipped_names())}"
        ) from None
    if isinstance(found, Profile):
        return replace(found, name=word) if found.name == "profile" else found
    if isinstance(found, Mapping):
        return read_tables(found, name=word, folder=folder)
    if not callable(found):
        raise UsageError(f"{word} is a {type(found).__name__}: expected a Profile, a class or a factory")
    # Here, not above: most targets are files, and looking at source is slow to import.
    from pytest_sessionguard.target import discover

    proposal = discover.propose(word, start_folder=folder)
    loaded = read_text(proposal, source=f"<proposed for {word}>", name=word, folder=folder)
    notes = discover.guesses(proposal)
    return replace(loaded, warnings=(*(f"{word}: guessed: {note}" for note in notes), *loaded.warnings))


def profile(
    *,
    factory: Any,
    operations: Mapping[str, Any],
    name: str | None = None,
    policy: Mapping[str, Any] | None = None,
    session: Mapping[str, Any] | None = None,
    errors: Mapping[str, Any] | None = None,
    answers: Mapping[str, Any] | None = None,
    metrics: Mapping[str, Any] | None = None,
    health: Mapping[str, Any] | None = None,
    probes: Mapping[str, Any] | None = None,
    check: Mapping[str, Any] | None = None,
    folder: Path | None = None,
    **manager: Any,
) -> Profile:
    """Return a profile written in Python: the tables of a profile file as keywords, [manager]'s keys among them.

    Raises:
        UsageError: every fault, named by its key.
    """
    tables = {
        "manager": {"factory": factory, **manager},
        "operations": operations,
        "policy": policy,
        "session": session,
        "errors": errors,
        "answers": answers,
        "metrics": metrics,
        "health": health,
        "probes": probes,
        "check": check,
    }
    given = {table: value for table, value in tables.items() if value is not None}
    called = name or (factory if isinstance(factory, str) else str(getattr(factory, "__qualname__", "profile")))
    return read_tables(given, name=called, folder=folder)


def refused_for_check(described: Profile) -> tuple[str, ...]:
    """Return what the profile asks for and a search cannot give yet, each in words."""
    refused = []
    if described.instances > 1:
        refused.append(f"[manager] instances = {described.instances}: a search drives one manager; expected 1")
    if described.background is not None:
        text = described.background.text
        refused.append(f"[manager] background = {text!r}: a search runs nothing beside its clients yet; leave it out")
    if described.isolation == "process":
        refused.append('[manager] isolation = "process": a search runs every case in its own process; expected none')
    if described.time == "real":
        refused.append('[manager] time = "real": a search runs in virtual time; expected virtual')
    return tuple(refused)


def refused_for_run(described: Profile) -> tuple[str, ...]:
    """Return what the profile asks for and a plain run of scenarios cannot give, each in words."""
    refused = []
    if described.instances > 1:
        refused.append(
            f"[manager] instances = {described.instances}: several managers at once are reached by search only"
        )
    if described.probes:
        refused.append(f"[probes] {', '.join(map(str, described.probes))}: probes are read by search only")
    if described.callers == "processes":
        refused.append('[manager] callers = "processes": callers in other processes are reached by search only')
    if described.background is not None:
        refused.append(
            f"[manager] background = {described.background.text!r}: work beside the clients is run by search only"
        )
    if described.isolation == "process":
        refused.append('[manager] isolation = "process": a fresh process for every case is given by search only')
    if described.time == "real":
        refused.append('[manager] time = "real": scenarios run in virtual time')
    return tuple(refused)
