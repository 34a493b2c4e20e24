"""Creates the checks of a policy's section `gate`.

Each check becomes a gate of its own, one after the other. Streams share its cache of verdicts.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import AsyncIterable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from guardstream.errors import PolicyError
from guardstream.gate.judging import Cache, GateError, Judging
from guardstream.gate.stream import GatedStream
from guardstream.gate.tasks import Delivery, Options
from guardstream.gate.verdict import Check
from guardstream.gate.windows import Capped, units_of
from guardstream.hints import hint
from guardstream.policy import Policy, plugins
from guardstream.policy.plugins import Code, PluginError
from guardstream.policy.sections import GateFile
from guardstream.stages.units import Units
from guardstream.stream.observers import Joined

C = TypeVar("C")

CHECKS = "guardstream.checks"
"""The group of entry points that make checks."""

OWN = {
    "openai_moderation": "guardstream.gate.moderation.OpenAIModeration",
    "judge": "guardstream.gate.judge.Judge",
    "classifier": "guardstream.gate.classifier.Classifier",
    "presidio": "guardstream.gate.presidio.Presidio",
}
"""The checks that come with the package, each made with the section's `options`."""


@dataclass(frozen=True, slots=True)
class Gate:
    """One check of a policy, and how it is called; `shadow` is the policy's mode."""

    file: GateFile
    check: Check
    cache: Cache | None
    shadow: bool

    @property
    def blocks(self) -> bool:
        """Whether its verdicts decide; otherwise they are only reported."""
        return self.file.action == "block" and not self.shadow

    def of(self, policy: Policy) -> Gate:
        """Return the same check, with its cache, for a policy that may have another mode."""
        return replace(self, shadow=policy.shadow)

    @property
    def rule(self) -> str:
        """The name of the check in findings."""
        return self.file.name

    def around(
        self,
        stream: AsyncIterable[C],
        delivery: Delivery,
        *,
        of_guard: bool,
        observing: Joined | None,
        whole: bool = False,
    ) -> GatedStream[C]:
        """Return the chunks of `stream` that the check allows.

        `of_guard` says that nothing stands between the guard and this gate. `observing` is notified
        of the stream's end if no other gate comes after this one. A `whole` answer, which comes at
        once, does not go out before the verdicts of checks that block.
        """
        file = self.file
        judging = Judging(
            self.check,
            self.rule,
            blocks=self.blocks,
            max_calls=file.max_calls,
            cache=self.cache,
        )
        hold = self.blocks and (whole or file.mode in (None, "hold"))
        options = Options(
            make_units=self._units(hold=hold),
            deadline=file.timeout,
            ahead=file.ahead,
            on_error="block" if self.blocks else "allow",
            on_timeout="block" if self.blocks else "allow",
            channels=None if file.channels is None else frozenset(file.channels),
            delivery=delivery,
            hold=hold,
            overlap=file.overlap,
            rule=self.rule,
            of_guard=of_guard,
            observing=observing,
        )
        return GatedStream(stream, judging, options)

    def _units(self, *, hold: bool) -> Callable[[], Units]:
        make = units_of(self.file.window)
        return make if hold else lambda: Capped(make(), self.file.ahead)


def gates(policy: Policy) -> Sequence[Gate]:
    """Make the checks of a policy; PolicyError says which cannot be made, and where they are
    named."""
    built = policy.built
    found, problems = [], []
    for number, file in enumerate(policy.file.gate):
        try:
            check = make_check(file, built.code)
        except (PluginError, GateError) as error:
            mark = built.source.document.mark(("gate", number, "use"))
            problems.append(f"{built.source.name}:{mark.line}:{mark.column}: {error}")
        else:
            cache = Cache(file.cache.size) if file.cache else None
            found.append(Gate(file, check, cache, policy.shadow))
    if problems:
        raise PolicyError("\n".join(problems))
    return tuple(found)


def make_check(file: GateFile, code: Code) -> Check:
    """Make a check; PluginError or GateError if it cannot be found, or not be made with its
    options.

    A function of your own is the check itself; with options, it is called with them and returns the
    check.
    """
    if wrong := wrong_options(file):
        raise PluginError(wrong)
    function = _own(file.use)
    if function is None:
        function = plugins.named(CHECKS, file.use.replace(":", "."), code, list(OWN))
        if not file.options:
            check: Check = function
            return check
    try:
        check = function(**file.options)
    except GateError:
        raise
    except ImportError as error:
        raise PluginError(f"check {file.use!r} needs a package: {error}") from error
    except Exception as error:  # it may not be ours, and may raise anything
        raise PluginError(f"check {file.use!r} cannot be created: {error}") from error
    if not callable(check):
        raise PluginError(f"check {file.use!r} did not return a function")
    return check


def _own(name: str) -> Callable[..., Any] | None:
    """Return the class of a built-in check; None for any other name."""
    if name not in OWN:
        return None
    module, _, own = OWN[name].rpartition(".")
    made: Callable[..., Any] = getattr(importlib.import_module(module), own)
    return made


def wrong_options(file: GateFile) -> str | None:
    """Return what is wrong with the option names of a built-in check; None if nothing is."""
    own = _own(file.use)
    if own is None:
        return None
    known = inspect.signature(own).parameters
    for option in file.options:
        if option not in known:
            return f"check {file.use!r} has no option {option!r}, {hint(option, known)}"
    required = (each.name for each in known.values() if each.default is each.empty)
    missing = [repr(option) for option in required if option not in file.options]
    return f"check {file.use!r} needs in 'options': {', '.join(missing)}" if missing else None
