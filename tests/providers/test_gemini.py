"""Gemini's responses: objects, REST's dicts, and the array or events that carry them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from guardstream import AdapterError, Guard, Policy, extract
from guardstream.providers.google.gemini import Gemini
from tests.extract.test_extract import collect
from tests.providers.laws import (
    GUARD,
    check_masked,
    cuttings,
    events,
    in_any_cut,
    left_raw,
    masked,
    recorded,
    unchanged,
)
from tests.support.optional import optional

genai = optional("google.genai")
types = optional("google.genai.types")

RECORDINGS = recorded("gemini/*", "gemini_js_mock_responses/*", "vercel*/google__google*")


def response(*parts: dict[str, Any], finish: str | None = None, **fields: Any) -> dict[str, Any]:
    candidate: dict[str, Any] = {"content": {"parts": list(parts), "role": "model"}, "index": 0}
    if finish:
        candidate["finishReason"] = finish
    return {"candidates": [candidate | fields], "usageMetadata": {"totalTokenCount": 3}}


def text(said: str, **fields: Any) -> dict[str, Any]:
    return response({"text": said}, **fields)


def objects(*chunks: dict[str, Any]) -> list[types.GenerateContentResponse]:
    """The responses that the package gives for a body."""

    def handle(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, content=events(*chunks))

    http = httpx.Client(transport=httpx.MockTransport(handle))
    client = genai.Client(api_key="none", http_options=types.HttpOptions(httpx_client=http))
    return list(client.models.generate_content_stream(model="m", contents="q"))


def load(path: Path) -> list[dict[str, Any]]:
    body = path.read_text(encoding="utf-8")
    if body.lstrip().startswith("["):
        found: list[dict[str, Any]] = json.loads(body)
        return found
    rows = (row.removeprefix("data:") for row in body.splitlines() if row.strip())
    return [json.loads(row) for row in rows]


def joined(chunks: Any) -> dict[Any, str]:
    """The text of each kind in each candidate, as a client joins it."""
    found: dict[Any, str] = {}
    for chunk in chunks:
        plain = chunk if isinstance(chunk, dict) else chunk.model_dump(by_alias=True)
        for candidate in plain.get("candidates") or ():
            for part in (candidate.get("content") or {}).get("parts") or ():
                key = (candidate.get("index") or 0, "thought" if part.get("thought") else "text")
                found[key] = found.get(key, "") + (part.get("text") or "")
    return found


@pytest.mark.parametrize("make", [list, lambda chunks: objects(*chunks)], ids=["dict", "object"])
def test_text_and_thoughts_are_masked_in_any_cut(make: Any) -> None:
    for pieces in cuttings("a secret, and no second"):
        source = [response({"text": piece, "thought": True}) for piece in pieces]
        source += [
            *map(text, pieces),
            response({"text": "", "thoughtSignature": "eA=="}, finish="STOP"),
        ]
        out = list(GUARD.wrap_sync(make(source)))
        assert joined(out) == {
            (0, "thought"): "a ######, and no second",
            (0, "text"): "a ######, and no second",
        }
        assert not left_raw(out)


def test_what_no_rule_touches_passes_as_it_is() -> None:
    source = [text("plain "), text("text", finish="STOP")]
    assert unchanged(source)
    assert unchanged(objects(*source))


BESIDE: list[dict[str, Any]] = [
    {"citationMetadata": {"citationSources": [{"uri": "https://a.example"}]}},
    {"groundingMetadata": {"webSearchQueries": ["birds"]}},
    {"urlContextMetadata": {"urlMetadata": [{"retrievedUrl": "https://a.example"}]}},
]


@pytest.mark.parametrize("beside", BESIDE, ids=lambda fields: next(iter(fields)))
def test_what_an_answer_rests_on_does_not_part_it(beside: dict[str, Any]) -> None:
    source = [text("my sec"), text("ret so")]
    for chunk in source:
        chunk["candidates"][0] |= beside
    assert joined(GUARD.wrap_sync(source))[0, "text"] == "my ###### so"


def test_an_answer_and_thoughts_go_on_after_one_another() -> None:
    """In one chunk or several: whoever shows the answer joins its parts."""
    parts = [
        *({"text": "sec"}, {"text": "a sec", "thought": True}),
        *({"text": "ret x"}, {"text": "ret x", "thought": True}),
    ]
    for source in ([response(*parts)], [response(part) for part in parts]):
        found = joined(GUARD.wrap_sync(source))
        assert (found[0, "text"], found[0, "thought"]) == ("###### x", "a ###### x")


def test_an_answer_after_a_call_is_a_text_of_its_own() -> None:
    call = {"functionCall": {"name": "find", "args": {"q": "x"}}}
    source = [response({"text": "sec"}), response(call), response({"text": "ret"})]
    assert joined(GUARD.wrap_sync(source))[0, "text"] == "secret"


@pytest.mark.parametrize("reason", ["MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL"])
def test_a_call_that_gemini_rejects_is_not_complete(reason: str) -> None:
    call = {"functionCall": {"name": "f", "args": {"n": 1}}}
    body = response(call, finish=reason)
    with GUARD.wrap_sync([body]) as stream:
        list(stream)
    assert stream.finish == "error"
    assert [each.complete for each in stream.result.tool_calls] == [False]


@pytest.mark.parametrize(
    ("number", "finish"), [(1, "stop"), (2, "length"), (3, "content_filter"), (99, "stop")]
)
def test_a_reason_to_finish_may_be_a_number(number: int, finish: str) -> None:
    last = response({"text": "ret"})
    last["candidates"][0]["finishReason"] = number
    source = [text("a sec"), last]
    assert unchanged(source)
    stream = GUARD.wrap_sync(source)
    list(stream)
    assert (stream.result.text, stream.finish) == ("a ######", finish)


def test_a_reason_to_finish_in_every_chunk_ends_nothing() -> None:
    source = [text("a sec", finish="STOP"), text("ret", finish="STOP"), text(" x", finish="STOP")]
    assert joined(GUARD.wrap_sync(source))[0, "text"] == "a ###### x"
    stream = GUARD.wrap_sync([text("a sec", finish="STOP")])
    assert joined(stream)[0, "text"] == "a sec"
    assert stream.finish == "stop"


@pytest.mark.parametrize("make", [list, lambda chunks: objects(*chunks)], ids=["dict", "object"])
def test_a_block_ends_every_candidate(make: Any) -> None:
    guard = Guard(
        Policy.parse("block_message: no\nrules: [{id: b, words: [forbidden], action: block}]")
    )
    stream = guard.wrap_sync(make([text("so "), text("forb"), text("idden x"), text("unread")]))
    out = list(stream)
    assert joined(out)[0, "text"] == "so no"
    last = out[-1] if isinstance(out[-1], dict) else out[-1].model_dump(by_alias=True, mode="json")
    assert last["candidates"][0]["finishReason"] == "SAFETY"
    assert (stream.finish, stream.blocked_by) == ("content_filter", "b")


def test_responses_that_are_made_repeat_nothing_that_was_not_guarded() -> None:
    guard = Guard(Policy.parse("rules: [{id: b, pattern: 'secret!', action: block}]"))
    fields: dict[str, Any] = {
        "parsed": {"a": "secret!"},
        "automatic_function_calling_history": [{"parts": [{"text": "secret!"}]}],
    }
    (chunk,) = objects(text("so secret"))
    stream = guard.wrap_sync([chunk.model_copy(update=fields)])
    out = list(stream)
    assert stream.finish == "content_filter"
    assert "secret!" not in "".join(each.model_dump_json(warnings=False) for each in out)


def test_a_stop_and_its_reason() -> None:
    stream = GUARD.wrap_sync(objects(text("so "), text("enough x"), text("unread")))
    out = list(stream)
    assert (stream.result.text, stream.finish) == ("so ", "stop")
    assert out[-1].candidates[0].finish_reason == types.FinishReason.STOP
    assert out[-1].text == ""


def test_function_calls_are_masked_and_noted() -> None:
    call = {"name": "find", "id": "c1", "args": {"q": "a secret", "n": [1, "secret"]}}
    source = [text("so "), response({"functionCall": call}, finish="STOP")]
    for chunks in (source, objects(*source)):
        stream = GUARD.wrap_sync(chunks)
        out = list(stream)
        assert not left_raw(out)
        found = stream.result.tool_calls[0]
        assert (found.name, found.id, found.complete) == ("find", "c1", True)
        assert found.parse() == {"q": "a ######", "n": [1, "######"]}
        assert stream.finish == "tool_calls"
    assert out[-1].function_calls[0].args == {"q": "a ######", "n": [1, "######"]}


def test_a_blocked_call_is_not_made() -> None:
    call = {"name": "find", "args": {"q": "forbidden"}}
    out = list(GUARD.wrap_sync([text("so "), response({"text": "x"}, {"functionCall": call})]))
    assert not left_raw(out, "find")


def partial(*values: dict[str, Any], more: bool = True, **call: Any) -> dict[str, Any]:
    return response({"functionCall": {"partialArgs": list(values), "willContinue": more, **call}})


def test_strings_of_streamed_arguments_are_masked_in_any_cut() -> None:
    for pieces in cuttings("a secret"):
        values = [{"jsonPath": "$.q", "stringValue": part, "willContinue": True} for part in pieces]
        source = [
            response({"functionCall": {"name": "find", "willContinue": True}}),
            *map(partial, values),
            partial({"jsonPath": "$.q", "stringValue": ""}),
            partial(
                {"jsonPath": "$.r", "stringValue": "secret"}, {"jsonPath": "$.n", "numberValue": 3}
            ),
            response({"functionCall": {}}),
            response({"text": ""}, finish="STOP"),
        ]
        out = list(GUARD.wrap_sync(source))
        said: dict[str, str] = {}
        for chunk in out:
            for part in chunk["candidates"][0]["content"]["parts"]:
                for value in part.get("functionCall", {}).get("partialArgs", ()):
                    path = value["jsonPath"]
                    said[path] = said.get(path, "") + str(value.get("stringValue", ""))
        assert said == {"$.q": "a ######", "$.r": "######", "$.n": ""}
        assert not left_raw(out)


def test_held_arguments_go_out_before_their_string_ends() -> None:
    value = {"jsonPath": "$.q", "stringValue": "a sec", "willContinue": True}
    end = partial({"jsonPath": "$.q", "stringValue": ""})
    first = response({"functionCall": {"name": "find", "willContinue": True}})
    out = list(GUARD.wrap_sync([first, partial(value), end]))
    assert out[-1] is end
    assert out[-2]["candidates"][0]["content"]["parts"][0]["functionCall"]["partialArgs"] == [
        {"jsonPath": "$.q", "stringValue": "sec", "willContinue": True}
    ]


def test_results_and_sources_are_masked() -> None:
    parts = [
        {"executableCode": {"language": "PYTHON", "code": "print('secret')"}},
        {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "secret"}},
        {"toolResponse": {"toolType": "X", "response": {"rows": ["secret"]}}},
        {"text": "so"},
    ]
    fields = {
        "groundingMetadata": {
            "webSearchQueries": ["secret"],
            "groundingChunks": [{"web": {"uri": "https://a/secret", "title": "secret"}}],
            "groundingSupports": [{"segment": {"text": "a secret"}, "groundingChunkIndices": [0]}],
        },
        "citationMetadata": {"citationSources": [{"uri": "https://secret"}]},
    }
    out = list(GUARD.wrap_sync([response(*parts, finish="STOP", **fields)]))
    assert not left_raw(out)


@pytest.mark.parametrize("parts", [[{"text": "done"}], []], ids=["text", "nothing"])
@pytest.mark.parametrize("candidates", [0, 1, 2])
def test_a_history_of_any_length_stands_beside_any_candidates(
    candidates: int, parts: list[dict[str, Any]]
) -> None:
    said = ["ask", "call", "the secret"]
    chunk = {
        "candidates": [{"index": n, "content": {"parts": parts}} for n in range(candidates)],
        "automatic_function_calling_history": [{"parts": [{"text": each}]} for each in said],
        "usage_metadata": {"total_token_count": 1},
    }
    assert list(Guard(Policy.parse("rules: []")).wrap_sync([chunk])) == [chunk]
    (changed,) = GUARD.wrap_sync([chunk])
    history = changed["automatic_function_calling_history"]
    assert [each["parts"][0]["text"] for each in history] == ["ask", "call", "the ######"]


def test_the_response_around_an_answer_is_not_said_unguarded() -> None:
    def chunk(body: str) -> types.GenerateContentResponse:
        around = types.HttpResponse(headers={"date": "Mon, 05 Jan"}, body=body)
        made = types.GenerateContentResponse.model_validate(text("so"))
        return made.model_copy(update={"sdk_http_response": around})

    source = [chunk('{"a": "fine"}')]
    assert list(GUARD.wrap_sync(source)) == source
    (changed,) = GUARD.wrap_sync([chunk('{"a": "secret"}')])
    assert changed.text == "so"
    assert changed.sdk_http_response.headers["date"] == "Mon, 05 Jan"
    assert "secret" not in changed.model_dump_json()


def test_log_probabilities_of_changed_text_are_left_out() -> None:
    logprobs = {"logprobsResult": {"chosenCandidates": [{"token": "secret"}]}}
    out = list(GUARD.wrap_sync([text("secret", **logprobs), text(" x")]))
    assert not left_raw(out)


def test_what_is_not_known_is_refused() -> None:
    source = [response({"text": "a", "hologram": {"words": "b"}})]
    with pytest.raises(AdapterError, match="is not known"):
        list(GUARD.wrap_sync(source, unknown="refuse"))
    assert list(GUARD.wrap_sync(source, provider=Gemini(unknown="pass"))) == source


def test_an_error_ends_the_stream_and_its_message_is_masked() -> None:
    stream = GUARD.wrap_sync([text("so "), {"error": {"code": 500, "message": "the secret"}}])
    assert not left_raw(list(stream))
    assert stream.finish == "error"


def test_a_calls_arguments_are_extracted() -> None:
    source = [response({"functionCall": {"name": "find", "args": {"rows": [{"n": 1}, {"n": 2}]}}})]
    found = collect(lambda: extract.items(source, "rows.item", tool="find"))
    assert found == [{"n": 1}, {"n": 2}]


def test_an_array_on_the_wire_stays_one() -> None:
    source = [text('a "sec'), text("ret\\"), text("] x"), text("", finish="STOP")]
    body = (
        b"\xef\xbb\xbf [" + b"\n,\r\n".join(json.dumps(each).encode() for each in source) + b"]\n"
    )
    assert in_any_cut(body) == body
    assert (
        joined(json.loads(in_any_cut(body, GUARD).decode("utf-8-sig")))[0, "text"]
        == 'a "######\\] x'
    )
    blocked = json.loads(
        in_any_cut(body.replace(b"ret", b"ond forbidden "), GUARD).decode("utf-8-sig")
    )
    assert joined(blocked)[0, "text"] == 'a "second '


@pytest.mark.parametrize("body", [b"[{]}]", b'[{"\xff": 1}]'])
def test_an_array_that_is_none_is_an_error(body: bytes) -> None:
    with pytest.raises(AdapterError):
        in_any_cut(body, provider="gemini")


@pytest.mark.corpus
@pytest.mark.parametrize("path", RECORDINGS)
def test_recordings(path: Path) -> None:
    source = load(path)
    assert unchanged(source)
    check_masked(source, joined)
    data = path.read_bytes()
    if data[:1] in b"[d":
        assert in_any_cut(data) == data
    guard, word = masked(joined(source), source)
    assert not left_raw(list(guard.wrap_sync(source)), f" {word} ")
