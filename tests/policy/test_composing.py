"""The packs are the same, whichever way their YAML is read."""

from __future__ import annotations

import pytest

from guardstream.policy import composing, packs
from guardstream.policy.document import Document, read

pytestmark = pytest.mark.skipif(not composing.BUILT, reason="PyYAML is built without libyaml")

TEXT = """\
# every kind of scalar
version: 1
names: &names [no, yes, "on", 'it''s', 0o17, 1.5, ~, 2020-01-01]
again: *names
deep:
  - {a: "\\u00e9\\n", 我: plain}
  - |
    two
    lines
  - >-
    folded
    text
"""


def told(document: Document) -> object:
    """All that a document says, with where it stands."""
    inside = {path: document.inside(path, 1) for path in document.values}
    marks = {path: document.mark(path) for path in document.values}
    # As texts, since 1 and True are equal.
    return repr(document.value), document.problems, document.keys, document.values, inside, marks


@pytest.mark.parametrize("name", packs.names())
def test_a_pack_is_read_alike_in_both_ways(name: str) -> None:
    text = packs.pack(name).read_text("utf-8")
    assert len(composing.documents(text, lambda _, scalar: scalar)) == 1
    assert told(read(text, sound=True)) == told(read(text))


def test_the_places_of_a_pack_are_found_when_they_are_asked_for() -> None:
    sound = read(TEXT, sound=True)
    assert sound.has(("deep", 0, "我"))
    assert not any(map(sound.has, (("deep", 3), ("names", "yes"), ("version", 0), ("deep", 1, 0))))
    assert sound.mark(("deep", 1)) == (7, 5)


def test_a_text_is_read_alike_in_both_ways() -> None:
    assert told(read(TEXT, sound=True)) == told(read(TEXT))


@pytest.mark.parametrize("text", ["a: [", "", "a: 1\n---\nb: 2\n", "a: \x01"])
def test_what_is_not_one_sound_document_is_read_by_the_other(text: str) -> None:
    assert told(read(text, sound=True)) == told(read(text))
