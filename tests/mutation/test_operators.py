"""Each kind of bug, as it changes a line."""

from __future__ import annotations

import ast

import pytest

from tests.mutation.operators import KINDS, bugs, described, with_bug

CASES = {
    "dropped branch": ("if a:\n    b()\nelse:\n    c()", "if a:\n    pass\nelse:\n    c()"),
    "swapped arguments": ("f(a, b, c)", "f(b, a, c)"),
    "off by one": ("a < b", "a <= b"),
    "negated condition": ("b if a else c", "b if not a else c"),
    "lost not": ("not a", "a"),
    "changed constant": ("a = True", "a = False"),
    "removed call": ("a()", "pass"),
    "early return": ("a = b", "return"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_changes_what_it_says(kind: str) -> None:
    was, now = ("\n    ".join(each.splitlines()) for each in CASES[kind])
    source = f'def f(a: "x" = 1) -> "y":\n    """Doc."""\n    {was}\n'
    [bug] = [each for each in bugs("m.py", source) if each.kind == kind]
    made = with_bug(source, bug)
    assert made == ast.unparse(ast.parse(source.replace(was, now)))
    assert described(source, bug).startswith(f"m.py: {kind}: ")


def test_what_stands_outside_of_functions_has_no_bugs() -> None:
    assert not [*bugs("m.py", "if not a:\n    f(a, 1)\n")]
