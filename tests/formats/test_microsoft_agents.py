"""Streams of the Microsoft Agent Framework, as objects with the fields of its own, and as dicts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from guardstream import Guard, Policy
from guardstream.formats import detect
from guardstream.formats.frameworks.microsoft_agents import MicrosoftAgents
from tests.laws.asked import ARGUMENTS, EMPTY, GUARD, MASKED, cuttings, left_raw, unchanged
from tests.support.samples.agents import BLOCKED, TEXT, guarded
from tests.support.samples.microsoft_agents import Content, Shown, Update, text

SAID = "a ######, no sec"


class Message(Shown):
    def __init__(self, role: str, text: str) -> None:
        self.role, self.contents = role, [Content("text", text=text)]
        self.author_name = self.message_id = self.raw_representation = None


class Response(Shown):
    def __init__(self, text: str) -> None:
        self.messages = [Message("user", TEXT), Message("assistant", text)]
        self.response_id = self.agent_id = self.usage_details = self._value = None
        self.raw_representation = [{"told": text}]


class Event(Shown):
    def __init__(self, type: str, data: Any = None, **fields: Any) -> None:  # noqa: A002
        self.type, self.data, self.origin = type, data, "FRAMEWORK"
        self.state = self.details = self.executor_id = self.iteration = None
        self._request_id = self._source_executor_id = None
        self._request_type = self._response_type = str
        self.__dict__.update(fields)


def thought(piece: str, **fields: Any) -> Content:
    return Content("text_reasoning", text=piece, **fields)


def call(piece: str, call_id: str = "c1", **fields: Any) -> Content:
    return Content("function_call", call_id=call_id, arguments=piece, **fields)


def run(pieces: Sequence[str], arguments: Sequence[str] = ()) -> Iterator[Update]:
    """A run with thinking, a call, its result, and an answer that is repeated at its end."""
    yield from (Update(thought(each, merge_mode="append")) for each in pieces)
    yield Update(thought("".join(pieces), merge_mode="replace"))
    if arguments:
        yield Update(call("", name="find"))
        yield from (Update(call(each, name="")) for each in arguments)
        yield Update(finish_reason="tool_calls")
        result = Content("function_result", call_id="c1", result="a secret", items=[text("secret")])
        yield Update(result, role="tool", raw_representation=None)
    yield from (Update(text(each, merge_mode="append"), message_id="m2") for each in pieces)
    yield Update(text("".join(pieces), merge_mode="replace"), message_id="m2")
    usage = Content("usage", usage_details={"total_token_count": 7})
    yield Update(usage, finish_reason="stop")


def shown(out: Sequence[Any], kind: str = "text", author: str = "writer") -> str:
    """What is said piece by piece."""
    updates = [getattr(each, "data", each) for each in out]
    return "".join(
        (each.arguments if kind == "function_call" else each.text) or ""
        for update in updates
        if isinstance(update, Update) and update.author_name == author
        for each in update.contents
        if each.type == kind and each.merge_mode != "replace"
    )


def test_a_run_is_guarded_piece_by_piece_and_where_it_is_repeated() -> None:
    for pieces, arguments in zip(cuttings(TEXT), cuttings(ARGUMENTS), strict=True):
        source = [*run(pieces, arguments)]
        assert isinstance(detect(source[0]), MicrosoftAgents)
        assert unchanged(source)
        out, result = guarded(source)
        assert not left_raw(out)
        assert (shown(out), shown(out, "text_reasoning")) == (SAID, SAID)
        assert shown(out, "function_call") == MASKED
        assert (result.text, result.thinking, result.finish) == (SAID, SAID, "stop")
        assert [(each.name, each.id, each.arguments) for each in result.tool_calls] == [
            ("find", "c1", MASKED)
        ]
        assert result.usage == {"total_token_count": 7}
        repeated = [each.text for update in out for each in update.contents if each.merge_mode]
        assert repeated.count(SAID) >= 2
        assert len(result.findings) == 5


def test_what_the_provider_sent_goes_where_the_text_changed() -> None:
    out, _ = guarded([Update(text("fine")), Update(text("a secret, "))])
    assert [each.raw_representation for each in out] == [{"choices": ["fine"]}, None]
    assert [each.contents[0].raw_representation for each in out] == [{"delta": "fine"}, None]


def test_a_text_goes_on_after_other_contents_and_in_other_messages() -> None:
    for pieces in cuttings(TEXT):
        mixed = [
            Update(*each, message_id=str(place))
            for place, piece in enumerate(pieces)
            for each in ([text(piece)], [call("{}", str(place), name="find")])
        ]
        out, result = guarded(mixed)
        assert shown(out) == result.text == SAID
        assert len(result.findings) == 1


def test_calls_without_an_id_go_on_with_the_last_one() -> None:
    for pieces in cuttings(ARGUMENTS):
        source = [
            Update(call(each, "" if place else name, name="" if place else "find"))
            for name in ("c1", "c2")
            for place, each in enumerate(pieces)
        ]
        _, result = guarded(source)
        assert [(each.id, each.arguments) for each in result.tool_calls] == [
            ("c1", MASKED),
            ("c2", MASKED),
        ]


def test_a_refusal_is_no_answer() -> None:
    kind = {"model_output_kind": "refusal"}
    for pieces in cuttings(TEXT):
        out, result = guarded([Update(text(each, additional_properties=kind)) for each in pieces])
        assert (result.text, shown(out)) == ("", SAID)
        assert {each.channel for each in result.findings} == {"refusal"}


@pytest.mark.parametrize(("tool", "name"), [("tool_call", "inputs"), ("tool_result", "outputs")])
def test_code_and_what_it_prints_come_in_pieces(tool: str, name: str) -> None:
    def content(piece: str, **fields: Any) -> Content:
        inner = [text(piece, **fields)]
        return Content(f"code_interpreter_{tool}", call_id="c1", **{name: inner}, **fields)

    for pieces in cuttings(TEXT):
        source = [Update(content(each)) for each in pieces]
        source.append(Update(content(TEXT, merge_mode="replace")))
        out, _ = guarded(source)
        assert not left_raw(out)
        said = [getattr(each, name)[0].text for update in out for each in update.contents]
        assert ("".join(said[:-1]), said[-1]) == (SAID, SAID)


def test_an_update_may_repeat_all_of_a_message() -> None:
    for pieces in cuttings(TEXT):
        source = [Update(text(each)) for each in pieces]
        out, result = guarded([*source, Update(text(TEXT), merge_mode="replace")])
        assert (out[-1].text, result.text) == (SAID, SAID)


def test_a_request_for_approval_repeats_its_call() -> None:
    asked = Content("function_approval_request", function_call=call(ARGUMENTS, name="find"))
    out, result = guarded([Update(call(ARGUMENTS, name="find")), Update(asked)])
    assert out[-1].contents[0].function_call.arguments == MASKED
    assert len(result.tool_calls) == 1


def test_what_a_tool_gave_is_text_whatever_it_is_called() -> None:
    given = {"id": "a secret", "type": "secret"}
    (told,), _ = guarded([Update(Content("function_result", call_id="c1", result=given))])
    assert told.contents[0].result == {"id": "a ######", "type": "######"}


def workflow(pieces: Sequence[str]) -> Iterator[Event]:
    """Two agents, one after the other."""
    data: Any = TEXT
    for name in ("writer", "reviewer"):
        yield Event("executor_invoked", data, executor_id=name)
        updates = [Update(text(each), author_name=name) for each in pieces]
        updates.append(Update(author_name=name, finish_reason="stop"))
        yield from (Event("output", each, executor_id=name) for each in updates)
        data = {"executor_id": name, "agent_response": Response(TEXT)}
        yield Event("executor_completed", [data, *updates], executor_id=name)


def test_a_workflow_tells_what_was_released() -> None:
    for pieces in cuttings(TEXT):
        source = [*workflow(pieces)]
        assert isinstance(detect(source[0]), MicrosoftAgents)
        out, result = guarded(source)
        assert not left_raw(out)
        assert (shown(out), shown(out, author="reviewer")) == (SAID, SAID)
        assert result.text == SAID + SAID
        told, *updates = out[-1].data
        assert [each.contents[0].text for each in told["agent_response"].messages] == ["", SAID]
        assert "".join(each.text for each in updates) == SAID


def test_agents_at_the_same_time_are_choices_of_their_own() -> None:
    first = [Update(text(each), author_name="a") for each in ("a sec", "ret")]
    second = [Update(text(each), author_name="b") for each in ("b sec", "ond")]
    mixed = [each for pair in zip(first, second, strict=True) for each in pair]
    out, result = guarded(mixed)
    assert shown(out, author="b") == "b second"
    assert shown(out, author="a") == result.text == "a ######"


def test_an_agent_that_answers_again_beside_another_is_a_choice_of_its_own() -> None:
    def said(author: str, piece: str, **fields: Any) -> Update:
        return Update(text(piece), author_name=author, **fields)

    source = [said("a", "one ", finish_reason="stop"), said("b", "two sec"), said("a", "sec")]
    source += [Update(author_name="a", finish_reason="stop"), said("b", "ret")]
    out, _ = guarded(source)
    assert (shown(out, author="a"), shown(out, author="b")) == ("one sec", "two ######")


def test_strings_that_an_executor_gives_are_one_text() -> None:
    for pieces in cuttings(TEXT):
        source = [Event("output", each, executor_id="e") for each in pieces]
        assert unchanged(source)
        out, result = guarded(source)
        assert "".join(each.data for each in out) == result.text == SAID


def test_a_workflow_that_failed_tells_no_more() -> None:
    details = {"error_type": "ValueError", "message": "a secret", "traceback": "line 1: a secret"}
    source = [
        Event("output", Update(text("a sec")), executor_id="e"),
        Event("executor_failed", details, details=details, executor_id="e"),
        Event("failed", details=details),
    ]
    out, result = guarded(source)
    assert result.finish == "error"
    assert not left_raw(out)


def test_a_block_ends_with_its_reason() -> None:
    for pieces in cuttings(BLOCKED):
        updates = [Update(text(each)) for each in pieces]
        out, result = guarded(updates)
        assert result.finish == out[-1].finish_reason == "content_filter"
        assert (shown(out), out[-1].contents) == ("well for\n", [])
        out, _ = guarded([Event("output", each, executor_id="e") for each in updates])
        assert (out[-1].data.finish_reason, shown(out)) == ("content_filter", "well for\n")


@pytest.mark.parametrize("field", ["stdout", "uri", "message", "exception", "output", "items"])
def test_other_fields_of_contents_are_guarded(field: str) -> None:
    (out,), _ = guarded([Update(Content("other", **{field: TEXT}))])
    assert getattr(out.contents[0], field) == SAID


def test_a_stop_ends_with_its_reason() -> None:
    stops = Guard(Policy.parse("limits: {stop: [', no']}"))
    out, result = guarded([*run([TEXT])], stops)
    assert result.finish == "stop"
    assert out[-1].finish_reason == "stop"
    assert not left_raw(out, ", no")


def test_names_of_agents_are_the_application_s_own() -> None:
    out = list(GUARD.wrap_sync([Update(text("one"), author_name="enough")]))
    assert out
    assert list(EMPTY.wrap_sync(out)) == out


def test_types_that_an_event_names_are_not_read() -> None:
    rule = Guard(Policy.parse("rules: [{id: w, words: [sequence, secret], replacement: '*'}]"))
    asked = Event("request_info", {"question": "a secret"}, _response_type=list[str])
    (out,), _ = guarded([asked], rule)
    assert (out.data, out._response_type) == ({"question": "a ******"}, list[str])


def told(count: int) -> Event:
    """An executor's end, which tells a response and its updates once more."""
    data = {"agent_response": Response(TEXT)}
    return Event("executor_completed", [data, *(Update(text("one ")) for _ in range(count))])


def test_events_that_tell_a_long_response_once_more_leave_out_what_the_provider_sent() -> None:
    source = [told(2000), Event("executor_invoked", [Message("user", "my question")])]
    out = list(EMPTY.wrap_sync(source))
    assert out[1] is source[1]
    response, *others = out[0].data
    assert response["agent_response"].messages[0].contents[0].text == TEXT
    assert response["agent_response"].raw_representation is None
    assert {each.raw_representation for each in others} == {None}
    assert source[0].data[1].raw_representation == {"choices": ["one "]}


def test_events_that_tell_a_short_response_once_more_keep_what_the_provider_sent() -> None:
    source = [told(3)]
    assert list(EMPTY.wrap_sync(source)) == source
    (out,), _ = guarded(source)
    assert not left_raw([out])
    response, *others = out.data
    assert response["agent_response"].messages[1].contents[0].text == SAID
    assert {each.raw_representation for each in others} == {None}
