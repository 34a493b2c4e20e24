"""A2A's tasks and MCP's answers: events of JSON-RPC."""

from __future__ import annotations

from typing import Any

import pytest

from guardstream import Guard, Policy
from guardstream.providers import detect
from tests.providers.laws import GUARD, cuttings, events, in_any_cut, left_raw, unchanged

TEXT = "a secret, no sec"
MASKED = "a ######, no sec"

Event = dict[str, Any]


def answer(result: Event) -> Event:
    return {"jsonrpc": "2.0", "id": "1", "result": result}


def status(state: str, text: str = "", *, final: bool = False) -> Event:
    message = {"kind": "message", "messageId": "m", "role": "agent", "parts": [part(text)]}
    told = {"state": state, **({"message": message} if text else {})}
    ids = {"taskId": "t", "contextId": "c"}
    return answer({**ids, "kind": "status-update", "status": told, "final": final})


def part(text: str) -> Event:
    return {"kind": "text", "text": text}


def update(text: str, *, append: bool = True, **more: Any) -> Event:
    artifact = {"artifactId": "a", "parts": [part(text)]}
    ids = {"taskId": "t", "contextId": "c"}
    return answer(
        {**ids, "kind": "artifact-update", "artifact": artifact, "append": append, **more}
    )


def named(text: str) -> Event:
    artifact = {"artifactId": "a", "parts": [{"text": text}]}
    return {
        "artifactUpdate": {"taskId": "t", "contextId": "c", "artifact": artifact, "append": True}
    }


def task(pieces: list[str]) -> list[Event]:
    updates = [update(piece, append=place > 0) for place, piece in enumerate(pieces)]
    return [status("submitted"), *updates, status("completed", final=True)]


def artifact_of(chunks: list[Event]) -> str:
    found = [chunk.get("result", chunk) for chunk in chunks]
    found = [each.get("artifactUpdate", each) for each in found]
    return "".join(
        each["text"] for one in found if "artifact" in one for each in one["artifact"]["parts"]
    )


def test_an_artifact_is_one_text_over_its_updates() -> None:
    for pieces in cuttings(TEXT):
        source = task(pieces)
        assert detect(source[0]).name == "a2a"  # type: ignore[attr-defined]
        assert unchanged(source)
        stream = GUARD.wrap_sync(source)
        out = list(stream)
        assert artifact_of(out) == MASKED == stream.result.text
        assert out[-1] == source[-1]
    in_any_cut(events(*task(["a sec", "ret, no", " sec"])), GUARD)


@pytest.mark.parametrize("envelope", [True, False])
def test_version_1_is_read_alike(envelope: bool) -> None:
    source = [answer(named(piece)) if envelope else named(piece) for piece in ("a sec", "ret")]
    assert unchanged(source)
    assert artifact_of(list(GUARD.wrap_sync(source))) == "a ######"
    blocked = [answer(named(piece)) if envelope else named(piece) for piece in ("for", "bidden")]
    last = list(GUARD.wrap_sync(blocked))[-1]
    last = last["result"] if envelope else last
    assert last["statusUpdate"]["status"] == {"state": "TASK_STATE_REJECTED"}


def test_an_artifact_that_is_not_appended_to_is_another_text() -> None:
    source = [update("a sec", append=False, lastChunk=True), update("ret", append=False)]
    assert artifact_of(list(GUARD.wrap_sync(source))) == "a secret"  # of two texts


def test_a_message_is_a_text_of_its_own_and_what_goes_on_is_masked() -> None:
    source = [status("working", "a sec"), status("working", "ret"), status("completed", "a secret")]
    out = list(GUARD.wrap_sync(source))
    assert not left_raw(out)
    assert out[0] == source[0]
    assert out[2]["result"]["status"]["message"]["parts"][0]["text"] == "a ######"


def test_a_word_cut_by_parts_of_a_message_is_masked() -> None:
    told = status("completed", "a sec", final=True)
    told["result"]["status"]["message"]["parts"].append(part("ret, no"))
    whole = {"id": "t", "contextId": "c", "kind": "task", "status": {"state": "working"}}
    artifact = {"artifactId": "a", "parts": [part("a sec"), part("ret")]}
    stream = GUARD.wrap_sync([answer({**whole, "artifacts": [artifact, artifact]}), told])
    out = list(stream)
    parts = out[-1]["result"]["status"]["message"]["parts"]
    assert "".join(each["text"] for each in parts) == "a ######, no" == stream.result.text
    for each in out[0]["result"]["artifacts"]:
        assert "".join(inner["text"] for inner in each["parts"]) == "a ######"
    given = tool("a sec", "ret")
    assert not left_raw(list(GUARD.wrap_sync([given])), "ret")


def test_what_is_held_of_an_artifact_that_is_told_anew_comes_before() -> None:
    source = [update("a sec", append=False), update("so", append=False)]
    assert [artifact_of([each]) for each in GUARD.wrap_sync(source)] == ["a ", "sec", "so"]


def test_what_the_user_said_passes() -> None:
    told = {"kind": "message", "messageId": "u", "role": "user", "parts": [part("so")]}
    held = {"kind": "message", "messageId": "a", "role": "agent", "parts": [part("a secret")]}
    whole = {"id": "t", "contextId": "c", "kind": "task", "status": {"state": "completed"}}
    out = list(GUARD.wrap_sync([answer({**whole, "history": [told, held]})]))
    assert out[0]["result"]["history"][0] == told
    assert not left_raw(out)


def test_a_block_rejects_the_task() -> None:
    stream = GUARD.wrap_sync([update("all for"), update("bidden fruit"), update("!")])
    out = list(stream)
    assert artifact_of(out) == "all "
    assert out[-1]["result"]["status"] == {"state": "rejected"}
    assert out[-1]["result"]["final"] is True
    source = [status("completed", "the forbidden", final=True)]
    states = [each["result"]["status"]["state"] for each in GUARD.wrap_sync(source)]
    assert states == ["working", "rejected"]


def tool(*texts: str) -> Event:
    return answer({"content": [{"type": "text", "text": text} for text in texts], "isError": False})


def note(method: str, **params: Any) -> Event:
    return {"jsonrpc": "2.0", "method": f"notifications/{method}", "params": params}


def test_what_a_tool_of_mcp_gave_is_guarded() -> None:
    source = [
        note("progress", progressToken="p", progress=1, message="so far"),
        {**tool("a secret", "no"), "structured": None},
    ]
    assert detect(source[0]).name == "mcp"  # type: ignore[attr-defined]
    assert unchanged(source)
    out = list(GUARD.wrap_sync(source))
    assert out[1]["result"]["content"] == [
        {"type": "text", "text": "a ######"},
        {"type": "text", "text": "no"},
    ]
    structured = answer({"content": [], "structuredContent": {"rows": [{"say": "a secret"}]}})
    assert not left_raw(list(GUARD.wrap_sync([structured])))
    in_any_cut(events(*source), GUARD)


def test_messages_of_mcp_that_go_on_are_masked() -> None:
    source = [note("message", level="info", data=text) for text in ("a sec", "ret")]
    out = list(GUARD.wrap_sync(source))
    assert out[0] == source[0]
    assert not left_raw(out[1], "ret")


def test_a_block_ends_with_an_error_of_json_rpc() -> None:
    out = list(GUARD.wrap_sync([note("message", level="info", data="forbidden"), tool("so")]))
    assert out[-1]["error"]["code"] == -32000
    listed = answer({"tools": [{"name": "forbidden", "description": "does"}]})
    stream = GUARD.wrap_sync([listed])
    assert "forbidden" not in str(list(stream))
    assert stream.finish == "content_filter"


def test_an_answer_of_mcp_that_is_blocked_is_an_error_to_its_call() -> None:
    told = answer({"content": [{"type": "text", "text": "so forbidden"}], "structuredContent": {}})
    progress = note("progress", progressToken="p", progress=1, message="so far")
    stream = GUARD.wrap_sync([progress, told])
    out = list(stream)
    assert (out[0], out[1]["id"], out[1]["error"]["code"]) == (progress, told["id"], -32000)
    assert (len(out), stream.finish) == (2, "content_filter")


@pytest.mark.parametrize("word", ["forbidden", "enough"])
@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("elicitation/create", {"message": "so {}", "requestedSchema": {"type": "object"}}),
        ("sampling/createMessage", {"messages": [], "systemPrompt": "so {}", "maxTokens": 5}),
        ("vendor/run", {"command": "so {}"}),
    ],
)
def test_of_a_request_of_mcp_in_which_the_stream_ends_nothing_goes_out(
    method: str, params: dict[str, Any], word: str
) -> None:
    asked = {name: each.format(word) if each == "so {}" else each for name, each in params.items()}
    request = {"jsonrpc": "2.0", "id": 2, "method": method, "params": asked}
    (out,) = GUARD.wrap_sync([request, tool("unread")], provider="mcp")
    assert (out["id"], out["error"]["code"]) == (None, -32000)


def test_an_answer_of_mcp_that_a_rule_stops_has_what_came_before() -> None:
    parts = [{"type": "text", "text": text} for text in ("so enough", "unread")]
    told = answer({"content": parts})
    stream = GUARD.wrap_sync([told, told])
    (out,) = stream
    assert [part["text"] for part in out["result"]["content"]] == ["so ", ""]
    assert (out["id"], stream.finish) == (told["id"], "stop")


def test_no_field_of_a_tools_own_value_is_taken_for_a_mark() -> None:
    key = "AKIAIOSFODNN7EXAMPLE"
    guard = Guard(Policy.parse("rules: [{id: key, pattern: 'AKIA[A-Z0-9]{16}'}]"))
    own = {"type": key, "data": key, "uri": key}
    used = {"type": "tool_use", "id": "t1", "name": "find", "input": own}
    asked = {"messages": [{"role": "assistant", "content": used}], "maxTokens": 5}
    for method, params in (
        ("sampling/createMessage", asked),
        ("elicitation/create", {"message": "?", "requestedSchema": {"properties": own}}),
    ):
        request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        assert key not in str(list(guard.wrap_sync([request], provider="mcp")))
