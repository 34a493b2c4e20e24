"""A model's texts on their way back: stand-ins become the values that they stand for."""

from __future__ import annotations

from collections.abc import Collection

from guardstream.events import Stage
from guardstream.policy import Policy
from guardstream.policy.behind import Behind
from guardstream.stages.json.settings import Place
from guardstream.vault.standin import Name
from guardstream.vault.vault import Vault
from guardstream.vault.veil import Veil

CHANNELS = frozenset(("text", "refusal", "thinking"))
"""Where values are restored; of arguments only where the vault allows it."""


def restoring(policy: Policy, vault: Vault, channels: Collection[str] = CHANNELS) -> Policy:
    """Return `policy` as it guards answers to what was masked for `vault`.

    Rules do not see stand-ins that were issued; what these stand for is written after all rules, and
    not looked at again. Stand-ins in URLs, and what is not exactly one, stay as they are.
    """
    return policy.behind(Behind(_Over(vault, channels)))


class _Over:
    """Covers the texts in which values are restored."""

    def __init__(self, vault: Vault, channels: Collection[str]) -> None:
        self._tools = vault.tools
        self._channels = channels
        labels = frozenset(entry.name.label for entry in vault.entries)
        # Without a label there is nothing to look for.
        self._veil = Veil(labels, self._become, ids=vault.ids, addresses=False) if labels else None
        self._vault = vault

    def over(self, channel: str, tool: str | None, stage: Stage, place: Place) -> Stage:
        if self._veil is None:
            return stage
        if channel == "tool_args":
            allowed = bool(place) and self._tools.allows(tool, place)
        else:
            allowed = channel in self._channels
        return self._veil.over(stage) if allowed else stage

    def _become(self, name: Name, _text: str) -> str | None:
        value = self._vault.value(name)
        if value is None:
            self._vault.counts.left += 1
        else:
            self._vault.counts.restored += 1
        return value
