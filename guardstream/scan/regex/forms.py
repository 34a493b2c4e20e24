"""Chooses how automata are stepped: by the C extension where it was built, else in Python."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from guardstream.scan.regex.joints import Joints
from guardstream.scan.regex.matcher import Matcher
from guardstream.scan.regex.nfa import Program
from guardstream.scan.regex.stepper import Machine, Stepper

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
    """What patterns are searched by: what each is compiled to, what makes a stepper of a machine
    for each stream, and what finds captures."""

    program: type[Program]
    stepping: Callable[[Machine], Callable[[], AnyStepper]]
    matcher: type[Matcher]


def form() -> str:
    """The form that is used: `native` or `python`."""
    return "native" if NATIVE else "python"


def chosen() -> Form:
    """The form that there is."""
    if NATIVE:
        return Form(native.NativeProgram, _natively, native.NativeMatcher)
    return PYTHON


def _natively(machine: Machine) -> Callable[[], AnyStepper]:
    shared = native.NativeMachine(machine)
    return lambda: native.NativeStepper(shared)


def _in_python(machine: Machine) -> Callable[[], Stepper]:
    joints = Joints(machine)
    return lambda: Stepper(machine, joints)


PYTHON = Form(Program, _in_python, Matcher)
"""Searching in Python, by places and states that can be looked at."""
