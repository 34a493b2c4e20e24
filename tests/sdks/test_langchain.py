"""LangChain's messages and events: masked alike, and what they derive made anew."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from operator import add
from typing import Any, Literal

import anyio
import pytest

from guardstream import AdapterError, Guard, Policy, extract
from guardstream.integrations.langchain import step
from guardstream.providers import detect
from guardstream.providers.langchain.chunks import LangChain
from guardstream.providers.langchain.events import LangChainEvents
from tests.extract.test_extract import collect
from tests.providers.laws import EMPTY, GUARD, cuttings, left_raw, unchanged
from tests.support.optional import optional

GenericFakeChatModel = optional(
    "langchain_core.language_models.fake_chat_models", "GenericFakeChatModel"
)
AIMessage, AIMessageChunk, HumanMessage, ToolMessage = optional(
    "langchain_core.messages", "AIMessage", "AIMessageChunk", "HumanMessage", "ToolMessage"
)
JsonOutputParser, StrOutputParser = optional(
    "langchain_core.output_parsers", "JsonOutputParser", "StrOutputParser"
)
ChatGenerationChunk, GenerationChunk = optional(
    "langchain_core.outputs", "ChatGenerationChunk", "GenerationChunk"
)
ChatPromptTemplate = optional("langchain_core.prompts", "ChatPromptTemplate")
RunnableLambda, RunnableParallel, RunnablePassthrough = optional(
    "langchain_core.runnables", "RunnableLambda", "RunnableParallel", "RunnablePassthrough"
)
tool = optional("langchain_core.tools", "tool")
END, START, MessagesState, StateGraph = optional(
    "langgraph.graph", "END", "START", "MessagesState", "StateGraph"
)


def say(content: Any = "", **fields: Any) -> AIMessageChunk:
    return AIMessageChunk(content=content, id="run-1", **fields)


def args(said: str, index: int = 0, **named: Any) -> list[Any]:
    return [{"name": None, "id": None, "index": index, **named, "args": said}]


def summed(chunks: Sequence[Any]) -> Any:
    """The message that LangChain makes of chunks."""
    return reduce(add, chunks)


def fake(*answers: str) -> GenericFakeChatModel:
    return GenericFakeChatModel(messages=iter([AIMessage(answer) for answer in answers]))


@pytest.mark.parametrize("made", [str, lambda piece: {"chunk": piece}])
def test_what_a_step_dispatches_in_pieces_never_comes_out_whole(made: Any) -> None:
    base = {"event": "on_custom_event", "run_id": "r", "name": "token", "tags": [], "metadata": {}}
    for pieces in cuttings("the secret"):
        told = [{**base, "data": made(piece)} for piece in pieces]
        other = [{**base, "name": "step", "data": made("one")} for _ in told]
        out = list(
            GUARD.wrap_sync([each for both in zip(told, other, strict=True) for each in both])
        )
        data = [each["data"] for each in out if each["name"] == "token"]
        said = "".join(each if isinstance(each, str) else each.get("chunk", "") for each in data)
        assert "secret" not in said
        assert "[word]" in said or "######" in said
        assert [each["data"] for each in out if each["name"] == "step"] == [made("one")] * len(told)
        with pytest.raises(AdapterError, match="dispatches"):
            list(GUARD.wrap_sync(told, unknown="refuse"))


@pytest.mark.parametrize("pair", [False, True])
def test_a_whole_message_after_its_pieces_repeats_them(pair: bool) -> None:
    for pieces in cuttings("a sec, a secret"):
        messages = [*map(say, pieces), AIMessage("a sec, a secret", id="run-1")]
        source: list[Any] = [(each, {}) for each in messages] if pair else messages
        stream = GUARD.wrap_sync(source)
        out = [each[0] if pair else each for each in stream]
        assert summed(out[:-1]).content == out[-1].content == "a sec, a ######"
        assert type(out[-1]) is AIMessage
        assert stream.result.text == "a sec, a ######"


def test_calls_that_take_the_same_index_are_told_apart_by_their_ids() -> None:
    source = [
        say(tool_call_chunks=args('{"q": "a', name="find", id="a")),
        say(tool_call_chunks=args(' secret"}')),
        say(tool_call_chunks=args('{"to": "sec', name="send", id="b")),
        say(tool_call_chunks=args('ret"}')),
        say(response_metadata={"finish_reason": "tool_calls"}, chunk_position="last"),
    ]
    stream = GUARD.wrap_sync(source)
    list(stream)
    assert [(each.id, each.name, each.arguments) for each in stream.result.tool_calls] == [
        ("a", "find", '{"q": "a ######"}'),
        ("b", "send", '{"to": "######"}'),
    ]
    assert all(each.complete for each in stream.result.tool_calls)


def test_text_thinking_and_arguments_are_masked_in_any_cut() -> None:
    for pieces in cuttings('{"q": "a secret, no sec"}'):
        source = [say(additional_kwargs={"reasoning_content": piece}) for piece in pieces]
        source += [say(piece) for piece in pieces]
        source += [say(tool_call_chunks=args("", name="find", id="c"))]
        source += [say(tool_call_chunks=args(piece)) for piece in pieces]
        source += [say(response_metadata={"finish_reason": "tool_calls"})]
        source += [say(usage_metadata={"input_tokens": 1, "output_tokens": 2, "total_tokens": 3})]
        stream = GUARD.wrap_sync([*source, say(chunk_position="last")])
        out = list(stream)
        message = summed(out)
        masked = '{"q": "a ######, no sec"}'
        assert message.content == masked
        assert message.additional_kwargs["reasoning_content"] == masked
        assert message.tool_calls[0]["args"] == {"q": "a ######, no sec"}
        assert not left_raw(out)
        call = stream.result.tool_calls[0]
        assert (call.name, call.id, call.arguments, call.complete) == ("find", "c", masked, True)
        assert stream.finish == "tool_calls"
        assert stream.result.usage["total_tokens"] == 3


def test_blocks_of_any_provider_are_masked_in_any_cut() -> None:
    """Anthropic's blocks, whose tool calls stand in the content once more; LangChain's own."""
    for pieces in cuttings('{"q": "a secret, no sec"}'):
        source = [say([{"type": "thinking", "thinking": piece, "index": 0}]) for piece in pieces]
        source += [say([{"type": "thinking", "signature": "s", "index": 0}])]
        source += [say([{"type": "text", "text": piece, "index": 1}]) for piece in pieces]
        use = {"type": "tool_use", "id": "c", "name": "find", "input": {}, "index": 2}
        source += [say([use], tool_call_chunks=args("", 2, name="find", id="c"))]
        for piece in pieces:
            block = {"type": "input_json_delta", "partial_json": piece, "index": 2}
            source.append(say([block], tool_call_chunks=args(piece, 2)))
        out = list(GUARD.wrap_sync([*source, say(response_metadata={"stop_reason": "tool_use"})]))
        message = summed(out)
        masked = '{"q": "a ######, no sec"}'
        thought, text, call = message.content
        assert (thought["thinking"], text["text"], call["partial_json"]) == (masked,) * 3
        assert message.tool_calls[0]["args"] == {"q": "a ######, no sec"}
        assert not left_raw(out)


def test_content_blocks_of_version_1_are_masked_in_any_cut() -> None:
    for pieces in cuttings("a secret, no sec"):
        source = [say([{"type": "reasoning", "reasoning": piece, "index": 0}]) for piece in pieces]
        source += [say([{"type": "text", "text": piece, "index": 1}]) for piece in pieces]
        for piece in pieces:
            block = {"type": "tool_call_chunk", "args": piece, "index": 2, "name": None, "id": None}
            source.append(say([block], tool_call_chunks=args(piece, 2, name="f")))
        out = list(GUARD.wrap_sync([*source, say(chunk_position="last")]))
        reasoning, text, call = summed(out).content
        assert reasoning["reasoning"] == text["text"] == call["args"] == "a ######, no sec"
        assert not left_raw(out)


def test_raw_calls_repeat_the_arguments() -> None:
    source = []
    for piece in ('{"q": "a sec', 'ret"}'):
        raw = {"index": 0, "id": None, "type": None, "function": {"name": None, "arguments": piece}}
        chunks = args(piece, name="find", id="c")
        source.append(say(tool_call_chunks=chunks, additional_kwargs={"tool_calls": [raw]}))
    out = list(GUARD.wrap_sync([*source, say(chunk_position="last")]))
    [raw] = summed(out).additional_kwargs["tool_calls"]
    assert raw["function"]["arguments"] == '{"q": "a ######"}'
    assert not left_raw(out)


def test_what_no_rule_touches_passes_as_it_is() -> None:
    chunk = say("plain")
    assert unchanged([chunk, say(chunk_position="last")])
    assert unchanged([(chunk, {"langgraph_node": "n"})])
    assert unchanged([ChatGenerationChunk(message=chunk), GenerationChunk(text="so")])
    assert unchanged([ToolMessage("rows", tool_call_id="c"), AIMessage("so")], provider="langchain")


def test_an_artifact_is_text_whatever_its_fields_are_called() -> None:
    rule = Guard(Policy.parse("rules: [{id: w, words: [secret1], replacement: '#'}]"))
    told = ToolMessage("rows", tool_call_id="c1", artifact={"id": "secret1", "png": b"\x89PNG\xff"})
    assert unchanged([told], provider="langchain")
    (out,) = rule.wrap_sync([told], provider="langchain")
    assert out.artifact == {"id": "#######", "png": b"\x89PNG\xff"}


@pytest.mark.parametrize("field", ["additional_kwargs", "response_metadata"])
def test_what_a_tool_tells_beside_its_content_is_text_whatever_its_fields_are_called(
    field: str,
) -> None:
    guard = Guard(Policy.parse("rules: [{id: w, words: [secret1], replacement: '#'}]"))
    told = ToolMessage("rows", tool_call_id="c1", **{field: {"id": "secret1", "data": "secret1"}})
    (out,) = guard.wrap_sync([told])
    assert getattr(out, field) == {"id": "#######", "data": "#######"}


def test_json_in_a_tools_message_is_text_whatever_its_fields_are_called() -> None:
    rule = Guard(Policy.parse("rules: [{id: w, words: [secret1], replacement: '#'}]"))
    given = [{"type": "json", "id": "secret1", "json": {"id": "secret1"}}]
    (out,) = rule.wrap_sync([ToolMessage(given, tool_call_id="c1")], provider="langchain")
    assert out.content == [{"type": "json", "id": "secret1", "json": {"id": "#######"}}]


@pytest.mark.parametrize("provider", ["langchain", "langgraph"])
@pytest.mark.parametrize("name", ["tool_calls", "invalid_tool_calls"])
def test_calls_in_the_json_of_a_message_are_masked(provider: str, name: str) -> None:
    call = {"name": "find", "args": {"q": "a secret"}, "id": "a", "type": "tool_call"}
    if name == "invalid_tool_calls":
        call |= {"args": '{"q": "a secret', "error": "a secret", "type": "invalid_tool_call"}
    message = {**say("so").model_dump(), name: [call]}
    for chunk in (message, (message, {"langgraph_node": "n"}), ("messages", (message, {}))):
        if provider == "langgraph" or not isinstance(chunk, tuple) or isinstance(chunk[0], dict):
            assert not left_raw(list(GUARD.wrap_sync([chunk], provider=provider)))


def test_what_holds_a_message_is_made_anew() -> None:
    for pieces in cuttings("a secret, no sec"):
        chunks = [ChatGenerationChunk(message=say(piece)) for piece in pieces]
        assert summed(list(GUARD.wrap_sync(chunks))).text == "a ######, no sec"
        texts = [GenerationChunk(text=piece) for piece in pieces]
        assert summed(list(GUARD.wrap_sync(texts))).text == "a ######, no sec"
        pairs = [(say(piece), {"langgraph_node": "n"}) for piece in pieces]
        out = list(GUARD.wrap_sync(pairs))
        assert summed([chunk for chunk, _ in out]).content == "a ######, no sec"
        assert out[-1][1] == {"langgraph_node": "n"}


def test_messages_at_the_same_time_are_told_apart() -> None:
    first, second = (AIMessageChunk(content="a sec", id=name) for name in "ab")
    ends = [AIMessageChunk(content=text, id=name) for name, text in (("a", "ret"), ("b", "ond"))]
    out = list(GUARD.wrap_sync([(chunk, {}) for chunk in (first, second, *ends)]))
    texts = {name: "".join(c.content for c, _ in out if c.id == name) for name in "ab"}
    assert texts == {"a": "a ######", "b": "a second"}


@pytest.mark.parametrize(
    ("ids", "rest"), [("ab", "ret"), ("aa", "######"), ((None, None), "######")]
)
def test_a_message_with_another_id_is_another_text(ids: Sequence[Any], rest: str) -> None:
    source = [
        AIMessageChunk(content=text, id=own, chunk_position=position)
        for own, said in zip(ids, ("a sec", "ret"), strict=True)
        for text, position in ((said, None), ("", "last"))
    ]
    said = [chunk.content for chunk in GUARD.wrap_sync(source)]
    assert "".join(said) == f"a sec{rest}"


def test_whole_messages_and_results_are_masked() -> None:
    call = {"name": "find", "args": {"q": "secret"}, "id": "c"}
    source = [AIMessage("a secret", tool_calls=[call]), ToolMessage("the secret", tool_call_id="c")]
    stream = GUARD.wrap_sync([(message, {}) for message in source])
    out = [message for message, _ in stream]
    assert not left_raw(out)
    assert out[0].tool_calls[0]["args"] == {"q": "######"}
    assert stream.result.tool_calls[0].parse() == {"q": "######"}
    assert stream.result.text == "a ######"


def test_log_probabilities_of_changed_text_are_left_out() -> None:
    logprobs = {"logprobs": {"content": [{"token": "secret"}]}}
    source = [say("secret", response_metadata=logprobs), say(" x"), say(chunk_position="last")]
    assert not left_raw(list(GUARD.wrap_sync(source)))


def test_a_block_ends_the_message() -> None:
    guard = Guard(
        Policy.parse("block_message: no\nrules: [{id: b, words: [forbidden], action: block}]")
    )
    stream = guard.wrap_sync([say("so "), say("forbidden "), say("unread")])
    message = summed(list(stream))
    assert (message.content, stream.finish) == ("so no", "content_filter")
    assert message.response_metadata["finish_reason"] == "content_filter"


@pytest.mark.parametrize(
    "cut",
    [
        '{"q": "forbidden"}',
        '{"n": 1, "q": ["a", "b forbidden"]}',
        '{"q": [{"a": []}, {"b": "x \\\\ \\"forbidden\\""}]}',
        '{"a": {"b": {}}, "forbidden": 1}',
    ],
)
def test_a_call_that_a_block_cuts_is_invalid_so_that_no_agent_makes_it(cut: str) -> None:
    for pieces in cuttings(cut):
        source = [say(tool_call_chunks=args('{"q": "all of it"}', name="find", id="a"))]
        source += [say(tool_call_chunks=args("", 1, name="send", id="b"))]
        source += [say(tool_call_chunks=args(piece, 1)) for piece in pieces]
        message = summed(list(GUARD.wrap_sync(source)))
        assert [call["id"] for call in message.tool_calls] == ["a"]
        assert [call["id"] for call in message.invalid_tool_calls] == ["b"]
        assert "forbidden" not in str(message)


@pytest.mark.parametrize("ended", [True, False])
def test_a_call_that_a_block_cuts_in_a_later_run_is_invalid_too(ended: bool) -> None:
    def calls(run: str, *pieces: str) -> list[Any]:
        begun = args("", name="find", id=run)
        chunks = [say(tool_call_chunks=each) for each in (begun, *map(args, pieces))]
        return [event("on_chat_model_stream", run, chunk=each) for each in chunks]

    for pieces in cuttings('{"q": "so forbidden"}'):
        first = calls("a", '{"q": "fine"}')
        first += [event("on_chat_model_end", "a", output=say())] if ended else []
        out = list(GUARD.wrap_sync([*first, *calls("b", *pieces)]))
        message = summed([each["data"]["chunk"] for each in out if each["run_id"] == "b"])
        assert message.tool_calls == []
        assert [call["id"] for call in message.invalid_tool_calls] == ["b"]


def test_a_limit_cuts_a_call_like_a_block() -> None:
    guard = Guard(Policy.parse("limits: {max_chars: 9}"))
    parts = ('{"q": "ab', 'cd"}')
    source = [say(tool_call_chunks=args(part, name="run", id="c")) for part in parts]
    message = summed(list(guard.wrap_sync(source)))
    assert (message.tool_calls, len(message.invalid_tool_calls)) == ([], 1)


def test_a_whole_message_makes_neither_a_call_that_is_cut_nor_one_after_it() -> None:
    queries = {"a": "fine", "b": "so forbidden", "c": "unread"}
    calls = [{"name": "find", "args": {"q": q}, "id": name} for name, q in queries.items()]
    message = AIMessage("", tool_calls=calls)
    guarded = (RunnableLambda(lambda _: message) | step(GUARD)).invoke("hi")
    assert [call["id"] for call in guarded.tool_calls] == ["a"]
    assert [call["id"] for call in guarded.invalid_tool_calls] == ["b"]


def test_a_stop_ends_the_message() -> None:
    stream = GUARD.wrap_sync([say("so enough "), say("unread"), say(chunk_position="last")])
    message = summed(list(stream))
    assert (message.content, message.chunk_position, stream.finish) == ("so ", "last", "stop")


@pytest.mark.parametrize(
    "beside",
    [
        {"response_metadata": {"note": "x"}},
        {"additional_kwargs": {"reasoning_content": "hm"}},
        {"additional_kwargs": {"thinking_blocks": [{"type": "thinking", "thinking": "hm"}]}},
    ],
    ids=["metadata", "reasoning", "blocks"],
)
def test_what_comes_with_an_answer_does_not_part_it(beside: dict[str, Any]) -> None:
    source = [say("my sec"), say("", **beside), say("ret so", **beside)]
    assert summed(list(GUARD.wrap_sync(source))).content == "my ###### so"


def test_citations_do_not_part_an_answer() -> None:
    cited = {"citations": [{"type": "citation", "cited_text": "x"}]}
    blocks = [{"type": "text", "text": part, "index": 0, **cited} for part in ("my sec", "ret so")]
    out = list(GUARD.wrap_sync([say([block]) for block in blocks]))
    assert "".join(block["text"] for each in out for block in each.content) == "my ###### so"


def test_what_is_not_known_is_refused() -> None:
    for source in (
        [say([{"type": "hologram", "words": "a"}])],
        [say("a", additional_kwargs={"x": "b"})],
    ):
        with pytest.raises(AdapterError, match="is not known"):
            list(GUARD.wrap_sync(source, unknown="refuse"))
        assert list(GUARD.wrap_sync(source, provider=LangChain(unknown="pass"))) == source


def test_a_calls_arguments_are_extracted() -> None:
    source = [
        say(tool_call_chunks=args('{"rows": [1', name="find")),
        say(tool_call_chunks=args(",2]}")),
    ]
    assert collect(lambda: extract.items(source, "rows.item", tool="find")) == [1, 2]


PROMPT = ChatPromptTemplate.from_template("say {what}")


def events(
    runnable: Any,
    given: Any,
    guard: Guard = GUARD,
    version: Literal["v1", "v2"] = "v2",
    **options: Any,
) -> tuple[list[Any], Any]:
    """The guarded events of a chain, and the guarded stream."""

    async def run() -> tuple[list[Any], Any]:
        stream = guard.wrap(runnable.astream_events(given, version=version), **options)
        return [event async for event in stream], stream

    return anyio.run(run)


def streamed(found: Sequence[Any], name: str) -> str:
    chunks = [event["data"]["chunk"] for event in found if event["event"] == name]
    return "".join(chunk if isinstance(chunk, str) else chunk.content for chunk in chunks)


def test_every_event_of_a_chain_is_masked() -> None:
    chain = PROMPT | fake("a secret, and no sec ret") | StrOutputParser()
    found, stream = events(chain, {"what": "hi"})
    masked = "a ######, and no sec ret"
    for name in ("on_chat_model_stream", "on_parser_stream", "on_chain_stream"):
        assert streamed(found, name) == masked
    ends = {event["event"]: event["data"] for event in found}
    assert ends["on_chain_end"]["output"] == ends["on_parser_end"]["output"] == masked
    assert ends["on_parser_end"]["input"].content == masked
    assert ends["on_chat_model_end"]["output"].content == masked
    assert not left_raw(found)
    assert stream.result.text == masked


@pytest.mark.filterwarnings("ignore::langchain_core._api.deprecation.LangChainDeprecationWarning")
@pytest.mark.parametrize("version", ["v1", "v2"])
def test_only_what_the_whole_chain_was_given_passes(version: Literal["v1", "v2"]) -> None:
    @tool
    def find(what: str) -> str:
        """Find it."""
        return f"no {what}"

    chain = RunnableLambda(lambda _: {"what": "the secret"}) | find
    found, _ = events(chain, "a secret", version=version)
    assert found[0]["data"]["input"] == "a secret"
    inner = [each["data"] for each in found if each["event"].startswith("on_tool")]
    assert inner
    assert not left_raw(inner)


def test_the_answer_is_what_models_say() -> None:
    said = RunnableLambda(lambda _: "so it is")
    _, stream = events(RunnablePassthrough() | PROMPT | fake("a secret."), {"what": "hi"})
    assert stream.result.text == "a ######."
    _, stream = events(said | RunnablePassthrough() | fake("a secret."), "hi")
    assert stream.result.text == "a ######."
    _, stream = events(said | RunnablePassthrough(), "hi")
    assert stream.result.text == "so it is"
    second = fake("a sec") | StrOutputParser() | fake("ret is here.") | StrOutputParser()
    _, stream = events(second, "hi")
    assert stream.result.text == "a sec" + "ret is here."  # two answers, each by itself


def test_what_a_tool_asks_a_model_is_no_part_of_the_answer() -> None:
    inner, outer = fake("a secret aside"), fake("let me look", "a secret answer")

    @tool
    def look(what: str) -> str:
        """Look something up."""
        return str(inner.invoke(what).content)

    def run(what: str) -> str:
        outer.invoke(what)
        look.invoke(what)
        return str(outer.invoke(what).content)

    found, stream = events(RunnableLambda(run), "hi")
    assert stream.result.text == "let me look" + "a ###### answer"
    assert "a ###### aside" in stream.result.channels.values()
    assert not left_raw(found)


def test_models_that_run_at_once_do_not_mix() -> None:
    both = RunnableParallel(one=fake("a secret of one"), two=fake("no sec ret of two"))
    found, stream = events(both, "hi")
    said = {text for (_, channel), text in stream.result.channels.items() if channel == "text"}
    assert {"a ###### of one", "no sec ret of two"} <= said
    assert stream.result.text in said
    assert not left_raw(found)


def test_an_empty_policy_changes_no_event() -> None:
    chain = PROMPT | fake("a secret") | StrOutputParser()

    async def run() -> bool:
        source = [event async for event in chain.astream_events({"what": "x"}, version="v2")]
        assert isinstance(detect(source[0]), LangChainEvents)
        return unchanged(source)

    assert anyio.run(run)


def event(name: str, run: str, **data: Any) -> dict[str, Any]:
    own = {"event": name, "run_id": run, "name": run, "tags": [], "metadata": {}}
    return {**own, "data": data, "parent_ids": []}


SHAPES: dict[str, tuple[Callable[[str], Any], Callable[[Any], str]]] = {
    "a dict": (lambda text: {"answer": text}, lambda value: value["answer"]),
    "a list": (lambda text: [text], lambda value: value[0]),
    "a message within": (
        lambda text: {"a": {"b": say(text)}},
        lambda value: value["a"]["b"].content,
    ),
    "JSON of a message within": (
        lambda text: {"a": [say(text).model_dump()]},
        lambda value: value["a"][0]["content"],
    ),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_values_that_a_chain_streams_do_not_show_all_of_a_word_that_they_cut(shape: str) -> None:
    make, text_of = SHAPES[shape]
    for pieces in cuttings("a secret, no sec"):
        source = []
        for piece in pieces:
            source.append(event("on_chain_stream", "c", chunk=make(piece)))
            source.append(event("on_chain_stream", "d", chunk=make("x")))  # another run's
        out = [each for each in GUARD.wrap_sync(source) if each["run_id"] == "c"]
        assert "secret" not in "".join(text_of(each["data"]["chunk"]) for each in out)


def test_tokens_in_values_that_a_chain_streams_do_not_spell_all_of_a_word() -> None:
    for pieces in cuttings("a secret, no sec"):
        source = []
        for piece in pieces:
            token = {"token": piece, "bytes": list(piece.encode()), "logprob": -1.0}
            metadata = {"logprobs": {"content": [{**token, "top_logprobs": [token]}]}}
            source.append(event("on_chain_stream", "c", chunk=[say(response_metadata=metadata)]))
        out = [each["data"]["chunk"][0].response_metadata for each in GUARD.wrap_sync(source)]
        told = [each["logprobs"]["content"][0] for each in out if each.get("logprobs")]
        assert "secret" not in "".join(each["token"] for each in told)
        assert "secret" not in "".join(each["top_logprobs"][0]["token"] for each in told)


def test_messages_as_json_are_masked_in_any_cut() -> None:
    """Servers send events as JSON, LangServe for one."""
    for pieces in cuttings("a secret, no sec"):
        source = [
            event("on_chat_model_stream", "m", chunk=say(each).model_dump()) for each in pieces
        ]
        last = event("on_chat_model_end", "m", output=say("a secret, no sec").model_dump())
        stream = GUARD.wrap_sync([event("on_chat_model_start", "m", input="hi"), *source, last])
        out = [each["data"] for each in stream]
        masked = "a ######, no sec"
        assert "".join(each["chunk"]["content"] for each in out[1:-1]) == masked
        assert out[-1]["output"]["content"] == masked
        assert (stream.result.text, stream.result.finish) == (masked, "stop")


def as_events(message: dict[str, Any]) -> Any:
    return event("on_chat_model_stream", "m", chunk=message)


def as_messages(message: dict[str, Any]) -> Any:
    return ("messages", (message, {}))


@pytest.mark.parametrize("wrapped", [as_events, as_messages])
@pytest.mark.parametrize("word", ["secret", "forbidden"])
def test_calls_in_the_json_of_chunks_are_those_of_their_arguments(
    wrapped: Callable[[dict[str, Any]], Any], word: str
) -> None:
    derived = {"tool_calls", "invalid_tool_calls"}
    for pieces in cuttings(f'{{"q": "a {word}, no sec"}}'):
        source = [say(tool_call_chunks=args("", name="find", id="c"))]
        source += [say(tool_call_chunks=args(piece)) for piece in pieces]
        stream = GUARD.wrap_sync([wrapped(each.model_dump()) for each in source])
        out = [each["data"]["chunk"] if "data" in each else each[1][0] for each in stream]
        for each in out:
            for name in derived & each.keys():
                assert each[name] == AIMessageChunk(**each).model_dump()[name]


def test_what_a_run_repeats_after_its_end_is_made_of_what_was_released() -> None:
    source = [
        event("on_chat_model_stream", "m", chunk=say("a sec")),
        event("on_chat_model_stream", "m", chunk=say("ret.")),
        event("on_chat_model_end", "m", output=say("a secret.")),
        event("on_chain_stream", "c", chunk={"answer": "a secret."}),
    ]
    stream = GUARD.wrap_sync(source)
    assert list(stream)[-1]["data"]["chunk"] == {"answer": "a ######."}
    assert len(stream.findings) == 1


def test_what_the_caller_gave_passes() -> None:
    chain = PROMPT | fake("a secret") | StrOutputParser()
    found, stream = events(chain, {"what": "the secret of the forbidden"})
    starts = [event for event in found if event["event"] == "on_chain_start"]
    assert starts[0]["data"]["input"] == {"what": "the secret of the forbidden"}
    assert stream.finish == "stop"
    assert streamed(found, "on_chain_stream") == "a ######"


def test_a_graphs_events_are_masked() -> None:
    model = fake("a secret, no sec")
    graph = StateGraph(MessagesState)
    graph.add_node("n", lambda state: {"messages": [model.invoke(state["messages"])]})
    graph.add_edge(START, "n")
    graph.add_edge("n", END)
    found, stream = events(graph.compile(), {"messages": [HumanMessage("hi")]})
    assert not left_raw(found)
    assert found[-1]["data"]["output"]["messages"][-1].content == "a ######, no sec"
    assert len(stream.findings) == 1


def test_a_block_ends_the_events() -> None:
    chain = PROMPT | fake("so forbidden things are unread") | StrOutputParser()
    found, stream = events(chain, {"what": "hi"})
    assert streamed(found, "on_chat_model_stream") == "so "
    assert streamed(found, "on_chain_stream") == "so "
    assert (stream.finish, stream.blocked_by) == ("content_filter", "bad")
    assert not left_raw(found, "forbidden")


def test_growing_values_are_guarded_one_by_one_or_refused() -> None:
    chain = fake(*['{"name": "a secret"}'] * 3) | JsonOutputParser()
    found, _ = events(chain, "hi")
    assert "secret" not in str(found)
    with pytest.raises(AdapterError, match="put the guard before it"):
        events(chain, "hi", unknown="refuse")
    found, _ = events(chain, "hi", EMPTY, unknown="pass")
    assert found[-1]["data"]["output"] == {"name": "a secret"}


def server_call(index: int, *pieces: str) -> list[AIMessageChunk]:
    """A call of Anthropic's web search, as LangChain gives it: without `tool_call_chunks`."""
    begun = {"type": "server_tool_use", "id": f"s{index}", "name": "web_search", "input": {}}
    said = [{"type": "input_json_delta", "partial_json": piece} for piece in pieces]
    return [say([{**block, "index": index}]) for block in (begun, *said)]


WEB_SEARCH = "{web_search: {schema: {type: object, required: [query]}}}"


@pytest.mark.parametrize("tools", ["{web_search: {}}", '{"*": {}}', WEB_SEARCH])
def test_each_call_of_a_servers_tool_is_judged_by_itself(tools: str) -> None:
    policy = f"rules: [{{id: w, words: [secret]}}]\njson: {{tools: {tools}}}"
    source = [*server_call(0, '{"query": "sec', 'ret"}'), *server_call(1, '{"qu', 'ery": "tea"}')]
    source.append(say(response_metadata={"stop_reason": "end_turn"}, chunk_position="last"))
    stream = Guard(Policy.parse(policy)).wrap_sync(source)
    blocks = [block for chunk in stream if chunk.content for block in chunk.content]
    for index, expected in enumerate(('{"query": "[w]"}', '{"query": "tea"}')):
        mine = [block for block in blocks if block["index"] == index]
        assert "".join(block.get("partial_json", "") for block in mine) == expected
    assert [(each.name, each.id) for each in stream.result.tool_calls] == [
        ("web_search", "s0"),
        ("web_search", "s1"),
    ]
    assert stream.blocked_by is None


def test_a_servers_tool_that_is_not_listed_is_refused() -> None:
    stream = Guard(Policy.parse("json: {tools: {find: {}}}")).wrap_sync(server_call(0, "{}"))
    list(stream)
    assert stream.blocked_by == "json"


@pytest.mark.parametrize("tools", ["{sql: {}}", '{"*": {}}', '{"*": {schema: {type: object}}}'])
def test_the_text_of_openais_custom_tools_is_no_document(tools: str) -> None:
    policy = f"rules: [{{id: w, words: [secret]}}]\njson: {{tools: {tools}}}"
    block = {"type": "custom_tool_call", "id": "c", "name": "sql", "input": "select secret"}
    call = args('{"__arg1": "select secret"}', name="sql", id="c")
    stream = Guard(Policy.parse(policy)).wrap_sync([say([block], tool_call_chunks=call)])
    (sent,) = stream
    assert sent.content == [block | {"input": "select [w]"}]
    assert sent.tool_calls[0]["args"] == {"__arg1": "select [w]"}
    assert stream.blocked_by is None


@pytest.mark.parametrize("beside", [True, False])
def test_a_custom_tool_that_is_not_listed_is_refused_before_its_text(beside: bool) -> None:
    block = {"type": "custom_tool_call", "id": "c", "name": "sql", "input": "select 1"}
    call = args('{"__arg1": "select 1"}', name="sql", id="c") if beside else []
    stream = Guard(Policy.parse("json: {tools: {find: {}}}")).wrap_sync(
        [say("so "), say([block], tool_call_chunks=call)]
    )
    assert "select" not in str([*stream])
    assert stream.text() == "so "
    assert stream.blocked_by == "json"


def test_a_custom_tool_is_called_once() -> None:
    block = {"type": "custom_tool_call", "id": "o", "call_id": "c", "name": "sql", "input": "x"}
    call = args('{"__arg1": "x"}', name="sql", id="c")
    stream = Guard(Policy.parse("rules: []")).wrap_sync([say([block], tool_call_chunks=call)])
    list(stream)
    assert [each.arguments for each in stream.result.tool_calls] == ['{"__arg1": "x"}']
