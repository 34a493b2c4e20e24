"""The sections `limits` and `stages` of a policy, compiled for pipelines."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from guardstream.events import Stage
from guardstream.policy import plugins
from guardstream.policy.plugins import Code, PluginError
from guardstream.policy.sections import LimitsFile, StageFile
from guardstream.policy.sources import Loader, MergedPolicy
from guardstream.stages.custom import Checked, StagePlan
from guardstream.stages.limits.limits import LimitSet, Loops, TokenLimit
from guardstream.stages.pipeline import Pipeline
from guardstream.stages.release import Mode, Release

PROSE = frozenset(("text", "thinking", "refusal"))
"""The channels with sentences and paragraphs; in others, only `complete` delays text."""

BOUND, COMPLETE_BOUND = 10_000, 100_000
"""How many code points may wait for release if a policy does not set it."""


@dataclass(frozen=True, slots=True)
class Limited:
    """What limits the text of each channel, and when text is released."""

    limits: LimitSet
    release: Mode | None
    bound: int
    channels: frozenset[str] | None

    def stages(self, channel: str) -> list[Stage]:
        """Return the first stages of a pipeline of `channel`."""
        applies = self.channels is None or channel in self.channels
        return [self.limits.stage()] if applies and self.limits else []

    def around(self, stages: list[Stage], channel: str) -> list[Stage]:
        """Return the stages of `channel`, inside what delays their release if requested."""
        if self.release is None or (self.channels is not None and channel not in self.channels):
            return stages
        if self.release != "complete" and channel not in PROSE:
            return stages
        stage = stages[0] if len(stages) == 1 else Pipeline(stages)
        return [Release(stage, self.release, self.bound)]


def compiled(loader: Loader, merged: MergedPolicy) -> Limited | None:
    """Return the compiled section `limits`; None if there is none."""
    section = merged.file.limits
    if section is None:
        return None
    repeat, mode = section.repeat, section.release
    for key, needs in _without_effect(section):
        source = merged.keys["limits", key]
        if source is merged.source:  # an inherited section may have lost what it needs
            mark = source.document.key_mark(("limits", key))
            source.report(
                mark, f"{key!r} has no effect without {needs}: give that, or leave it out"
            )
    bound = section.release_max or (COMPLETE_BOUND if mode == "complete" else BOUND)
    return Limited(
        limits=LimitSet(
            max_chars=section.max_chars,
            max_lines=section.max_lines,
            tokens=_tokens(loader, merged, section),
            stop=section.stop,
            repeat=Loops(repeat.min_chars, repeat.times) if repeat else None,
        ),
        release=None if mode == "settled" else mode,
        bound=bound,
        channels=frozenset(section.channels) if section.channels else None,
    )


def _without_effect(section: LimitsFile) -> Iterator[tuple[str, str]]:
    """Yield the keys without effect, and what they need."""
    settled = section.release == "settled"
    if section.release_max is not None and settled:
        yield "release_max", "'release'"
    counted = section.max_chars or section.max_lines or section.tokens
    if section.channels and settled and not (counted or section.stop or section.repeat):
        yield "channels", "a limit of text, or 'release'"


def _tokens(loader: Loader, merged: MergedPolicy, section: LimitsFile) -> TokenLimit | None:
    given = section.tokens
    if given is None:
        return None
    source = merged.keys["limits", "tokens"]
    if (given.encoding is None) == (given.counter is None):
        mark = source.document.key_mark(("limits", "tokens"))
        source.report(mark, "tokens are counted by either 'encoding' or 'counter'")
        return None
    if loader.purpose == "lint":
        return None
    key = "encoding" if given.encoding else "counter"
    try:
        if given.encoding:
            return TokenLimit(given.max, plugins.encoding(given.encoding))
        return TokenLimit(given.max, plugins.counter(given.counter or "", loader.code))
    except PluginError as error:
        source.report(source.document.mark(("limits", "tokens", key)), str(error))
        return None


def plans(loader: Loader, merged: MergedPolicy) -> tuple[StagePlan, ...]:
    """Return the compiled section `stages`; each stage is created once as a check."""
    if loader.purpose == "lint":
        return ()
    source = merged.settings.get("stages")
    found = []
    for number, entry in enumerate(merged.file.stages if source else ()):
        assert source is not None
        try:
            found.append(_plan(entry, loader.code))
        except PluginError as error:
            source.report(source.document.mark(("stages", number, "use")), str(error))
    return tuple(found)


def _plan(entry: StageFile, code: Code) -> StagePlan:
    make = partial(plugins.named(plugins.STAGES, entry.use, code), **entry.options)
    channels = frozenset(entry.channels) if entry.channels else None
    try:
        Checked(make(), entry.use)
    except Exception as error:  # foreign code may raise anything
        raise PluginError(f"stage {entry.use!r} cannot be created: {error}") from error
    return StagePlan(make, entry.use, entry.position, channels)
