"""What the source of a class gives away: what its methods return, raise, set and compare.

Looks at syntax trees and never runs anything; every answer is a guess, and where there is no source there is none.
"""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

_TIME_WORDS: Final = re.compile(r"expir|ttl|timeout|deadline|stale|alive|is_valid|lifetime|max_age|is_active")
_SEEN_WORDS: Final = re.compile(r"last_|access|activity|expir|seen|deadline|touched|updated")
_RENEWING: Final = re.compile(r"^_?(touch|refresh|renew|update_activity|mark_active|bump|keep_alive)")
_DEEP: Final = re.compile(r"deepcopy|loads\(|dumps\(|execute|decode|deep=True|asdict\(|pickle|b64|freeze")
_LIMIT_WORDS: Final = re.compile(r"max_|limit|capacity|full|quota|len\(")
_SQL_SEEN: Final = re.compile(r"(last_\w+|seen|access\w*|expir\w*|activity\w*)\s*=\s*[?:%$]")
_ID_WORDS: Final = re.compile(r"(^|_)(id|sid|token|key|uuid|identifier|handle)$|token_|uuid|secrets\.")
_COUNT_WORDS: Final = re.compile(r"count|removed|purged|expired|deleted|evicted|cleaned|^n$|total")


@dataclass(frozen=True, kw_only=True)
class Method:
    """One method of a class, as source."""

    name: str
    function: Any
    tree: ast.FunctionDef | ast.AsyncFunctionDef | None = None
    siblings: dict[str, Method] = field(default_factory=dict, repr=False)

    @cached_property
    def source(self) -> str:
        """The method's source, its docstring left out."""
        if self.tree is None:
            return ""
        body = self.tree.body
        if ast.get_docstring(self.tree, clean=False) is not None:
            body = body[1:]
        return "\n".join(ast.unparse(one) for one in body)

    @cached_property
    def reach(self) -> tuple[Method, ...]:
        """The method and those of its class that it calls directly."""
        called = re.findall(r"self\.(\w+)\(", self.source)
        others = [self.siblings[name] for name in dict.fromkeys(called) if name in self.siblings and name != self.name]
        return (self, *others)

    def nodes(self, kind: type[ast.AST]) -> Iterator[Any]:
        """Yield the syntax of a kind in the method and in those that it calls."""
        for method in self.reach:
            if method.tree is not None:
                yield from (node for node in ast.walk(method.tree) if isinstance(node, kind))

    @property
    def looks_at_time(self) -> bool:
        """Whether it, or what it calls, speaks of timeouts."""
        return any(_TIME_WORDS.search(method.source) or _TIME_WORDS.search(method.name) for method in self.reach)

    @property
    def renews(self) -> bool:
        """Whether it sets something that looks like the last activity, or calls what renews."""
        for method in self.reach:
            if method is not self and _RENEWING.match(method.name):
                return True
            if _SQL_SEEN.search(method.source):
                return True
            if re.search(r"\.touch\(|\.refresh\(|\.renew\(|move_to_end", method.source):
                return True
        for node in self.nodes(ast.Assign):
            for target in node.targets:
                shown = ast.unparse(target)
                if isinstance(target, ast.Attribute) and _SEEN_WORDS.search(target.attr):
                    return True
                if isinstance(target, ast.Subscript) and (
                    _SEEN_WORDS.search(shown) or re.search(r"time|now|ttl|expir", ast.unparse(node.value))
                ):
                    return True
        return False

    @property
    def copies(self) -> bool:
        """Whether what it takes or gives is copied down to its leaves: a shallow copy still shares lists."""
        return any(_DEEP.search(method.source) for method in self.reach)

    @cached_property
    def returned(self) -> tuple[str, ...]:
        """What its own return statements give, as source; a name is followed to what it was last set to."""
        if self.tree is None:
            return ()
        return tuple(
            "" if node.value is None else ast.unparse(node.value)
            for node in ast.walk(self.tree)
            if isinstance(node, ast.Return)
        )

    def assigned(self, name: str) -> str:
        """Return the source of what a local name is set to last; empty where it is not."""
        value = ""
        if self.tree is not None:
            for node in ast.walk(self.tree):
                if isinstance(node, ast.Assign) and any(
                    isinstance(one, ast.Name) and one.id == name for one in node.targets
                ):
                    value = ast.unparse(node.value)
        return value

    def raised(self) -> Iterator[tuple[str, str]]:
        """Yield the name of each exception that is raised, and the condition it stands under."""
        for method in self.reach:
            if method.tree is not None:
                yield from _raised(method.tree.body, "")

    def comparison(self) -> str | None:
        """Return what the timeout itself is: "expired" or "alive", by the comparisons with time; None: no telling."""
        for node in self.nodes(ast.Compare):
            if len(node.ops) != 1:
                continue
            left, right = ast.unparse(node.left), ast.unparse(node.comparators[0])
            words = re.compile(r"ttl|timeout|expir|deadline|max_age|idle|lifetime", re.IGNORECASE)
            on_left, on_right = words.search(left), words.search(right)
            if bool(on_left) == bool(on_right):
                continue
            strict_dead = ast.Lt if on_left else ast.Gt
            strict_alive = ast.Gt if on_left else ast.Lt
            loose_dead = ast.LtE if on_left else ast.GtE
            loose_alive = ast.GtE if on_left else ast.LtE
            if isinstance(node.ops[0], (strict_dead, loose_alive)):
                return "alive"
            if isinstance(node.ops[0], (loose_dead, strict_alive)):
                return "expired"
        return None


def methods_of(owner: type) -> dict[str, Method]:
    """Return the methods of a class by their name, those of its ancestors included, special ones too."""
    found: dict[str, Method] = {}
    for ancestor in reversed(owner.__mro__[:-1]):
        for name, attribute in vars(ancestor).items():
            function = getattr(attribute, "__func__", attribute)
            if isinstance(attribute, property):
                function = attribute.fget
            if callable(function) and not isinstance(function, type):
                found[name] = Method(name=name, function=attribute, tree=_tree(function), siblings=found)
    return found


def _tree(function: Any) -> ast.FunctionDef | ast.AsyncFunctionDef | None:
    try:
        source = textwrap.dedent(inspect.getsource(inspect.unwrap(function)))
        tree = ast.parse(source).body[0]
    except (OSError, TypeError, SyntaxError, IndexError):
        return None
    return tree if isinstance(tree, (ast.FunctionDef, ast.AsyncFunctionDef)) else None


def _raised(body: list[ast.stmt], condition: str) -> Iterator[tuple[str, str]]:
    for node in body:
        if isinstance(node, ast.Raise) and node.exc is not None:
            called = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
            yield ast.unparse(called), condition
        under = condition
        if isinstance(node, (ast.If, ast.While)):
            under = f"{condition} {ast.unparse(node.test)}"
        for part in ("body", "orelse", "finalbody"):
            yield from _raised(getattr(node, part, []), under)
        for handler in getattr(node, "handlers", []):
            caught = "" if handler.type is None else ast.unparse(handler.type)
            yield from _raised(handler.body, f"{condition} except {caught}")


def is_limit(condition: str) -> bool:
    """Say whether a condition looks like that of a limit."""
    return bool(_LIMIT_WORDS.search(condition)) and bool(re.search(r">|<|full", condition))


def looks_like_id(shown: str) -> bool:
    """Say whether the source of a value looks like an id."""
    return bool(_ID_WORDS.search(shown))


def looks_like_count(shown: str) -> bool:
    """Say whether the source of a value looks like a count."""
    return shown.startswith(("len(", "sum(")) or bool(_COUNT_WORDS.search(shown))


def looks_like_ids(shown: str) -> bool:
    """Say whether the source of a value looks like a collection."""
    return shown.startswith(("[", "list(", "sorted(", "{", "set(", "tuple(")) or shown.endswith(".keys()")


def looks_like_flag(shown: str) -> bool:
    """Say whether the source of a value looks like yes or no."""
    return (
        shown in ("True", "False")
        or shown.startswith(("not ", "bool("))
        or bool(re.search(r" in | is (not )?None| == | != |<|>", shown))
    )
