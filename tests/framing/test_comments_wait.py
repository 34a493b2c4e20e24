"""What has no chunk does not overtake a chunk that waits until its text is understood."""

from __future__ import annotations

import pytest

from guardstream import Guard, Policy
from guardstream.http import WireGuard
from tests.serve.proxy.upstream import chunk, event

PING = b": ping\n\n"


@pytest.mark.parametrize("rules", ["version: 1", "rules: [{id: w, words: [zzqxzzqx]}]"])
@pytest.mark.parametrize("size", [1, 50, 10_000])
def test_comments_keep_their_place_while_indexes_are_told_apart(rules: str, size: int) -> None:
    said = ["Not", " there", " much", " is", " new", " here"]
    events = [event(chunk({"content": each}, choice=n % 3)) for n, each in enumerate(said)]
    data = PING + PING.join(events) + PING + event("[DONE]")
    body = WireGuard(Guard(Policy.parse(rules)))
    out = [frame for at in range(0, len(data), size) for frame in body.feed(data[at : at + size])]
    assert b"".join([*out, *body.finish()]) == data
