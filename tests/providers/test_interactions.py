"""Events of Google's interactions: dicts, and the package's objects."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from guardstream import AdapterError, Guard, Policy, extract
from guardstream.http.body import guard_body
from guardstream.providers import detect
from guardstream.providers.google.interactions import Interactions
from tests.extract.test_extract import collect
from tests.providers.laws import (
    GUARD,
    check_masked,
    cuttings,
    events,
    in_any_cut,
    left_raw,
    recorded,
    unchanged,
)
from tests.support.optional import optional

genai = optional("google.genai")
types = optional("google.genai.types")

RECORDINGS = recorded("vercel*/google__interactions*")


def start(index: int, kind: str = "model_output", **fields: Any) -> dict[str, Any]:
    return {"event_type": "step.start", "index": index, "step": {"type": kind, **fields}}


def delta(index: int, kind: str, **fields: Any) -> dict[str, Any]:
    return {"event_type": "step.delta", "index": index, "delta": {"type": kind, **fields}}


def text(said: str, index: int = 0) -> dict[str, Any]:
    return delta(index, "text", text=said)


def stop(index: int = 0) -> dict[str, Any]:
    return {"event_type": "step.stop", "index": index}


def interaction(kind: str, status: str, **fields: Any) -> dict[str, Any]:
    whole = {"id": "i", "object": "interaction", "status": status, "model": "m", **fields}
    return {"event_type": f"interaction.{kind}", "interaction": whole}


CREATED = interaction("created", "in_progress")
COMPLETED = interaction("completed", "completed", usage={"total_tokens": 3})


def objects(*source: dict[str, Any]) -> list[Any]:
    """The events that the package gives for a body."""

    def handle(_: httpx.Request) -> httpx.Response:
        return httpx.Response(
            200, content=events(*source), headers={"content-type": "text/event-stream"}
        )

    http = httpx.Client(transport=httpx.MockTransport(handle))
    client = genai.Client(api_key="none", http_options=types.HttpOptions(httpx_client=http))
    return list(client.interactions.create(model="m", input="q", stream=True))


def joined(source: Any) -> dict[Any, str]:
    found: dict[Any, str] = {}
    for each in source:
        plain = each if isinstance(each, dict) else each.model_dump()
        said = plain.get("delta") or {}
        if said.get("type") in ("text", "thought_summary", "arguments_delta"):
            content = (
                said.get("text") or said.get("arguments") or (said.get("content") or {}).get("text")
            )
            kind = {"arguments_delta": "tool_args"}.get(said["type"], said["type"])
            key = (plain["index"], kind)
            found[key] = found.get(key, "") + (content or "")
    return found


MAKE = pytest.mark.parametrize(
    "make", [list, lambda source: objects(*source)], ids=["dict", "object"]
)


@MAKE
def test_every_kind_of_step_is_masked_in_any_cut(make: Any) -> None:
    for pieces in cuttings('{"q": "a secret, no sec"}'):
        source = [CREATED, start(0, "thought")]
        source += [
            delta(0, "thought_summary", content={"type": "text", "text": piece}) for piece in pieces
        ]
        source += [delta(0, "thought_signature", signature="cw=="), stop(0), start(1)]
        source += [*(text(piece, 1) for piece in pieces), stop(1)]
        source += [start(2, "function_call", id="c", name="find", arguments={})]
        source += [*(delta(2, "arguments_delta", arguments=piece) for piece in pieces), stop(2)]
        stream = GUARD.wrap_sync(make([*source, COMPLETED]))
        out = list(stream)
        masked = '{"q": "a ######, no sec"}'
        assert joined(out) == {
            (0, "thought_summary"): masked,
            (1, "text"): masked,
            (2, "tool_args"): masked,
        }
        assert not left_raw(out)
        call = stream.result.tool_calls[0]
        assert (call.name, call.id, call.arguments, call.complete) == ("find", "c", masked, True)
        assert stream.result.usage is not None


def test_what_no_rule_touches_passes_as_it_is() -> None:
    source = [CREATED, start(0), text("plain"), stop(), COMPLETED]
    assert isinstance(detect(source[0]), Interactions)
    assert unchanged(source)
    assert unchanged(objects(*source))
    assert in_any_cut(events(*source)) == events(*source)


def test_held_text_goes_out_before_its_step_stops() -> None:
    out = list(GUARD.wrap_sync([start(0), text("a sec"), stop(), start(1)]))
    assert out == [start(0), text("a "), text("sec"), stop(), start(1)]


def test_results_and_final_steps_are_masked() -> None:
    steps = [{"type": "model_output", "content": [{"type": "text", "text": "a secret"}]}]
    cited = {"type": "url_citation", "url": "u", "title": "secret"}
    source = [
        CREATED, start(0, "google_search_call", id="s"),
        delta(0, "google_search_call", arguments={"queries": ["secret"]}), stop(0),
        start(1, "google_search_result", call_id="s"),
        delta(1, "google_search_result", result=[{"search_suggestions": "the secret"}]), stop(1),
        start(2), text("so", 2), delta(2, "text_annotation_delta", annotations=[cited]),
        stop(2), interaction("completed", "completed", steps=steps),
    ]  # fmt: skip
    for made in (source, objects(*source)):
        assert not left_raw(list(GUARD.wrap_sync(made)))


@MAKE
def test_a_block_stops_the_step_and_the_interaction(make: Any) -> None:
    guard = Guard(
        Policy.parse("block_message: no\nrules: [{id: b, words: [forbidden], action: block}]")
    )
    stream = guard.wrap_sync(
        make([CREATED, start(0), text("so "), text("forbidden "), text("unread")])
    )
    out = [each if isinstance(each, dict) else each.model_dump() for each in stream]
    assert joined(out) == {(0, "text"): "so no"}
    assert [each["event_type"] for each in out[-2:]] == ["step.stop", "interaction.completed"]
    assert out[-1]["interaction"]["status"] == "incomplete"
    called = start(0, "function_call", id="c", name="find", arguments={})
    source = [CREATED, called, delta(0, "arguments_delta", arguments='{"q": "forbidden"}')]
    out = [
        each if isinstance(each, dict) else each.model_dump()
        for each in guard.wrap_sync(make(source))
    ]
    kinds = [each["event_type"] for each in out[-5:]]
    assert kinds == ["step.stop", "step.start", "step.delta", "step.stop", "interaction.completed"]


def test_what_is_not_known_is_refused() -> None:
    source = [CREATED, start(0, "hologram", words="a")]
    with pytest.raises(AdapterError, match="is not known"):
        list(GUARD.wrap_sync(source, unknown="refuse"))
    assert list(GUARD.wrap_sync(source, provider=Interactions(unknown="pass"))) == source


def test_a_calls_arguments_are_extracted() -> None:
    source = [
        start(0, "function_call", name="find"),
        delta(0, "arguments_delta", arguments='{"rows": [1, 2]}'),
    ]
    assert collect(lambda: extract.items(source, "rows.item", tool="find")) == [1, 2]


@pytest.mark.corpus
@pytest.mark.parametrize("path", RECORDINGS)
def test_recordings(path: Path) -> None:
    source = [json.loads(row) for row in path.read_text(encoding="utf-8").splitlines() if row]
    assert unchanged(source)
    assert unchanged(objects(*source))
    check_masked(source, joined)
    check_masked(objects(*source), joined)


def test_events_of_the_first_version_are_guarded_alike() -> None:
    def before(pieces: list[str]) -> list[dict[str, Any]]:
        said = [{"type": "text", "text": piece} for piece in pieces]
        return [
            interaction("start", "in_progress"),
            {"event_type": "content.start", "index": 0, "content": {"type": "text"}},
            *({"event_type": "content.delta", "index": 0, "delta": each} for each in said),
            {"event_type": "content.stop", "index": 0},
            interaction("complete", "completed"),
        ]

    for pieces in cuttings("a secret, no sec"):
        source = before(pieces)
        assert unchanged(source)
        stream = GUARD.wrap_sync(source)
        assert not left_raw(list(stream))
        assert stream.result.text == "a ######, no sec"
    out = list(GUARD.wrap_sync(before(["all ", "forbidden"])))
    kinds = [each["event_type"] for each in out]
    assert kinds[-2:] == ["content.stop", "interaction.complete"]
    assert out[-1]["interaction"]["status"] == "incomplete"


KEY = "AKIAIOSFODNN7EXAMPLE"
BY_KEY = Guard(Policy.parse("rules: [{id: key, pattern: 'AKIA[A-Z0-9]{16}', replacement: '[K]'}]"))
FOUND = dict.fromkeys(("id", "name", "type", "status", "data", "note"), KEY)
IN_STEP = {
    "result": {"type": "function_result", "call_id": "c1", "name": "find", "result": FOUND},
    "list": {"type": "mcp_server_tool_result", "call_id": "c1", "result": [FOUND]},
    "files": {"type": "file_search_result", "call_id": "c1", "result": [FOUND]},
    "arguments": {"type": "function_call", "id": "c1", "name": "find", "arguments": FOUND},
    "citation": {
        "type": "model_output",
        "content": [{"type": "text", "annotations": [{"custom_metadata": FOUND}]}],
    },
    "place": {
        "type": "google_maps_result", "call_id": "c1", "result": [{"places": [{"name": KEY}]}],
    },
}  # fmt: skip


@pytest.mark.parametrize("step", IN_STEP.values(), ids=IN_STEP)
def test_no_field_of_a_tools_own_value_is_taken_for_a_mark(step: dict[str, Any]) -> None:
    whole = interaction("completed", "completed", steps=[step])
    legacy = interaction("completed", "completed", outputs=[step])
    started = {**start(0), "step": step}
    given = delta(0, step["type"], **{name: step[name] for name in step if name != "type"})
    for event in (whole, legacy, started, given):
        assert KEY not in json.dumps(list(BY_KEY.wrap_sync([CREATED, event])))
    assert KEY not in json.dumps(guard_body(BY_KEY, "interactions", whole["interaction"])[0])


def test_the_data_of_pictures_in_a_result_passes() -> None:
    picture = {"type": "image", "mime_type": "image/png", "data": f"{KEY}=="}
    step = {"type": "function_result", "call_id": "c1", "result": [picture]}
    for event in (start(0) | {"step": step}, interaction("completed", "completed", steps=[step])):
        assert list(BY_KEY.wrap_sync([CREATED, event])) == [CREATED, event]


def test_the_name_of_a_call_that_only_the_end_repeats_blocks() -> None:
    call = {"type": "function_call", "id": "c1", "name": KEY, "arguments": {}}
    stream = BY_KEY.wrap_sync([CREATED, interaction("completed", "completed", steps=[call])])
    assert KEY not in json.dumps(list(stream))
    assert stream.finish == "content_filter"
