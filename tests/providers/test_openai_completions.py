"""Legacy completion streams: the text of every choice is guarded, all else passes in order."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from guardstream import AdapterError, Guard, Policy
from guardstream.http.stream import WireGuard
from guardstream.providers import OpenAICompletions, detect
from tests.providers.promises import (
    GUARD,
    POLICY,
    has_word,
    passes_on_the_wire,
    passes_unchanged,
    plain,
)
from tests.providers.served import Body, openai_client, sse
from tests.support.chunking import one_by_one
from tests.support.optional import optional

construct_type = optional("openai._models", "construct_type")
Completion = optional("openai.types", "Completion")

Make = Callable[[dict[str, Any]], Any]


def chunk(text: str = "", *, choice: int = 0, finish: str | None = None, **fields: Any) -> Any:
    values = {"index": choice, "text": text, "logprobs": None, "finish_reason": finish}
    return {"id": "c", "object": "text_completion", "created": 1, "model": "m"} | {
        "choices": [values],
        **fields,
    }


def model(item: dict[str, Any]) -> Any:
    return construct_type(type_=Completion, value=item)


@pytest.fixture(params=[pytest.param(copy.deepcopy, id="dict"), pytest.param(model, id="object")])
def make(request: pytest.FixtureRequest) -> Make:
    """Chunks as plain dicts and as the SDK's objects."""
    made: Make = request.param
    return made


def guarded(chunks: list[Any], make: Make, guard: Guard = GUARD) -> list[dict[str, Any]]:
    return [plain(item) for item in guard.wrap_sync([make(item) for item in chunks])]


def said(chunks: list[dict[str, Any]], choice: int = 0) -> str:
    choices = [each for item in chunks for each in item["choices"] if each["index"] == choice]
    return "".join(each["text"] for each in choices)


def finishes(chunks: list[dict[str, Any]]) -> list[tuple[int, str]]:
    choices = [each for item in chunks for each in item["choices"]]
    return [(each["index"], each["finish_reason"]) for each in choices if each["finish_reason"]]


def usage() -> dict[str, Any]:
    return {**chunk(), "choices": [], "usage": {"total_tokens": 7}}


def test_what_no_rule_touches_passes_as_it_is(make: Make) -> None:
    source = [chunk("a "), chunk("b", content_filter_results={}), chunk(finish="stop"), usage()]
    passes_unchanged([make(item) for item in source])
    passes_on_the_wire(sse(source, done=True))


@pytest.mark.parametrize("item", [chunk("x"), model(chunk("x")), usage()])
def test_chunks_are_detected(item: Any) -> None:
    assert isinstance(detect(item), OpenAICompletions)


@pytest.mark.parametrize(
    "parts", [["my secret is"], ["my sec", "ret is"], one_by_one("my secret is")]
)
def test_text_is_masked_wherever_it_is_cut(make: Make, parts: list[str]) -> None:
    out = guarded([*map(chunk, parts), chunk(finish="stop"), usage()], make)
    assert said(out) == "my ****** is"
    assert finishes(out) == [(0, "stop")]
    assert out[-1]["usage"]["total_tokens"] == 7


def test_choices_have_pipelines_of_their_own(make: Make) -> None:
    source = [chunk("my sec"), chunk("a sec", choice=1), chunk("ret ", choice=1), chunk("ond ")]
    source += [chunk(finish="stop", choice=1), chunk(finish="length")]
    out = guarded(source, make)
    assert (said(out), said(out, 1)) == ("my second ", "a ****** ")
    assert finishes(out) == [(1, "stop"), (0, "length")]


def test_log_probabilities_are_left_out_where_the_text_changed(make: Make) -> None:
    def spelled(text: str, **fields: Any) -> Any:
        item = chunk(text)
        item["choices"][0]["logprobs"] = {
            "tokens": [text],
            "token_logprobs": [-0.1],
            "top_logprobs": [{text: -0.1}],
            "text_offset": [0],
            **fields,
        }
        return item

    risky = [
        spelled(" y", top_logprobs=[{" y": -0.1, "secret": -0.2}]),
        spelled(" y", top_logprobs=[{" y": -0.1, "secret": -2}]),
        spelled(" y", secret=["new"]),
    ]
    source = [spelled("so "), spelled("secret"), spelled(" x"), *risky, chunk(finish="stop")]
    out = guarded(source, make)
    assert said(out) == "so ****** x y y y"
    assert not any(has_word("secret", item) for item in out)
    assert out[0]["choices"][0]["logprobs"]["tokens"] == ["so "]
    assert [item["choices"][0]["logprobs"] for item in out[1:]] == [None] * len(out[1:])


def together(text: str, *, finish: str | None = None) -> dict[str, Any]:
    """A chunk of Together's, with the token and the end beside its choice."""
    token = {"id": 7, "text": text, "logprob": -0.1, "special": False}
    choices = [{"index": 0, "text": text}]
    return {**chunk(finish_reason=finish, token=token), "choices": choices}


def test_a_token_beside_the_choice_goes_where_the_text_changed(make: Make) -> None:
    source = [together("a sec"), together("ret "), together("so "), together("", finish="stop")]
    out = guarded(source, make)
    assert said(out) == "a ****** so "
    assert not any(has_word("a sec", item) or has_word("ret", item) for item in out)
    assert [item["token"] is None for item in out] == [True, True, False, False]


def test_held_text_comes_before_an_end_beside_the_choice(make: Make) -> None:
    out = guarded([together("a sec"), together("", finish="stop")], make)
    assert said(out) == "a sec"
    assert [item["finish_reason"] for item in out] == [None, None, "stop"]


def test_a_block_ends_a_stream_whose_end_is_beside_the_choice(make: Make) -> None:
    out = guarded([together("so "), together("forbidden "), together("x", finish="stop")], make)
    assert [item["finish_reason"] for item in out] == [None, "content_filter"]
    assert out[-1]["token"] is None


def test_a_block_ends_every_choice(make: Make) -> None:
    guard = Guard(Policy.parse(f"block_message: sorry\n{POLICY}"))
    source = [chunk("a "), chunk("no ", choice=1), chunk("forbidden ", choice=1), chunk("unread")]
    out = guarded(source, make, guard)
    assert (said(out), said(out, 1)) == ("a sorry", "no sorry")
    assert sorted(finishes(out)) == [(0, "content_filter"), (1, "content_filter")]


def test_a_stop_and_a_limit_say_so(make: Make) -> None:
    out = guarded([chunk("that is enough"), chunk(" more")], make)
    assert (said(out), finishes(out)) == ("that is ", [(0, "stop")])
    guard = Guard(Policy.parse("limits: {max_chars: 5}"))
    out = guarded([chunk("one two"), chunk(" more")], make, guard)
    assert (said(out), finishes(out)) == ("one t", [(0, "length")])


def test_unknown_text_is_refused_unless_let_through() -> None:
    source = [{**chunk("so"), "dream": "secret"}]
    with pytest.raises(AdapterError, match="is not known"):
        list(GUARD.wrap_sync(source, unknown="refuse"))
    assert list(GUARD.wrap_sync(source, unknown="pass")) == source
    source = [chunk("so")]
    source[0]["choices"][0]["delta"] = {"content": "secret"}
    with pytest.raises(AdapterError, match="is not known"):
        list(GUARD.wrap_sync(source, provider="openai_completions", unknown="refuse"))


def test_an_error_event_is_guarded_and_ends_the_stream() -> None:
    stream = GUARD.wrap_sync([chunk("a sec"), {"error": {"message": "a secret", "code": 500}}])
    out = list(stream)
    assert said(out[:-1]) == "a "
    assert out[-1] == {"error": {"message": "a ******", "code": 500}}
    assert stream.finish == "error"


def test_a_blocked_body_ends_with_done_on_the_wire() -> None:
    data = sse([chunk("so "), chunk("forbidden "), chunk("unread")], done=True)
    for cut in ([data], [data[at : at + 1] for at in range(len(data))]):
        wire = WireGuard(GUARD)
        out = b"".join(frame for piece in cut for frame in wire.feed(piece))
        assert b'"finish_reason":"content_filter"' in out
        assert out.endswith(b"data: [DONE]\n\n")


def test_the_official_client_reads_it() -> None:
    body = Body(*(sse([item]) for item in [chunk("my sec"), chunk("ret!"), chunk(finish="stop")]))
    with openai_client(body) as client:
        created = client.completions.create(model="m", prompt="x", stream=True)
        out = list(GUARD.wrap_sync(created))
    assert "".join(item.choices[0].text for item in out) == "my ******!"
    assert all(isinstance(item, Completion) for item in out)
    assert body.closed
