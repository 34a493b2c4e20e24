"""A guard with the gate that its policy describes: `GatedGuard.load(path).wrap(stream)`.

Each check of the section `gate` becomes a gate of its own, one after the other, behind the guard:
checks see guarded text. What they share between streams, the verdicts that are kept, lives here.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, Callable, Collection, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar, Unpack

from guardstream.errors import PolicyError
from guardstream.gate.judging import Cache, GateError, Judging
from guardstream.gate.stream import GatedStream, Options
from guardstream.gate.verdict import Check
from guardstream.gate.windows import Capped
from guardstream.guard import Guard
from guardstream.policy import Policy, plugins
from guardstream.policy.plugins import Code, PluginError, allowed
from guardstream.policy.reload import Watched
from guardstream.policy.sections import GateFile
from guardstream.providers import Adapter
from guardstream.stages.units import Lengths, Paragraphs, Sentences, Units, Whole
from guardstream.stream.options import Delivering

C = TypeVar("C")

CHECKS = "guardstream.checks"
"""The group of entry points that make checks."""

UNITS: dict[str, Callable[[], Units]] = {
    "sentence": Sentences,
    "paragraph": Paragraphs,
    "complete": Whole,
}

OWN = {
    "openai_moderation": "guardstream.gate.moderation.OpenAIModeration",
    "judge": "guardstream.gate.judge.Judge",
    "classifier": "guardstream.gate.classifier.Classifier",
    "presidio": "guardstream.gate.presidio.Presidio",
}
"""The checks that come with the package, each made with the section's `options`."""


class _Rules(Guard):
    """The guard before the gate."""

    _gated = True


@dataclass(frozen=True, slots=True)
class _Plan:
    """One check of a policy, made, and how it is asked."""

    file: GateFile
    check: Check
    blocks: bool
    cache: Cache | None

    @property
    def rule(self) -> str:
        return self.file.id or self.file.use.replace(":", ".")

    def around(self, stream: AsyncIterable[C], provider: str | Adapter[Any] | None) -> Any:
        file = self.file
        judging = Judging(
            self.check,
            self.rule,
            blocks=self.blocks,
            max_calls=file.max_calls,
            cache=self.cache,
        )
        otherwise: Any = "block" if self.blocks else "allow"
        hold = (file.mode or ("hold" if self.blocks else "background")) == "hold"
        options = Options(
            self._units(hold=hold and self.blocks),
            file.timeout,
            file.ahead,
            otherwise,
            otherwise,
            _kept(file.channels),
            provider,
            "guard",
            hold=hold and self.blocks,
            overlap=file.overlap,
            rule=self.rule,
        )
        return GatedStream(stream, judging, options)

    def _units(self, *, hold: bool) -> Callable[[], Units]:
        window, ahead = self.file.window, self.file.ahead
        make = partial(Lengths, window) if isinstance(window, int) else UNITS[window]
        return make if hold else lambda: Capped(make(), ahead)


class GatedGuard:
    """Applies a policy with its `gate`; made once, and shared freely between streams."""

    def __init__(self, policy: Policy | Watched, *, allow_code: Iterable[str] = ()) -> None:
        """Make the checks of a policy; PolicyError says which cannot be made, and where it stands.

        A policy that is loaded anew brings checks of its own. `allow_code` lists the functions
        that it may name, as for `Guard.load`.
        """
        self._code = allowed(allow_code)
        self._guard = _Rules(policy)
        self._made: tuple[Policy, list[_Plan]] | None = None
        self._plans(self._guard.policy)

    @classmethod
    def load(
        cls, path: str | Path, *, reload: bool = False, allow_code: Iterable[str] = ()
    ) -> GatedGuard:
        """Return the guard of a policy file; the arguments are those of `Guard.load`."""
        code = allowed(allow_code)
        load = Watched if reload else Policy.load
        return cls(load(path, allow_code=code), allow_code=code)

    @property
    def guard(self) -> Guard:
        """The guard before the gate."""
        return self._guard

    def wrap(
        self,
        stream: AsyncIterable[C],
        *,
        provider: str | Adapter[Any] | None = None,
        **options: Unpack[Delivering],
    ) -> Any:
        """Return a stream of the chunks of `stream`, guarded and then judged by each check.

        It is a GatedStream, or what `Guard.wrap` returns if the policy has no gate. The arguments,
        and what is raised, are those of `Guard.wrap`; callbacks see what the rules leave.
        """
        plans = self._plans(self._guard.policy)
        wrapped: Any = self._guard.wrap(stream, provider=provider, **options)
        for plan in plans:
            wrapped = plan.around(wrapped, provider)
        return wrapped

    def _plans(self, policy: Policy) -> list[_Plan]:
        if self._made is None or self._made[0] is not policy:
            self._made = policy, _planned(policy, self._code)
        return self._made[1]


def _planned(policy: Policy, code: Code) -> list[_Plan]:
    plans, problems = [], []
    for number, file in enumerate(policy.file.gate):
        try:
            check = made(file, code)
        except (PluginError, GateError) as error:
            source = policy.built.settings["gate"]
            mark = source.document.mark((*source.prefix, "gate", number, "use"))
            problems.append(f"{source.name}:{mark.line}:{mark.column}: {error}")
        else:
            cache = Cache(file.cache.size) if file.cache else None
            blocks = file.action == "block" and not policy.shadow
            plans.append(_Plan(file, check, blocks, cache))
    if problems:
        raise PolicyError("\n".join(problems))
    return plans


def made(file: GateFile, code: Code) -> Check:
    """Make a check; PluginError or GateError if it cannot be had, or not with these options.

    A function of your own is the check itself; with options, it is called with them and returns
    the check.
    """
    own = OWN.get(file.use)
    path = own or file.use.replace(":", ".")
    if own:
        code = frozenset((":".join(own.rsplit(".", 1)),))
        function = plugins.imported(path, code)
    else:
        function = plugins.named(CHECKS, path, code, list(OWN))
    if own is None and not file.options:
        check: Check = function
        return check
    try:
        check = function(**file.options)
    except GateError:
        raise
    except ImportError as error:
        raise PluginError(f"check {file.use!r} needs a package: {error}") from error
    except Exception as error:  # it may not be ours, and may raise anything
        raise PluginError(f"check {file.use!r} cannot be made: {error}") from error
    if not callable(check):
        raise PluginError(f"check {file.use!r} made no function")
    return check


def _kept(channels: Collection[str] | None) -> frozenset[str] | None:
    return None if channels is None else frozenset(channels)
