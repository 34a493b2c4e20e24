"""Restores a model's texts: stand-ins become the values that they stand for."""

from __future__ import annotations

from collections.abc import Collection

from guardstream.events import Stage
from guardstream.policy import Policy
from guardstream.policy.veiled import Veiled
from guardstream.stages.json.settings import Place
from guardstream.vault.standin import ESCAPED, Name, labels_of
from guardstream.vault.vault import Vault
from guardstream.vault.veil import Everywhere, Veil

CHANNELS = frozenset(("text", "refusal", "thinking"))
"""The channels in which all values are restored; in arguments, those that the vault allows."""


def restoring(policy: Policy, vault: Vault, channels: Collection[str] = CHANNELS) -> Policy:
    """Return `policy` for guarding answers to messages that were masked with `vault`.

    Rules do not see issued stand-ins. Their values are written after all rules, and are not
    searched. Stand-ins in URLs, and inexact ones, stay as they are.
    """
    labels = frozenset(vault.labels)
    if labels:  # of all rules, so that all vaults share one cached search
        labels |= _of_rules(policy, vault)
    return policy.with_veil(Veiled(_Over(vault, labels, channels)))


def leaving(policy: Policy, vault: Vault) -> Policy:
    """Return `policy` for guarding answers whose stand-ins are restored later.

    Rules do not see issued stand-ins, which stay as they are everywhere.
    """

    def left(name: Name, text: str, _in_address: bool) -> str | None:
        return None if vault.value(name) is None else text

    labels = frozenset(vault.labels | _of_rules(policy, vault))
    veil = Veil(labels, left, ids=vault.ids)
    return policy.with_veil(Veiled(Everywhere(veil)))


def restoring_later(policy: Policy, vault: Vault, channels: Collection[str] = CHANNELS) -> Policy:
    """Do what `restoring` does, for an answer that `leaving` has guarded.

    It may run again on the same answer after the vault has changed: it then holds the same text.
    """
    labels = vault.labels | _of_rules(policy, vault)
    return policy.with_veil(Veiled(_Over(vault, labels, channels)))


def _of_rules(policy: Policy, vault: Vault) -> frozenset[str]:
    return labels_of(policy.input.reversible if policy.input else (), vault.ids)


class _Over:
    """Hides stand-ins in every text, and restores values in some."""

    def __init__(self, vault: Vault, labels: Collection[str], channels: Collection[str]) -> None:
        self._vault = vault
        self._channels = channels
        given = frozenset(labels)
        self._brings = Veil(given, self._restored, ids=vault.ids) if given else None
        self._withholds = Veil(given, self._withheld, ids=vault.ids) if given else None
        self._leaves = Veil(given, self._left, ids=vault.ids) if given else None

    def over(self, channel: str, tool: str | None, stage: Stage, place: Place) -> Stage:
        if channel == "tool_args":
            allowed = bool(place) and self._vault.tools.allows(tool, place)
            veil = self._brings if allowed else self._withholds
        else:
            veil = self._brings if channel in self._channels else self._leaves
        return veil.over(stage, string=bool(place)) if veil else stage  # nothing was issued

    def _restored(self, name: Name, text: str, in_address: bool) -> str | None:
        if in_address:
            return self._withheld(name, text, in_address)
        return self._brought(name, text, in_address)

    def _withheld(self, name: Name, text: str, in_address: bool) -> str | None:
        """Restore escaped texts only: they are no values, and never withheld."""
        if name.label == ESCAPED:
            return self._brought(name, text, in_address)
        return self._left(name, text, in_address)

    def _brought(self, name: Name, text: str, in_address: bool) -> str | None:
        value = self._vault.value(name)
        if value is None:
            return self._left(name, text, in_address)
        self._vault.count(restored=1)
        return value

    def _left(self, name: Name, text: str, _in_address: bool) -> str | None:
        """Leave an issued stand-in, hidden from rules; they see any other, as the model's text."""
        self._vault.count(left=1)
        return None if self._vault.value(name) is None else text
