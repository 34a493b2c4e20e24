"""A policy's rules for texts with stand-ins in them: all that a vault changes about them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from guardstream.events import Stage
from guardstream.stages.json.settings import Place
from guardstream.stages.redact import RuleSet
from guardstream.stages.rules import Rule, StandIn


class Covering(Protocol):
    """What keeps stand-ins out of the sight of rules, and writes what they become: a vault's."""

    def over(self, channel: str, tool: str | None, stage: Stage, place: Place) -> Stage:
        """The stage of a text of `channel`, or of a value in the arguments of `tool`.

        `place` leads to the value in a JSON document, and is empty for a text of its own.
        """
        ...


@dataclass(frozen=True)
class Veiled:
    """A policy's rules behind a veil: some with other replacements, and more of words alone."""

    veil: Covering
    replacements: Mapping[str, StandIn] = field(default_factory=dict)
    more: Sequence[Rule] = ()

    def rulesets(self, given: Mapping[str, RuleSet]) -> Mapping[str, RuleSet]:
        """The rules of each channel, so changed."""
        if not (self.replacements or self.more):
            return given
        shared = {id(ruleset): ruleset for ruleset in given.values()}
        made = {
            each: ruleset.with_replacements(self.replacements).with_rules(self.more)
            for each, ruleset in shared.items()
        }
        return {channel: made[id(ruleset)] for channel, ruleset in given.items()}
