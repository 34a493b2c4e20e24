"""Text after a finish reason: the rest of a match that began before it does not get out."""

from __future__ import annotations

from typing import Any

import pytest

from guardstream import Guard, Policy
from tests.providers.chunks import accumulate, chunk, whole

POLICY = """
rules:
  - {id: bird, words: [blue bird], replacement: "[bird]"}
  - {id: fish, words: [red fish], action: block}
  - {id: seen, words: [white crow], action: monitor}
"""


def through(*texts: str, cut: int = 100, more: str = "") -> tuple[str, Any]:
    """What is said of texts with a finish reason between them, and the stream.

    `more` is added to the policy.
    """
    source: list[dict[str, Any]] = []
    for text in texts:
        source += [chunk({"content": text[at : at + cut]}) for at in range(0, len(text), cut)]
        source.append(chunk(finish="stop"))
    stream = Guard(Policy.parse(POLICY + more)).wrap_sync(source)
    return accumulate(list(stream)).get((0, "content"), ""), stream


@pytest.mark.parametrize("cut", [1, 3, 100])
def test_the_rest_of_a_match_is_masked(cut: int) -> None:
    said, stream = through("the blue ", "bird sings", cut=cut)
    assert said == "the blue [bird] sings"
    assert [(found.start, found.end) for found in stream.findings] == [(0, 4)]


@pytest.mark.parametrize("cut", [1, 3, 100])
def test_a_match_over_several_ends_is_masked(cut: int) -> None:
    said, stream = through("the b", "lue", "", " b", "ird sings", " blue", " b", "oat", cut=cut)
    assert said == "the b[bird] sings blue boat"  # no end is believed after one that was wrong
    assert [found.rule for found in stream.findings] == ["bird"]


@pytest.mark.parametrize("cut", [1, 3, 100])
def test_the_rest_of_a_match_blocks(cut: int) -> None:
    said, stream = through("a red ", "fish swims", cut=cut)
    assert "fish" not in said
    assert stream.blocked_by == "fish"


@pytest.mark.parametrize("cut", [1, 3, 100])
def test_what_is_no_match_is_said_once(cut: int) -> None:
    for texts in (("the blue ", "sea"), ("blue", " blue ", "blue bi", "g"), ("so", "on")):
        said, stream = through(*texts, cut=cut)
        assert (said, list(stream.findings)) == ("".join(texts), [])


def test_a_match_after_the_end_counts_from_there() -> None:
    said, stream = through("the blue ", "sky, blue bird")
    assert said == "the blue sky, [bird]"
    assert [(found.start, found.end) for found in stream.findings] == [(5, 14)]


@pytest.mark.parametrize("cut", [1, 3, 100])
def test_a_sentence_whose_beginning_went_out_is_not_said_again_with_its_mask(cut: int) -> None:
    said, _ = through("the blue ", "bird sings.", cut=cut, more="limits: {release: sentence}")
    assert said == "the blue [bird] sings."


@pytest.mark.parametrize("cut", [1, 3, 100])
@pytest.mark.parametrize("mask", ["", "key", "ke"])
@pytest.mark.parametrize("after", ["keep", "key", "eye", " key"])
def test_what_follows_a_match_over_the_end_is_said_even_if_it_begins_like_it(
    cut: int, mask: str, after: str
) -> None:
    more = f"  - {{id: key, pattern: keystone, replacement: '{mask}'}}"
    said, _ = through("a key", f"stone{after}", cut=cut, more=more)
    assert said == f"a key{mask}{after}"


@pytest.mark.parametrize("cut", [1, 3, 100])
def test_a_block_by_what_another_rule_held_names_its_own_rule(cut: int) -> None:
    more = (
        "  - {id: mail, pattern: '[a-z]+@[a-z]+[.]com'}\n  - {id: no, words: [bad], action: block}"
    )
    said, stream = through("to a@b.combad", " day", cut=cut, more=more)
    assert (said, stream.blocked_by) == ("to [mail]bad", "no")
    assert [(found.rule, found.start, found.end) for found in stream.findings] == [
        ("mail", 3, 10),
        ("no", 0, 0),
    ]


def test_choices_do_not_go_on_with_each_other() -> None:
    def say(choice: int, text: str, finish: str | None = None) -> dict[str, Any]:
        return whole([{"index": choice, "delta": {"content": text}, "finish_reason": finish}])

    stream = Guard(Policy.parse(POLICY)).wrap_sync([say(0, "the blue ", "stop"), say(1, "bird")])
    assert accumulate(list(stream)) == {(0, "content"): "the blue ", (1, "content"): "bird"}


def test_arguments_after_others_that_were_cut_are_read_as_json() -> None:
    def call(arguments: str) -> dict[str, Any]:
        calls = [{"index": 0, "function": {"arguments": arguments}}]
        return chunk({"tool_calls": calls}, finish="tool_calls")

    source = [call('{"q": "blue'), call('{"q": "blue\\u0020bird"}')]
    out = list(Guard(Policy.parse(POLICY)).wrap_sync(source))
    assert out[1]["choices"][0]["delta"]["tool_calls"][0]["function"]["arguments"] == (
        '{"q": "[bird]"}'
    )
