"""Events that are like an earlier one but for a string: read without parsing, guarded the same."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import pytest

from guardstream.formats.adapter import Piece, Reading, Released, Slot
from guardstream.framing.templates import Template, template
from tests.formats import responses
from tests.formats.chunks import chunk
from tests.laws.asked import EMPTY, GUARD, on_the_wire

VALUE = {"id": "1", "say": "so", "n": [1, None], "p": "pad"}


def made(padding: tuple[str, ...] = (), value: dict[str, Any] = VALUE) -> Template | None:
    def saying(text: str) -> dict[str, Any]:
        return {**value, "say": text}

    return template(json.dumps(value), value, value["say"], padding, saying)


@pytest.mark.parametrize(
    "text", ["so", 'a "b"', "a\\b", "\n", "\u9752", "\ud83d", "\U0001f600", "\u2028"]
)
@pytest.mark.parametrize("ascii_only", [False, True])
def test_a_text_is_read_and_written_as_json_would(text: str, ascii_only: bool) -> None:
    found = made()
    assert found is not None
    data = json.dumps({**VALUE, "say": text}, ensure_ascii=ascii_only)
    assert found.text(data) == text
    assert json.loads(found.with_text("new " + text, data)) == {**VALUE, "say": "new " + text}


@pytest.mark.parametrize(
    "data",
    [
        '{"id": "2", "say": "so", "n": [1, null], "p": "pad"}',
        '{"id": "1", "say": "so", "more": "x", "n": [1, null], "p": "pad"}',
        '{"id": "1", "say": "so", "say": "no", "n": [1, null], "p": "pad"}',
        '{"id": "1", "say": "so", "n": [1, null], "p": "pad"} ',
        '{"id": "1", "say": "s\\", "n": [1, null], "p": "pad"}',
        '{"id": "1", "say": "s\to", "n": [1, null], "p": "pad"}',
        '{"id": "1", "say": "", "n": [1, null], "p": "pad"}',
        '{"id": "1", "say": "so',
        "",
    ],
)
def test_other_data_is_not_like_it(data: str) -> None:
    found = made()
    assert found is not None
    assert found.text(data) is None


def test_padding_may_be_random_letters() -> None:
    found = made(("p", "q"))
    assert found is not None
    for pad in ("xK0q", "iKMrq", "a1", "ab", "", "abcdefgh", "abcdefghijklmnopqrstuvwxyzABC"):
        data = json.dumps({**VALUE, "say": "no", "p": pad})
        assert found.text(data) == "no"
        assert json.loads(found.with_text("x", data)) == {**VALUE, "say": "x", "p": pad}
    for pad in ("word", "Word", "WORD", "a word", "a-word", "w\u00f6rter", "a\\"):
        assert found.text(json.dumps({**VALUE, "say": "no", "p": pad})) is None
    assert found.text(json.dumps({**VALUE, "say": "no", "p": 5})) is None
    assert found.text('"') is None


def test_a_text_that_stands_twice_makes_no_template() -> None:
    assert made(value={"id": "so", "say": "so"}) is None
    assert made(("p",), {"p": "so", "say": "so"}) is None
    assert made(("p", "q"), {"p": "pad", "say": "so", "q": "pad"}) is None


def test_padding_stands_anywhere_and_may_be_a_number() -> None:
    value = {"p": "pad", "n": 7, "say": "so", "q": "qad", "m": [0], "at": 0}
    found = made(("p", "n", "q", "at"), value)
    assert found is not None
    for text in ('a "b"', "x"):
        data = json.dumps({**value, "p": "", "n": -120, "say": text, "q": "q", "at": 1763706497})
        assert found.text(data) == text
        other = {"p": "", "n": -120, "say": "new", "q": "q", "m": [0], "at": 1763706497}
        assert json.loads(found.with_text("new", data)) == other
    data = json.dumps(value)
    for number in ('"7"', "7.5", "07", "7e3", "null", "[7]", "", "-"):
        assert found.text(data.replace("7", number, 1)) is None
    assert found.text(data.replace('"q": "qad"', '"q": 5')) is None
    assert found.text(data.replace("[0]", "[1]")) is None
    assert made(("n",), {"say": "so", "n": 7, "m": {"n": 7}}) is None


def test_bytes_say_what_chunks_say() -> None:
    chance = Random(3)
    pieces = [
        "a ",
        "sec",
        "ret",
        " no",
        "so ",
        '"',
        "\\",
        "\n",
        "\u9752",
        "secret",
        "forbid",
        "den ",
    ]
    for number in range(150):
        texts = chance.choices(pieces[: 10 if number % 2 else 12], k=12)
        source = []
        for text in texts:
            made = chunk({"content": text})
            if number % 3 == 0:
                made["obfuscation"] = "".join(chance.choices("abc123", k=5))
            if number % 7 == 0:
                made["created"] = chance.randrange(9)
            if chance.random() < 0.2:
                made["system_fingerprint"] = chance.choice("ab")
            if chance.random() < 0.1:
                made["note"] = chance.choice(["so", "a secret"])
            source.append(made)
        source.append(chunk(finish="stop"))
        compact = (",", ":") if number % 5 else (", ", ": ")
        events = b"".join(
            b"data: "
            + json.dumps(each, separators=compact, ensure_ascii=bool(number % 4)).encode()
            + b"\n\n"
            for each in source
        )
        assert on_the_wire(events, EMPTY) == events
        out = on_the_wire(events, GUARD, range(0, len(events), 7))
        found = [
            json.loads(line[6:])
            for line in out.split(b"\n\n")
            if line not in (b"", b"data: [DONE]")
        ]
        assert list(map(unpadded, found)) == list(map(unpadded, GUARD.wrap_sync(source)))


@pytest.mark.parametrize("end", ["", "forbidden", "enough"])
def test_running_numbers_run_on_where_events_are_not_parsed(end: str) -> None:
    chance = Random(7)
    for _ in range(40):
        last = chance.choice([" so", " sec"])
        texts = [*chance.choices(["a ", "sec", "ret", " no", "so ", "forbid"], k=12), *end, last]
        source = responses.stream(responses.text(*texts))
        for number, event in enumerate(source):
            event["sequence_number"] = 3 * number
            if chance.random() < 0.7:
                event["obfuscation"] = "x" * chance.randrange(4)
        events = b"".join(
            b"event: %b\ndata: %b\n\n" % (event["type"].encode(), json.dumps(event).encode())
            for event in source
        )
        assert on_the_wire(events, EMPTY) == events
        out = on_the_wire(events, GUARD, range(0, len(events), 11)).split(b"\n")
        found = [json.loads(line[6:]) for line in out if line.startswith(b"data: ")]
        assert list(map(unpadded, found)) == list(map(unpadded, GUARD.wrap_sync(source)))


def unpadded(event: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in event.items() if name != "obfuscation"}


class Plain:
    """An adapter that says of its chunks that they say one text, and compares none."""

    repeats = False

    @staticmethod
    def accepts(chunk: object) -> bool:
        return isinstance(chunk, dict)

    def read(self, chunk: Any) -> Reading:
        return Reading([Piece(Slot(0, "text", "say"), chunk["say"])], (0,), only_text=True)

    def write(self, chunk: Any, texts: Any, *, ends: bool = True) -> Any:  # noqa: ARG002
        return {**chunk, "say": texts[0]}

    def extra(self, chunk: Any, slot: Slot, text: str, released: Released) -> list[Any]:  # noqa: ARG002
        return [{"say": text}]

    def end(self, chunk: Any, choice: int, reason: str, released: Released) -> list[Any]:  # noqa: ARG002
        return []


def test_an_adapter_that_compares_nothing_needs_no_more() -> None:
    source = b"".join(b'data: {"say": "%b"}\n\n' % text for text in (b"a sec", b"ret", b" so"))
    out = on_the_wire(source, GUARD, format=Plain())
    assert (
        "".join(json.loads(line[6:])["say"] for line in out.splitlines() if line) == "a ###### so"
    )
