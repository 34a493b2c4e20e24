"""How streams of the Responses API end: blocked, stopped, limited, failed."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

from guardstream import Guard, Policy
from guardstream.http.stream import WireGuard
from tests.providers.promises import (
    GUARD,
    POLICY,
    has_word,
    plain,
)
from tests.providers.responses import (
    SEARCH,
    Event,
    call,
    final,
    guarded,
    model,
    said,
    stream,
    text,
    thinking,
    types,
    whole,
)
from tests.providers.served import sse
from tests.support.optional import optional

openai = optional("openai")  # openai.types.responses

Make = Callable[[dict[str, Any]], Any]


@pytest.fixture(params=[pytest.param(copy.deepcopy, id="dict"), pytest.param(model, id="object")])
def make(request: pytest.FixtureRequest) -> Make:
    """Events as plain dicts and as the SDK's objects."""
    made: Make = request.param
    return made


def test_a_block_closes_what_is_open_and_ends_the_response(make: Make) -> None:
    source = stream(
        thinking("hm"), call("find", "{}"), text("so ", "forbidden", ", unread", " more")
    )
    stream_of = GUARD.wrap_sync([make(event) for event in source])
    out = list(stream_of)
    assert types(out)[-5:] == [
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "incomplete",
    ]
    response = final(out)
    assert response["status"] == "incomplete"
    assert response["incomplete_details"] == {"reason": "content_filter"}
    assert [item["type"] for item in response["output"]] == [
        "reasoning",
        "function_call",
        "message",
    ]
    assert response["output"][2]["content"][0]["text"] == "so "
    assert response["output"][2]["status"] == "incomplete"
    assert response["output"][1]["arguments"] == "{}"
    numbers = [plain(event)["sequence_number"] for event in out]
    assert numbers == sorted(numbers)
    assert stream_of.finish == "content_filter"
    assert type(out[-1]) is type(make(source[-1])) or type(out[-1]).__name__.endswith("Event")


@pytest.mark.parametrize(
    ("items", "open_item"),
    [
        ([thinking("hm ", "forbidden")], {"type": "reasoning"}),
        ([call("find", '{"q": "', "forbidden", '"}')], {"type": "function_call"}),
        ([text("forbidden")], {"type": "message"}),
    ],
)
def test_a_block_in_any_channel_closes_its_item(
    make: Make, items: list[Any], open_item: dict[str, str]
) -> None:
    out = guarded(stream(*items), make)
    assert types(out)[-2:] == ["output_item.done", "incomplete"]
    assert final(out)["output"][0]["type"] == open_item["type"]
    assert not any(has_word("forbidden", event) for event in out)


def test_the_end_of_a_call_that_is_cut_names_the_function(make: Make) -> None:
    out = guarded(stream(call("find", '{"q": "', "forbidden", '"}')), make)
    done = next(each for each in out if types([each]) == ["function_call_arguments.done"])
    assert plain(done)["name"] == "find"


def test_a_block_in_what_a_tool_says_ends_the_response(make: Make) -> None:
    search = {**SEARCH, "action": {"type": "search", "query": "forbidden place"}}
    out = guarded(stream(whole(search), text("unread")), make)
    assert types(out)[-1] == "incomplete"
    assert said(out) == ""
    assert not any(has_word("forbidden", event) for event in out)


@pytest.mark.parametrize(
    ("before", "texts"),
    [
        ([], ["no: sorry"]),
        ([call("find", '{"q": "forbidden"}')], ["sorry"]),
        ([text("a", item="m"), call("find", '{"q": "forbidden"}')], ["a", " sorry"]),
    ],
)
def test_the_block_message_is_said(make: Make, before: list[Any], texts: list[str]) -> None:
    guard = Guard(Policy.parse(f"block_message: sorry\n{POLICY}"))
    items = before or [text("no: forbidden", " unread")]
    out = guarded(stream(*items), make, guard)
    messages = [item for item in final(out)["output"] if item["type"] == "message"]
    assert [item["content"][0]["text"] for item in messages] == texts
    assert said(out) == "".join(texts)
    assert types(out)[-1] == "incomplete"
    assert types(out).count("output_item.added") == types(out).count("output_item.done")
    numbers = [plain(event)["sequence_number"] for event in out]
    assert numbers == sorted(numbers)


@pytest.mark.parametrize(
    ("word", "message"),
    [("forbidden", "block_message: sorry\n"), ("forbidden", ""), ("enough", "")],
)
def test_a_call_that_is_cut_is_incomplete_however_its_response_ends(
    make: Make, word: str, message: str
) -> None:
    guard = Guard(Policy.parse(f"{message}{POLICY}"))
    out = guarded(stream(call("find", '{"q": "', word, '"}')), make, guard)
    done = next(each for each in out if types([each]) == ["output_item.done"])
    assert plain(done)["item"]["status"] == "incomplete"
    assert final(out)["output"][0]["status"] == "incomplete"
    assert final(out)["status"] == ("completed" if word == "enough" else "incomplete")


@pytest.mark.parametrize("word", ["forbidden", "enough"])
def test_the_call_of_a_patch_that_is_cut_is_in_progress(word: str) -> None:
    kind = "response.apply_patch_call_operation_diff"
    operation = {"type": "create_file", "path": "a.txt", "diff": ""}
    item = {"id": "ap", "type": "apply_patch_call", "call_id": "c", "status": "in_progress"}
    delta = {"type": f"{kind}.delta", "item_id": "ap", "delta": f"+ {word}"}
    begun = {**item, "operation": operation}
    out = guarded(stream((begun, [delta], {**begun, "status": "completed"})), copy.deepcopy)
    assert final(out)["output"][0] == {**item, "operation": {**operation, "diff": "+ "}}


@pytest.mark.parametrize("word", ["forbidden", "enough"])
@pytest.mark.parametrize(
    ("kind", "fields", "status"),
    [
        ("shell_call", {"action": {"commands": ["remove WORD"]}}, "incomplete"),
        ("local_shell_call", {"action": {"command": ["remove WORD"], "env": {}}}, "incomplete"),
        ("computer_call", {"action": {"type": "type", "text": "so WORD"}}, "incomplete"),
        ("mcp_call", {"server_label": "s", "name": "f", "arguments": "so WORD"}, "incomplete"),
        (
            "apply_patch_call",
            {"operation": {"type": "create_file", "path": "a", "diff": "+ WORD"}},
            "in_progress",
        ),
    ],
)
def test_no_call_that_is_open_where_a_response_ends_is_completed(
    make: Make, kind: str, fields: Event, status: str, word: str
) -> None:
    item = {"id": "i", "type": kind, "call_id": "c", "status": "in_progress"}
    begun = {**item, **json.loads(json.dumps(fields).replace("WORD", ""))}
    done = {**item, **json.loads(json.dumps(fields).replace("WORD", word)), "status": "completed"}
    assert ended(guarded(stream((begun, [], done)), make)) == (status, status)
    if kind == "shell_call":  # its commands are read where it is announced
        assert ended(guarded(stream((done, [], done)), make)) == (status, status)


def ended(out: list[Any]) -> tuple[str, str]:
    """Return the status of the only item in its own end, and in that of the response."""
    (item,) = [plain(each)["item"] for each in out if types([each]) == ["output_item.done"]]
    return item["status"], final(out)["output"][0]["status"]


def test_a_block_message_is_not_in_a_message_whose_part_is_over(make: Make) -> None:
    source = stream(text("a", item="m"), call("find", '{"q": "forbidden"}'))
    source = [each for each in source if each.get("item", {}).get("status") != "completed"]
    out = guarded(source, make, Guard(Policy.parse(f"block_message: sorry\n{POLICY}")))
    messages = [item for item in final(out)["output"] if item["type"] == "message"]
    assert [item["content"][0]["text"] for item in messages] == ["a", " sorry"]
    assert said(out) == "a sorry"


def test_a_block_message_is_not_in_reasoning_that_has_parts_of_its_own(make: Make) -> None:
    begun, events, done = thinking("a forbidden thing")
    reasoning = ({**begun, "content": []}, events, done)
    out = guarded(stream(reasoning), make, Guard(Policy.parse(f"block_message: sorry\n{POLICY}")))
    assert [item["type"] for item in final(out)["output"]] == ["reasoning", "message"]
    assert said(out) == "sorry"


def test_a_stop_completes_the_response(make: Make) -> None:
    out = guarded(stream(text("that is enough", " and more")), make)
    assert types(out)[-1] == "completed"
    assert final(out)["status"] == "completed"
    assert final(out)["output"][0]["content"][0]["text"] == "that is "
    assert said(out) == "that is "


def test_a_limit_says_so(make: Make) -> None:
    guard = Guard(Policy.parse("limits: {max_chars: 5}"))
    stream_of = guard.wrap_sync([make(event) for event in stream(text("one two", " three"))])
    out = list(stream_of)
    assert final(out)["incomplete_details"] == {"reason": "max_output_tokens"}
    assert said(out) == "one t"
    assert stream_of.finish == "length"


def test_a_failed_response_ends_as_an_error(make: Make) -> None:
    source = stream(text("so"))[:5]
    error = {"code": "server_error", "message": "a secret failed"}
    failed = {"id": "resp_1", "status": "failed", "error": error, "output": []}
    source.append({"type": "response.failed", "sequence_number": 5, "response": failed})
    stream_of = GUARD.wrap_sync([make(event) for event in source])
    out = list(stream_of)
    assert stream_of.finish == "error"
    assert final(out)["error"]["message"] == "a ****** failed"


def test_an_error_event_lets_no_held_text_out(make: Make) -> None:
    source = stream(text("a sec"))[:5]
    source.append({"type": "error", "code": None, "message": "bad", "sequence_number": 5})
    stream_of = GUARD.wrap_sync([make(event) for event in source])
    assert said(list(stream_of)) == "a "
    assert stream_of.finish == "error"


def test_two_responses_in_one_stream_stay_apart(make: Make) -> None:
    first, second = stream(text("my sec")), stream(text("ret secret"))
    out = guarded(first + second, make)
    assert said(out) == "my secret ******"
    assert final(out)["output"][0]["content"][0]["text"] == "ret ******"


def test_a_blocked_body_ends_as_it_should_on_the_wire() -> None:
    data = sse(stream(text("so ", "forbidden", " more")), named=True)
    for cut in ([data], [data[at : at + 1] for at in range(len(data))]):
        wire = WireGuard(GUARD)
        out = b"".join(frame for piece in cut for frame in wire.feed(piece))
        lines = out.decode().strip().split("\n")
        assert lines[-2] == "event: response.incomplete"
        last = json.loads(lines[-1].removeprefix("data: "))
        assert last["response"]["output"][0]["content"][0]["text"] == "so "
        assert wire.ended == "content_filter"


def test_a_patch_is_guarded_and_closed(make: Make) -> None:
    ids = {"id": "ap", "type": "apply_patch_call", "call_id": "c", "status": "in_progress"}
    kind = "response.apply_patch_call_operation_diff"
    operation = {"type": "create_file", "path": "a secret.txt", "diff": ""}
    whole_diff = {**operation, "diff": "+ my secret"}
    between = [
        {"type": f"{kind}.delta", "item_id": "ap", "delta": "+ my sec"},
        {"type": f"{kind}.delta", "item_id": "ap", "delta": "ret"},
        {"type": f"{kind}.done", "item_id": "ap", "diff": "+ my secret"},
    ]
    item = ({**ids, "operation": operation}, between, {**ids, "operation": whole_diff})
    out = guarded(stream(item), make)
    assert final(out)["output"][0]["operation"]["path"] == "a ******.txt"
    assert final(out)["output"][0]["operation"]["diff"] == "+ my ******"
    between[1]["delta"] = "ret forbidden "
    out = guarded(stream(item), make)
    assert final(out)["output"][0]["operation"]["diff"] == "+ my ****** "
    assert types(out)[-1] == "incomplete"


def test_a_command_ends_without_its_event_where_a_package_has_no_class_for_it(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind, at = "response.shell_call_command", {"command_index": 0}
    begun = {"id": "sh", "type": "shell_call", "call_id": "c", "status": "in_progress"}
    begun |= {"action": {"commands": []}}
    between = [
        {"type": f"{kind}.added", **at, "command": ""},
        {"type": f"{kind}.delta", **at, "delta": "cat forbidden "},
    ]
    source = [make(event) for event in stream((begun, between, begun))]
    monkeypatch.delattr(openai.types.responses, "ResponseShellCallCommandDoneEvent")
    out = list(GUARD.wrap_sync(source))
    ends = ["shell_call_command.done"] if isinstance(source[0], dict) else []
    assert types(out)[-len(ends) - 2 :] == [*ends, "output_item.done", "incomplete"]
    assert final(out)["output"][0]["action"]["commands"] == ["cat "]


MESSAGE = {"type": "message", "role": "assistant"}
TEXT = {"type": "output_text", "text": "a secret, no sec", "annotations": []}
REFUSAL = {"type": "refusal", "refusal": "a secret, no sec"}

ANNOUNCED: dict[str, Event] = {
    "text": {**MESSAGE, "content": [TEXT]},
    "refusal": {**MESSAGE, "content": [REFUSAL]},
    "both": {**MESSAGE, "content": [TEXT, REFUSAL]},
    "image": {**MESSAGE, "content": [{"type": "image", "image_url": "u"}, REFUSAL]},
    "reasoning": {
        "type": "reasoning",
        "summary": [{"type": "summary_text", "text": "a secret, no sec"}],
        "content": [{"type": "reasoning_text", "text": "a secret, no sec"}],
    },
    "call": {"type": "custom_tool_call", "call_id": "c", "name": "f", "input": "a secret, no sec"},
    "code": {"type": "code_interpreter_call", "container_id": "c", "code": "a secret, no sec"},
}
"""Items whose whole text is in the event that adds them, and begins a match at its end."""


@pytest.mark.parametrize("name", ANNOUNCED)
@pytest.mark.parametrize("is_done", [True, False])
def test_an_item_that_is_announced_whole_is_guarded(make: Make, name: str, is_done: bool) -> None:
    item = {"id": "i", "status": "in_progress", **ANNOUNCED[name]}
    source = stream(whole(item))
    if not is_done:
        source = [event for event in source if event["type"] != "response.output_item.done"]
    out = guarded(source, make)
    masked = {**item, **json.loads(json.dumps(ANNOUNCED[name]).replace("secret", "******"))}
    given = [make(event) for event in stream(whole(masked))]
    assert final(out)["output"] == final(given)["output"]
    assert types(out)[:3] == types(given)[:3]
    between = out[3 : -2 if is_done else -1]
    assert {plain(event)["delta"] for event in between} == {"sec"}


def test_parts_that_are_announced_stay_where_a_block_ends_their_item(make: Make) -> None:
    item = {"id": "i", "status": "in_progress", **MESSAGE, "content": [TEXT, REFUSAL]}
    part = {"type": "response.content_part.done", "item_id": "i", "content_index": 0, "part": TEXT}
    source = stream((item, [part], item), call("find", "forbidden"))
    source = [event for event in source if event["type"] != "response.output_item.done"]
    out = guarded(source, make)
    kinds = [each["type"] for each in final(out)["output"][0]["content"]]
    assert kinds == ["output_text", "refusal"]
    assert final(out)["output"][0]["content"][0]["text"] == "a ******, no sec"
