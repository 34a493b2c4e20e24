"""A stream gives the same text, findings and violations however it is cut, errors included.

The texts are documents with mistakes in them, so that a syntax error often follows a violation of
the schema within one chunk.
"""

from __future__ import annotations

import pytest

from guardstream.events import Finish, Text
from guardstream.jsonstream.lexer.state import Limits
from guardstream.jsonstream.schema.schema import Schema
from guardstream.stages.json.structure import Settings, Structure
from tests.jsonstream.corpora import cut
from tests.support.json_cuts import Writer, run


@pytest.mark.parametrize("seed", range(8))
def test_how_a_stream_is_cut_never_matters(seed):
    writer = Writer(seed)
    for _ in range(400):
        text, settings = writer.text(), writer.settings()
        whole = run(settings, [text])
        assert isinstance(whole[1][-1][1], Finish)
        for chunks in (list(text), cut(text, writer.rng) if text else [""]):
            assert run(settings, chunks) == whole, (text, chunks, settings)


@pytest.mark.parametrize(
    ("text", "schema", "released", "place"),
    [
        # An escape that is none follows the violation.
        ('[1, "a", "\\q"]', {"items": {"type": "integer"}}, "[1, ", (4, 1, 5)),
        # What follows the violation does not fit any more.
        ('["a", "bb",\n"ccc",\n 1, 2, 3, 4]', {"maxItems": 2}, '["a", "bb"', (10, 1, 11)),
        ('{"a":\n{"b":\n[1,\n 2]}}', {"properties": {"a": {"type": "null"}}}, '{"a":\n', (6, 2, 1)),
    ],
)
def test_the_first_violation_is_the_only_one(text, schema, released, place):
    settings = Settings(schema=Schema(schema), limits=Limits(document=20))
    for chunks in ([text], list(text)):
        stage = Structure(settings)
        out = [event for chunk in chunks for event in stage.feed(chunk)]
        assert "".join(event.text for event in out if isinstance(event, Text)) == released
        (found,) = stage.violations
        assert (found.offset, found.line, found.column) == place
