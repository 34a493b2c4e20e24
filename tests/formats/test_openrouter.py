"""OpenRouter's responses: the Responses API's events as objects of OpenRouter's package."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, BeforeValidator, ConfigDict

from guardstream import Guard, Policy
from guardstream.formats import detect
from guardstream.formats.openrouter import OpenRouterResponses
from tests.formats.responses import Event, call, stream, text, thinking
from tests.laws.asked import STARS as GUARD
from tests.laws.asked import cuttings, has_word, passes_unchanged

SAYING = "so a secret, b"


class StreamEvent(BaseModel):
    """One of the package's classes, which are named after no rule."""

    model_config = ConfigDict(extra="allow")
    type: str


class Response(BaseModel):
    """A response; some of its fields are missing unless they are null."""

    model_config = ConfigDict(extra="allow")
    id: str
    incomplete_details: dict[str, str] | None
    output: list[Any]


class ResponseEvent(StreamEvent):
    response: Response


class TextDeltaEvent(StreamEvent):
    delta: str


class FunctionCallArgsDoneEvent(StreamEvent):
    arguments: str


class UnknownStreamEvents(BaseModel):
    """What the package makes of other events."""

    type: str = "UNKNOWN"
    raw: Any
    is_unknown: bool = True


_CLASSES: dict[str, type[BaseModel]] = {
    "response.output_text.delta": TextDeltaEvent,
    "response.function_call_arguments.done": FunctionCallArgsDoneEvent,
    **dict.fromkeys(("created", "in_progress", "completed", "incomplete"), ResponseEvent),
}


def known(event: Event) -> Any:
    """An event as the package reads it."""
    kind = event["type"]
    found = _CLASSES.get(kind) or _CLASSES.get(kind.removeprefix("response."), StreamEvent)
    return found.model_validate(event)


def unknown(event: Event) -> Any:
    """An event that the package does not know."""
    return UnknownStreamEvents(raw=event)


@pytest.fixture(autouse=True)
def _package(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("openrouter.components")
    module.StreamEvents = Annotated[Any, BeforeValidator(known)]  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    for kind in (StreamEvent, Response, UnknownStreamEvents, *_CLASSES.values()):
        monkeypatch.setattr(kind, "__module__", module.__name__)


Make = Callable[[Event], Any]


@pytest.fixture(params=[known, unknown])
def make(request: pytest.FixtureRequest) -> Make:
    made: Make = request.param
    return made


def told(out: Sequence[Any]) -> list[Event]:
    """The events that objects represent."""
    return [getattr(each, "raw", None) or each.model_dump() for each in out]


def said(out: Sequence[Any]) -> str:
    return "".join(each["delta"] for each in told(out) if each["type"].endswith("text.delta"))


def test_the_adapter_is_found_by_the_first_object(make: Make) -> None:
    source = stream(text("a"))
    assert type(detect(make(source[0]))) is OpenRouterResponses
    assert type(detect(source[0])) is not OpenRouterResponses


def test_objects_pass_as_the_same_objects(make: Make) -> None:
    passes_unchanged([make(event) for event in stream(thinking("a"), text("b ", "c"))])


@pytest.mark.parametrize("pieces", list(cuttings(SAYING)))
def test_text_is_guarded_however_it_is_cut(make: Make, pieces: list[str]) -> None:
    source = [make(event) for event in stream(call("find", '{"q": "a sec', 'ret"}'), text(*pieces))]
    out = list(GUARD.wrap_sync(source))
    assert said(out) == "so a ******, b"
    assert {type(each) for each in out} == {type(each) for each in source}
    assert not any(has_word("secret", each) for each in told(out))
    assert told(out)[-1]["response"]["output"][0]["arguments"] == '{"q": "a ******"}'


@pytest.mark.parametrize(
    ("rules", "end"),
    [
        ("{id: bad, words: [secret], action: block}", "response.incomplete"),
        ("{id: bad, words: [secret], action: stop}", "response.completed"),
    ],
)
def test_a_stream_that_the_guard_ends_has_objects_of_the_package(
    make: Make, rules: str, end: str
) -> None:
    guard = Guard(Policy.parse(f"rules: [{rules}]"))
    for pieces in cuttings(SAYING):
        out = list(guard.wrap_sync([make(event) for event in stream(text(*pieces))]))
        assert said(out) == "so a "
        assert type(out[-1]) is ResponseEvent
        response = told(out)[-1]["response"]
        assert told(out)[-1]["type"] == end
        assert response["output"][0]["content"][0]["text"] == "so a "
