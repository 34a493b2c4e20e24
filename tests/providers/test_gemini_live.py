"""Gemini's live API: the messages of a session, as dicts and as the package's objects."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from guardstream.providers import detect
from tests.providers.laws import GUARD, cuttings, events, in_any_cut, unchanged
from tests.providers.promises import has_word
from tests.support.optional import optional

types = optional("google.genai.types")

TEXT = "a secret, no sec"
MASKED = "a ######, no sec"

Event = dict[str, Any]
Make = Callable[[Event], Any]

AUDIO: Event = {"inlineData": {"mimeType": "audio/pcm;rate=24000", "data": "AQIDBAUGBwg="}}
SETUP: Event = {"setupComplete": {}}
OVER: list[Event] = [
    {"serverContent": {"generationComplete": True}},
    {"serverContent": {"turnComplete": True}, "usageMetadata": {"totalTokenCount": 5}},
]


def part(**fields: Any) -> Event:
    return {"serverContent": {"modelTurn": {"parts": [fields]}}}


def text(said: str) -> Event:
    return part(text=said)


def thought(said: str) -> Event:
    return part(text=said, thought=True)


def spoken(said: str) -> Event:
    return {"serverContent": {"outputTranscription": {"text": said}}}


def heard(said: str) -> Event:
    return {"serverContent": {"inputTranscription": {"text": said, "languageCode": "en"}}}


def call(said: str) -> Event:
    return {"toolCall": {"functionCalls": [{"id": "f1", "name": "find", "args": {"q": said}}]}}


def partial(said: str, *, more: bool = True, **fields: Any) -> Event:
    value = {"jsonPath": "$.q", "stringValue": said, "willContinue": more}
    part = {**fields, "partialArgs": [value], "willContinue": more}
    return {"toolCall": {"functionCalls": [part]}}


def as_object(event: Event) -> Any:
    return types.LiveServerMessage.model_validate(event)


@pytest.fixture(params=[dict, as_object], ids=["dicts", "objects"])
def make(request: pytest.FixtureRequest) -> Make:
    made: Make = request.param
    return made


def plain(event: Any) -> Event:
    if isinstance(event, dict):
        return event
    dumped: Event = event.model_dump(mode="json", by_alias=True, exclude_none=True)
    return dumped


def said(out: Sequence[Any]) -> dict[str, str]:
    """What each kind of text says together."""
    found: dict[str, str] = {}
    for event in map(plain, out):
        content = event.get("serverContent", {})
        for name in ("inputTranscription", "outputTranscription"):
            if name in content:
                found[name] = found.get(name, "") + content[name]["text"]
        for each in content.get("modelTurn", {}).get("parts", ()):
            kind = "thought" if each.get("thought") else "text"
            if "text" in each:
                found[kind] = found.get(kind, "") + each["text"]
    return found


@pytest.mark.parametrize("pieces", list(cuttings(TEXT)))
def test_texts_that_come_at_once_are_each_one_text(make: Make, pieces: list[str]) -> None:
    mixed = [kind(piece) for piece in pieces for kind in (heard, spoken, thought)]
    source = [make(event) for event in [SETUP, part(**AUDIO), *mixed, *map(text, pieces), *OVER]]
    assert type(detect(source[0])).__name__ == "GeminiLive"
    assert type(detect(source[1])).__name__ == "GeminiLive"
    assert unchanged(source)
    stream = GUARD.wrap_sync(source)
    out = list(stream)
    kinds = ("inputTranscription", "outputTranscription", "thought", "text")
    assert said(out) == dict.fromkeys(kinds, MASKED)
    assert [plain(event) for event in (*out[:2], out[-1])] == [
        plain(event) for event in (*source[:2], source[-1])
    ]
    assert stream.result.channels[0, "thinking"] == MASKED


def test_bytes_are_guarded_alike_in_any_cut() -> None:
    mixed = [kind(piece) for piece in TEXT for kind in (heard, spoken, thought)]
    out = in_any_cut(events(SETUP, *mixed, call("a secret"), *OVER), GUARD)
    assert not has_word("secret", out.decode())


def test_what_is_held_comes_before_a_call_and_before_the_end_of_a_turn(make: Make) -> None:
    source = [text("a sec"), call("a secret"), text("so sec"), spoken("no sec"), *OVER]
    stream = GUARD.wrap_sync([make(event) for event in [*source, text("ret"), *OVER]])
    out = [plain(event) for event in stream]
    kinds = [
        "call" if "toolCall" in event else "over" if event in OVER else next(iter(said([event])))
        for event in out
        if said([event]) or "toolCall" in event or event in OVER
    ]
    assert kinds.index("call") > kinds.index("text")
    assert said(out[: out.index(OVER[1])]) == {
        "text": "a secso sec",
        "outputTranscription": "no sec",
    }
    assert said(out)["text"] == "a secso secret"  # another turn is another text
    assert [(each.name, each.id, each.arguments) for each in stream.result.tool_calls] == [
        ("find", "f1", '{"q":"a ######"}')
    ]


@pytest.mark.parametrize("pieces", list(cuttings("a secret")))
def test_strings_of_streamed_arguments_are_masked_in_any_cut(make: Make, pieces: list[str]) -> None:
    begun = partial("", id="f1", name="find")
    source = [begun, *map(partial, pieces), partial("", more=False), *OVER]
    stream = GUARD.wrap_sync([make(event) for event in source])
    said = [
        value["stringValue"]
        for event in map(plain, stream)
        for call in event.get("toolCall", {}).get("functionCalls", ())
        for value in call["partialArgs"]
        if "stringValue" in value
    ]
    assert "".join(said) == "a ######"


def test_held_arguments_go_out_in_a_call_of_their_own(make: Make) -> None:
    source = [partial("a sec", id="f1", name="find"), part(text="so"), *OVER]
    out = [plain(event) for event in GUARD.wrap_sync([make(event) for event in source])]
    assert {**partial("sec")["toolCall"]["functionCalls"][0], "id": "f1"} in [
        call for event in out for call in event.get("toolCall", {}).get("functionCalls", ())
    ]


def test_a_transcript_goes_on_over_calls_and_ends_where_it_says_so(make: Make) -> None:
    source = [spoken("a sec"), call("so"), spoken("ret"), *OVER]
    out = list(GUARD.wrap_sync([make(event) for event in source]))
    assert said(out) == {"outputTranscription": "a ######"}
    finished = {"serverContent": {"inputTranscription": {"text": "ret", "finished": True}}}
    source = [heard("sec"), finished, heard("sec"), text("so"), *OVER]
    out = list(GUARD.wrap_sync([make(event) for event in source]))
    assert said(out)["inputTranscription"] == "######sec"


def test_a_block_ends_the_turn(make: Make) -> None:
    for kind in (text, thought, spoken, heard):
        stream = GUARD.wrap_sync([make(event) for event in (kind("so forb"), kind("idden it"))])
        out = [plain(event) for event in stream]
        assert stream.finish == "content_filter"
        assert "".join(said(out).values()) == "so "
        told = {"turnComplete": True, "turnCompleteReason": "RESPONSE_REJECTED"}
        assert kind is heard or out[-1] == {"serverContent": told}


def test_other_messages_of_a_session_pass_as_they_are(make: Make) -> None:
    source: list[Event] = [
        {"setupComplete": {"sessionId": "s1"}},
        {"sessionResumptionUpdate": {"newHandle": "h1", "resumable": True}},
        {"voiceActivity": {"voiceActivityType": "ACTIVITY_START"}},
        {"toolCallCancellation": {"ids": ["f1"]}},
        {"goAway": {"timeLeft": "10s"}},
        {"serverContent": {"interrupted": True}},
        {"serverContent": {"turnComplete": True, "turnCompleteReason": "NEED_MORE_INPUT"}},
    ]
    out = list(GUARD.wrap_sync([make(event) for event in source]))
    assert [plain(event) for event in out] == [plain(make(event)) for event in source]
