"""What a source says of its end is read in the words of any provider."""

from __future__ import annotations

import pytest

from guardstream import Guard, Policy
from tests.formats.chunks import chunk

GUARD = Guard(Policy.parse("rules: [{id: w, words: [bluebird]}]"))


@pytest.mark.parametrize(
    ("told", "kept"),
    [("ponder_limit", "ponder_limit"), ("stop", None), ("a bluebird", None), ("4111 1111", None)],
)
def test_a_word_that_nobody_knows_is_kept_unless_a_rule_matches_it(
    told: str, kept: str | None
) -> None:
    chunks = [chunk({"content": "hi "}), chunk({}, finish=told)]
    stream = GUARD.wrap_sync(chunks)
    list(stream)
    assert (stream.finish, type(stream.finish)) == ("stop", str)
    assert stream.result.provider_reason == kept


def test_a_stream_around_another_keeps_the_word() -> None:
    chunks = [chunk({"content": "hi "}), chunk({}, finish="ponder_limit")]
    stream = GUARD.wrap_sync(GUARD.wrap_sync(chunks))
    list(stream)
    assert stream.result.provider_reason == "ponder_limit"
