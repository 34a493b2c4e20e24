"""A policy's rules for texts with stand-ins: everything that a vault changes about them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, get_args

from guardstream.events import UNKNOWN, Channel, Stage
from guardstream.stages.json.settings import Place
from guardstream.stages.redact import RuleSet
from guardstream.stages.rules import Rule, StandIn


class Covering(Protocol):
    """Hides stand-ins from rules and writes their replacements; implemented by a vault."""

    def over(self, channel: str, tool: str | None, stage: Stage, place: Place) -> Stage:
        """Wrap the stage of a text of `channel`, or of a value in the arguments of `tool`.

        `place` is the path to the value in a JSON document, and empty for a text of its own.
        """
        ...


@dataclass(frozen=True)
class Veiled:
    """A policy's rules behind a veil, with other replacements for some rules and more rules of
    words."""

    veil: Covering
    replacements: Mapping[str, StandIn] = field(default_factory=dict)
    more: Sequence[Rule] = ()

    def rulesets(self, given: Mapping[str, RuleSet], without: RuleSet) -> Mapping[str, RuleSet]:
        """Return the rules of each channel, with these changes.

        The further rules apply to every channel, to those that have no rules in place of `without`.
        """
        if not (self.replacements or self.more):
            return given
        if self.more:
            given = {**dict.fromkeys((*get_args(Channel), UNKNOWN), without), **given}
        shared = {id(ruleset): ruleset for ruleset in given.values()}
        made = {
            each: ruleset.with_replacements(self.replacements).with_rules(self.more)
            for each, ruleset in shared.items()
        }
        return {channel: made[id(ruleset)] for channel, ruleset in given.items()}
