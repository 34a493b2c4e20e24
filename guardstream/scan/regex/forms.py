"""Chooses how automata are stepped: by the C extension where it was built, else in Python."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from guardstream.scan.regex.alphabet import ASCII, CharSets
from guardstream.scan.regex.joints import Joints
from guardstream.scan.regex.matcher import Matcher
from guardstream.scan.regex.nfa import Program
from guardstream.scan.regex.stepper import Machine, Stepper
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


_SAMPLE = """Here is the short answer: yes, you can do that, but you should know what it will cost.

1. **Open** `settings.yaml`, and change `timeout: 30` to 120.
2. Run it again. The output is about 45% smaller - or $12.50 less - than in 2019.

```python
def total(rows: list[dict[str, float]], key="price") -> float:
    return sum(row[key] for row in rows if row.get("count", 0) > 1)
```

> That doesn't work for everyone, though; see https://example.org/docs/start#third-step
> or ask someone who has built one before. They'd probably suggest the "new" version.

{"id": 7, "name": "first", "tags": ["a", "b"], "ok": true}

However, most of these questions have more than one good answer. Which way would you
rather go? I think we were right about the other file, because it has never been used.
"""
"""What answers of models look like: English, Markdown, code and JSON."""

WARM = ASCII + _SAMPLE
"""What is read when patterns are loaded, so that a first stream need not build what nearly every
text asks for."""


class Form(NamedTuple):
    """What patterns are searched by: what knows their sets of characters, what each is compiled to,
    what makes a stepper of a machine for each stream, and what finds captures.

    So `few` patterns are searched for together: what several searches cost, they would not save.
    """

    sets: Callable[[Table | None], CharSets]
    program: type[Program]
    stepping: Callable[[Machine], Callable[[], AnyStepper]]
    matcher: type[Matcher]
    few: int


def form() -> str:
    """The form that is used: `native` or `python`."""
    return "native" if NATIVE else "python"


def chosen() -> Form:
    """The form that there is."""
    if NATIVE:
        return Form(native.NativeSets, native.NativeProgram, _natively, native.NativeMatcher, few=0)
    return PYTHON


def _natively(machine: Machine) -> Callable[[], AnyStepper]:
    shared = native.NativeMachine(machine)
    return lambda: native.NativeStepper(shared)


def _in_python(machine: Machine) -> Callable[[], Stepper]:
    joints = Joints(machine)
    return lambda: Stepper(machine, joints)


PYTHON = Form(CharSets, Program, _in_python, Matcher, few=100)
"""Searching in Python, by places and states that can be looked at."""
