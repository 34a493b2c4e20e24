"""What counts as a document in prose and code fences, as docs/json-details.md has it."""

from __future__ import annotations

import random

import pytest

from guardstream.jsonstream.document import Document
from guardstream.jsonstream.documents import Documents, Mark, Part, Prose
from guardstream.jsonstream.lexer.lexer import Limits
from guardstream.jsonstream.repaired import DocumentOptions
from guardstream.jsonstream.schema.schema import Schema
from tests.jsonstream.corpora import cuttings
from tests.support.effort import lines_executed

NAMES = {Prose: "prose", Mark: "mark", Part: "json"}


def divide(chunks, fences):
    """The pieces as (kind, text), joined, and `!` where a document is wrong."""
    finder = Documents(DocumentOptions(), fences)
    found = []
    feeds = [lambda chunk=chunk: finder.feed(chunk) for chunk in chunks]
    for feed in [*feeds, finder.finish]:
        for piece in feed():
            name = NAMES[type(piece)]
            if found and found[-1][0] == name:
                found[-1] = (name, found[-1][1] + piece.text)
            elif piece.text:
                found.append((name, piece.text))
            if isinstance(piece, Part) and piece.document.error:
                return [*found, "!"]
    return found


TABLE = [
    # Prose, not JSON.
    ("strip", "see [1]", [("prose", "see [1]")]),
    ("strip", "{Note: x}", [("prose", "{Note: x}")]),
    ("strip", "- [ ] todo, [[link]]", [("prose", "- [ ] todo, [[link]]")]),
    ("strip", "42", [("prose", "42")]),
    # JSON in prose.
    ("strip", 'So {"a": 1}!', [("prose", "So "), ("json", '{"a": 1}'), ("prose", "!")]),
    ("strip", '[{ "a": 1}]', [("json", '[{ "a": 1}]')]),
    ("strip", '{"a": oops}', [("json", '{"a": '), "!"]),
    ("require", 'So {"a": 1}!', [("prose", 'So {"a": 1}!')]),
    ("strip", "[1] see", [("json", "[1]"), ("prose", " see")]),
    ("strip", '["cut', [("json", '["cut'), "!"]),
    ("strip", '["\\d"]', [("json", '["\\'), "!"]),
    ("strip", 'So ["cut', [("prose", 'So ["cut')]),
    ("strip", ' [null, {"a": 1}]', [("prose", " "), ("json", '[null, {"a": 1}]')]),
    ("strip", 'So [null, {"a": 1}]', [("prose", "So [null, "), ("json", '{"a": 1}'),
                                      ("prose", "]")]),
    ("strip", 'Result: {"a": 1}', [("prose", "Result: "), ("json", '{"a": 1}')]),
    ("strip", 'So [{"a": 1}]', [("prose", "So "), ("json", '[{"a": 1}]')]),
    # Braces and brackets of prose.
    ("strip", 'a set {"x", "y"} and {"z"}', [("prose", 'a set {"x", "y"} and {"z"}')]),
    ("strip", "f() { return {}; } [a](b) <i>", [("prose", "f() { return {}; } [a](b) <i>")]),
    # Thoughts.
    (
        "strip",
        '<think>{"a": x} [1]</thin</think>\n{"b": 1}',
        [("prose", '<think>{"a": x} [1]</thin</think>\n'), ("json", '{"b": 1}')],
    ),
    ("strip", "<think>no</think>[1]", [("prose", "<think>no</think>"), ("json", "[1]")]),
    ("strip", '<think>{"a": 1}', [("prose", '<think>{"a": 1}')]),
    ("strip", '<thin {"a": 1}', [("prose", "<thin "), ("json", '{"a": 1}')]),
    # Fences of other names, and text in them.
    ("strip", "```json5\n[1, 2]\n```", [("mark", "```json5\n"), ("json", "[1, 2]"),
                                         ("mark", "\n```")]),
    ("require", "```js\nf({ a: 1 }, [1, 2])\n```", [("mark", "```js\n"), ("prose", "f({ a: 1 }, "),
                                                    ("json", "[1, 2]"), ("prose", ")\n"),
                                                    ("mark", "```")]),
    ("strip", '```\nResult: {"a": 1}\n```', [("mark", "```\n"), ("prose", "Result: "),
                                             ("json", '{"a": 1}'), ("prose", "\n"),
                                             ("mark", "```")]),
    # Fences.
    (
        "strip",
        'Hi\n```json\n{"a": "```"}\n```\nbye',
        [("prose", "Hi\n"), ("mark", "```json\n"), ("json", '{"a": "```"}'),
         ("mark", "\n```\n"), ("prose", "bye")],
    ),
    ("require", "```json\n42\n```", [("mark", "```json\n"), ("json", "42"), ("mark", "\n```")]),
    ("strip", '```json\n{"a": 1}', [("mark", "```json\n"), ("json", '{"a": 1}')]),
    ("strip", '```json\n{"a": ', [("mark", "```json\n"), ("json", '{"a": '), "!"]),
    ("strip", "```\n[1]\n```", [("mark", "```\n"), ("json", "[1]"), ("mark", "\n```")]),
    ("strip", "~~~~ JSON\n1\n~~~~", [("mark", "~~~~ JSON\n"), ("json", "1"), ("mark", "\n~~~~")]),
    (
        "strip",
        '```python\nx = {"a": 1}\n```\n',
        [("mark", "```python\n"), ("prose", "x = "), ("json", '{"a": 1}'), ("prose", "\n"),
         ("mark", "```\n")],
    ),
    ("strip", "``not`` a ` fence", [("prose", "``not`` a ` fence")]),
    ("strip", '```json\n{"a": 1}\nx\n```', [("mark", "```json\n"), ("json", '{"a": 1}'),
                                            ("mark", "\n"), "!"]),
    # A fence after other text on its line.
    (
        "require",
        "Here it is: ```JSON\n{}\n```\nbye",
        [("prose", "Here it is: "), ("mark", "```JSON\n"), ("json", "{}"),
         ("mark", "\n```\n"), ("prose", "bye")],
    ),
    ("require", "Write ```json\nand [1]", [("prose", "Write "), ("mark", "```json\n"),
                                          ("prose", "and "), ("json", "[1]")]),
    ("require", "a " + "`" * 300 + "json\n{}", [("prose", "a " + "`" * 256),
                                              ("mark", "`" * 44 + "json\n"), ("json", "{}")]),
    ("require", "- a\n\n      ```json\n      {}\n      ```\n", [
        ("prose", "- a\n\n      "), ("mark", "```json\n      "), ("json", "{}"),
        ("mark", "\n      ```\n")]),
    ("require", "a ```json` ``js\n{} ```j", [("prose", "a ```json` ``js\n{} ```j")]),
    # The whole text is JSON.
    (None, "[1] see", [("json", "[1]"), ("mark", " "), "!"]),
    (None, " 42 ", [("mark", " "), ("json", "42"), ("mark", " ")]),
    (None, '{"a": 1}\n{"b": 2}', [("json", '{"a": 1}'), ("mark", "\n"), ("json", '{"b": 2}')]),
    (None, "\ufeff[]", [("mark", "\ufeff"), ("json", "[]")]),
    (None, "[]\ufeff", [("json", "[]"), "!"]),
    (None, "```json\n1\n```", ["!"]),
    ("strip", "\ufeff```json\n1", [("mark", "\ufeff```json\n"), ("json", "1")]),
]  # fmt: skip


@pytest.mark.parametrize(("fences", "text", "expected"), TABLE)
def test_a_text_is_divided_as_documented(fences, text, expected):
    for chunks in cuttings(text, random.Random(len(text))):
        assert divide(chunks, fences) == expected


ROWS = {"items": {"properties": {"id": {"type": "integer"}}, "type": "object"}, "type": "array"}


@pytest.mark.parametrize(
    ("schema", "text", "expected"),
    [
        (ROWS, 'see [1]: [{"id": 1}]', '[{"id": 1}]'),
        (ROWS, 'so [{"id": "x"}]', '[{"id": '),
        ({"items": {"type": "integer"}}, "so [1, 2].", "[1, 2]"),
        ({"type": "object"}, 'so [1, {"a": 1}].', '{"a": 1}'),
        ({"type": "object"}, "[1]", ""),
    ],
)
def test_an_array_in_prose_counts_where_the_schema_allows_it(schema, text, expected):
    checks = Schema(schema)
    for chunks in cuttings(text, random.Random(len(text))):
        finder = Documents(DocumentOptions(checks), "strip")
        pieces = [piece for chunk in chunks for piece in finder.feed(chunk)]
        pieces += finder.finish()
        assert "".join(each.text for each in pieces if isinstance(each, Part)) == expected


def test_what_waits_is_bounded():
    finder = Documents(DocumentOptions(), "strip")
    for chunk in ["[" * 10, " " * 10_000, "`" * 10_000, "\n```" + "x" * 10_000]:
        list(finder.feed(chunk))
        assert finder.held <= 256


@pytest.mark.parametrize("schema", [None, Schema({"type": "array"})])
def test_a_long_run_of_brackets_in_prose_takes_little_each(schema):
    finder = Documents(DocumentOptions(schema), "strip")
    run = 500 * "["
    assert lines_executed(lambda: list(finder.feed(run))) < 2_000 * len(run)


def test_errors_count_lines_through_the_whole_stream():
    finder = Documents(DocumentOptions(), None)
    parts = [*finder.feed('{"a":\n1}\n {'), *finder.feed("\n x")]
    error = parts[-1].document.error
    assert (error.offset, error.line, error.column) == (13, 4, 2)


def test_with_a_schema_no_limit_lets_a_document_nest_deeper_than_its_judges_read():
    document = Document(Schema({"uniqueItems": True}), Limits(depth=100_000))
    document.feed("[" * 100_000)
    assert (document.offset, document.error.reason) == (128, "the document is nested too deeply")
