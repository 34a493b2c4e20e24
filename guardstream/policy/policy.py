"""A policy: the rules of one file and of those it extends, ready to guard any number of streams."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from guardstream.errors import PolicyError
from guardstream.events import Stage
from guardstream.pipeline import Pipeline
from guardstream.policy import build, packs, structured
from guardstream.policy.build import CHANNELS, Built
from guardstream.policy.model import CaseFile, PolicyFile, Unknown
from guardstream.policy.shadow import Shadow
from guardstream.stages.redact import RuleError, RuleSet
from guardstream.stages.rules import Rule
from guardstream.stages.structure import Structure


class Policy:
    """A checked policy; immutable, and shared freely between streams and threads.

    `load` and `parse` raise PolicyError with one `file:line:column: message` for each thing that
    is wrong, all of them at once.
    """

    def __init__(self, built: Built, words: Mapping[str, Sequence[str]] | None = None) -> None:
        self._built = built
        self._rulesets = built.rulesets
        if words:
            self._rulesets = _with_words(built, words)
        self._json = structured.guarding(built.json, self._rulesets)

    @classmethod
    def load(cls, path: str | Path) -> Policy:
        """Read a policy file, or a pack as `guardstream/NAME`."""
        return cls(build.load(packs.resolve(path)))

    @classmethod
    def parse(cls, text: str, *, name: str = "<policy>", folder: str | Path = ".") -> Policy:
        """Read a policy from YAML text; the files it names are relative to `folder`."""
        return cls(build.parse(text, name, Path(folder)))

    @property
    def name(self) -> str:
        """The policy's name; empty if it has none."""
        return self.file.name

    @property
    def fingerprint(self) -> str:
        """Twelve hexadecimal digits that change with the policy and every file it needs."""
        return self._built.digest[:12]

    @property
    def unknown(self) -> Unknown:
        """What becomes of a provider's events and fields that may hold text and are not known."""
        return self.file.unknown

    @property
    def description(self) -> str:
        """What the policy is for, in its owner's words."""
        return self.file.description

    @property
    def shadow(self) -> bool:
        """Whether the policy only reports what it would do."""
        return self.file.mode == "shadow"

    @property
    def block_message(self) -> str:
        """Text that is sent before a blocked stream ends; empty for none."""
        return "" if self.shadow else self.file.block_message

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The enabled rules, inherited ones first, otherwise in the order of the file."""
        return self._built.rules

    @property
    def tests(self) -> Mapping[str, Sequence[CaseFile]]:
        """The inline tests of each enabled rule, by its id."""
        return {rule.id: rule.tests for rule in self.file.rules if rule.enabled}

    @property
    def file(self) -> PolicyFile:
        """The whole policy as one file, with all that it extends."""
        return self._built.file

    @property
    def built(self) -> Built:
        """The policy with the places that everything in it is from."""
        return self._built

    def with_words(self, words: Mapping[str, Sequence[str]]) -> Policy:
        """Return this policy with more words for some of its rules, by rule id."""
        return Policy(self._built, words)

    def stages(self, channel: str) -> list[Stage]:
        """Return new stages for one pipeline of `channel`; none if no rule applies to it."""
        if channel not in CHANNELS:
            raise ValueError(f"unknown channel {channel!r}, there are: {', '.join(CHANNELS)}")
        ruleset, json = self._rulesets.get(channel), self._json.get(channel)
        stages: list[Stage] = []
        if json is not None:
            stages.append(Structure(json))
        elif ruleset is not None:
            stages.append(ruleset.stage())
        return [Shadow(Pipeline(stages))] if self.shadow and stages else stages


def _with_words(built: Built, words: Mapping[str, Sequence[str]]) -> Mapping[str, RuleSet]:
    enabled = {rule.id for rule in built.rules}
    unknown = [rule for rule in words if rule not in enabled]
    if unknown:
        raise PolicyError(f"words for {unknown[0]!r}, which is no rule of the policy")
    extended: dict[int, RuleSet] = {}
    for channel, ruleset in built.rulesets.items():
        if id(ruleset) in extended:
            continue
        here = {
            placed.rule.id: words[placed.rule.id]
            for placed in built.placed
            if placed.rule.id in words and channel in (placed.rule.channels or CHANNELS)
        }
        try:
            extended[id(ruleset)] = ruleset.with_words(here) if here else ruleset
        except RuleError as error:
            raise PolicyError(f"words for {error.rule!r}: {error}") from error
    return {channel: extended[id(ruleset)] for channel, ruleset in built.rulesets.items()}
