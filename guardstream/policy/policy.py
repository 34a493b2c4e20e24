"""A policy: the rules of one file, compiled and ready to guard any number of streams."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from guardstream.errors import PolicyError
from guardstream.events import Stage
from guardstream.policy import packs
from guardstream.policy.build import CHANNELS, Built, build, read_text
from guardstream.policy.model import CaseFile
from guardstream.stages.redact import RuleError, RuleSet
from guardstream.stages.rules import Rule


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

    @classmethod
    def load(cls, path: str | Path) -> Policy:
        """Read a policy file, or a pack as `guardstream/NAME`."""
        file = packs.resolve(path)
        return cls(build(read_text(file), str(file), file.parent))

    @classmethod
    def parse(cls, text: str, *, name: str = "<policy>", folder: str | Path = ".") -> Policy:
        """Read a policy from YAML text; word files are relative to `folder`."""
        return cls(build(text, name, Path(folder)))

    @property
    def name(self) -> str:
        """The policy's name; empty if it has none."""
        return self._built.file.name

    @property
    def description(self) -> str:
        """What the policy is for, in its owner's words."""
        return self._built.file.description

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The enabled rules, in the order of the file."""
        return self._built.rules

    @property
    def tests(self) -> Mapping[str, Sequence[CaseFile]]:
        """The inline tests of each enabled rule, by its id."""
        return {rule.id: rule.tests for rule in self._built.file.rules if rule.enabled}

    def with_words(self, words: Mapping[str, Sequence[str]]) -> Policy:
        """Return this policy with more words for some of its rules, by rule id."""
        return Policy(self._built, words)

    def stages(self, channel: str) -> list[Stage]:
        """Return new stages for one pipeline of `channel`; none if no rule applies to it."""
        if channel not in CHANNELS:
            raise ValueError(f"unknown channel {channel!r}, there are: {', '.join(CHANNELS)}")
        ruleset = self._rulesets.get(channel)
        return [ruleset.stage()] if ruleset else []


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
            rule.id: words[rule.id]
            for rule in built.file.rules
            if rule.id in words and rule.enabled and channel in (rule.channels or CHANNELS)
        }
        try:
            extended[id(ruleset)] = ruleset.with_words(here) if here else ruleset
        except RuleError as error:
            raise PolicyError(f"words for {error.rule!r}: {error}") from error
    return {channel: extended[id(ruleset)] for channel, ruleset in built.rulesets.items()}
