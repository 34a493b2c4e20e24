"""Chooses how automata are stepped: by the C extension where it was built, else in Python."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from guardstream.scan.regex.joints import Joints
from guardstream.scan.regex.matcher import Matcher
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
Stepping: TypeAlias = "Callable[[Machine], Callable[[], AnyStepper]]"
"""Of a machine, what makes a stepper for each stream."""


def form() -> str:
    """The form that is used: `native` or `python`."""
    return "native" if NATIVE else "python"


def stepping(machine: Machine) -> Callable[[], AnyStepper]:
    """Stepping in the form that there is."""
    return natively(machine) if NATIVE else in_python(machine)


def matching() -> type[Matcher]:
    """What finds captures, in the form that there is."""
    return native.NativeMatcher if NATIVE else Matcher


def natively(machine: Machine) -> Callable[[], AnyStepper]:
    """Stepping by the C extension."""
    shared = native.NativeMachine(machine)
    return lambda: native.NativeStepper(shared)


def in_python(machine: Machine) -> Callable[[], Stepper]:
    """Stepping in Python, by states that can be looked at."""
    joints = Joints(machine)
    return lambda: Stepper(machine, joints)
