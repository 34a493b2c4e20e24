"""What users of gateways and servers report of their streams, as changes of recorded ones.

Each is a rule made from a public report, named with it, and was written before it was tried.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from tests.laws.changes import RULES, Events, Rule
from tests.laws.recordings import Event, Recording, wire
from tests.laws.shapes import SHAPES, Shape, at, ends, places, put, said, with_texts

Data = dict[str, Any]

CHAT = SHAPES["openai_chat"]
COMPLETIONS = SHAPES["openai_completions"]
ANTHROPIC = SHAPES["anthropic"]
RESPONSES = SHAPES["openai_responses"]
GEMINI = SHAPES["gemini"]
OLLAMA = SHAPES["ollama"]

Of = Callable[[Events, Shape], Events | None]

USAGE = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}


def only(shape: Shape, change: Of) -> Of:
    """A change for one format."""
    return lambda events, of: change(events, of) if of == shape else None


def each(shape: Shape, change: Callable[[Data, int], Data | None]) -> Of:
    """A change of each object of one format; None leaves an event out."""

    def made(events: Events, _: Shape) -> Events:
        found: Events = []
        for n, event in enumerate(events):
            if not isinstance(event.data, dict):
                found.append(event)
            elif (data := change(copy.deepcopy(event.data), n)) is not None:
                found.append(replace(event, data=data))
        return found

    return only(shape, made)


def choices(change: Callable[[Data, int], Data], shape: Shape = CHAT) -> Of:
    """A change of each choice."""

    def made(data: Data, n: int) -> Data:
        listed = data.get("choices")
        return {**data, "choices": [change(each, n) for each in listed]} if listed else data

    return each(shape, made)


def deltas(change: Callable[[Data, int], Data]) -> Of:
    """A change of each delta of a chat completion."""
    return choices(
        lambda choice, n: (
            {**choice, "delta": change(choice["delta"], n)}
            if isinstance(choice.get("delta"), dict)
            else choice
        )
    )


def inserted(shape: Shape, event: Event, *, every: int = 1, at_start: bool = False) -> Of:
    """One more event after every so many of them, or only before all."""

    def made(events: Events, _: Shape) -> Events:
        if at_start:
            return [event, *events]
        found: Events = []
        for n, one in enumerate(events):
            found.append(one)
            last = one.data == "[DONE]" or ends(one.data, shape)
            if n % every == every - 1 and not last and one is not events[-1]:
                found.append(event)
        return found

    return only(shape, made)


def appended(shape: Shape, *more: Event) -> Of:
    """More events at the end."""
    return only(shape, lambda events, _: [*events, *more])


def without(shape: Shape, drops: Callable[[Event], bool]) -> Of:
    """Some events are missing."""
    return only(shape, lambda events, _: [one for one in events if not drops(one)])


def kinds(*names: str) -> Callable[[Event], bool]:
    """Tell events of these kinds."""
    return lambda event: isinstance(event.data, dict) and event.data.get("type") in names


def whole_of(events: Events, shape: Shape) -> str:
    return "".join(text for one in events for _, text in said(one.data, shape))


def is_done(event: Event) -> bool:
    return bool(event.data == "[DONE]")


def empty_chunk(**more: Any) -> Event:
    """A chunk of a chat completion without choices."""
    head = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    return Event({**head, "choices": [], **more})


def no_finish(events: Events, shape: Shape) -> Events:
    """No finish reason in any chunk."""
    made = choices(lambda choice, _: {**choice, "finish_reason": None})(events, shape)
    assert made is not None
    return made


def whole_message_at_the_end(events: Events, shape: Shape) -> Events | None:
    whole = {"role": "assistant", "content": whole_of(events, shape)}
    return choices(
        lambda choice, _: {**choice, "message": whole} if choice.get("finish_reason") else choice
    )(events, shape)


def text_in_the_last_chunk(events: Events, shape: Shape) -> Events | None:
    """The last piece of the text comes in the chunk that ends it."""
    speaking = [n for n, one in enumerate(events) if any(text for _, text in said(one.data, shape))]
    last = events[speaking[-1]].data
    ending = next((n for n, one in enumerate(events) if ends(one.data, shape)), None)
    if ending is None or ending <= speaking[-1]:
        return None
    reason = at(events[ending].data, ("choices", 0, "finish_reason"))
    data = put(copy.deepcopy(last), ("choices", 0, "finish_reason"), reason)
    made = [one for n, one in enumerate(events) if n != speaking[-1]]
    made[ending - 1] = replace(events[ending], data=data)
    return made


def again_after(share: float) -> Of:
    """The beginning once more, as from a retry."""
    return lambda events, _: [*events[: int(len(events) * share)], *events]


def repeated(events: Events, shape: Shape) -> Events:
    """Each event with text twice, next to each other: a client reads both."""
    found: Events = []
    for one in events:
        found += [one, one] if said(one.data, shape) else [one]
    return found


def twice(events: Events, shape: Shape) -> Events | None:
    """All of the text once more after it, in one piece."""
    speaking = [one for one in events if any(text for _, text in said(one.data, shape))]
    ending = next((n for n, one in enumerate(events) if ends(one.data, shape)), None)
    whole = whole_of(events, shape)
    if ending is None:
        return None
    data = with_texts(copy.deepcopy(speaking[-1].data), shape, lambda *_: whole)
    return [*events[:ending], replace(speaking[-1], data=data), *events[ending:]]


def put_all(shape: Shape, key: str, value: Any) -> Of:
    return each(shape, lambda data, _: {**data, key: value})


def dropped(shape: Shape, *names: str) -> Of:
    return each(shape, lambda data, _: {k: v for k, v in data.items() if k not in names})


def mentions(data: Data) -> bool:
    return bool(said(data, CHAT))


def beside_text(change: Callable[[str], Data]) -> Of:
    """Something beside the text of a delta."""
    return deltas(
        lambda delta, _: (
            {**delta, **change(delta["content"])}
            if isinstance(delta.get("content"), str) and delta["content"]
            else delta
        )
    )


def without_names(events: Events, _: Shape) -> Events | None:
    return [replace(one, name="") for one in events] if any(one.name for one in events) else None


def one_more(data: Data, _: int) -> Data:
    return {**data, "index": data["index"] + 1} if isinstance(data.get("index"), int) else data


def parts_without_text(events: Events, shape: Shape) -> Events | None:
    one = Event({"candidates": [{"content": {"role": "model"}, "index": 0}]})
    return inserted(GEMINI, one, every=2)(events, shape)


def candidates(change: Callable[[Data], Data]) -> Of:
    return each(
        GEMINI,
        lambda data, _: (
            {**data, "candidates": [change(one) for one in data["candidates"]]}
            if data.get("candidates")
            else data
        ),
    )


def signed(candidate: Data) -> Data:
    parts = (
        at(candidate, ("content", "parts")) if [*places(candidate, ("content", "parts"))] else []
    )
    if not parts:
        return candidate
    marked = [{**part, "thoughtSignature": "c2lnbmVk"} for part in parts]
    return {**candidate, "content": {**candidate["content"], "parts": marked}}


def renumbered(data: Data, _: int) -> Data:
    return {**data, "sequence_number": 0} if "sequence_number" in data else data


def nothing_in_the_end(data: Data, _: int) -> Data:
    if data.get("type") != "response.completed":
        return data
    return {**data, "response": {**data["response"], "output": []}}


ERROR = {"message": "Worker request limit reached", "code": 502}

REPORTED: dict[str, Rule] = {
    "opencrabs 1499: an empty reason in each chunk": Rule(
        choices(lambda c, _: {**c, "finish_reason": c.get("finish_reason") or ""})
    ),
    "ollama 4357: an empty reason in each completion": Rule(
        choices(lambda c, _: {**c, "finish_reason": c.get("finish_reason") or ""}, COMPLETIONS)
    ),
    "pi 7441: usage, but no reason and no end mark": Rule(
        only(
            CHAT,
            lambda e, s: [
                *(o for o in no_finish(e, s) if not is_done(o)),
                empty_chunk(usage=USAGE),
            ],
        ),
        finish="incomplete",
    ),
    "vercel 19165: an end mark, but no reason": Rule(only(CHAT, no_finish), finish="stop"),
    "opencode 43379: a cost after everything": Rule(appended(CHAT, empty_chunk(cost="0"))),
    "dart_agent 23: usage in each chunk": Rule(put_all(CHAT, "usage", USAGE)),
    "semantic-router 2215: usage before the text": Rule(
        inserted(CHAT, empty_chunk(usage=USAGE), at_start=True)
    ),
    "agentgateway 3455: an end without a delta": Rule(
        choices(
            lambda c, _: {k: v for k, v in c.items() if k != "delta" or not c.get("finish_reason")}
        )
    ),
    "litellm 2010: an end with nulls": Rule(
        choices(
            lambda c, _: (
                {**c, "delta": {"content": None, "role": None}} if c.get("finish_reason") else c
            )
        )
    ),
    "helicone 255: an end whose delta is null": Rule(
        choices(lambda c, _: {**c, "delta": None} if c.get("finish_reason") else c)
    ),
    "ollama 7626: a role in each chunk": Rule(deltas(lambda d, _: {**d, "role": "assistant"})),
    "llama_index 22073: a role that is null": Rule(deltas(lambda d, _: {**d, "role": None})),
    "tensorzero 1265: no role at all": Rule(
        deltas(lambda d, _: {k: v for k, v in d.items() if k != "role"})
    ),
    "sglang 3912: null fields everywhere": Rule(
        deltas(lambda d, _: {**d, "tool_calls": None, "function_call": None, "refusal": None})
    ),
    "tanstack 272: empty lists everywhere": Rule(
        deltas(lambda d, _: {**d, "tool_calls": [], "annotations": [], "images": []})
    ),
    "litellm 8675: the text once more beside it": Rule(
        choices(lambda c, _: {**c, "text": (c.get("delta") or {}).get("content") or ""})
    ),
    "hermes 11: the whole message at the end": Rule(only(CHAT, whole_message_at_the_end)),
    "litellm 9081: a message beside each delta": Rule(
        choices(lambda c, _: {**c, "message": dict(c.get("delta") or {})})
    ),
    "mellea 618: the whole text as one more delta": Rule(only(CHAT, twice)),
    "open-interpreter 291: a retry begins again": Rule(again_after(0.5)),
    "llama_index 22337: each piece twice": Rule(only(CHAT, repeated)),
    "vllm 36944: the last piece in the last chunk": Rule(only(CHAT, text_in_the_last_chunk)),
    "genai 2868: calls are told, none come": Rule(
        choices(lambda c, _: {**c, "finish_reason": "tool_calls"} if c.get("finish_reason") else c),
        finish="tool_calls",
    ),
    "vllm 53269: the length was reached": Rule(
        choices(lambda c, _: {**c, "finish_reason": "length"} if c.get("finish_reason") else c),
        finish="length",
    ),
    "OmniRoute 8210: an error without choices": Rule(
        only(CHAT, lambda e, _: [*e[: len(e) // 2], empty_chunk(error=ERROR)]), finish="error"
    ),
    "vercel 2720: an error with a choice": Rule(
        only(
            CHAT,
            lambda e, _: [
                *e[: len(e) // 2],
                empty_chunk(
                    error=ERROR,
                    choices=[{"index": 0, "delta": {"content": ""}, "finish_reason": "error"}],
                ),
            ],
        ),
        finish="error",
    ),
    "azure: filters before the text": Rule(
        inserted(
            CHAT,
            empty_chunk(prompt_filter_results=[{"prompt_index": 0, "content_filter_results": {}}]),
            at_start=True,
        )
    ),
    "azure: filters beside each piece": Rule(
        choices(
            lambda c, _: {
                **c,
                "content_filter_results": {"hate": {"filtered": False, "severity": "safe"}},
            }
        )
    ),
    "openrouter: vendors beside each piece": Rule(put_all(CHAT, "provider", "Nebius")),
    "openrouter: a native reason beside ours": Rule(
        choices(lambda c, _: {**c, "native_finish_reason": c.get("finish_reason")})
    ),
    "groq: usage under another name": Rule(
        each(CHAT, lambda d, n: {**d, "x_groq": {"id": "r", "usage": USAGE}} if n == 0 else d)
    ),
    "sglang: what stopped it": Rule(choices(lambda c, _: {**c, "matched_stop": 151645})),
    "tabby: the id is null": Rule(put_all(CHAT, "id", None)),
    "tgi 1648: the id is empty": Rule(put_all(CHAT, "id", "")),
    "fallback: the id and model change half-way": Rule(
        each(CHAT, lambda d, n: {**d, "id": f"c{n // 20}", "model": f"m{n // 20}"})
    ),
    "lmstudio: no kind, no time": Rule(dropped(CHAT, "object", "created")),
    "jan: times as texts": Rule(put_all(CHAT, "created", "2025-01-30T10:00:00.123Z")),
    "minimax: the same index, not 0": Rule(choices(lambda c, _: {**c, "index": 1})),
    "deepseek: thinking under two names": Rule(
        beside_text(lambda text: {"reasoning": text, "reasoning_content": text})
    ),
    "azure: an empty chunk between any two": Rule(inserted(CHAT, empty_chunk())),
    "bifrost: a ping as a chunk": Rule(inserted(CHAT, Event({"type": "ping"}), every=3)),
    "litellm 30115: no block begins": Rule(without(ANTHROPIC, kinds("content_block_start"))),
    "litellm 32159: the message never stops": Rule(without(ANTHROPIC, kinds("message_stop"))),
    "omlx 1353: the first block is the second": Rule(each(ANTHROPIC, one_more)),
    "ogx 6007: a ping after each event": Rule(inserted(ANTHROPIC, Event({"type": "ping"}, "ping"))),
    "one-api: events without names": Rule(only(ANTHROPIC, without_names)),
    "new-api: an end mark after Anthropic's": Rule(appended(ANTHROPIC, Event("[DONE]"))),
    "vertex: an event that nobody knows": Rule(
        inserted(
            ANTHROPIC, Event({"type": "vertex_event", "usage": USAGE}, "vertex_event"), every=4
        )
    ),
    "bedrock: metrics in the last event": Rule(
        each(
            ANTHROPIC,
            lambda d, _: (
                {**d, "amazon-bedrock-invocationMetrics": {"inputTokenCount": 3}}
                if d.get("type") == "message_stop"
                else d
            ),
        )
    ),
    "no block ends": Rule(without(ANTHROPIC, kinds("content_block_stop"))),
    "python-genai: a candidate without parts": Rule(parts_without_text),
    "litellm 30485: metadata without candidates": Rule(
        inserted(GEMINI, Event({"usageMetadata": {"totalTokenCount": 9}}), every=2)
    ),
    "gemini: signatures beside texts": Rule(candidates(signed)),
    "gemini: an unspecified reason until the end": Rule(
        candidates(
            lambda c: {**c, "finishReason": c.get("finishReason") or "FINISH_REASON_UNSPECIFIED"}
        )
    ),
    "gemini: candidates without a number": Rule(
        candidates(lambda c: {k: v for k, v in c.items() if k != "index"})
    ),
    "litellm 28899: every number is 0": Rule(each(RESPONSES, renumbered)),
    "onyx 13624: no numbers": Rule(dropped(RESPONSES, "sequence_number")),
    "agents 41109: no copy of the text when it ends": Rule(
        without(RESPONSES, kinds("response.output_text.done", "response.content_part.done"))
    ),
    "OmniRoute 13964: the end has no output": Rule(each(RESPONSES, nothing_in_the_end)),
    "surogate 175: no item was begun": Rule(
        without(RESPONSES, kinds("response.output_item.added", "response.content_part.added"))
    ),
    "ollama 9919: an end without a reason": Rule(dropped(OLLAMA, "done_reason")),
    "ollama: one time for all": Rule(put_all(OLLAMA, "created_at", "2025-01-30T10:00:00Z")),
    "ad4m 1001: an error in mid-stream": Rule(
        only(OLLAMA, lambda e, _: [*e[: len(e) // 2], Event({"error": "model runner stopped"})]),
        finish="error",
    ),
}
"""Changes of events."""


def _split_over_lines(data: bytes) -> bytes:
    def spread(line: bytes) -> bytes:
        if not line.startswith(b"data: {"):
            return line
        pretty = json.dumps(json.loads(line[6:]), indent=1).encode()
        return b"\n".join(b"data: " + one for one in pretty.split(b"\n"))

    return b"\n".join(map(spread, data.split(b"\n")))


SPELLED: dict[str, Callable[[bytes], bytes]] = {
    "openai-go 227: comments before and between": lambda d: (
        b": OPENROUTER PROCESSING\n\n" * 2 + d.replace(b"\n\n", b"\n\n: OPENROUTER PROCESSING\n\n")
    ),
    "mastodon 37379: half a comment": lambda d: d.replace(b"\n\n", b"\n\n:thump\n"),
    "shotgun 16: carriage returns alone": lambda d: d.replace(b"\n", b"\r"),
    "codex-router 145: JSON over several lines": _split_over_lines,
    "anything-llm 1475: two blank lines": lambda d: d.replace(b"\n\n", b"\n\n\n"),
    "akka-sse 140: times to wait": lambda d: b"retry: 1000\n\n" + d,
    "akka-sse 42: ids without a value": lambda d: d.replace(b"data: ", b"id\ndata: "),
    "nginx: blank lines first": lambda d: b"\n\n" + d,
    "spaces at the end of each line": lambda d: d.replace(b"}\n", b"}  \n"),
    "events with nothing in them": lambda d: d.replace(b"\n\n", b"\n\ndata:\n\n"),
    "term-llm 448: no blank line at the end": lambda d: d.rstrip(b"\n"),
    "ollama 1728: objects without line ends": lambda d: d.replace(b"}\n{", b"}{"),
}
"""Other spellings of the same events."""

NAMES = (*REPORTED, *SPELLED)

RULES.update(REPORTED)


def changed(recording: Recording, name: str) -> bytes | None:
    """The bytes of a recording after a change; None if it changes nothing."""
    plain = wire(recording)
    if name in SPELLED:
        is_lines = name.startswith("ollama")
        data = SPELLED[name](plain) if is_lines != recording.is_sse else plain
    else:
        events = REPORTED[name].change(list(recording.events), recording.shape)
        data = plain if events is None else wire(recording, tuple(events))
    return None if data == plain else data
