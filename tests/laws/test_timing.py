"""The laws of timing: a turn that is over is shown, whatever its source does then."""

from __future__ import annotations

import pytest

from guardstream.http import WireGuard
from tests.laws.recordings import Recording, parsed, recordings, texts, wire
from tests.laws.timing import GAP, GUARD, TAILS, has_sign, last_sign, shown

OWN = [each for each in recordings() if each.own and has_sign(each)]


@pytest.mark.parametrize("tail", TAILS)
@pytest.mark.parametrize("recording", OWN, ids=lambda each: each.name)
def test_all_text_is_shown_within_a_second_of_the_sign(recording: Recording, tail: str) -> None:
    source = WireGuard(GUARD)
    whole = b"".join([*source.feed(wire(recording)), *source.finish()])
    seen = shown(recording, tail)
    assert seen.by(seen.sign + 1) == texts(parsed(whole), recording.shape)


@pytest.mark.parametrize("recording", OWN, ids=lambda each: each.name)
def test_what_waits_for_a_proof_leaves_when_the_source_ends(recording: Recording) -> None:
    seen = shown(recording, "end")
    left = len(recording.events) - 1 - last_sign(recording)
    assert max(at for at, _ in seen.steps) <= seen.sign + left * GAP + 0.001


@pytest.mark.parametrize("recording", OWN, ids=lambda each: each.name)
def test_before_the_first_sign_a_timer_delays_nothing(recording: Recording) -> None:
    source = WireGuard(GUARD)
    seen = shown(recording, "end")
    out = b""
    for n, event in enumerate(recording.events[: last_sign(recording)]):
        data = event.sse() if recording.is_sse else event.line()
        out += b"".join(source.feed(data))
        at = (n + 1) * GAP + 0.001
        assert seen.by(at) == texts(parsed(out), recording.shape)
