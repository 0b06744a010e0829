"""A class with usual names -> the text of a first profile, each guess marked as one.

The proposal is read back before it is given out: a line that the reader refuses is left out, with the reason.
"""

from __future__ import annotations

import inspect
import re
import sys
import typing
from pathlib import Path
from typing import Any

from pytest_sessionguard.errors import UsageError
from pytest_sessionguard.target.guessing import Subject, study
from pytest_sessionguard.target.imports import ImportFault, put_on_path, resolve
from pytest_sessionguard.target.promises import Line, manager_lines, policy_lines
from pytest_sessionguard.target.reading import read_text
from pytest_sessionguard.target.usual_names import FIELDS

ROUNDS_MAX = 5
_GUESSED = re.compile(r"^(?P<line>[^#\n]*?) *# guessed: (?P<note>.*)$", re.MULTILINE)


def propose(reference: str, *, start_folder: Path | None = None) -> str:
    """Return the text of a first profile for the class or factory that `module:attribute` names.

    Relative paths start at `start_folder`, the working folder if it is None; the text is meant to be saved there.

    Raises:
        UsageError: nothing is found there, or nothing in it creates sessions.
    """
    folder = (Path.cwd() if start_folder is None else start_folder).resolve()
    factory, path = _found(reference, folder)
    owner = _owner(reference, factory)
    subject = study(owner)
    if "create" not in subject.guesses:
        raise UsageError(
            f"{reference}: no method of {owner.__name__} looks like one that creates sessions (create, new_session, "
            "get_or_create, ...): write a profile by hand"
        )
    return _read_back(_text(reference, factory, subject, path), reference, folder)


def guesses(proposal: str) -> tuple[str, ...]:
    """Return what a proposal marks as guessed, each with its line."""
    return tuple(f"{match['line'].strip()} ({match['note']})" for match in _GUESSED.finditer(proposal))


def _found(reference: str, folder: Path) -> tuple[Any, str | None]:
    """Return the factory, and the folder that its module is imported from if that is beside the profile."""
    source = folder / "src"
    put_on_path([folder, *([source] if source.is_dir() else [])], last=True)
    try:
        factory = resolve(reference)
    except ImportFault as error:
        raise UsageError(f"{reference}: {error}") from None
    if not callable(factory):
        raise UsageError(
            f"{reference} is a {type(factory).__name__}: expected a class, or a function that makes a manager"
        )
    module = sys.modules[reference.partition(":")[0]]
    file = Path(getattr(module, "__file__", None) or "/").resolve()
    root = file.parents[
        min(reference.partition(":")[0].count(".") + (file.name == "__init__.py"), len(file.parents) - 1)
    ]
    if root == folder:
        return factory, "."
    if root.is_relative_to(folder) and "site-packages" not in root.parts:
        return factory, root.relative_to(folder).as_posix()
    return factory, None


def _owner(reference: str, factory: Any) -> type:
    """Return the class of the managers that the factory makes."""
    if isinstance(factory, type):
        return factory
    try:
        annotation = typing.get_type_hints(factory).get("return")
    except Exception:  # noqa: BLE001 - an annotation may be anything, also what cannot be evaluated here.
        annotation = None
    arguments = typing.get_args(annotation)
    candidate = arguments[0] if arguments else annotation
    if isinstance(candidate, type) and candidate is not type(None):
        return candidate
    needs = [one for one in inspect.signature(factory).parameters.values() if one.default is one.empty]
    if not needs and not inspect.iscoroutinefunction(factory) and not inspect.isgeneratorfunction(factory):
        return type(factory())
    raise UsageError(f"{reference}: what it makes is not known: annotate what it returns, or name the class itself")


# -- the text -------------------------------------------------------------------------------------------------------


def _text(reference: str, factory: Any, subject: Subject, path: str | None) -> str:
    head = [Line("factory", f'"{reference}"')]
    if path is not None:
        head.append(Line("path", f'["{path}"]'))
    settings, figures = manager_lines(factory, subject)
    policy, errors = policy_lines(subject, figures, factory)
    marked = any(line.key == "expired" and "marked" in line.value for line in policy)
    parts = [
        f"# A first profile of {subject.owner.__name__}, proposed by its names and its source.",
        "# What is marked `guessed` is worth a look.",
        *_table("manager", [*head, *settings]),
        *_table("operations", _operation_lines(subject)),
        *_table("session", _session_lines(subject, marked=marked)),
        *_table("policy", policy),
        *_table("errors", errors),
    ]
    parts += ["", *(f"# Not used: {note}" for note in subject.left_out)] if subject.left_out else []
    return "\n".join(parts) + "\n"


def _table(name: str, lines: list[Line]) -> list[str]:
    if not lines:
        return []
    return ["", f"[{name}]", *(str(line) for line in lines)]


def _operation_lines(subject: Subject) -> list[Line]:
    return [
        Line(verb, '"' + guess.text.replace("\\", "\\\\").replace('"', '\\"') + '"', guess.note)
        for verb, guess in subject.guesses.items()
    ]


def _session_lines(subject: Subject, *, marked: bool) -> list[Line]:
    lines = [] if subject.data_type == "dict" else [Line("data_type", f'"{subject.data_type}"', "by its annotations")]
    if not subject.gives_sessions:
        return lines
    fields = subject.fields
    taken: set[str] = set()
    for part, names in FIELDS.items():
        found = next((name for name in names if name in fields and name not in taken), None)
        if found is not None:
            taken.add(found)
            lines.append(Line(part, f'"{found}"', "" if found == part else "by its name"))
    held = {line.key for line in lines}
    if "data" not in held and subject.session_class is not None and hasattr(subject.session_class, "__getitem__"):
        lines.append(Line("data", '"."', "the session itself looks like a mapping"))
    if "status" in held and marked:
        lines.append(Line("expired_status", '"expired"', "by its source"))
    return lines


def _read_back(text: str, reference: str, folder: Path) -> str:
    """Return the text without the lines that the reader refuses."""
    lines = text.splitlines()
    for _ in range(ROUNDS_MAX):
        try:
            read_text("\n".join(lines) + "\n", source=reference, name=reference, folder=folder)
        except UsageError as error:
            refused = {fault.line: fault.message for fault in error.faults}
            if not refused or any(lines[line - 1].startswith(("[", "create ", "factory ", "#")) for line in refused):
                raise UsageError(f"{reference}: no profile could be proposed; write one by hand:\n{error}") from None
            for line, message in refused.items():
                lines[line - 1] = f"# Left out ({message}): {lines[line - 1]}"
        else:
            return "\n".join(lines) + "\n"
    raise UsageError(f"{reference}: no profile could be proposed; write one by hand")
