"""A model's texts on their way back: stand-ins become the values that they stand for."""

from __future__ import annotations

from collections.abc import Collection

from guardstream.events import Stage
from guardstream.policy import Policy
from guardstream.policy.behind import Behind
from guardstream.stages.json.settings import Place
from guardstream.vault.addresses import Around, in_address
from guardstream.vault.standin import Name, labels_of
from guardstream.vault.vault import Vault
from guardstream.vault.veil import Veil

CHANNELS = frozenset(("text", "refusal", "thinking"))
"""Where values are restored; of arguments only where the vault allows it."""


def restoring(policy: Policy, vault: Vault, channels: Collection[str] = CHANNELS) -> Policy:
    """Return `policy` as it guards answers to what was masked for `vault`.

    Rules do not see stand-ins that were issued; what these stand for is written after all rules,
    and not looked at again. Stand-ins in URLs, and what is not exactly one, stay as they are.
    """
    asked = policy.input.reversible if policy.input else frozenset()
    return policy.behind(Behind(_Over(vault, asked, channels)))


class _Over:
    """Covers every text; in some of them values are restored."""

    def __init__(self, vault: Vault, asked: Collection[str], channels: Collection[str]) -> None:
        self._vault = vault
        self._channels = channels
        labels = frozenset(vault.labels)
        if labels:  # of all rules, so that all vaults are searched for alike
            labels |= labels_of(asked, vault.ids)
        self._brings = Veil(labels, self._restored, ids=vault.ids) if labels else None
        self._leaves = Veil(labels, self._left, ids=vault.ids) if labels else None

    def over(self, channel: str, tool: str | None, stage: Stage, place: Place) -> Stage:
        if channel == "tool_args":
            allowed = bool(place) and self._vault.tools.allows(tool, place)
        else:
            allowed = channel in self._channels
        veil = self._brings if allowed else self._leaves
        return veil.over(stage) if veil else stage  # nothing was issued

    def _restored(self, name: Name, text: str, around: Around) -> str | None:
        value = self._vault.value(name)
        if value is None or in_address(around):
            return self._left(name, text, around)
        self._vault.counts.restored += 1
        return value

    def _left(self, name: Name, text: str, _around: Around) -> str | None:
        """What was issued stays, unseen by rules; what was not is text of the model."""
        self._vault.counts.left += 1
        return None if self._vault.value(name) is None else text
