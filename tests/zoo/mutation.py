"""Mutation operators: small changes of a source, made by rule, each site with a number of its own.

A mutant is named `base:operator:n`: the nth place, in the order of the text, at which the operator can be applied
within the functions of that manager.  Which mutants the zoo has is drawn by chance from the base's name alone; what was
drawn, and what became of it, is written down in `mutants.py`.
"""

from __future__ import annotations

import ast
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias

# A list of statements and the place in it; or a node and the name of the field to change.
Site: TypeAlias = tuple[ast.AST, Callable[[], str]]
Operator: TypeAlias = Callable[[ast.AST], Iterator[Site]]

_LOCKS: Final = ("lock", "line", "counting", "door", "_transaction", "_writing")
_SIMPLE: Final = (ast.Assign, ast.AugAssign, ast.AnnAssign, ast.Delete, ast.Expr)
_BOUNDARIES: Final = {ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt}
_CALLS: Final = {"min": "max", "max": "min"}
_METHODS: Final = {"pop": "get", "monotonic": "time", "time": "monotonic"}


def bodies(node: ast.AST) -> Iterator[list[ast.stmt]]:
    """Give every list of statements that stands directly in a node."""
    for name in ("body", "orelse", "finalbody"):
        found = getattr(node, name, None)
        if isinstance(found, list):
            yield found


def _without(body: list[ast.stmt], at: int, *instead: ast.stmt) -> None:
    body[at : at + 1] = instead or ([ast.Pass()] if len(body) == 1 else [])


def _dropping(wanted: Callable[[ast.stmt], bool]) -> Operator:
    def sites(node: ast.AST) -> Iterator[Site]:
        for body in bodies(node):
            for at, statement in enumerate(body):
                if wanted(statement):

                    def apply(body: list[ast.stmt] = body, at: int = at) -> str:
                        gone = ast.unparse(body[at]).splitlines()[0]
                        _without(body, at)
                        return f"without `{gone}`"

                    yield statement, apply

    return sites


def _is_plain(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
        return False  # A docstring.
    return isinstance(statement, _SIMPLE)


def _is_guard(statement: ast.stmt) -> bool:
    leaves = (ast.Return, ast.Raise, ast.Continue)
    return isinstance(statement, ast.If) and not statement.orelse and isinstance(statement.body[-1], leaves)


def _negated(node: ast.AST) -> Iterator[Site]:
    if isinstance(node, ast.If):

        def apply() -> str:
            told = ast.unparse(node.test)
            node.test = ast.UnaryOp(op=ast.Not(), operand=node.test)
            return f"`not` before `{told}`"

        yield node, apply


def _boundary(node: ast.AST) -> Iterator[Site]:
    if isinstance(node, ast.Compare) and type(node.ops[0]) in _BOUNDARIES:

        def apply() -> str:
            told = ast.unparse(node)
            node.ops[0] = _BOUNDARIES[type(node.ops[0])]()
            return f"`{ast.unparse(node)}` for `{told}`"

        yield node, apply


def _inlined(node: ast.AST) -> Iterator[Site]:
    for body in bodies(node):
        for at, statement in enumerate(body):
            if not isinstance(statement, (ast.With, ast.AsyncWith)) or len(statement.items) != 1:
                continue
            told = ast.unparse(statement.items[0])
            if any(word in told for word in _LOCKS) and " as " not in told:

                def apply(body: list[ast.stmt] = body, at: int = at, told: str = told) -> str:
                    block = body[at]
                    assert isinstance(block, (ast.With, ast.AsyncWith))
                    body[at : at + 1] = block.body
                    return f"without `with {told}`"

                yield statement, apply


def _unguarded(node: ast.AST) -> Iterator[Site]:
    for body in bodies(node):
        for at, statement in enumerate(body):
            if isinstance(statement, ast.Try):

                def apply(body: list[ast.stmt] = body, at: int = at) -> str:
                    block = body[at]
                    assert isinstance(block, ast.Try)
                    body[at : at + 1] = [*block.body, *([] if _leaves(block.body) else block.finalbody)]
                    return "without `try`"

                yield statement, apply


def _leaves(body: list[ast.stmt]) -> bool:
    return isinstance(body[-1], (ast.Return, ast.Raise))


def _swapped(node: ast.AST) -> Iterator[Site]:
    for body in bodies(node):
        for at in range(len(body) - 1):
            if _is_plain(body[at]) and _is_plain(body[at + 1]):

                def apply(body: list[ast.stmt] = body, at: int = at) -> str:
                    body[at], body[at + 1] = body[at + 1], body[at]
                    return f"`{ast.unparse(body[at])}` before `{ast.unparse(body[at + 1])}`"

                yield body[at], apply


def _constant(node: ast.AST) -> Iterator[Site]:
    if isinstance(node, ast.Constant) and isinstance(node.value, (int, bool)):

        def apply() -> str:
            assert isinstance(node.value, (int, bool))
            told = node.value
            node.value = not told if isinstance(told, bool) else told + 1
            return f"{node.value} for {told}"

        yield node, apply


def _arithmetic(node: ast.AST) -> Iterator[Site]:
    other = {ast.Add: ast.Sub, ast.Sub: ast.Add}
    if isinstance(node, (ast.BinOp, ast.AugAssign)) and type(node.op) in other:

        def apply() -> str:
            assert isinstance(node, (ast.BinOp, ast.AugAssign))
            told = ast.unparse(node)
            node.op = other[type(node.op)]()
            return f"`{ast.unparse(node)}` for `{told}`"

        yield node, apply


def _shared(node: ast.AST) -> Iterator[Site]:
    for name, value in ast.iter_fields(node):
        for at, one in enumerate(value if isinstance(value, list) else [value]):
            if isinstance(one, ast.Call) and ast.unparse(one.func) in ("copy.deepcopy", "dict"):

                def apply(name: str = name, at: int = at, one: ast.Call = one) -> str:
                    held = getattr(node, name)
                    if isinstance(held, list):
                        held[at] = one.args[0]
                    else:
                        setattr(node, name, one.args[0])
                    return f"`{ast.unparse(one.args[0])}` for `{ast.unparse(one)}`"

                yield one, apply


def _called(node: ast.AST) -> Iterator[Site]:
    """Call the opposite: `max` for `min`, `get` for `pop`, the other clock."""
    if not isinstance(node, ast.Call):
        return
    function = node.func
    if isinstance(function, ast.Name) and function.id in _CALLS:

        def rename() -> str:
            told, function.id = function.id, _CALLS[function.id]
            return f"`{function.id}` for `{told}`"

        yield node, rename
    if isinstance(function, ast.Attribute) and function.attr in _METHODS:
        if function.attr == "pop" and len(node.args) != 2:
            return

        def reattribute() -> str:
            told, function.attr = ast.unparse(function), _METHODS[function.attr]
            return f"`{ast.unparse(function)}` for `{told}`"

        yield node, reattribute


OPERATORS: Final[dict[str, Operator]] = {
    "drop-statement": _dropping(_is_plain),
    "drop-guard": _dropping(_is_guard),
    "drop-return": _dropping(lambda statement: isinstance(statement, ast.Return) and statement.value is not None),
    "negate": _negated,
    "boundary": _boundary,
    "drop-lock": _inlined,
    "drop-try": _unguarded,
    "swap": _swapped,
    "constant": _constant,
    "arithmetic": _arithmetic,
    "share": _shared,
    "call-other": _called,
}


@dataclass(frozen=True)
class Mutation:
    """A source after one mutation, and what was done, in words."""

    source: str
    done: str


def sites(operator: str, source: str) -> tuple[ast.Module, list[Site]]:
    """Return the tree of a source, and the places in it to which an operator applies, in the order of the text."""
    tree = ast.parse(source)
    found: list[Site] = []
    for function in ast.walk(tree):
        if isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)):
            for node in (function, *_within(function)):
                found += OPERATORS[operator](node)
    seen: dict[tuple[int, int, int], Site] = {}
    for node, apply in found:
        key = (getattr(node, "lineno", 0), getattr(node, "col_offset", 0), getattr(node, "end_col_offset", 0) or 0)
        seen.setdefault(key, (node, apply))
    return tree, [seen[key] for key in sorted(seen)]


def _within(function: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[ast.AST]:
    """Give all nodes of a function's body, without its annotations and defaults."""
    for statement in function.body:
        yield from ast.walk(statement)


def mutate(name: str, source: str) -> Mutation:
    """Return what a mutant's name stands for.

    Raises:
        ValueError: the operator does not apply so often.
    """
    _, operator, number = name.split(":")
    tree, places = sites(operator, source)
    if not 1 <= int(number) <= len(places):
        raise ValueError(f"{name}: {operator} applies at {len(places)} places")
    node, apply = places[int(number) - 1]
    line = getattr(node, "lineno", 0)
    done = apply()
    return Mutation(ast.unparse(ast.fix_missing_locations(tree)) + "\n", f"line {line}: {done}")


def mutated(name: str, source: str) -> str:
    """Return the source with the mutation of this name."""
    return mutate(name, source).source


def unchanged(source: str) -> str:
    """Return a source as it would be written after a mutation that changes nothing."""
    return ast.unparse(ast.parse(source)) + "\n"


def draw(base: str, source: str) -> list[str]:
    """Return the names of four mutants of a manager: `drop-lock` where there is a lock, and others by chance."""
    chance = random.Random(base)
    counts = {operator: len(sites(operator, source)[1]) for operator in OPERATORS}
    having = [operator for operator, count in counts.items() if count]
    others = [operator for operator in having if operator != "drop-lock"]
    chance.shuffle(others)
    chosen = others[:3] + (["drop-lock"] if "drop-lock" in having else others[3:4])
    return [f"{base}:{operator}:{chance.randrange(counts[operator]) + 1}" for operator in chosen]
