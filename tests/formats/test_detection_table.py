"""The table by which first chunks are recognised agrees with the formats, and imports one alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import pytest

from guardstream.formats import ADAPTERS, detect, may_be_of, named
from guardstream.formats.detection import shapes
from guardstream.formats.detection.table import formats_of, names_in, rows
from guardstream.formats.openai.responses_names import LIFE
from guardstream.formats.protocols.a2a import NAMED
from guardstream.formats.toolkit.files import described, names, spec_of, table

PACKAGE = "guardstream.formats."

_TASKS = table("first")["a2a"][2]["$all"][0]

UNTOLD = {
    "openai_live": {"session.updated", "session.closed", "error", "info"},
    "anthropic_sessions": {"event_start", "event_delta", "ping", "error"},
    "cohere": {"debug"},
    "openai_media": {"error"},
}
"""Kinds of events by which the format is not told, or not alone."""


@pytest.mark.parametrize(
    ("name", "beside"),
    [
        ("openai_live", {"event_id": "e", "start_ms": 0}),
        ("openai_realtime", {"event_id": "e"}),
        ("openai_media", {}),
        ("anthropic_sessions", {"id": "i"}),
        ("cohere", {}),
        ("mistral_conversations", {}),
        ("mistral_transcription", {}),
        ("interactions", {}),
        ("langchain_protocol", {"type": "event", "params": {"data": {}}}),
        ("pydantic_ai", {}),
        ("assistants", {}),
        ("ag_ui", {}),
        ("chatkit", {"item": {}}),
        ("agentscope", {"reply_id": "r"}),
        ("letta", dict.fromkeys(("id", "date", "error_type", "stop_reason", "completion_tokens"))),
        ("llm", {"chunk": "", "part_index": 0, "tool_call_id": ""}),
    ],
)
def test_every_kind_of_event_marks_its_format(name: str, beside: dict[str, Any]) -> None:
    spec = spec_of(name)
    for kind in spec.specs.keys() - UNTOLD.get(name, set()):
        without = {"session.output_audio.delta", "session.input_audio.append"} & {kind}
        chunk = {**beside, spec.key: kind}
        if name == "openai_live" and without:
            del chunk["event_id"]
        assert name in formats_of(chunk), kind


def test_the_table_says_nothing_that_a_file_says() -> None:
    """An entry with all kinds of a format's events repeats those in its file."""
    for name, entries in table("first").items():
        for kinds in _lists(entries) if name in names() and is_by_kind(name) else ():
            assert kinds != names_in(name), name


def is_by_kind(name: str) -> bool:
    return "$by" in described(name).content.get("event", {})


def _lists(said: Any) -> Iterator[set[str]]:
    if isinstance(said, dict):
        for value in said.values():
            yield from _lists(value)
    elif isinstance(said, list) and all(isinstance(each, str) for each in said):
        yield {*said}
    elif isinstance(said, list):
        for value in said:
            yield from _lists(value)


@pytest.mark.parametrize(
    ("events", "known"),
    [
        (LIFE, table("first")["openai_responses"][0]["$any"][0]["type"]),
        (spec_of("bedrock"), shapes.CONVERSE),
        (NAMED, {name for each in _TASKS["$any"] for name in each}),
        (spec_of("data_stream"), shapes.LINES),
    ],
)
def test_the_table_knows_the_fields_of_a_format(
    events: Collection[str], known: Collection[str]
) -> None:
    assert {*events} == {*known}


def test_the_agents_own_events_are_told_by_kind_or_by_their_prefix() -> None:
    others = {
        kind
        for kind in spec_of("openai_agent_sessions").specs
        if not kind.startswith("agent.session.")
    }
    told = table("first")["openai_agent_sessions"][1]["$any"][0]["type"]
    assert others - {"error"} == {*told}


def test_every_format_has_rows_but_the_one_for_anything_else() -> None:
    assert rows().keys() == ADAPTERS.keys() - {"json"}


@pytest.mark.parametrize(
    ("chunk", "found"),
    [
        ({"choices": [{"index": 0, "delta": {"content": "a"}}]}, "openai.chat"),
        ({"start": True}, "frameworks.strands"),
        ({"evt": "token", "piece": "a"}, "generic.any_json"),
    ],
)
def test_only_the_format_that_is_found_is_imported(chunk: dict[str, Any], found: str) -> None:
    code = (
        "import sys, json; from guardstream.formats import ADAPTERS, detect;"
        f"detect(json.loads({json.dumps(json.dumps(chunk))}));"
        "print([m for m in sys.modules if m.startswith('guardstream.formats.')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    homes = {ADAPTERS[name].__module__ for name in ADAPTERS} - {PACKAGE + "generic.text"}
    loaded = {name for name in homes if repr(name) in done.stdout}
    assert PACKAGE + found in loaded
    assert len(loaded) <= 3  # the format, and those that it is made of


def test_an_adapter_may_read_what_the_table_says_of_its_name() -> None:
    chunk = {"choices": [{"index": 0, "delta": {}}]}
    assert may_be_of(named("openai_chat"), chunk)
    assert not may_be_of(named("anthropic"), chunk)
    assert not may_be_of(named("json"), chunk)


def test_an_adapter_of_the_caller_says_itself_what_it_reads() -> None:
    class Mine:
        name = "mine"

        def accepts(self, chunk: object) -> bool:
            return chunk == {"a": 1}

    assert may_be_of(Mine(), {"a": 1})
    assert not may_be_of(Mine(), {"a": 2})
    assert may_be_of(object(), {"a": 2})  # it cannot tell


def test_text_is_never_taken_for_text_that_grows() -> None:
    assert list(formats_of("a")) == ["text", "cumulative_text"]
    assert type(detect("a")) is ADAPTERS["text"]


def _installed(folder: Path, entry_points: str) -> str:
    """What detects a chunk, with a distribution in `folder` that has these entry points."""
    found = folder / "replybot-1.dist-info"
    found.mkdir()
    (found / "METADATA").write_text("Metadata-Version: 2.1\nName: replybot\nVersion: 1\n")
    (found / "entry_points.txt").write_text(entry_points)
    (folder / "replybot.py").write_text(
        "from guardstream.formats.generic.text import PlainText\n"
        "class ReplyBot(PlainText):\n"
        "    name = 'replybot'\n"
        "    @staticmethod\n"
        "    def accepts(chunk):\n"
        "        return 'tok' in chunk\n"
    )
    code = (
        "import sys; from guardstream.formats import detect;"
        "names = [type(detect({key: 'a'})).__name__ for key in ('tok', 'text', 'any')];"
        "print(*names, 'importlib.metadata' in sys.modules)"
    )
    path = os.pathsep.join([str(folder), *sys.path])
    done = subprocess.run(
        [sys.executable, "-S", "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": path},
    )
    return done.stdout.strip()


def test_an_adapter_of_another_package_is_asked_after_the_table(tmp_path: Path) -> None:
    entry = "[guardstream.formats]\nreplybot = replybot:ReplyBot\n"
    assert _installed(tmp_path, entry) == "ReplyBot NamedEvents AnyJSON True"


def test_metadata_is_not_read_where_no_package_has_an_adapter(tmp_path: Path) -> None:
    found = _installed(tmp_path, "[console_scripts]\nreplybot = replybot:main\n")
    assert found == "AnyJSON NamedEvents AnyJSON False"
