"""Which headers of an answer a client gets."""

from __future__ import annotations

import pytest

from guardstream import Guard, Policy
from guardstream.http.headers import of_the_connection, withheld

GUARD = Guard(Policy.parse("rules: [{id: word, words: [bluebird]}]"))
BLOCKING = Guard(Policy.parse("rules: [{id: word, words: [bluebird], action: block}]"))


def test_headers_named_by_connection_end_here() -> None:
    assert {"x-own", "x-other", "te"} <= of_the_connection(["X-Own , close", "x-other"])


@pytest.mark.parametrize("guard", [GUARD, BLOCKING])
def test_what_a_rule_finds_in_a_header_is_withheld(guard: Guard) -> None:
    headers = [("Location", "/bluebird"), ("X-Id", "7"), ("X-Note", "a bluebird"), ("x-note", "b")]
    assert withheld(guard, headers) == {"location", "x-note"}
    assert withheld(guard, [("content-type", "bluebird"), ("x-id", "7")]) == set()


def test_a_match_across_headers_is_none() -> None:
    assert withheld(GUARD, [("x-a", "blue"), ("x-b", "bird")]) == set()
