"""A match with keywords counts where one of them stands before it."""

from __future__ import annotations

import pytest

from guardstream.events import Finding
from guardstream.stages.redact import RuleSet
from guardstream.stages.rules import Rule


def finds(keyword: str, before: str) -> bool:
    rule = Rule("code", patterns=("[0-9]{4}",), keywords=("zzz", keyword))
    stage = RuleSet([rule]).stage()
    return any(isinstance(each, Finding) for each in stage.feed(f"{before} 1234 ") + stage.finish())


@pytest.mark.parametrize(
    ("keyword", "before", "found"),
    [
        ("pin", "your PIN is", True),
        ("PIN", "your pin is", True),
        ("pin", "a spinning wheel", False),
        ("pin", "nothing", False),
        ("pin code", "the Pin Code", True),
        ("e-mail", "by E-MAIL", True),
        ("clé", "la CLÉ est", True),
        ("clé", "la cle est", False),
        ("pin", "le code secret à PIN", True),
        ("密码", "your pin", False),
        ("密码", "密码", True),
        ("\u017falt", "Salt", True),  # a long s
        ("\u212aelvin", "kelvin", True),  # the sign of the unit
        ("ban\u0131r", "BANIR", True),  # an i without its dot
    ],
)
def test_a_keyword_is_found_whatever_its_case(keyword: str, before: str, found: bool) -> None:
    assert finds(keyword, before) is found
