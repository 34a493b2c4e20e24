"""Judges whether a stand-in is part of a URL, by the text before it and what is open there."""

from __future__ import annotations

from typing import NamedTuple

from guardstream.vault.addresses.code import ends_in_code_of_address
from guardstream.vault.addresses.definitions import ends_in_definition
from guardstream.vault.addresses.following import MARKUPS
from guardstream.vault.addresses.plain import REACH, SPACES, begins_target, ends_in_address
from guardstream.vault.addresses.states import OUTSIDE, Open, State

_HARMLESS = {state: test for markup in MARKUPS for state, test in markup.harmless.items()}


class Around(NamedTuple):
    """The surroundings of a stand-in: the text before it, what is open there, and whether the text
    after it makes it part of a host's name."""

    before: str
    state: Open = OUTSIDE
    in_host: bool = False


def in_address(around: Around) -> bool:
    """Return whether a stand-in is part of a URL, other than a mere recipient."""
    if around.in_host:
        return True
    near = around.before[-REACH:]
    if ends_in_code_of_address(near) or ends_in_definition(near):
        return True
    if not around.state and near[-1:] in SPACES and not begins_target(near):
        return False  # nearly always a space is before it, and nothing is open
    if not all(_is_harmless(state, near) for state in around.state):
        return True
    return ends_in_address(near)


def _is_harmless(state: State, near: str) -> bool:
    test = _HARMLESS.get(state)
    return test is not None and test(near)
