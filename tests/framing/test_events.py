"""Bodies that call themselves server-sent events, and have none."""

from __future__ import annotations

import pytest

from guardstream import AdapterError, Guard, Policy
from guardstream.framing.frames.kinds import FRAMES

GUARD = Guard(Policy.parse("rules: [{id: word, words: [secret], replacement: '*'}]"))


@pytest.mark.parametrize("size", [1, 4, 100])
@pytest.mark.parametrize(
    "body", [b"Hello.\n\nBye.\n\n", b": hello\n\nHello.\n\n", b"A note: hello\r\n\r\n"]
)
def test_lines_that_clients_leave_out_are_not_lost_in_silence(body: bytes, size: int) -> None:
    parts = [body[at : at + size] for at in range(0, len(body), size)]
    with pytest.raises(AdapterError, match=r"no server-sent event; .*framing='text'"):
        list(GUARD.wrap_sync(parts, framing="sse"))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\n\n",
        b": hello\n\n",
        b"data\n\n",
        b"retry: 5\n\n",
        b"\xef\xbb\xbfevent: ping\n: hello\n\n",
        b"note: hello\n\ndata: a secret\n\n",
        b"data: a secret\n\nnote: hello\n\n",
    ],
)
def test_events_may_have_unknown_lines_beside_them(body: bytes) -> None:
    out = b"".join(GUARD.wrap_sync([body], framing="sse"))
    assert (b"note" in out) == (b"note" in body)
    assert (b"******" in out) == (b"secret" in body)


@pytest.mark.parametrize(
    "line", [b"note: a secret", b'note: {"a": "\\u0073ecret"}', b"id: 1\nnote: x"]
)
def test_an_unknown_line_that_a_rule_changes_is_left_out(line: bytes) -> None:
    out = b"".join(GUARD.wrap_sync([b"data: hello\n" + line + b"\n\n"], framing="sse"))
    assert b"note" not in out
    assert b"hello" in out


def test_an_event_in_a_known_shape_counts_as_one() -> None:
    frames = FRAMES["sse"]()
    list(frames.feed(b"data: {}\n\nnote: hello\n\n"))
    assert list(frames.finish()) == []
