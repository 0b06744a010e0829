"""How one operation is called, as a text: `load(id) -> session`.

A template is parsed, never evaluated: a tokenizer and a parser of one pass, so that every mistake has its column.
Forms: `method(arguments) -> result`, a dotted path, `module:function(manager, id)`, an item `manager[id]` that is read,
set or deleted, a method or attribute of a held session `session.save()`.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Hashable, Iterator
from dataclasses import dataclass, replace
from typing import Final, NoReturn

from pytest_sessionguard.core.operations import ARGUMENTS, RESULTS
from pytest_sessionguard.core.values import UNSET, FrozenMap, Unset, show
from pytest_sessionguard.errors import did_you_mean

MANAGER: Final = "manager"
SESSION: Final = "session"
FUNCTION: Final = "function"

WORDS: Final = {"true": True, "false": False, "True": True, "False": False, "None": None, "none": None, "null": None}

_TOKEN: Final = re.compile(
    r"""(?P<space>\s+)
      | (?P<number>-?(?:\d[\d_]*\.\d+|\d[\d_]*)(?:[eE][+-]?\d+)?)
      | (?P<string>'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*")
      | (?P<name>[^\W\d]\w*)
      | (?P<mark>->|\*\*|[()\[\]{},=?:.*])
    """,
    re.VERBOSE,
)


class TemplateError(Exception):
    """A template cannot be read.

    Units: `column` counts characters of the template from 1.
    """

    def __init__(self, message: str, column: int) -> None:
        self.message = message
        self.column = column
        super().__init__(f"column {column}: {message}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Argument:
    """One argument that a template hands over.

    Attributes:
        name: what is handed over, out of ARGUMENTS, or "manager"; None for a literal.
        literal: the literal's value, frozen (`values.thaw` gives a fresh one); UNSET where there is a name.
        keyword: the name it is handed over by; None: by its place.
        optional: handed over in some calls and left out of others; those given by place are left out from the right.
        spread: `**data`: every entry by its own keyword.
        column: where it stands in the template, from 1.
    """

    name: str | None = None
    literal: Hashable | Unset = UNSET
    keyword: str | None = None
    optional: bool = False
    spread: bool = False
    column: int = 1

    def __str__(self) -> str:
        shown = self.name if self.name is not None else show(self.literal)
        return (
            ("**" if self.spread else "")
            + (f"{self.keyword}=" if self.keyword else "")
            + f"{shown}"
            + ("?" if self.optional else "")
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """How one step of an operation is called.

    Attributes:
        text: as the user wrote it.
        root: "manager", "session" (a held session object) or "function" (one of a module).
        module: the function's module, where `root` is "function".
        path: the attributes to walk from the root; empty for the root itself.
        call: whether what the path leads to is called with `arguments`; else it is read.
        item: the key of `[...]` after the path.
        assigned: what `[...] = ` sets the item to.
        deletes: `del ...[item]`.
        result: what the answer is, out of RESULTS.
        asynchronous: written with a leading `async` (hooks only).
        columns: where each part of the path stands in the text, from 1.
    """

    text: str
    root: str = MANAGER
    module: str | None = None
    path: tuple[str, ...] = ()
    call: bool = False
    item: Argument | None = None
    assigned: Argument | None = None
    deletes: bool = False
    arguments: tuple[Argument, ...] = ()
    result: str = "nothing"
    asynchronous: bool = False
    columns: tuple[int, ...] = ()
    result_column: int = 1

    def __str__(self) -> str:
        return self.text

    @property
    def handed_over(self) -> tuple[Argument, ...]:
        """Every argument, the item and what is assigned included."""
        return self.arguments + tuple(one for one in (self.item, self.assigned) if one is not None)

    @property
    def names(self) -> frozenset[str]:
        """The names of everything that the template hands over."""
        return frozenset(argument.name for argument in self.handed_over if argument.name is not None)


def parse(text: str) -> Template:
    """Return the template that the text says.

    Raises:
        TemplateError: what is wrong, at its column, what was expected, and the nearest known word.
    """
    template = _Parser(text).template()
    if template.asynchronous:
        raise TemplateError("`async` is for hooks: an answer that can be awaited is awaited anyway, leave it out", 1)
    return template


def parse_hook(text: str) -> Template:
    """Return `[async] role(arguments)`, what a hook of the harness stands for; the role is `path[0]`.

    Raises:
        TemplateError: what is wrong, at its column.
    """
    template = _Parser(text).template()
    if template.root != MANAGER or len(template.path) != 1 or not template.call:
        raise TemplateError(f"a hook is `role(arguments)` or `async role(arguments)`, not {text!r}", 1)
    for argument in template.arguments:
        if argument.name is None or argument.optional or argument.spread:
            raise TemplateError(f"a hook is handed plain arguments, not {str(argument)!r}", argument.column)
    return template


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    column: int

    def __str__(self) -> str:
        return "the end" if self.kind == "end" else repr(self.text)


def _tokens(text: str) -> Iterator[_Token]:
    place = 0
    while place < len(text):
        match = _TOKEN.match(text, place)
        if match is None:
            if text[place] in "'\"":
                raise TemplateError(
                    f"the string that begins here never ends: expected a closing {text[place]}", place + 1
                )
            raise TemplateError(f"{text[place]!r} has no meaning in a template", place + 1)
        kind = str(match.lastgroup)
        if kind != "space":
            yield _Token(kind, match.group(), place + 1)
        place = match.end()
    yield _Token("end", "", len(text) + 1)


class _Parser:
    """One pass over the tokens, left to right."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = list(_tokens(text))
        self._next = 0

    # -- walking

    @property
    def _token(self) -> _Token:
        return self._tokens[self._next]

    def _ahead(self, distance: int = 1) -> _Token:
        return self._tokens[min(self._next + distance, len(self._tokens) - 1)]

    def _take(self) -> _Token:
        token = self._token
        self._next = min(self._next + 1, len(self._tokens) - 1)
        return token

    def _has(self, mark: str) -> bool:
        return self._token.kind == "mark" and self._token.text == mark

    def _skip(self, mark: str) -> bool:
        if self._has(mark):
            self._take()
            return True
        return False

    def _fail(self, expected: str) -> NoReturn:
        raise TemplateError(f"{self._token} is out of place: expected {expected}", self._token.column)

    def _name(self, expected: str) -> _Token:
        if self._token.kind != "name":
            self._fail(expected)
        return self._take()

    # -- the grammar

    def template(self) -> Template:
        if self._token.kind == "end":
            raise TemplateError("an empty template: expected `method(arguments) -> result`", 1)
        asynchronous = self._leading("async")
        deletes = self._leading("del")
        template = replace(self._place(), text=self._text, asynchronous=asynchronous, deletes=deletes)
        start = self._token
        if self._skip("("):
            template = replace(template, call=True, arguments=self._arguments())
        elif self._skip("["):
            template = replace(template, item=self._one("an argument or a literal"))
            if not self._skip("]"):
                self._fail("`]`")
            if self._skip("="):
                template = replace(template, assigned=self._one("an argument or a literal to set the item to"))
        if deletes and (template.item is None or template.assigned is not None):
            raise TemplateError("`del` takes an item: expected `del manager[id]`", start.column)
        if self._skip("->"):
            template = self._with_result(template)
        if self._token.kind != "end":
            self._fail("`-> result` or the end" if template.result == "nothing" else "the end")
        self._refuse_bare_root(template)
        return template

    def _leading(self, word: str) -> bool:
        if self._token.kind == "name" and self._token.text == word and self._ahead().kind == "name":
            self._take()
            return True
        return False

    def _place(self) -> Template:
        parts = self._dotted("a method, an attribute, `manager[...]` or `module:function(...)`")
        if self._skip(":"):
            module = ".".join(part.text for part in parts)
            parts = self._dotted("the name of a function")
            return self._placed(FUNCTION, parts, module)
        first = parts[0].text
        if first in (MANAGER, SESSION) and (len(parts) > 1 or self._has("[")):
            return self._placed(first, parts[1:], None)
        if first == SESSION and not self._has("("):
            return self._placed(SESSION, parts[1:], None)
        if first == MANAGER:
            return self._placed(MANAGER, parts[1:], None)
        return self._placed(MANAGER, parts, None)

    def _placed(self, root: str, parts: list[_Token], module: str | None) -> Template:
        return Template(
            text=self._text,
            root=root,
            module=module,
            path=tuple(part.text for part in parts),
            columns=tuple(part.column for part in parts),
        )

    def _refuse_bare_root(self, template: Template) -> None:
        if template.path or template.item is not None or (template.root == MANAGER and template.call):
            if template.root == FUNCTION and not template.call:
                raise TemplateError("a function is called: expected `(` after its name", len(self._text) + 1)
            return
        word = template.root
        raise TemplateError(f"`{word}` alone does nothing: expected `{word}.name` or `{word}[...]`", 1)

    def _dotted(self, expected: str) -> list[_Token]:
        parts = [self._name(expected)]
        while self._skip("."):
            parts.append(self._name("a name after the dot"))
        return parts

    def _with_result(self, template: Template) -> Template:
        column = self._token.column
        if self._token.kind != "name":
            raise TemplateError(f"`->` names no result{did_you_mean('', RESULTS)}", column)
        word = self._take().text
        if word not in RESULTS:
            raise TemplateError(f"unknown result {word!r}{did_you_mean(word, RESULTS)}", column)
        return replace(template, result=word, result_column=column)

    def _arguments(self) -> tuple[Argument, ...]:
        arguments: list[Argument] = []
        while not self._skip(")"):
            if arguments:
                if not self._skip(","):
                    self._fail("`,` or `)`")
                if self._skip(")"):
                    break
            argument = self._argument()
            self._refuse_order(arguments, argument)
            arguments.append(argument)
        return tuple(arguments)

    def _refuse_order(self, before: list[Argument], argument: Argument) -> None:
        if argument.keyword is not None:
            if any(one.keyword == argument.keyword for one in before):
                raise TemplateError(f"the keyword {argument.keyword!r} is given twice", argument.column)
            return
        if argument.spread:
            return
        if any(one.keyword is not None or one.spread for one in before):
            raise TemplateError(
                f"{str(argument)!r} is given by its place after a keyword: expected `name={argument}`", argument.column
            )
        if not argument.optional and any(one.optional for one in before):
            raise TemplateError(
                f"{str(argument)!r} follows an optional argument and would move when that is left out: "
                f"expected `name={argument}`",
                argument.column,
            )

    def _argument(self) -> Argument:
        start = self._token
        if self._skip("**"):
            one = self._one("the name of an argument after `**`")
            if one.name is None:
                raise TemplateError(f"{one} is spread: expected the name of an argument after `**`", one.column)
            return replace(one, spread=True, column=start.column)
        if self._has("*"):
            self._fail("an argument by its place, or `**data`: `*` is not known here")
        keyword = None
        if start.kind == "name" and self._ahead().text == "=" and self._ahead().kind == "mark":
            keyword = self._take().text
            self._take()
        one = self._one("an argument or a literal")
        optional = self._skip("?")
        if optional and one.name is None:
            raise TemplateError("a literal is always handed over: leave the `?` out", one.column)
        return replace(one, keyword=keyword, optional=optional, column=start.column)

    def _one(self, expected: str) -> Argument:
        token = self._token
        if token.kind == "name" and token.text not in WORDS:
            self._take()
            known = (*ARGUMENTS, MANAGER)
            if token.text not in known:
                raise TemplateError(f"unknown argument {token.text!r}{did_you_mean(token.text, known)}", token.column)
            return Argument(name=token.text, column=token.column)
        return Argument(literal=self._literal(expected), column=token.column)

    def _literal(self, expected: str) -> Hashable:
        token = self._token
        if token.kind in ("number", "string"):
            self._take()
            return self._scalar(token)
        if token.kind == "name" and token.text in WORDS:
            return WORDS[self._take().text]
        if self._skip("["):
            return tuple(self._entries("]"))
        if not self._skip("{"):
            self._fail(expected)
        self._refuse_bare_placeholder(token.column)
        return FrozenMap(dict(self._pairs()))

    def _refuse_bare_placeholder(self, column: int) -> None:
        name = self._token
        if name.kind == "name" and self._ahead().text == "}":
            quoted = f"'{{{name.text}}}'"
            raise TemplateError(f"{{{name.text}}} is no literal: expected a placeholder in quotes, {quoted}", column)

    def _scalar(self, token: _Token) -> Hashable:
        """Return a number or a string: `ast.literal_eval` sees one token that the tokenizer has already vetted."""
        try:
            value: Hashable = ast.literal_eval(token.text)
        except (SyntaxError, ValueError):
            raise TemplateError(f"{token.text} is no {token.kind}", token.column) from None
        return value

    def _entries(self, closing: str) -> Iterator[Hashable]:
        first = True
        while not self._skip(closing):
            if not first:
                if not self._skip(","):
                    self._fail(f"`,` or `{closing}`")
                if self._skip(closing):
                    return
            yield self._literal("a literal: lists and tables hold no arguments")
            first = False

    def _pairs(self) -> Iterator[tuple[Hashable, Hashable]]:
        first = True
        while not self._skip("}"):
            if not first:
                if not self._skip(","):
                    self._fail("`,` or `}`")
                if self._skip("}"):
                    return
            key = self._literal("a literal key")
            if not self._skip(":"):
                self._fail("`:`")
            yield key, self._literal("a literal: lists and tables hold no arguments")
            first = False
