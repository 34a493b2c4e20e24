"""Chunks of several choices and channels: each slot's text is what `check` gives, however cut."""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator, Sequence
from random import Random
from typing import Any, ClassVar

import pytest

from guardstream import Guard, Policy
from guardstream.errors import AdapterError
from guardstream.formats import OpenAIChat
from guardstream.formats.adapter import Reading

MASKING = Guard(
    Policy.parse(
        r"""
rules:
  - {id: word, words: [abba, ab], replacement: "[w]"}
  - {id: long, pattern: 'c+d', replacement: "*"}
"""
    )
)
STOPPING = Guard(
    Policy.parse(
        """
limits: {stop: [END]}
rules: [{id: word, words: [abba], replacement: "#"}]
"""
    )
)
BLOCKING = Guard(
    Policy.parse(
        """
block_message: "no"
rules: [{id: word, words: [abba], replacement: "#"}, {id: bad, words: [bad], action: block}]
"""
    )
)

Key = tuple[int, str]
FIELDS = {"content": "text", "reasoning_content": "thinking", "refusal": "refusal"}


def texts(chance: Random, choices: int, alphabet: str = "abcd ") -> dict[Key, str]:
    """Random texts for some fields of some choices."""
    keys = [(choice, field) for choice in range(choices) for field in FIELDS]
    chosen = chance.sample(keys, chance.randrange(1, len(keys) + 1))
    return {key: "".join(chance.choices(alphabet, k=chance.randrange(1, 30))) for key in chosen}


def stream(chance: Random, given: dict[Key, str]) -> list[dict[str, Any]]:
    """Chunks that say these texts, in pieces that take turns; each choice then ends."""
    rest = {key: text for key, text in given.items() if text}
    choices = sorted({choice for choice, _ in given})
    chunks = [chunk(choice, {"role": "assistant"}) for choice in choices]
    while rest:
        choice, field = key = chance.choice(sorted(rest))
        size = chance.randrange(1, 6)
        chunks.append(chunk(choice, {field: rest[key][:size]}))
        rest[key] = rest[key][size:]
        if not rest[key]:
            del rest[key]
            if not any(other == choice for other, _ in rest):
                chunks.append(chunk(choice, {}, "stop"))
    return chunks


def chunk(choice: int, delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
    return {"id": "c", "choices": [{"index": choice, "delta": delta, "finish_reason": finish}]}


def said(chunks: Iterator[dict[str, Any]]) -> tuple[dict[Key, str], dict[int, list[str]]]:
    """The text of each field of each choice, and the finish reasons of each choice."""
    found: dict[Key, str] = defaultdict(str)
    reasons: dict[int, list[str]] = defaultdict(list)
    for each in chunks:
        for choice in each["choices"]:
            for field in FIELDS:
                found[choice["index"], field] += choice["delta"].get(field) or ""
            if choice["finish_reason"]:
                reasons[choice["index"]].append(choice["finish_reason"])
    return {key: text for key, text in found.items() if text}, dict(reasons)


@pytest.mark.parametrize("seed", range(300))
def test_every_slot_says_what_check_says(seed: int) -> None:
    chance = Random(seed)
    given = texts(chance, 3)
    source = stream(chance, given)
    before = copy.deepcopy(source)
    out = MASKING.wrap_sync(source)
    shown, reasons = said(out)
    assert shown == {
        key: MASKING.check(text, FIELDS[key[1]]).text
        for key, text in given.items()
        if MASKING.check(text, FIELDS[key[1]]).text
    }
    assert set(map(tuple, reasons.values())) == {("stop",)}
    assert source == before
    assert sorted(f.rule for f in out.findings) == sorted(
        f.rule for key, text in given.items() for f in MASKING.check(text, FIELDS[key[1]]).findings
    )


@pytest.mark.parametrize("seed", range(300))
def test_a_stop_ends_its_choice_alone(seed: int) -> None:
    chance = Random(seed)
    given = texts(chance, 3, "abEND ")
    place = chance.choice(sorted(given))
    given[place] += "END" + "rest"
    shown, reasons = said(STOPPING.wrap_sync(stream(chance, given)))
    for key, text in given.items():
        whole = STOPPING.check(text, FIELDS[key[1]])
        if len([other for other in given if other[0] == key[0]]) == 1:
            assert shown.get(key, "") == whole.text
        else:  # another field of the choice may have ended it
            ends = [STOPPING.check(text[:end], FIELDS[key[1]]).text for end in range(len(text) + 1)]
            assert shown.get(key, "") in ends
        assert "END" not in shown.get(key, "")
    assert all(ends == ["stop"] for ends in reasons.values())
    assert set(reasons) == {choice for choice, _ in given}


@pytest.mark.parametrize("seed", range(300))
def test_a_block_ends_every_choice_once_and_shows_nothing_of_it(seed: int) -> None:
    chance = Random(seed)
    given = texts(chance, 3, "abd ")
    given[chance.choice(sorted(given))] += " bad "
    out = BLOCKING.wrap_sync(stream(chance, given))
    shown, reasons = said(out)
    assert out.finish == "content_filter"
    assert all(len(ends) == 1 for ends in reasons.values())
    assert "content_filter" in [ends[0] for ends in reasons.values()]
    for (choice, field), text in shown.items():
        whole = BLOCKING.check(given.get((choice, field), ""), FIELDS[field]).text
        assert whole.startswith(text.removesuffix("no").removesuffix(" ")) or whole == text
        assert "bad" not in text.split()


class OnlyText(OpenAIChat):
    """Says of chunks with nothing but `content` that they are text alone; notes what it writes."""

    wrote: ClassVar[list[list[str]]] = []

    def read(self, chunk: Any) -> Reading:
        (choice,) = chunk["choices"]
        alone = choice["delta"].keys() == {"content"} and not choice["finish_reason"]
        return super().read(chunk)._replace(only_text=alone)

    def write(self, chunk: Any, texts: Sequence[str], *, ends: bool = True) -> Any:
        self.wrote.append([*texts])
        return super().write(chunk, texts, ends=ends)


def test_a_chunk_of_text_that_is_held_is_not_written() -> None:
    source = [
        chunk(0, {"role": "assistant", "content": "ab"}),  # its role goes out without the text
        *(chunk(0, {"content": text}) for text in ("b", "a ", "b", "ab", "b", "a")),
        chunk(0, {}, "stop"),
    ]
    guard = Guard(Policy.parse("rules: [{id: word, words: [abba], replacement: '#'}]"))
    expected = list(guard.wrap_sync(source, format="openai_chat"))
    OnlyText.wrote.clear()
    assert list(guard.wrap_sync(source, format=OnlyText())) == expected
    assert OnlyText.wrote == [[""], ["#### "]]


class Silent(OnlyText):
    """Writes no chunk, whatever it is to say."""

    def write(self, chunk: Any, texts: Sequence[str], *, ends: bool = True) -> Any:  # noqa: ARG002
        return None


def test_an_adapter_that_writes_no_chunk_for_text_is_told_so() -> None:
    source = [chunk(0, {"content": text}) for text in ("so ", "abba ")]
    stream = STOPPING.wrap_sync(source, format=Silent())
    with pytest.raises(AdapterError, match="writes no chunk for text"):
        list(stream)
    assert (stream.finish, stream.result.text) == ("error", "so ")


class Failing(OpenAIChat):
    """Fails in one of its methods, each of which the stream below asks for something."""

    method = ""
    error: ClassVar[Exception] = KeyError("a secret")

    def __getattribute__(self, name: str) -> Any:
        if name == Failing.method:
            return self._fail
        return super().__getattribute__(name)

    def kept(self) -> None:
        return None

    def _fail(self, *_: Any, **__: Any) -> Any:
        raise self.error


@pytest.mark.parametrize("error", [KeyError("a secret"), AdapterError("no place for it")])
@pytest.mark.parametrize("method", ["alike", "read", "write", "extra", "end", "kept"])
def test_whatever_fails_in_an_adapter_its_stream_is_blocked(
    method: str, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Failing, "method", method)
    monkeypatch.setattr(Failing, "error", error)
    texts = ("a", "b", "b ", "abba ", "ab", "END" if method == "end" else "")
    stream = STOPPING.wrap_sync([chunk(0, {"content": each}) for each in texts], format=Failing())
    said = "no place" if isinstance(error, AdapterError) else "malformed"
    with pytest.raises(AdapterError, match=said):
        list(stream)
    assert stream.finish == "error"


@pytest.mark.anyio
async def test_the_answers_text_can_be_read_alone() -> None:
    async def source() -> AsyncIterator[dict[str, Any]]:
        yield chunk(0, {"role": "assistant", "reasoning_content": "hm"})
        for text in ("a b", "ad ab", "ba x"):
            yield chunk(0, {"content": text})
        yield chunk(0, {}, "stop")

    stream = MASKING.wrap(source())
    texts = [text async for text in stream.text_stream]
    assert "".join(texts) == stream.result.text == "a bad [w] x"
    assert all(texts)


def test_the_answers_text_can_be_read_alone_without_an_event_loop() -> None:
    given = [chunk(0, {"role": "assistant", "reasoning_content": "hm"})]
    given += [chunk(0, {"content": text}) for text in ("a b", "ad ab", "ba x")]
    stream = MASKING.wrap_sync([*given, chunk(0, {}, "stop")])
    texts = list(stream.text_stream)
    assert "".join(texts) == stream.result.text == "a bad [w] x"
    assert all(texts)
