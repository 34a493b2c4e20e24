"""Whole answers, and what they say as streams."""

from __future__ import annotations

from collections.abc import Callable

from tests.formats import messages, responses
from tests.formats.chunks import call, chunk
from tests.laws.asked import Event


def chat(thinking: str, text: str, arguments: str) -> tuple[list[Event], Event]:
    """The stream of a chat completion, and the completion."""
    source = [chunk({"role": "assistant", "content": ""})]
    source += [chunk({"reasoning": part}) for part in thinking]
    source += [chunk({"content": part}) for part in text]
    message: Event = {"role": "assistant", "content": text, "refusal": None}
    message |= {"reasoning": thinking} if thinking else {}
    if arguments:
        source.append(chunk(call(0, "", id="c", type="function", name="find")))
        source += [chunk(call(0, part)) for part in arguments]
        function = {"name": "find", "arguments": arguments}
        message["tool_calls"] = [{"id": "c", "type": "function", "function": function}]
    finish = "tool_calls" if arguments else "stop"
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": finish}
    body = {"id": "c1", "object": "chat.completion", "created": 1, "model": "m"}
    return [*source, chunk(finish=finish)], {**body, "choices": [choice], "usage": None}


def response(thinking: str, text: str, arguments: str) -> tuple[list[Event], Event]:
    items = [responses.thinking(*thinking)] if thinking else []
    items += [responses.text(*text)] if text else []
    items += [responses.call("find", *arguments)] if arguments else []
    source = responses.stream(*items)
    return source, source[-1]["response"]


def message(thinking: str, text: str, arguments: str) -> tuple[list[Event], Event]:
    blocks = [messages.thinking(*thinking)] if thinking else []
    blocks += [messages.text(*text)] if text else []
    blocks += [messages.tool("find", *arguments)] if arguments else []
    stop = "tool_use" if arguments else "end_turn"
    content: list[Event] = []
    content += [{"type": "thinking", "thinking": thinking, "signature": "s"}] if thinking else []
    content += [{"type": "text", "text": text}] if text else []
    if arguments:
        value = {"q": arguments.removeprefix('{"q":"').removesuffix('"}')}
        content.append({"type": "tool_use", "id": "toolu_find", "name": "find", "input": value})
    body = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m"}
    usage = {"input_tokens": 5, "output_tokens": 9}
    rest = {"content": content, "stop_reason": stop, "stop_sequence": None, "usage": usage}
    return messages.message(*blocks, stop=stop), {**body, **rest}


ANSWERS: dict[str, Callable[[str, str, str], tuple[list[Event], Event]]] = {
    "openai_chat": chat,
    "openai_responses": response,
    "anthropic": message,
}
