"""What stands in a YAML file, with its places: texts, numbers, truth, lists and mappings, and nothing else.

Plain scalars are read as YAML 1.2 has them: `no`, `on` and `yes` are text, and so are dates and 1:30; 010 is ten.
Spellings that one reader takes for truth and the next for text (`True`, `NULL`) are refused rather than guessed.
"""

from __future__ import annotations

import re
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from pytest_sessionguard.core.values import FrozenMap

Scalar: TypeAlias = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Node:
    """One value of a file and where it stands; lines and columns count from 1.

    Attributes:
        content: a scalar, the items of a list, or the entries of a mapping: key -> (the key itself, the value).
        size: how many nodes it counts for, itself and the copies that aliases make included.
    """

    line: int
    column: int
    content: Scalar | tuple[Node, ...] | dict[str, tuple[Node, Node]]
    size: int = 1

    @property
    def entries(self) -> dict[str, tuple[Node, Node]] | None:
        """The entries of a mapping; None where this is none."""
        return self.content if isinstance(self.content, dict) else None

    @property
    def items(self) -> tuple[Node, ...] | None:
        """The items of a list; None where this is none."""
        return self.content if isinstance(self.content, tuple) else None

    @property
    def told(self) -> str:
        """What it is, in the words of a message."""
        content = self.content
        if isinstance(content, dict):
            return "a mapping" if content else "an empty mapping"
        if isinstance(content, tuple):
            return "a list" if content else "an empty list"
        if content is None:
            return "nothing"
        if isinstance(content, bool):
            return str(content).lower()
        shown = repr(content)
        return shown if len(shown) <= 60 else shown[:57] + "..."

    def thawed(self) -> Any:
        """Return the value as plain lists, dicts and scalars."""
        if isinstance(self.content, dict):
            return {key: value.thawed() for key, (_, value) in self.content.items()}
        if isinstance(self.content, tuple):
            return [item.thawed() for item in self.content]
        return self.content

    def frozen(self) -> Hashable:
        """Return the value as a hashable one."""
        if isinstance(self.content, dict):
            return FrozenMap({key: value.frozen() for key, (_, value) in self.content.items()})
        if isinstance(self.content, tuple):
            return tuple(item.frozen() for item in self.content)
        return self.content


_WORDS: Final[dict[str, Scalar]] = {"true": True, "false": False, "null": None, "~": None, "": None}
_DOUBTFUL: Final = {"True", "TRUE", "False", "FALSE", "Null", "NULL"}
_INTEGER: Final = re.compile(r"[-+]?[0-9]+")
_BASED: Final = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_DECIMAL: Final = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_INFINITE: Final = re.compile(r"([-+]?)\.(?:inf|Inf|INF)")
_NO_NUMBER: Final = {".nan", ".NaN", ".NAN"}

DIGITS_MAX: Final = 1000


def resolve(text: str) -> Scalar:
    """Return what a plain scalar stands for.

    Raises:
        ValueError: a spelling that readers disagree about, a number too long, or not-a-number.
    """
    if text in _WORDS:
        return _WORDS[text]
    if text in _DOUBTFUL:
        raise ValueError(f"{text} is text to some readers: write {text.lower()}, or quote it where text is meant")
    if text in _NO_NUMBER:
        raise ValueError(f"{text} equals nothing, not even itself: no answer could be compared with it")
    if not text.startswith(tuple("-+.0123456789")):
        return text
    if len(text) > DIGITS_MAX and (_INTEGER.fullmatch(text) or _BASED.fullmatch(text) or _DECIMAL.fullmatch(text)):
        raise ValueError(f"a number of {len(text)} characters: write at most {DIGITS_MAX}, or quote it as text")
    if _INTEGER.fullmatch(text):
        return int(text)
    if _BASED.fullmatch(text):
        return int(text, 0)
    if _DECIMAL.fullmatch(text):
        return float(text)
    infinite = _INFINITE.fullmatch(text)
    return float(infinite[1] + "inf") if infinite else text
