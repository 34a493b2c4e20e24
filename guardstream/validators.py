"""Checks of matched values: a short name for `guardstream.policy.validators`."""

from guardstream.policy.validators import (
    NAMED,
    aba,
    bitcoin,
    entropy,
    iban,
    ip,
    luhn,
    mixed,
    mod11,
    names,
    nhs,
    phone,
    shannon,
    ssn,
    uscc,
    varied,
    verhoeff,
)
from guardstream.stages.rules import Validator

__all__ = [
    "NAMED",
    "Validator",
    "aba",
    "bitcoin",
    "entropy",
    "iban",
    "ip",
    "luhn",
    "mixed",
    "mod11",
    "names",
    "nhs",
    "phone",
    "shannon",
    "ssn",
    "uscc",
    "varied",
    "verhoeff",
]
