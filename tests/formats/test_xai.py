"""xAI's own stream, as the `xai-sdk` package gives it: pairs, chunks, and messages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from guardstream import AdapterError
from guardstream.formats import detect
from tests.formats import xai_messages
from tests.formats.xai_messages import CHUNK, RESPONSE, Chunk, Response
from tests.laws.asked import GUARD, cuttings
from tests.support.samples.xai import Event, message, output

TEXT = "a secret, no sec"
MASKED = "a ######, no sec"


STOP = xai_messages.ENUMS["Reason"].index("REASON_STOP")
CALL: Event = {"id": "c1", "function": {"name": "find", "arguments": '{"q": "a secret"}'}}


def told(pieces: Sequence[str]) -> list[Any]:
    """A search that xAI runs: the model's turn, the tool's, and the model's again."""
    likely = [{"token": "a secret", "logprob": -1.0}]
    cited = {"id": "1", "collectionsCitation": {"fileId": "f1", "chunkContent": "a secret"}}
    return [
        *(message(output(0, {"reasoningContent": piece})) for piece in pieces),
        *(
            message(output(0, {"content": piece}, logprobs={"content": [{"token": piece}]}))
            for piece in pieces
        ),
        message(output(0, {"toolCalls": [CALL]})),
        *(message(output(1, {"role": "ROLE_TOOL", "content": piece})) for piece in pieces),
        *(
            message(output(2, {"content": piece}, logprobs={"content": [{"topLogprobs": likely}]}))
            for piece in pieces
        ),
        message(
            output(2, {"citations": [cited]}, finishReason="REASON_STOP"),
            citations=["https://example.com/a secret"],
            debugOutput={"chunks": ["a secret"], "prompt": "forbidden"},
        ),
    ]


def pairs(messages: Sequence[Any]) -> Iterator[tuple[Any, Any]]:
    """What the package's client gives: it goes on adding to the response."""
    response = Response(RESPONSE(), None)
    for each in messages:
        response.process_chunk(each)
        yield response, Chunk(each, None)


def batches(messages: Sequence[Any]) -> Iterator[tuple[Any, Any]]:
    """What the package's client gives for two answers at the same time."""
    whole = RESPONSE()
    responses = [Response(whole, at) for at in range(2)]
    for each in messages:
        responses[0].process_chunk(each)
        yield responses, [Chunk(each, at) for at in range(2)]


def test_pairs_are_guarded_and_their_response_says_what_was_released() -> None:
    for pieces in cuttings(TEXT):
        assert detect(next(pairs(told(pieces)))).name == "xai"  # type: ignore[attr-defined]
        stream = GUARD.wrap_sync(pairs(told(pieces)))
        said = thought = tool = ""
        for response, chunk in stream:
            assert (type(response), type(chunk)) == (Response, Chunk)
            said += chunk.content
            thought += chunk.reasoning_content
            tool += chunk.of_tools
            assert "secret" not in f"{chunk!r}{response!r}"
        assert (said, thought, tool) == (MASKED * 2, MASKED, MASKED)
        assert (stream.result.text, stream.result.thinking) == (said, thought)
        assert stream.finish == "stop"
        outputs = response.proto.outputs
        assert [each.message.content for each in outputs] == [MASKED] * 3
        assert outputs[0].message.tool_calls[0].function.arguments == '{"q": "a ######"}'
        assert (response.content, outputs[2].finish_reason) == (MASKED, STOP)
        assert (response.proto.id, response.proto.usage.prompt_tokens) == ("r", 5)
        (call,) = stream.result.tool_calls
        assert (call.name, call.id, call.arguments) == ("find", "c1", '{"q": "a ######"}')


@pytest.mark.parametrize("alone", [True, False])
def test_chunks_and_messages_are_guarded_alone(alone: bool) -> None:
    for pieces in cuttings(TEXT):
        messages = [message(output(0, {"content": piece})) for piece in pieces]
        messages.append(message(output(0, {}, finishReason="REASON_MAX_LEN")))
        source = messages if alone else [Chunk(each, 0) for each in messages]
        stream = GUARD.wrap_sync(source)
        out = [Chunk(each, 0) if alone else each for each in stream]
        assert "".join(each.content for each in out) == MASKED
        assert stream.finish == "length"


def test_answers_at_the_same_time_are_choices() -> None:
    for pieces in cuttings(TEXT):
        messages = [message(output(at, {"content": each})) for each in pieces for at in (0, 1)]
        ends = [output(at, {}, finishReason="REASON_STOP") for at in (0, 1)]
        stream = GUARD.wrap_sync(batches([*messages, message(*ends)]))
        out = list(stream)
        said = ["".join(chunks[at].content for _, chunks in out) for at in range(2)]
        responses, _ = out[-1]
        assert said == [MASKED] * 2 == [each.content for each in responses]


def test_a_block_ends_the_answer() -> None:
    source = [message(output(0, {"content": piece})) for piece in ("all for", "bidden", "!")]
    stream = GUARD.wrap_sync(pairs(source))
    out = list(stream)
    response, chunk = out[-1]
    assert stream.finish == "content_filter"
    assert response.content == "all " == "".join(each.content for _, each in out)
    assert chunk.proto.outputs[0].finish_reason == STOP
    assert response.proto.outputs[0].finish_reason == STOP


def test_text_that_is_held_comes_before_the_next_turn() -> None:
    first = [output(0, {"content": "no sec"}), output(2, {"content": "ret"})]
    out = [chunk for _, chunk in GUARD.wrap_sync(pairs([message(each) for each in first]))]
    assert [each.content for each in out] == ["no ", "sec", "ret"]
    assert [each.proto.outputs[0].index for each in out] == [0, 0, 2]


def test_what_a_message_has_that_its_class_does_not_know_is_left_out() -> None:
    raw = message(output(0, {"content": "so"})).SerializeToString() + b"\xfa\x07\x06secret"
    source = CHUNK.FromString(raw)
    ((_, out),) = GUARD.wrap_sync(pairs([source]))
    assert b"secret" not in out.proto.SerializeToString()
    assert source.SerializeToString() == raw


def test_what_is_no_chunk_is_refused() -> None:
    with pytest.raises(AdapterError, match="xai: a 'str' is neither a chunk"):
        list(GUARD.wrap_sync([message(output(0, {"content": "so"})), "so"]))
