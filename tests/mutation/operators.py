"""Eight kinds of small bugs, each a change of one node of a module's syntax tree."""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass

Change = Callable[[ast.AST], ast.AST | None]
"""Makes another node of a shallow copy of one; None where this kind of bug has no place."""

NEXT: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
}
"""Comparisons that differ at their border alone."""


def dropped_branch(node: ast.AST) -> ast.AST | None:
    """Do nothing where a condition holds."""
    if not isinstance(node, ast.If):
        return None
    node.body = [ast.Pass()]
    return node


def swapped_arguments(node: ast.AST) -> ast.AST | None:
    """Give the first two arguments in each other's place."""
    if not isinstance(node, ast.Call) or len(node.args) < 2:
        return None
    if any(isinstance(each, ast.Starred) for each in node.args[:2]):
        return None
    node.args = [node.args[1], node.args[0], *node.args[2:]]
    return node


def off_by_one(node: ast.AST) -> ast.AST | None:
    """Compare with the border, or without it; or add one more."""
    if isinstance(node, ast.Compare) and type(node.ops[0]) in NEXT:
        node.ops = [NEXT[type(node.ops[0])](), *node.ops[1:]]
        return node
    if isinstance(node, (ast.BinOp, ast.Slice)):
        for field in ("right", "lower", "upper"):
            value = getattr(node, field, None)
            if isinstance(value, ast.Constant) and type(value.value) is int:
                setattr(node, field, ast.Constant(value.value + 1))
                return node
    return None


def negated_condition(node: ast.AST) -> ast.AST | None:
    """Take a condition for its contrary."""
    if not isinstance(node, (ast.If, ast.IfExp, ast.While)) or _is_not(node.test):
        return None
    node.test = ast.UnaryOp(ast.Not(), node.test)
    return node


def lost_not(node: ast.AST) -> ast.AST | None:
    """Forget a `not`."""
    return node.operand if _is_not(node) and isinstance(node, ast.UnaryOp) else None


def _is_not(node: ast.AST) -> bool:
    return isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not)


def changed_constant(node: ast.AST) -> ast.AST | None:
    """Turn a truth value round, count one further, spell a text otherwise."""
    if not isinstance(node, ast.Constant):
        return None
    value = node.value
    if isinstance(value, bool):
        return ast.Constant(not value)
    if isinstance(value, (int, float)):
        return ast.Constant(value + 1)
    return ast.Constant(f"{value}_") if isinstance(value, str) else None


def removed_call(node: ast.AST) -> ast.AST | None:
    """Leave out a call whose value is not used."""
    return ast.Pass() if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) else None


def early_return(node: ast.AST) -> ast.AST | None:
    """Return where something is done."""
    doing = (ast.Assign, ast.AugAssign, ast.For, ast.With, ast.If, ast.Raise)
    return ast.Return(None) if isinstance(node, doing) else None


KINDS: dict[str, Change] = {
    each.__name__.replace("_", " "): each
    for each in (
        dropped_branch,
        swapped_arguments,
        off_by_one,
        negated_condition,
        lost_not,
        changed_constant,
        removed_call,
        early_return,
    )
}


@dataclass(frozen=True)
class Bug:
    """A bug of a kind at a node of a module: `at` is its number among those in functions."""

    file: str
    line: int
    kind: str
    at: int


def bugs(file: str, source: str) -> Iterator[Bug]:
    """Every bug that a module could have."""
    for at, node in enumerate(inner(ast.parse(source))):
        for kind, change in KINDS.items():
            if change(copy.copy(node)) is not None:
                yield Bug(file, getattr(node, "lineno", 0), kind, at)


def changed(source: str, bug: Bug) -> tuple[ast.Module, ast.AST, ast.AST]:
    """A module's tree, the node of a bug, and what it puts in its place."""
    tree = ast.parse(source)
    old = inner(tree)[bug.at]
    new = KINDS[bug.kind](copy.copy(old))
    assert new is not None
    return tree, old, new


def described(source: str, bug: Bug) -> str:
    """What tells a bug from others while the lines above it change."""
    _, old, new = changed(source, bug)
    return f"{bug.file}: {bug.kind}: {_shown(old)} -> {_shown(new)}"


def with_bug(source: str, bug: Bug) -> str:
    """A module's source with a bug in it."""
    tree, old, new = changed(source, bug)
    made = _Replace(old, new).visit(tree)
    return ast.unparse(ast.fix_missing_locations(made))


class _Replace(ast.NodeTransformer):
    """Puts one node in place of another."""

    def __init__(self, old: ast.AST, new: ast.AST) -> None:
        self.old = old
        self.new = new

    def visit(self, node: ast.AST) -> ast.AST:
        return self.new if node is self.old else self.generic_visit(node)


def inner(tree: ast.Module) -> list[ast.AST]:
    """The statements and expressions of functions, each once; no annotations, no docstrings."""
    seen: dict[int, ast.AST] = {}
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            for statement in node.body:
                seen.update((id(each), each) for each in _walk(statement))
    return list(seen.values())


def _walk(node: ast.AST) -> Iterator[ast.AST]:
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return
    yield node
    for field, value in ast.iter_fields(node):
        if field not in ("annotation", "returns"):
            for each in value if isinstance(value, list) else [value]:
                if isinstance(each, ast.AST):
                    yield from _walk(each)


def _shown(node: ast.AST) -> str:
    """A node's first line, shortened."""
    text = ast.unparse(ast.fix_missing_locations(copy.copy(node)))
    return " / ".join(line.strip() for line in text.splitlines()[:2])[:100]
