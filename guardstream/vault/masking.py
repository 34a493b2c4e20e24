"""Masks messages to a model: values become stand-ins, and texts that only look like one are
escaped."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from guardstream.policy import Policy
from guardstream.policy.veiled import Veiled
from guardstream.stages.rules import Rule, StandIn
from guardstream.vault.standin import Name, labels_of
from guardstream.vault.vault import Vault
from guardstream.vault.veil import Everywhere, Veil


def masking(policy: Policy, vault: Vault, *, shared: bool = False, escape: bool = True) -> Policy:
    """Return `policy` for masking with `vault`: its reversible rules issue stand-ins.

    Values that the vault knows are masked everywhere. Stand-ins that it has issued stay as they
    are; others are escaped, unless `escape` is False. With `shared` new stand-ins are the same in
    all conversations.
    """
    labels = labels_of(policy.reversible, vault.ids) | vault.labels

    def issue(rule: str) -> StandIn:
        def written(seen: str, _at: int) -> str:
            return vault.issue(rule, veil.source(seen, vault.value), shared=shared)

        return StandIn(written)

    def become(name: Name, text: str, _in_address: bool) -> str:
        stays = not escape or vault.value(name) is not None
        return text if stays else vault.escape(text, shared=shared)

    veil = Veil(labels, become, ids=vault.ids)
    severities = {rule.id: rule.severity for rule in policy.rules}
    known = [
        Rule(
            id=rule,
            severity=severities.get(rule, "medium"),
            exact=True,  # a value is known as it was written
            words=words,
            whole_word=whole,
            replacement=issue(rule),
        )
        for rule, values in vault.known().items()
        for whole, words in _by_length(values)
        if words
    ]
    replacements = {rule: issue(rule) for rule in policy.reversible}
    return policy.with_veil(Veiled(Everywhere(veil), replacements, known))


_SHORT = 5
"""A value of fewer code points is masked only as a whole word: `Al`, but not in `Also`."""


def _by_length(values: Sequence[str]) -> Iterator[tuple[bool | None, tuple[str, ...]]]:
    """Yield the rules that find known values: short ones as words, others anywhere."""
    yield None, tuple(value for value in values if len(value) < _SHORT)
    yield False, tuple(value for value in values if len(value) >= _SHORT)
