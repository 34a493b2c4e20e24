"""Strings in unknown text that is JSON: what comes out is unchanged or masked however readers join
them."""

from __future__ import annotations

import gc
import json
import random
import re
from collections.abc import Sequence

import pytest

from guardstream import Guard, Policy
from guardstream.events import Event, Finish
from guardstream.stream.flows.checks import CachedCheck
from guardstream.stream.flows.nested.strings import strings
from guardstream.stream.flows.nested.values import Nested, Open, values_beside
from guardstream.stream.flows.unknown import UnknownTexts

GUARD = Guard(
    Policy.parse(
        """
rules:
  - {id: owl, words: [grey owl, greyowl], replacement: "*"}
  - {id: long, pattern: '[0-9]{9,12}'}
  - {id: seen, words: [red kite], action: monitor}
"""
    )
)


def guarded(values: Sequence[str], guard: Guard = GUARD) -> tuple[list[str], list[str]]:
    stream = guard.wrap_sync([{"note": value} for value in values])
    return [each["note"] for each in stream], [found.rule for found in stream.findings]


def test_what_is_no_json_has_no_strings() -> None:
    values = ['{"a" "b"}', "[1 2]", '["a",]', '{"a": 1, 2}', '["a"] so', '["a"}', '"so', '["\\x"]']
    assert [strings(value).values for value in values] == [()] * len(values)


def test_paths_do_not_grow_with_keys() -> None:
    value = json.dumps({"k" * 100_000: {"l" * 100_000: ["a", "b"]}})
    found = [each for each in strings(value).values if not each.is_key]
    assert len({each.path for each in found}) == 1
    assert all(len(each.path) + len(each.place) < 1000 for each in found)


def test_what_is_read_leaves_no_cycles() -> None:
    value = '[{"a": {"b": "c"}, "d": ["e"]}]' * 9
    gc.collect()
    gc.disable()
    try:
        assert strings(value).values
        assert gc.collect() == 0
    finally:
        gc.enable()


def test_json_that_nests_without_end_is_read() -> None:
    deep = '{"a": [' * 20_000 + r'"gre\u0079owl"' + "]}" * 20_000
    assert guarded([deep])[0] == [deep.replace(r"gre\u0079owl", "*******")]


def test_text_that_comes_again_is_not_read_again() -> None:
    checked = 0

    def check(text: str) -> list[Event]:
        nonlocal checked
        checked += len(text)
        session = GUARD.session()
        events = [*session.feed(text), *session.finish()]
        return [each for each in events if each != Finish("stop")]

    texts = UnknownTexts(CachedCheck(check), 64, lambda: False)
    value = json.dumps([{"id": f"id-{number}", "text": "so it goes"} for number in range(300)])
    for _ in range(3):
        texts.judge("$.note", value)
    before = checked
    texts.judge("$.note", value)
    assert checked - before < len(value) / 2


def test_what_is_cached_of_texts_with_findings_is_bounded() -> None:
    values = [f'["greyowl {number} {"so " * 9000}"]' for number in range(12)]
    shown, found = guarded([*values, *values])
    assert shown == [value.replace("greyowl", "*******") for value in [*values, *values]]
    assert found == ["owl"] * 24


FRAMES = {
    "events": "data: {}\n\n",
    "named": "event: so\r\ndata: {}\r\n\r\n",
    "lines": "{}\n",
    "list": "{},",
    "strings": "data: {}\n\n",
}


def framed(frame: str, pieces: Sequence[str], rng: random.Random) -> str:
    """Return pieces of a text as a server sends them, with any of their characters escaped."""
    escaped = [
        "".join(f"\\u{ord(each):04x}" if rng.random() < 0.3 else each for each in piece)
        for piece in pieces
    ]
    form = '"%s"' if frame == "strings" else '{"type":"so","d":[1,{"t":"%s"},[{}]],"index":0}'
    sent = "".join(FRAMES[frame].replace("{}", form % each, 1) for each in escaped)
    return f"[{sent[:-1]}]" if frame == "list" else sent


def said(text: str) -> str:
    """Return the strings in what a server sent, joined."""
    written = re.findall(r'(?:data: |"t":)("(?:[^"\\]|\\.)*")', text)
    return "".join(json.loads(each) for each in written)


@pytest.mark.parametrize("frame", FRAMES)
@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("sources", [1, 3])
def test_what_is_cut_anywhere_goes_on_in_the_next_value(
    frame: str, seed: int, sources: int
) -> None:
    rng = random.Random(seed)
    pieces = ["so gr", "e", "y", " owl so ", "a grey", " o", "wl \U0001f989", " so"]
    left: list[tuple[int, str]] = [(nr, framed(frame, pieces, rng)) for nr in range(sources)]
    most = rng.choice([1, 3, 10, 60, 400])
    chunks: list[dict[str, object]] = []
    while left:
        nr, text = left.pop(rng.randrange(len(left)))
        size = rng.randint(1, most)
        chunks.append({"source": nr, "part": text[:size]})
        if text[size:]:
            left.append((nr, text[size:]))
    out = ["" for _ in range(sources)]
    guard = Guard(Policy.parse("rules: [{id: owl, words: [grey owl]}]"))
    for chunk in guard.wrap_sync(chunks):
        out[int(str(chunk["source"]))] += str(chunk["part"])
    assert not any("grey owl" in said(each) for each in out)
    assert all(said(each).endswith(" so") for each in out)


def test_what_is_open_stays_short() -> None:
    long = '{"a": [' * 9 + ",".join(f'{{"k{nr}": "{"so " * 99}"}}' for nr in range(999))
    begun = ""
    for at in range(0, len(long), 50):
        begun = strings(long[at : at + 50], begun=begun).begun
        assert 0 < len(begun) < 500


def test_what_is_around_a_string_is_looked_at_only_as_far_as_it_matters() -> None:
    seen = 0

    class Around(Open):
        def __getattribute__(self, name: str) -> object:
            nonlocal seen
            seen += name == "around"
            return super().__getattribute__(name)

    around: Open | None = None
    for _ in range(1000):
        around = Around(around, None, 0)
    nested, other = (Nested(around, key, None, value=key) for key in "ab")
    assert [value for _, value in values_beside(nested, [other])] == ["b"]
    assert seen < 10
