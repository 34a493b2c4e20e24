"""Objects over several lines, as they are written for readers, among those on one line."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import pytest

from guardstream import AdapterError, Guard, Policy
from guardstream.framing.frames import FRAMES, Frame

POLICY = """
version: 1
rules: [{id: word, words: [secret], replacement: "*"}]
"""


def frames(data: bytes, size: int) -> list[Frame]:
    """The frames of lines of JSON that come in pieces of a size."""
    lines = FRAMES["ndjson"]()
    found = [
        frame for at in range(0, len(data), size) for frame in lines.feed(data[at : at + size])
    ]
    return found + list(lines.finish())


def drawn(random: Random, depth: int) -> Any:
    """A value of JSON, with marks of JSON in its strings."""
    kind = random.randrange(7 if depth else 5)
    if kind == 5:
        return [drawn(random, depth - 1) for _ in range(random.randrange(4))]
    if kind == 6:
        return {f'{n}}}"[': drawn(random, depth - 1) for n in range(random.randrange(4))}
    return (1.5, True, None, 'a { [ } ] : , " \\ \n é', "")[kind]


@pytest.mark.parametrize("seed", range(60))
def test_an_object_may_have_several_lines(seed: int) -> None:
    random = Random(seed)
    values = [{"a": drawn(random, 3), "b": drawn(random, 3)} for _ in range(3)]
    indents = random.choices((None, 0, 1, 4), k=3)
    texts = [
        json.dumps(value, indent=indent) for value, indent in zip(values, indents, strict=True)
    ]
    data = "".join(f"{text}\n" for text in texts).encode()
    for size in (1, 7, len(data)):
        found = frames(data, size)
        assert [frame.value for frame in found] == values
        assert b"".join(frame.raw for frame in found) == data


@pytest.mark.parametrize(
    "text",
    [
        '{\n  "a"\n  :\n 1\n ,\n\n "b": [\n1\n,2]\n}',
        '{"a": {\n}, "b": [\n]\n}',
        '{"items": [\n{"a": 1},\n{"a": 2}\n]}',
        '{\n"a": "}"\n}',
    ],
)
def test_lines_may_break_wherever_json_has_space(text: str) -> None:
    assert [frame.value for frame in frames(text.encode(), 3)] == [json.loads(text)]


@pytest.mark.parametrize(
    "text",
    [
        '{"a": 1',
        '{"a": [1,2}',
        '{"a": "b',
        '{"a": 1,',
        '{"a":',
        '{"a": {"b": 1}',
        '{"a": [1]',
        '{"a": tru',
        "{broken",
        '{\n"a": 1\n"b": 2',
        '{\n"a": [1,\n]',
        '{"a": 1} {"b": 2}',
    ],
)
def test_a_broken_line_does_not_take_those_after_it(text: str) -> None:
    lines = FRAMES["ndjson"]()
    with pytest.raises(AdapterError, match="a line in a stream of JSON is no JSON object"):
        list(lines.feed(text.encode() + 2 * b'\n{"b": 2}' + b"\n"))


def test_an_object_that_never_ends_is_a_fault() -> None:
    with pytest.raises(AdapterError, match="the stream ends inside of a JSON object"):
        frames(b'{\n "a": 1\n', 4)


@pytest.mark.parametrize("size", [1, 5, 1_000])
def test_an_answer_written_for_readers_is_guarded(size: int) -> None:
    said = {"parts": [{"text": "a secret."}], "role": "model"}
    answer = {"candidates": [{"content": said, "finishReason": "STOP", "index": 0}]}
    fault = {"error": {"code": 400, "message": "no secret.", "status": "INVALID_ARGUMENT"}}
    for value, shown in ((answer, "a ******."), (fault, "no ******.")):
        data = json.dumps(value, indent=2).encode()
        chunks = [data[at : at + size] for at in range(0, len(data), size)]
        sent = b"".join(Guard(Policy.parse(POLICY)).wrap_sync(chunks))
        assert json.loads(sent) == json.loads(data.replace(b"secret", b"******"))
        assert shown in sent.decode()


def test_strings_that_do_not_end_are_looked_at_once() -> None:
    line = b'{"a": "' + 300_000 * b'\\"' + b"\n"  # each quote would begin another look for the end
    with pytest.raises(AdapterError, match="no JSON object"):
        list(FRAMES["ndjson"]().feed(line))
