"""Presidio's names for kinds of personal data, and the packs' rules that find them.

https://microsoft.github.io/presidio/supported_entities/; other tools use these names, too. A pack
is extended for them, and those of its rules that find other kinds are switched off.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from guardstream.cli.importing.write import Draft, Side
from guardstream.policy import Policy

_PACKS: dict[str, dict[str, tuple[str, ...]]] = {
    "pii-en": {
        "EMAIL_ADDRESS": ("email",),
        "PHONE_NUMBER": (
            *("phone", "phone-announced", "us-phone-announced"),
            *("phone-called", "phone-local", "phone-labelled"),
        ),
        "CREDIT_CARD": ("payment-card", "payment-card-announced"),
        "IBAN_CODE": ("iban",),
        "CRYPTO": ("crypto-wallet",),
        "IP_ADDRESS": ("ip-address",),
        "MAC_ADDRESS": ("mac-address",),
        "US_SSN": ("us-ssn", "us-ssn-announced"),
        "US_ITIN": ("us-itin", "us-itin-announced"),
        "US_MBI": ("us-mbi",),
        "US_PASSPORT": ("passport",),
        "ABA_ROUTING_NUMBER": ("us-routing", "us-routing-plain"),
        "US_BANK_NUMBER": ("bank-account",),
        "US_DRIVER_LICENSE": ("driving-licence",),
        "UK_NHS": ("uk-nhs", "uk-nhs-plain"),
        "UK_NINO": ("uk-nino",),
        "UK_PASSPORT": ("passport",),
        "IN_AADHAAR": ("in-aadhaar",),
    },
    "pii-uk": {
        "UK_POSTCODE": ("uk-postcode",),
        "UK_DRIVING_LICENCE": ("uk-driving-licence",),
        "UK_VEHICLE_REGISTRATION": ("uk-plate",),
    },
    "pii-es": {"ES_NIF": ("es-dni",), "ES_NIE": ("es-nie",)},
    "pii-it": {
        "IT_FISCAL_CODE": ("it-fiscal-code",),
        "IT_VAT_CODE": ("it-vat",),
        "IT_IDENTITY_CARD": ("it-id-card",),
        "IT_DRIVER_LICENSE": ("it-driving-licence",),
    },
    "pii-de": {
        "DE_TAX_ID": ("de-tax-id",),
        "DE_TAX_NUMBER": ("de-tax-number",),
        "DE_VAT_ID": ("de-vat",),
        "DE_ID_CARD": ("de-id-card",),
        "DE_SOCIAL_SECURITY": ("de-social-security",),
        "DE_HEALTH_INSURANCE": ("de-health-insurance",),
        "DE_KFZ": ("de-plate",),
    },
    "pii-pl": {"PL_PESEL": ("pl-pesel",)},
    "pii-sg": {"SG_NRIC_FIN": ("sg-nric",), "SG_UEN": ("sg-uen",)},
    "pii-au": {
        "AU_ABN": ("au-abn", "au-abn-plain"),
        "AU_ACN": ("au-acn",),
        "AU_TFN": ("au-tfn",),
        "AU_MEDICARE": ("au-medicare",),
    },
    "pii-in": {
        "IN_PAN": ("in-pan",),
        "IN_GSTIN": ("in-gstin",),
        "IN_VOTER": ("in-voter",),
        "IN_VEHICLE_REGISTRATION": ("in-vehicle",),
        "IN_AADHAAR": ("in-aadhaar-grouped",),
    },
    "pii-fi": {"FI_PERSONAL_IDENTITY_CODE": ("fi-hetu",)},
    "pii-kr": {"KR_RRN": ("kr-rrn", "kr-rrn-announced")},
    "pii-ca": {"CA_SIN": ("ca-sin", "ca-sin-plain")},
    "pii-se": {
        "SE_PERSONNUMMER": ("se-personnummer", "se-personnummer-plain"),
        "SE_ORGANISATIONSNUMMER": ("se-organisation",),
    },
    "pii-th": {"TH_TNIN": ("th-id",)},
    "pii-tr": {"TR_NATIONAL_ID": ("tr-id",)},
    "pii-za": {"ZA_ID_NUMBER": ("za-id",)},
}


KNOWN = tuple(dict.fromkeys(entity for found in _PACKS.values() for entity in found))
"""The entities that packs have rules for."""

MORE_SECRETS = "guardstream/secrets has its own rules, for secrets of other kinds, too"
"""The note where this pack takes the place of another tool's search for secrets."""


def extend(side: Side, pack: str) -> None:
    """Make a side extend a pack."""
    if pack not in side.packs:
        side.packs.append(pack)
        side.taken.update(_ids(pack))


class Wanted:
    """The entities that packs should find on both sides of a policy: collected part by part, then
    settled.

    Each entity has keys for its rules. If two parts want the same entity, the keys of the one that
    blocks count, otherwise those of the first.
    """

    def __init__(self, made: Draft) -> None:
        self._made = made
        self._sides: dict[bool, dict[str, dict[str, Any]]] = {False: {}, True: {}}

    def add(self, side: Side, entity: str, keys: Mapping[str, Any]) -> None:
        """Add an entity; note one that no rule finds."""
        if entity not in KNOWN:
            self._made.notes.append(f"entity {entity!r} is left out: no pack has a rule for it")
            return
        wanted = self._sides[side is self._made.prompts]
        if entity not in wanted or keys.get("action") == "block":
            wanted[entity] = dict(keys)

    def settle(self) -> None:
        """Extend the packs, with their other rules switched off."""
        for side in (self._made, self._made.prompts):
            wanted = self._sides[side is self._made.prompts]
            for pack, rules in _PACKS.items():
                _choose(side, pack, _keys(rules, wanted))


def _keys(
    rules: Mapping[str, tuple[str, ...]], wanted: Mapping[str, dict[str, Any]]
) -> dict[str, dict[str, Any]]:
    """Return the keys of each rule that finds a wanted entity; it blocks if it does for one."""
    found = [
        (rule, wanted[entity]) for entity, ids in rules.items() if entity in wanted for rule in ids
    ]
    return dict(sorted(found, key=lambda each: each[1].get("action") == "block"))


def _choose(side: Side, pack: str, rules: Mapping[str, Mapping[str, Any]]) -> None:
    """Make a side use some of a pack's rules, with the keys that each has, if there are any."""
    if rules:
        extend(side, pack)
        side.rules += [{"id": rule, **keys} for rule, keys in rules.items() if keys]
        off = [rule for rule in _ids(pack) if rule not in rules]
        side.rules += [{"id": rule, "enabled": False} for rule in off]


@cache
def _ids(pack: str) -> dict[str, None]:
    """Return the ids of a pack's rules, in order."""
    return dict.fromkeys(rule.id for rule in Policy.load(f"guardstream/{pack}").rules)
