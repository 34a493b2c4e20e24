"""`guardstream formats`: the list, one description, and what a format reads in a recording."""

from __future__ import annotations

from pathlib import Path

from tests.support.command_line import Cli

POLICY = """
formats:
  acme:
    event:
      say: text
      calls: [{id: call.id, name: call.name, args: tool_args}]
      end: done
rules: [{id: name, words: [bluebird]}]
"""

RECORDING = """\
data: {"say": "it is "}

data: {"say": "blue", "note": "so"}

data: {"calls": [{"id": "a", "name": "f", "args": "{}"}]}

data: {"end": true}

data: [DONE]

"""


def test_formats_are_listed_and_shown(cli: Cli) -> None:
    listed = cli("formats")
    assert listed.status == 0
    assert any(
        line.startswith("ollama ") and "/api/chat" in line for line in listed.out.splitlines()
    )
    shown = cli("formats", "writer")
    assert "value: text" in shown.out
    unknown = cli("formats", "olama")
    assert (unknown.status, "did you mean 'ollama'?" in unknown.err) == (2, True)


def test_a_format_is_tried_on_a_recording(cli: Cli, tmp_path: Path) -> None:
    policy, recording = tmp_path / "policy.yaml", tmp_path / "answer.sse"
    policy.write_text(POLICY, encoding="utf-8")
    recording.write_text(RECORDING, encoding="utf-8")
    for name in ("acme", "-"):
        tried = cli("formats", "try", name, str(recording), "--policy", str(policy))
        assert tried.status == 0
        assert tried.out.startswith("format: acme\n1: text 'it is '\n2: ")
        assert "unknown text $.note (unknown) 'so'" in tried.out
        assert "call of 'f', id 'a', in tool_args arguments" in tried.out
        assert "4: answer 0 is done: tool_calls" in tried.out
        assert "text = 'it is blue'" in tried.out


def test_a_recording_without_events_and_an_unknown_format_are_errors(
    cli: Cli, tmp_path: Path
) -> None:
    empty = tmp_path / "empty.sse"
    empty.write_text("", encoding="utf-8")
    assert "no event" in cli("formats", "try", "-", str(empty)).err
    assert "no format 'acme'" in cli("formats", "try", "acme", str(empty)).err
