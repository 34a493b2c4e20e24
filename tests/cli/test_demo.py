"""`guardstream demo`: the recording is replayed, and nothing sensitive is released."""

from __future__ import annotations

import io
import sys

import pytest
from rich.console import Console

from guardstream import Guard
from guardstream.cli import demo, main

SECRETS = ["ann.lee+shop@example.com", "4111 1111", "sk-proj", "hk7Qx29Lm", "138123456"]


def test_the_recording_splits_every_secret_across_chunks() -> None:
    texts = [delta.text for delta in demo.recording()]
    for secret in SECRETS:
        assert secret in "".join(texts)
        assert not any(secret in text for text in texts)


def test_the_recording_has_its_timing() -> None:
    times = [delta.at for delta in demo.recording()]
    assert times == sorted(times)
    assert times[-1] > 1


def test_plain_output_shows_what_came_in_was_held_and_released(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["guardstream", "demo", "--speed", "0"])
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 0
    out = capsys.readouterr().out
    released = "".join(line.split(" out ")[1] for line in out.splitlines() if " out " in line)
    assert "[email]" in released
    assert not [secret for secret in SECRETS if secret in released]
    assert "held 'ann.lee+shop@exa'" in out
    assert "payment-card" in out
    assert "µs" in out


def test_a_terminal_shows_it_live(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.StringIO()
    monkeypatch.setattr(
        demo, "_Output", lambda **_: Console(file=screen, force_terminal=True, width=100)
    )
    demo.demo("guardstream/chat", 1000.0)
    assert "came in, " in screen.getvalue()
    assert "released" in screen.getvalue()


def test_the_released_text_is_what_check_gives() -> None:
    text = "".join(delta.text for delta in demo.recording())
    checked = Guard.load("guardstream/chat").check(text)
    assert not [secret for secret in SECRETS if secret in checked.text]
