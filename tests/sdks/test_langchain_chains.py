"""LangChain's chains with several results: what is new of each is a stream of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import reduce
from operator import add
from typing import Any

import pytest

from guardstream import AdapterError, Guard, Policy
from guardstream.formats import detect
from guardstream.formats.langchain.chains import LangChainChains
from tests.laws.asked import ARGUMENTS, GUARD, MASKED, cuttings, left_raw, unchanged
from tests.support.optional import optional

Document = optional("langchain_core.documents", "Document")
GenericFakeChatModel = optional(
    "langchain_core.language_models.fake_chat_models", "GenericFakeChatModel"
)
AIMessage, AIMessageChunk = optional("langchain_core.messages", "AIMessage", "AIMessageChunk")
StrOutputParser = optional("langchain_core.output_parsers", "StrOutputParser")
RunnableLambda, RunnableParallel = optional(
    "langchain_core.runnables", "RunnableLambda", "RunnableParallel"
)
AddableDict = optional("langchain_core.runnables.utils", "AddableDict")

TEXT = "a secret, no sec"
GUARDED = "a ######, no sec"


def say(content: str = "", **fields: Any) -> AIMessageChunk:
    return AIMessageChunk(content=content, id="run-1", **fields)


def turns(pieces: Sequence[str]) -> Iterator[Any]:
    """A text and a message, piece by piece in turns, after what they were asked with."""
    yield AddableDict(asked="a secret?", found=[Document("a secret", metadata={"n": "a secret"})])
    for piece in pieces:
        yield AddableDict(text=piece)
        yield AddableDict(message=say(piece))
    yield AddableDict(message=say(chunk_position="last"))


def summed(chunks: Sequence[Any]) -> Any:
    """The dict that whoever reads chunks makes of them."""
    return reduce(add, chunks)


def test_the_adapter_is_found_by_dicts_that_are_added_up_and_by_pieces_of_messages() -> None:
    assert type(detect(AddableDict(asked="a"))) is LangChainChains
    assert type(detect({"answer": say("a")})) is LangChainChains
    assert type(detect({"answer": "a"})) is not LangChainChains


@pytest.mark.parametrize("pieces", list(cuttings(TEXT)))
def test_each_text_and_message_is_one_text_however_it_is_cut(pieces: list[str]) -> None:
    stream = GUARD.wrap_sync(list(turns(pieces)))
    out = list(stream)
    said = summed(out)
    assert said["text"] == said["message"].content == GUARDED
    assert said["asked"] == "a ######?"
    assert said["found"] == [Document("a ######", metadata={"n": "a ######"})]
    assert {type(each) for each in out} == {AddableDict}
    assert stream.result.text == GUARDED


def test_dicts_without_findings_pass_as_the_same_objects() -> None:
    assert unchanged(list(turns(["a ", "b", "", " c"])))


def test_results_within_results_are_told_apart() -> None:
    for pieces in cuttings(TEXT):
        inner = (AddableDict({key: piece}) for piece in pieces for key in ("a", "b"))
        out = list(GUARD.wrap_sync([AddableDict(within=each) for each in inner]))
        said = {key: "".join(each["within"].get(key, "") for each in out) for key in ("a", "b")}
        assert said == {"a": GUARDED, "b": GUARDED}


def test_a_chunk_may_have_a_piece_of_every_result() -> None:
    for pieces in cuttings(TEXT):
        chunks = [AddableDict(a=say(piece), b=say(piece), c=piece) for piece in pieces]
        said = summed(list(GUARD.wrap_sync(chunks)))
        assert (said["a"].content, said["b"].content, said["c"]) == (GUARDED,) * 3


def test_arguments_of_a_call_are_guarded() -> None:
    for pieces in cuttings(ARGUMENTS):
        chunks = [
            AddableDict(
                answer=say(
                    tool_call_chunks=[
                        {"name": None if n else "find", "id": None, "index": 0, "args": piece}
                    ]
                )
            )
            for n, piece in enumerate(pieces)
        ]
        stream = GUARD.wrap_sync(chunks)
        said = summed(list(stream))["answer"]
        assert said.tool_call_chunks[0]["args"] == MASKED
        assert stream.result.tool_calls[0].arguments == MASKED


def test_a_block_ends_every_message() -> None:
    guard = Guard(Policy.parse("rules: [{id: word, words: [secret], action: block}]"))
    for pieces in cuttings(TEXT):
        stream = guard.wrap_sync(list(turns(pieces))[1:])
        out = list(stream)
        assert stream.finish == "content_filter"
        assert not left_raw(out, "secret")
        messages = [each["message"] for each in out if "message" in each]
        if messages:
            assert messages[-1].response_metadata == {"finish_reason": "content_filter"}


def test_a_block_message_is_not_said_in_what_a_chain_was_given() -> None:
    guard = Guard(
        Policy.parse("block_message: sorry\nrules: [{id: word, words: [secret], action: block}]")
    )
    given = AddableDict(asked="a sec")
    chunks = [AddableDict(text=piece) for piece in ("", "so ", "secret", " more")]
    assert summed(list(guard.wrap_sync([given, *chunks]))) == {"asked": "a ", "text": "so sorry"}
    assert summed(list(guard.wrap_sync([given, *chunks[:2]]))) == {"asked": "a sec", "text": "so "}


def test_a_value_that_is_neither_text_nor_message_is_never_whole_in_pieces() -> None:
    chunks = [AddableDict(answer={"a": "a sec"}), AddableDict(answer={"a": "ret"})]
    assert list(GUARD.wrap_sync(chunks))[-1] == {"answer": {"a": "[word]"}}
    with pytest.raises(AdapterError, match=r"\$\.answer is neither a text nor a message"):
        list(GUARD.wrap_sync(chunks, unknown="refuse"))
    assert list(GUARD.wrap_sync(chunks, unknown="pass")) == chunks


def test_a_chain_that_runs_is_guarded() -> None:
    model = GenericFakeChatModel(messages=iter([AIMessage(TEXT) for _ in range(2)]))
    asked = RunnableLambda(str)
    chain = RunnableParallel(question=asked).assign(
        answer=asked | model | StrOutputParser(), message=asked | model
    )
    said = summed(list(GUARD.wrap_sync(chain.stream({}))))
    assert said["answer"] == said["message"].content == GUARDED
