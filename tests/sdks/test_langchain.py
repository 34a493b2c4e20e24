"""LangChain's messages and events: masked alike, and what they derive made anew."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from operator import add
from typing import Any, Literal

import anyio
import pytest

from guardstream import AdapterError, Guard, extract
from guardstream.formats import detect
from guardstream.formats.langchain.chunks import LangChain
from guardstream.formats.langchain.events import LangChainEvents
from guardstream.integrations.langchain import step
from tests.laws.asked import EMPTY, GUARD, cuttings, left_raw, unchanged
from tests.support.extracting import collect
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


def test_what_no_rule_touches_passes_as_it_is() -> None:
    chunk = say("plain")
    assert unchanged([chunk, say(chunk_position="last")])
    assert unchanged([(chunk, {"langgraph_node": "n"})])
    assert unchanged([ChatGenerationChunk(message=chunk), GenerationChunk(text="so")])
    assert unchanged([ToolMessage("rows", tool_call_id="c"), AIMessage("so")], format="langchain")


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


def test_a_whole_message_makes_neither_a_call_that_is_cut_nor_one_after_it() -> None:
    queries = {"a": "fine", "b": "so forbidden", "c": "unread"}
    calls = [{"name": "find", "args": {"q": q}, "id": name} for name, q in queries.items()]
    message = AIMessage("", tool_calls=calls)
    guarded = (RunnableLambda(lambda _: message) | step(GUARD)).invoke("hi")
    assert [call["id"] for call in guarded.tool_calls] == ["a"]
    assert [call["id"] for call in guarded.invalid_tool_calls] == ["b"]


def test_what_is_not_known_is_refused() -> None:
    for source in (
        [say([{"type": "hologram", "words": "a"}])],
        [say("a", additional_kwargs={"x": "b"})],
    ):
        with pytest.raises(AdapterError, match="is not known"):
            list(GUARD.wrap_sync(source, unknown="refuse"))
        assert list(GUARD.wrap_sync(source, format=LangChain(unknown="pass"))) == source


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
