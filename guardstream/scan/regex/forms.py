"""Chooses how automata are stepped: by the C extension where it was built, else in Python."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from guardstream.scan.regex.alphabet import CharSets
from guardstream.scan.regex.fragments import ASCII
from guardstream.scan.regex.joints import Joints
from guardstream.scan.regex.machine import Machine
from guardstream.scan.regex.matcher import Matcher
from guardstream.scan.regex.nfa import Program
from guardstream.scan.regex.rows import RowProgram
from guardstream.scan.regex.samples import ANSWER, LONG_ANSWER
from guardstream.scan.regex.stepper import Stepper
from guardstream.scan.words.normalize import Table

try:
    from guardstream.scan.regex import native
except ImportError:
    # Without a compiler, or where the extension does not fit the interpreter.
    NATIVE = False
else:
    NATIVE = True

if TYPE_CHECKING:
    from guardstream.scan.regex.native import NativeStepper

AnyStepper: TypeAlias = "Stepper | NativeStepper"


class Form(NamedTuple):
    """An implementation of the search. `sets` knows the sets of characters, `program` is what a
    pattern is compiled to, `stepping` makes a stepper for each stream of a machine, and `matcher`
    finds captures.

    `reads_rows`: programs that were compiled before can be used.

    Up to `few` patterns are searched for together, since separate searches would cost more than
    they save. `warm` is the text that is read when patterns are loaded.
    """

    sets: Callable[[Table | None], CharSets]
    program: type[Program]
    stepping: Callable[[Machine], Callable[[], AnyStepper]]
    matcher: type[Matcher]
    few: int
    reads_rows: bool = False
    warm: str = ASCII + ANSWER


def form() -> str:
    """The form that is used: `native` or `python`."""
    return "native" if NATIVE else "python"


def chosen() -> Form:
    """The form that is used: the C extension if it was built."""
    if NATIVE:
        made = native.NativeSets, RowProgram, _natively, native.NativeMatcher
        return Form(*made, few=0, reads_rows=True)
    return PYTHON


def _natively(machine: Machine) -> Callable[[], AnyStepper]:
    shared = native.NativeMachine(machine)
    return lambda: native.NativeStepper(shared)


def _in_python(machine: Machine) -> Callable[[], Stepper]:
    joints = Joints(machine)
    return lambda: Stepper(machine, joints)


PYTHON = Form(CharSets, Program, _in_python, Matcher, few=100, warm=ASCII + ANSWER + LONG_ANSWER)
"""The search in Python. Its places and states can be inspected."""
