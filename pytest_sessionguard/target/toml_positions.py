"""Where every key and value of a TOML text stands: tomllib reads the values and forgets the places.

Pure.  The text has been read by tomllib before, so that this scan meets correct TOML only and judges nothing.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

KeyPath: TypeAlias = tuple[str | int, ...]

_BARE_KEY: Final = re.compile(r"[A-Za-z0-9_-]+")
_BLANK: Final = re.compile(r"[ \t]*")
_FILLER: Final = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_SCALAR: Final = re.compile(r"\d{4}-\d\d-\d\d[ Tt]\d\d:[^\s,\]}#]*|[^\s,\]}#]+")
_STRING: Final = re.compile(
    r'"""(?P<lines>(?:\\.|[^\\])*?"{0,2})"""(?!")'
    r"|'''(?P<raw_lines>.*?'{0,2})'''(?!')"
    r'|"(?P<basic>(?:\\.|[^"\\\n])*)"'
    r"|'(?P<literal>[^'\n]*)'",
    re.DOTALL,
)
_ESCAPE: Final = re.compile(r"\\(?:u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}|x[0-9A-Fa-f]{2}|[ \t]*\n\s*|.)", re.DOTALL)
_MEANING: Final = {"b": "\b", "t": "\t", "n": "\n", "f": "\f", "r": "\r", "e": "\x1b", '"': '"', "\\": "\\"}


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A place in a text.

    Units: lines and columns count from 1; a column is a character.
    """

    line: int
    column: int


class Positions:
    """The places of a TOML text's keys and values, by their path: `("manager", "path", 0)`."""

    __slots__ = ("_keys", "_lines", "_strings", "_text", "_values")

    def __init__(
        self,
        text: str,
        keys: Mapping[KeyPath, int],
        values: Mapping[KeyPath, int],
        strings: Mapping[KeyPath, re.Match[str]],
    ) -> None:
        self._text = text
        self._keys = keys
        self._values = values
        self._strings = strings
        self._lines = [0, *(match.end() for match in re.finditer("\n", text))]

    def key(self, path: KeyPath) -> Place:
        """Return where the key stands; of one that is not written, where its nearest table does."""
        return self._nearest(path, self._keys, self._values)

    def value(self, path: KeyPath) -> Place:
        """Return where the value begins; of one that is not written, where its nearest table does."""
        return self._nearest(path, self._values, self._keys)

    def inside(self, path: KeyPath, character: int) -> Place:
        """Return where a character (from 0) of a string's value stands; past the last one: the closing quote."""
        match = self._strings.get(path)
        if match is None:
            return self.value(path)
        places = [start for start, _ in _decoded(match)]
        return self._place(places[character] if character < len(places) else match.end(match.lastgroup or 0))

    def characters(self, path: KeyPath) -> tuple[Place, ...]:
        """Return the place of every character of a string's value, then that of its closing quote; empty for others."""
        match = self._strings.get(path)
        if match is None:
            return ()
        starts = [start for start, _ in _decoded(match)]
        return tuple(self._place(start) for start in (*starts, match.end(match.lastgroup or 0)))

    def _nearest(self, path: KeyPath, *sources: Mapping[KeyPath, int]) -> Place:
        for length in range(len(path), 0, -1):
            for source in sources:
                if path[:length] in source:
                    return self._place(source[path[:length]])
        return Place(1, 1)

    def _place(self, offset: int) -> Place:
        line = bisect_right(self._lines, offset)
        return Place(line, offset - self._lines[line - 1] + 1)


def find_positions(text: str) -> Positions:
    """Return the places of every key and value of a correct TOML text."""
    scan = _Scan(text.replace("\r\n", "\n"))
    scan.document()
    return Positions(scan.text, scan.keys, scan.values, scan.strings)


def string_value(match: re.Match[str]) -> str:
    """Return what a TOML string says, its escapes resolved."""
    return "".join(character for _, character in _decoded(match))


def _decoded(match: re.Match[str]) -> Iterator[tuple[int, str]]:
    """Yield every character of a string's value with the offset that it was written at."""
    group = match.lastgroup or ""
    place, end = match.span(group)
    text = match.string
    if group.endswith("lines") and text.startswith("\n", place):
        place += 1  # A newline right after the opening quotes is no part of the value.
    escaped = group in ("lines", "basic")
    while place < end:
        if escaped and text[place] == "\\":
            escape = _ESCAPE.match(text, place, end)
            assert escape is not None  # tomllib has read this text: a backslash is never the last character.
            yield from ((place, character) for character in _meaning(escape.group()))
            place = escape.end()
        else:
            yield place, text[place]
            place += 1


def _meaning(escape: str) -> str:
    letter = escape[1]
    if letter in "uUx" and len(escape) > 2:
        return chr(int(escape[2:], 16))
    return _MEANING.get(letter, "")  # Neither: the end of a line, which swallows the blanks that follow.


class _Scan:
    """One pass over the text that notes offsets."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.keys: dict[KeyPath, int] = {}
        self.values: dict[KeyPath, int] = {}
        self.strings: dict[KeyPath, re.Match[str]] = {}
        self._lengths: dict[KeyPath, int] = {}
        self._at = 0

    def document(self) -> None:
        base: KeyPath = ()
        while self._skip(_FILLER) < len(self.text):
            if self.text.startswith("[[", self._at):
                base = self._header(2)
            elif self.text[self._at] == "[":
                base = self._header(1)
            else:
                self._pair(base)

    def _skip(self, pattern: re.Pattern[str]) -> int:
        match = pattern.match(self.text, self._at)
        self._at = match.end() if match else self._at
        return self._at

    def _header(self, brackets: int) -> KeyPath:
        start = self._at
        self._at += brackets
        path: KeyPath = ()
        parts = self._key_parts()
        for number, (word, offset) in enumerate(parts):
            path = (*path, word)
            self.keys.setdefault(path, offset)
            self.values.setdefault(path, start)
            last = number == len(parts) - 1
            if last and brackets == 2:
                self._lengths[path] = self._lengths.get(path, 0) + 1
            if path in self._lengths:
                path = (*path, self._lengths[path] - 1)
                self.keys.setdefault(path, offset)
                self.values.setdefault(path, start)
        self._at = self.text.index("]", self._at) + brackets
        return path

    def _key_parts(self) -> list[tuple[str, int]]:
        parts = []
        while True:
            start = self._skip(_BLANK)
            string = _STRING.match(self.text, start)
            if string is not None:
                parts.append((string_value(string), start))
                self._at = string.end()
            else:
                bare = _BARE_KEY.match(self.text, start)
                assert bare is not None  # tomllib has read this text: a key is bare or quoted.
                parts.append((bare.group(), start))
                self._at = bare.end()
            if not self.text.startswith(".", self._skip(_BLANK)):
                return parts
            self._at += 1

    def _pair(self, base: KeyPath) -> None:
        path = base
        parts = self._key_parts()
        for word, offset in parts:
            path = (*path, word)
            self.keys.setdefault(path, offset)
        for length in range(len(base) + 1, len(path)):
            self.values.setdefault(path[:length], self.keys[path[:length]])
        self._at += 1  # The equals sign.
        self._skip(_BLANK)
        self._value(path)

    def _value(self, path: KeyPath) -> None:
        self.values[path] = self._at
        opening = self.text[self._at]
        if opening == "[":
            self._array(path)
        elif opening == "{":
            self._inline_table(path)
        elif opening in "\"'":
            match = _STRING.match(self.text, self._at)
            assert match is not None  # tomllib has read this text: a string has its closing quotes.
            self.strings[path] = match
            self._at = match.end()
        else:
            self._skip(_SCALAR)

    def _array(self, path: KeyPath) -> None:
        self._at += 1
        index = 0
        while self.text[self._skip(_FILLER)] != "]":
            if self.text[self._at] == ",":
                self._at += 1
                continue
            self._value((*path, index))
            self.keys[(*path, index)] = self.values[(*path, index)]
            index += 1
        self._at += 1

    def _inline_table(self, path: KeyPath) -> None:
        self._at += 1
        while self.text[self._skip(_FILLER)] != "}":
            if self.text[self._at] == ",":
                self._at += 1
                continue
            self._pair(path)
        self._at += 1
