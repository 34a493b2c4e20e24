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


@pytest.mark.parametrize("name", ["server", "etag", "alt-svc", "content-language", "retry-after"])
def test_headers_of_the_protocol_are_judged_where_a_text_fits(name: str) -> None:
    assert withheld(GUARD, [(name, "a bluebird")]) == {name}


def test_what_a_type_says_besides_is_judged() -> None:
    assert withheld(GUARD, [("content-type", "text/html; charset=utf-8; x=bluebird")]) == {
        "content-type"
    }


@pytest.mark.parametrize("value", ["120", "-1", "Tue, 24 Nov 2026 02:20:05 GMT"])
@pytest.mark.parametrize("name", ["age", "date", "expires", "last-modified", "retry-after"])
def test_times_are_not_judged(name: str, value: str) -> None:
    guard = Guard(Policy.parse(r"rules: [{id: number, pattern: '[0-9]{1,9}'}]"))
    assert withheld(guard, [(name, value)]) == set()


def test_a_match_across_headers_is_none() -> None:
    assert withheld(GUARD, [("x-a", "blue"), ("x-b", "bird")]) == set()
