"""Formats that hold little but text: Writer, watsonx, cumulative text, Replicate's events."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from guardstream import AdapterError, Guard, Policy, sse
from guardstream.providers import detect
from guardstream.providers.watsonx import Watsonx
from tests.providers.laws import (
    EMPTY,
    GUARD,
    check_masked,
    cuttings,
    events,
    in_any_cut,
    left_raw,
    recorded,
    unchanged,
)

BLOCK = Guard(
    Policy.parse("block_message: no\nrules: [{id: b, words: [forbidden], action: block}]")
)


def piece(said: str) -> dict[str, Any]:
    return {"value": said}


def result(said: str, stop: str = "not_finished", **fields: Any) -> dict[str, Any]:
    found = {"generated_text": said, "generated_token_count": 1, "stop_reason": stop, **fields}
    return {"model_id": "m", "created_at": "t", "results": [found]}


def joined(source: Any) -> dict[Any, str]:
    return {
        "text": "".join(
            e.get("value", "") or e.get("results", [{}])[0].get("generated_text", "")
            for e in source
        )
    }


@pytest.mark.parametrize(("make", "name"), [(piece, "writer"), (result, "watsonx")])
def test_text_is_masked_in_any_cut(make: Any, name: str) -> None:
    for pieces in cuttings("a secret, no sec"):
        source = [make(each) for each in pieces]
        assert detect(source[0]).name == name  # type: ignore[attr-defined]
        stream = GUARD.wrap_sync(source)
        out = list(stream)
        assert joined(out)["text"] == stream.result.text == "a ######, no sec"
        assert not left_raw(out)
    assert unchanged([make("plain ")])
    assert in_any_cut(events(make("a"), make("b"))) == events(make("a"), make("b"))


@pytest.mark.parametrize("make", [piece, result])
def test_a_block_ends_the_text(make: Any) -> None:
    stream = BLOCK.wrap_sync([make("so "), make("forbidden "), make("unread")])
    assert joined(list(stream))["text"] == "so no"
    assert stream.finish == "content_filter"


def test_a_result_says_why_it_ends() -> None:
    source = [result("a sec"), result("", "max_tokens")]
    stream = GUARD.wrap_sync(source)
    assert [each["results"][0]["stop_reason"] for each in stream][-1] == "max_tokens"
    assert stream.finish == "length"
    out = list(GUARD.wrap_sync([result("so enough ", "eos_token")]))
    assert [each["results"][0]["stop_reason"] for each in out] == ["not_finished", "stop"]


def test_tokens_of_changed_text_are_left_out() -> None:
    source = [result("secret", generated_tokens=[{"text": "secret"}]), result(" x", "eos_token")]
    assert not left_raw(list(GUARD.wrap_sync(source)))


def test_what_is_not_known_is_refused() -> None:
    source = [result("a", aside="words")]
    with pytest.raises(AdapterError, match="is not known"):
        list(GUARD.wrap_sync(source, unknown="refuse"))
    assert list(GUARD.wrap_sync(source, provider=Watsonx(unknown="pass"))) == source
    with pytest.raises(AdapterError, match="no adapter knows"):
        list(GUARD.wrap_sync([{"value": "a", "aside": "words"}], unknown="refuse"))


def test_replicates_events_are_text() -> None:
    said = [
        sse.Event(each, "output", id=str(place))
        for place, each in enumerate(["", "a sec", "ret\n\nx"])
    ]
    body = b": hi\n\n" + b"".join(map(sse.encode, [*said, sse.Event("{}", "done", id="9")]))
    assert in_any_cut(body, media="sse") == body
    masked = b"".join(
        data[6:]
        for data in in_any_cut(body, GUARD, media="sse").splitlines()
        if data[:5] == b"data:"
    )
    assert masked == b"a ######x{}"


RECORDINGS = recorded("other/*writer*", "other/*test_generate*", "other/*watsonx*")


@pytest.mark.corpus
@pytest.mark.parametrize("path", RECORDINGS)
def test_recordings(path: Path) -> None:
    data = path.read_bytes()
    rows = [row.removeprefix("data:").strip() for row in data.decode().splitlines()]
    source = [json.loads(row) for row in rows if row.startswith("{")]
    assert unchanged(source)
    check_masked(source, joined)
    assert in_any_cut(data) == data


@pytest.mark.corpus
@pytest.mark.parametrize("path", recorded("other/*replicate*"))
def test_a_recording_of_text(path: Path) -> None:
    data = path.read_bytes()
    assert in_any_cut(data) == data


def completion(said: str, reason: str | None = None) -> dict[str, Any]:
    return {"type": "completion", "completion": said, "stop_reason": reason, "model": "claude-2.1"}


def token(said: str, whole: str | None = None) -> dict[str, Any]:
    details = {"finish_reason": "eos_token", "generated_tokens": 2} if whole else None
    made = {"id": 5, "text": said, "logprob": -0.5, "special": False}
    return {"index": 1, "token": made, "generated_text": whole, "details": details}


@pytest.mark.parametrize("make", [completion, token])
def test_small_formats_are_guarded_in_any_cut(make: Any) -> None:
    for pieces in cuttings("it is a secret, no sec"):
        source = [make(piece) for piece in pieces[:-1]]
        last = {"tgi": "".join(pieces), "anthropic_completions": "stop_sequence"}
        name = "tgi" if make is token else "anthropic_completions"
        source.append(make(pieces[-1], last[name]))
        stream = GUARD.wrap_sync(source)
        out = list(stream)
        assert not left_raw(out)
        assert (stream.result.text, stream.result.finish) == ("it is a ######, no sec", "stop")
        assert unchanged(source)
        if make is token:
            assert out[-1]["generated_text"] == "it is a ######, no sec"


@pytest.mark.parametrize("make", [completion, token])
@pytest.mark.parametrize("error", ["no secret", {"message": "no secret", "code": 500}])
def test_an_error_drops_held_text_in_small_formats(make: Any, error: Any) -> None:
    source = [make("so it "), make("is a sec"), {"error": error, "error_type": "generation"}]
    stream = GUARD.wrap_sync(source)
    out = list(stream)
    assert (stream.result.text, stream.finish) == ("so it is a ", "error")
    assert "no ######" in str(out[-1]["error"])
    assert not left_raw(out)


def test_an_error_line_of_llama_cpp_ends_the_stream() -> None:
    said = {"choices": [{"index": 0, "delta": {"content": "so "}, "finish_reason": None}]}
    wire = events(said) + b'error: {"code":500,"message":"a secret","type":"server_error"}\n\n'
    assert in_any_cut(wire) == wire
    stream = EMPTY.wrap_sync([wire])
    assert b"".join(stream) == wire
    assert stream.finish == "error"
    assert b"secret" not in in_any_cut(wire, GUARD)


def spelled(said: str, whole: str | None = None) -> dict[str, Any]:
    """A token of TGI's, with those that were as likely; the last with all of them."""
    own = 7 if said in ("sec", "ret") else 5
    made = {"id": own, "text": said, "logprob": -0.5, "special": False}
    details = {"finish_reason": "eos_token", "generated_tokens": 2, "seed": None}
    if whole is not None:
        details |= {"prefill": [], "tokens": [{**made, "text": whole, "id": 7}]}
    ends = {"generated_text": whole, "details": details if whole else None}
    return {"index": 1, "token": made, "top_tokens": [made], **ends}


def test_tgis_tokens_go_where_their_text_changes() -> None:
    source = [*map(spelled, ("a ", "sec", "ret", " so")), spelled("", "a secret so")]
    out = list(GUARD.wrap_sync(source))
    assert out[0] == source[0]
    assert not left_raw(out, "sec")
    assert not left_raw(out, '"id":7')
    assert [each["token"]["id"] for each in out] == [5, 0, 0]
    assert out[-1]["generated_text"] == "a ###### so"
    guard = Guard(
        Policy.parse("block_message: no\nrules: [{id: b, words: [secret], action: block}]")
    )
    out = list(guard.wrap_sync(source))
    assert not left_raw(out, "ret")
    assert not left_raw(out, '"id":7')
    assert "".join(each["token"]["text"] for each in out) == "a no"
    assert out[-1]["token"] == {"id": 0, "text": "", "logprob": -0.5, "special": False}
    assert list(GUARD.wrap_sync([spelled("so "), spelled("it", "so it")])) == [
        spelled("so "), spelled("it", "so it")
    ]  # fmt: skip


def llama_cpp(pieces: Sequence[str], index: int = 0, **ends: Any) -> list[dict[str, Any]]:
    """An answer of llama.cpp's `/completion`, with token ids and probabilities."""

    def made(piece: str) -> dict[str, Any]:
        own = 77 if piece in ("sec", "ret") else 5
        spelled = {"id": own, "token": piece, "bytes": [*piece.encode()], "logprob": -0.5}
        probable = [{**spelled, "top_logprobs": [spelled]}]
        counted = {"tokens_predicted": 1, "tokens_evaluated": 2, "id_slot": 0}
        place = {"index": index, "content": piece, "tokens": [own], "stop": False}
        return {**place, **counted, "completion_probabilities": probable}

    asked = {"prompt": "<s>hi", "generation_settings": {"seed": 1, "stop": ["###"]}}
    last = {"index": index, "content": "", "tokens": [], "stop": True, "id_slot": 0, "model": "m-1"}
    last |= {"stop_type": "eos", "stopping_word": "", "timings": {"prompt_n": 1}, **asked, **ends}
    return [*map(made, pieces), last]


def test_llama_cpps_answers_are_guarded_with_all_that_spells_them_out() -> None:
    for pieces in [*cuttings("a secret, no sec"), ["a ", "sec", "ret", " so"]]:
        source = llama_cpp(pieces)
        assert unchanged(source)
        stream = GUARD.wrap_sync(source)
        out = list(stream)
        assert not left_raw(out)
        assert not left_raw(out, "77")
        assert stream.result.text == GUARD.check("".join(pieces)).text
        assert stream.finish == "stop"
    assert in_any_cut(events(*llama_cpp(["so ", "it"]))) == events(*llama_cpp(["so ", "it"]))


def test_each_prompt_of_llama_cpp_has_an_answer_of_its_own() -> None:
    one, two = llama_cpp(["a sec", "ret"]), llama_cpp(["no for", "mal"], 1, stop_type="limit")
    source = [one[0], two[0], one[1], two[1], one[2], two[2]]
    stream = GUARD.wrap_sync(source)
    out = list(stream)
    told = ["".join(each["content"] for each in out if each["index"] == at) for at in (0, 1)]
    assert told == ["a ######", "no formal"]
    assert stream.finish == "stop"
    stream = GUARD.wrap_sync(llama_cpp(["so"], stop_type="limit"))
    assert list(stream)
    assert stream.finish == "length"


def test_a_block_ends_llama_cpps_answer_and_what_was_asked_ends_nothing() -> None:
    out = list(BLOCK.wrap_sync(llama_cpp(["so ", "forbidden ", "x"])))
    assert "".join(each["content"] for each in out) == "so no"
    assert (out[-1]["stop"], out[-1]["tokens"]) == (True, [])
    assert not left_raw(out, "forbidden")
    stream = BLOCK.wrap_sync(llama_cpp(["so"], prompt="say forbidden"))
    assert not left_raw(list(stream), "forbidden")
    assert (stream.finish, stream.findings) == ("stop", ())


def workers_ai(pieces: Sequence[str]) -> list[dict[str, Any]]:
    """What a model of Workers AI streams: padded texts, and what they cost."""
    told = [{"response": piece, "p": "abdefghij"[: 9 - len(piece)]} for piece in pieces]
    counted = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
    return [*told, {"response": "", "usage": counted, "p": "ab"}]


def test_workers_ais_texts_are_guarded_in_any_cut() -> None:
    for pieces in cuttings("a secret, no sec"):
        source = workers_ai(pieces)
        assert unchanged(source)
        stream = GUARD.wrap_sync(source)
        out = list(stream)
        assert not left_raw(out)
        assert "".join(each["response"] for each in out) == "a ######, no sec"
        assert (stream.result.text, stream.finish) == ("a ######, no sec", "stop")
        assert stream.result.usage == source[-1]["usage"]
    said = events(*workers_ai(["so ", "it"])) + b"data: [DONE]\n\n"
    assert in_any_cut(said) == said


def koboldcpp(pieces: Sequence[str]) -> list[dict[str, Any]]:
    said = [{"token": piece, "finish_reason": None} for piece in pieces]
    return [*said, {"token": "", "finish_reason": "stop"}]


@pytest.mark.parametrize("pieces", list(cuttings("a secret, no sec")))
def test_koboldcpps_text_is_guarded_in_any_cut(pieces: list[str]) -> None:
    source = koboldcpp(pieces)
    assert unchanged(source)
    stream = GUARD.wrap_sync(source)
    assert "".join(each["token"] for each in stream) == stream.result.text == "a ######, no sec"
    assert b"secret" not in in_any_cut(events(*source), GUARD)


def test_a_block_ends_koboldcpps_answer() -> None:
    out = list(BLOCK.wrap_sync(koboldcpp(["so ", "forb", "idden ", "x"])))
    assert "".join(each["token"] for each in out) == "so no"
    assert out[-1] == {"token": "", "finish_reason": "content_filter"}


def test_workers_ais_calls_are_told_by_their_names() -> None:
    def called(place: int, said: str | None, name: str | None = None) -> dict[str, Any]:
        call = {"id": f"call_{place}" if name else None, "type": "function", "index": place}
        return {
            "response": "",
            "tool_calls": [{**call, "function": {"name": name, "arguments": said}}],
            "p": "ab",
        }

    source = [called(0, "", "find"), called(0, '{"q": "a sec'), called(0, 'ret"}')]
    source += [called(1, "{}", "stop"), {"response": "", "finish_reason": "tool_calls", "p": ""}]
    stream = GUARD.wrap_sync(source)
    out = list(stream)
    assert not left_raw(out)
    told = [(call.name, call.id, call.arguments) for call in stream.result.tool_calls]
    assert told == [("find", "call_0", '{"q": "a ######"}'), ("stop", "call_1", "{}")]
    assert stream.finish == "tool_calls"
    assert unchanged(source)


def test_a_block_ends_workers_ais_answer() -> None:
    out = list(BLOCK.wrap_sync(workers_ai(["so ", "forbidden ", "x"])))
    assert "".join(each["response"] for each in out) == "so no"
    assert out[-1]["finish_reason"] == "content_filter"
    assert not left_raw(out, "forbidden")
    wire = b"".join(BLOCK.wrap_sync([events(*workers_ai(["so ", "forbidden"]))]))
    assert wire.endswith(b"data: [DONE]\n\n")


def cumulative(text: str, width: int) -> list[str]:
    return [text[:end] for end in [*range(width, len(text), width), len(text)]]


@pytest.mark.parametrize("width", [1, 2, 5, 40])
def test_cumulative_text_stays_cumulative(width: int) -> None:
    stream = GUARD.wrap_sync(cumulative("a secret, no secrets", width), provider="cumulative_text")
    out = list(stream)
    assert out[-1] == stream.result.text == "a ######, no secrets"
    assert all(out[-1].startswith(each) for each in out)


def test_a_repeated_chunk_of_cumulative_text_shows_nothing_held() -> None:
    stream = GUARD.wrap_sync(["a se", "a se", "a secret", "a secret"], provider="cumulative_text")
    assert list(stream) == ["a ", "a ", "a ", "a ", "a ######"]


def test_cumulative_text_that_does_not_grow_begins_anew() -> None:
    stream = GUARD.wrap_sync(["one sec", "two", "two secret"], provider="cumulative_text")
    assert list(stream) == ["one ", "one sec", "two", "two ", "two ######"]


def test_a_block_ends_cumulative_text() -> None:
    stream = BLOCK.wrap_sync(["so far", "so far forbidden"], provider="cumulative_text")
    assert list(stream)[-1] == "so far no"
    assert stream.finish == "content_filter"


@pytest.mark.parametrize("width", [1, 3, 8])
def test_cumulative_text_without_a_provider_is_refused(width: int) -> None:
    chunks = cumulative("no more and no less, and a secret", width)
    with pytest.raises(AdapterError, match="provider='cumulative_text'"):
        list(GUARD.wrap_sync(chunks))
    assert GUARD.wrap_sync(chunks, framing="text").finish is None


def test_deltas_that_repeat_a_little_are_text() -> None:
    for chunks in (["ha", "ha", "haha", "!"], ["=" * 20, "=" * 20, "="], ["- ", "- item", "\n"]):
        assert GUARD.wrap_sync(chunks).text() == "".join(chunks)


@pytest.mark.parametrize("text", ["a", " ", "ab", "key=", "I am sorry. "])
def test_deltas_of_a_text_that_repeats_itself_are_text(text: str) -> None:
    chunks = [text * times for times in (20, 30, 300, 301)]
    assert GUARD.wrap_sync(chunks).text() == "".join(chunks)


def test_cumulative_text_that_goes_on_after_it_has_repeated_itself_is_refused() -> None:
    chunks = ["ha" * 10, "ha" * 20, "ha" * 20 + " no", "ha" * 20 + " no more"]
    with pytest.raises(AdapterError, match="provider='cumulative_text'"):
        list(GUARD.wrap_sync(chunks))
