"""Source -> code objects with switch points: before each attribute, item and container access, and in between.

A switch point is a call that gives back what it was given, so the code does what it did.  It is put
- around the object of every attribute and every item that is read, written or deleted,
- around the right side of an augmented assignment: after the old value was read, before the new one is written,
- around a function of `os` or `shutil`, and `open`, that is called: files are shared too,
- around the container of `in` and the value that a global or nonlocal name is given,
- at the start of every round of a loop or comprehension.
The call itself is a constant of the code object: no name is added to any namespace.  Line numbers and columns stay, and
so do tracebacks, coverage and the order of evaluation.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import CodeType
from typing import Any, Final, TypeVar

Hook = Callable[[Any], Any]
Element = TypeVar("Element", ast.ListComp, ast.SetComp, ast.GeneratorExp)
Function = TypeVar("Function", ast.FunctionDef, ast.AsyncFunctionDef)

# What stands for a hook between parsing and compiling: text that no source holds.
_STANDS_FOR: Final = {"point": "\0sessionguard: a switch point", "lock": "\0sessionguard: a lock is used"}

# Modules whose functions reach what others share outside of memory.
_DOORS: Final = frozenset({"os", "shutil"})

# What one does with locks: where one that was made before the clock came into force is asked, it is stood in for.
_LOCK_USES: Final = frozenset({"acquire", "release", "locked"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Hooks:
    """What the switch points call.

    Attributes:
        point: given any value, gives it back; others may run meanwhile.
        lock: the same for what is used as a lock; may give what stands in for it.
    """

    point: Hook
    lock: Hook


def with_points(source: str, path: str, hooks: Hooks) -> tuple[CodeType, CodeType]:
    """Return the code of a module as it is, and with switch points.

    Raises:
        SyntaxError: the source is none of this Python.
    """
    plain = compile(source, path, "exec", dont_inherit=True)
    tree = ast.parse(source, path)
    _Weaver(tree).visit(tree)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)  # a constant is called
        woven = compile(tree, path, "exec", dont_inherit=True)
    return plain, _bound(woven, {_STANDS_FOR["point"]: hooks.point, _STANDS_FOR["lock"]: hooks.lock})


def counterparts(plain: CodeType, woven: CodeType) -> Iterator[tuple[CodeType, CodeType]]:
    """Give each function's code with its counterpart; nothing of a part whose shape differs."""
    inner = [const for const in plain.co_consts if isinstance(const, CodeType)]
    twins = [const for const in woven.co_consts if isinstance(const, CodeType)]
    if [_shape(code) for code in inner] != [_shape(code) for code in twins]:
        return
    for code, twin in zip(inner, twins, strict=True):
        yield code, twin
        yield from counterparts(code, twin)


def _shape(code: CodeType) -> tuple[Any, ...]:
    return code.co_qualname, code.co_firstlineno, code.co_varnames, code.co_freevars, code.co_cellvars, code.co_flags


def _bound(code: CodeType, hooks: Mapping[str, Hook]) -> CodeType:
    """Return the code with the hooks in the places of what stands for them."""
    consts = tuple(
        _bound(const, hooks)
        if isinstance(const, CodeType)
        else hooks[const]
        if isinstance(const, str) and const in hooks
        else const
        for const in code.co_consts
    )
    return code.replace(co_consts=consts)


class _Weaver(ast.NodeTransformer):
    """Put the switch points in."""

    def __init__(self, tree: ast.Module) -> None:
        self._modules = _imported(tree)
        # Names that the function at hand shares with others: declared global or nonlocal.
        self._shared: list[frozenset[str]] = [frozenset()]
        # Methods of the class at hand, which are looked up in the class and are nobody's state.
        self._methods: list[frozenset[str]] = [frozenset()]
        # What `__init__` calls the object that it makes, which nobody else knows yet.
        self._newborn: list[str] = [""]

    # -- accesses ---------------------------------------------------------------------------------------------------

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        self.generic_visit(node)
        if node.attr in _LOCK_USES:
            node.value = _call("lock", node.value)
        elif not self._is_private(node):
            node.value = _call("point", node.value)
        return node

    def visit_Subscript(self, node: ast.Subscript) -> ast.expr:
        self.generic_visit(node)
        node.value = _call("point", node.value)
        return node

    def visit_Compare(self, node: ast.Compare) -> ast.expr:
        self.generic_visit(node)
        node.comparators = [
            _call("point", value) if isinstance(operator, ast.In | ast.NotIn) else value
            for operator, value in zip(node.ops, node.comparators, strict=True)
        ]
        return node

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.stmt:
        self.generic_visit(node)
        if not isinstance(node.target, ast.Name) or node.target.id in self._shared[-1]:
            node.value = _call("point", node.value)
        return node

    def visit_Assign(self, node: ast.Assign) -> ast.stmt:
        self.generic_visit(node)
        if any(isinstance(target, ast.Name) and target.id in self._shared[-1] for target in node.targets):
            node.value = _call("point", node.value)
        return node

    def visit_Call(self, node: ast.Call) -> ast.expr:
        function = node.func
        if isinstance(function, ast.Attribute) and self._is_own_method(function):
            # Only what the method does is of interest.
            node.args = [self.visit(argument) for argument in node.args]
            for keyword in node.keywords:
                keyword.value = self.visit(keyword.value)
            return node
        self.generic_visit(node)
        if _is_door(function):
            node.func = _call("point", node.func)
        return node

    def _is_own_method(self, node: ast.Attribute) -> bool:
        """Say whether a method of the class at hand is looked up in its own object."""
        value = node.value
        return isinstance(value, ast.Name) and value.id in ("self", "cls") and node.attr in self._methods[-1]

    def _is_private(self, node: ast.Attribute) -> bool:
        """Say whether nobody else can change what is looked up: a name of a module, a method of a literal."""
        value = node.value
        if isinstance(value, ast.Name):
            return value.id == self._newborn[-1] or (value.id in self._modules and isinstance(node.ctx, ast.Load))
        if isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id == "super":
            return True
        return isinstance(value, ast.Constant | ast.JoinedStr)

    # -- rounds -----------------------------------------------------------------------------------------------------

    def visit_For(self, node: ast.For) -> ast.stmt:
        self.generic_visit(node)
        node.body.insert(0, _round(node.body[0]))
        return node

    def visit_While(self, node: ast.While) -> ast.stmt:
        self.generic_visit(node)
        node.body.insert(0, _round(node.body[0]))
        return node

    def visit_ListComp(self, node: ast.ListComp) -> ast.expr:
        return self._element(node)

    def visit_SetComp(self, node: ast.SetComp) -> ast.expr:
        return self._element(node)

    def visit_GeneratorExp(self, node: ast.GeneratorExp) -> ast.expr:
        return self._element(node)

    def _element(self, node: Element) -> Element:
        self.generic_visit(node)
        node.elt = _call("point", node.elt)
        return node

    def visit_DictComp(self, node: ast.DictComp) -> ast.expr:
        self.generic_visit(node)
        node.value = _call("point", node.value)
        return node

    # -- locks ------------------------------------------------------------------------------------------------------

    def visit_With(self, node: ast.With) -> ast.stmt:
        self.generic_visit(node)
        for item in node.items:
            item.context_expr = _call("lock", item.context_expr)
        return node

    # -- what is left as it is --------------------------------------------------------------------------------------

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.stmt:
        return self._function(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.stmt:
        return self._function(node)

    def _function(self, node: Function) -> Function:
        """Decorators, defaults and annotations belong to the making of a function: only its body is visited."""
        self._shared.append(_declared(node.body))
        parameters = node.args.posonlyargs + node.args.args
        self._newborn.append(parameters[0].arg if node.name == "__init__" and parameters else "")
        node.body = [self.visit(statement) for statement in node.body]
        self._newborn.pop()
        self._shared.pop()
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.stmt:
        kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
        # One that is decorated may be a property: then it is called each time.
        self._methods.append(
            frozenset(each.name for each in node.body if isinstance(each, kinds) and not each.decorator_list)
        )
        node.body = [self.visit(statement) for statement in node.body]
        self._methods.pop()
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.stmt:
        node.target = self.visit(node.target)
        if node.value is not None:
            node.value = self.visit(node.value)
        return node

    def visit_TypeAlias(self, node: ast.AST) -> ast.AST:
        return node

    def visit_arguments(self, node: ast.arguments) -> ast.arguments:
        return node

    def visit_match_case(self, node: ast.match_case) -> ast.match_case:
        node.guard = None if node.guard is None else self.visit(node.guard)
        node.body = [self.visit(statement) for statement in node.body]
        return node


def _is_door(function: ast.expr) -> bool:
    """Say whether a function is one of those that lead to files."""
    if isinstance(function, ast.Attribute):
        return isinstance(function.value, ast.Name) and function.value.id in _DOORS
    return isinstance(function, ast.Name) and function.id == "open"


def _call(hook: str, node: ast.expr) -> ast.expr:
    """Return a call of a hook with a value, at the place of the value."""
    call = ast.Call(func=ast.Constant(value=_STANDS_FOR[hook]), args=[node], keywords=[])
    ast.copy_location(call.func, node)
    return ast.copy_location(call, node)


def _round(first: ast.stmt) -> ast.stmt:
    """Return a switch point that stands before a loop's first statement, on its line."""
    nothing = ast.copy_location(ast.Constant(value=None), first)
    return ast.copy_location(ast.Expr(value=_call("point", nothing)), first)


def _declared(body: list[ast.stmt]) -> frozenset[str]:
    """Return the names that a function declares global or nonlocal; not those of functions within it."""
    names: set[str] = set()
    waiting: list[ast.AST] = list(body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Global | ast.Nonlocal):
            names.update(node.names)
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            waiting += ast.iter_child_nodes(node)
    return frozenset(names)


def _imported(tree: ast.Module) -> frozenset[str]:
    """Return the names that stand for modules: what `import` binds at the top."""
    names: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.Import):
            names.update((alias.asname or alias.name).split(".")[0] for alias in node.names)
    return frozenset(names)
