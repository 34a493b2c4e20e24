"""`guardstream json`: a JSON line for each file; exit 0 all valid, 3 not all, 2 bad input."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from guardstream.cli import main
from tests.support.command_line import guardstream

SCHEMA = '{\n  "type": "object",\n  "properties": {"id": {"type": "integer"}}\n}'


class Outcome(NamedTuple):
    """The exit status, the verdicts, and what went to stderr."""

    status: int
    verdicts: list[dict[str, Any]]
    err: str


Cli = Callable[..., Outcome]


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Cli:
    """Run the command line in this process, in an empty directory."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str, stdin: bytes = b"") -> Outcome:
        status, out, err = guardstream("json", *arguments, stdin=stdin)
        return Outcome(status, [json.loads(line) for line in out.splitlines()], err)

    return call


def verdict(offset: int, line: int, column: int, pointer: str, message: str) -> dict[str, Any]:
    place = {"offset": offset, "line": line, "column": column, "pointer": pointer}
    return {"valid": False, **place, "message": message}


VALID = {"valid": True, **dict.fromkeys(("offset", "line", "column", "pointer", "message"))}


def test_a_valid_document_is_read_from_standard_input(cli: Cli) -> None:
    assert cli(stdin=b'{"a": [1]}\n') == Outcome(0, [VALID], "")


@pytest.mark.parametrize("chunk", [[], ["--chunk", "1"], ["--chunk", "3"]])
@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b'{"a":\n [1, x]}', verdict(11, 2, 6, "/a/1", "expected a value")),
        (b"[1,", verdict(3, 1, 4, "/1", "unexpected end of text")),
        (b"", verdict(0, 1, 1, "", "unexpected end of text")),
        (b"[1] 2", verdict(4, 1, 5, "", "unexpected text after the document")),
        (b'{"a": 1, "a"', verdict(11, 1, 12, "", "the object repeats a key")),
        (b'["\xc3\xa9\n\xff"]', verdict(3, 1, 4, "/0", "control character in a string")),
        (b'[\n"\xc3\xa9\xff"]', verdict(4, 2, 3, "/0", "not valid UTF-8")),
        (b'["\xe2\x82', verdict(2, 1, 3, "/0", "not valid UTF-8")),
        (b"\xff", verdict(0, 1, 1, "", "not valid UTF-8")),
        (b"[1]\xff", verdict(3, 1, 4, "", "not valid UTF-8")),
        (b"\xef\xbb\xbf[x", verdict(2, 1, 3, "/0", "expected a value")),
    ],
)
def test_the_first_mistake_is_named(cli: Cli, chunk: list[str], data: bytes, found: Any) -> None:
    assert cli(*chunk, stdin=data) == Outcome(3, [found], "")


def test_a_byte_order_mark_is_ignored(cli: Cli) -> None:
    assert cli(stdin=b"\xef\xbb\xbf[1]").status == 0


def test_keys_may_be_named_twice_on_request(cli: Cli) -> None:
    assert cli("--duplicates", stdin=b'{"a": 1, "a": 2}').status == 0


def test_depth_is_refused_and_no_recursion_error(cli: Cli) -> None:
    found = cli(stdin=b"[" * 100_000).verdicts[0]
    assert (found["offset"], found["message"]) == (128, "the document is nested too deeply")


def test_several_files_are_named_in_order(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "b.json").write_text("[1")
    (tmp_path / "a.json").write_text("[1]")
    status, verdicts, _ = cli("b.json", "a.json", "-", stdin=b"1")
    assert status == 3
    assert [each["file"] for each in verdicts] == ["b.json", "a.json", "-"]
    assert [each["valid"] for each in verdicts] == [False, True, True]


def test_a_schema_is_checked_too(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "s.json").write_text(SCHEMA)
    found = verdict(7, 1, 8, "/id", "the schema's 'type' does not allow this")
    assert cli("--schema", "s.json", stdin=b'{"id": "x"}') == Outcome(3, [found], "")
    assert cli("--schema", "s.json", stdin=b'{"id": 7}') == Outcome(0, [VALID], "")


def test_the_draft_and_formats_may_be_given(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "s.json").write_text('{"minimum": 3, "exclusiveMinimum": true, "format": "date"}')
    assert cli("--schema", "s.json", stdin=b"3").status == 3  # draft-04 is the one that allows it
    assert cli("--schema", "s.json", "--draft", "2020-12", stdin=b"4").status == 2
    assert cli("--schema", "s.json", "--draft", "draft-04", stdin=b"4").status == 0
    assert cli("--schema", "s.json", "--draft", "draft-04", stdin=b"3").status == 3
    assert cli("--schema", "s.json", "--draft", "draft-04", stdin=b'"x"').status == 0
    options = ("--schema", "s.json", "--draft", "draft-04", "--formats")
    assert cli(*options, stdin=b'"x"').status == 3
    assert cli("--draft", "draft-4", "--schema", "s.json").err.endswith("openapi-3.0\n")
    assert "no effect without --schema" in cli("--formats", stdin=b"1").err


def test_a_misspelt_keyword_of_a_schema_is_a_warning(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "s.json").write_text('{"type": "object",\n "propertys": {}}')
    found = cli("--schema", "s.json", stdin=b"{}")
    assert (found.status, found.verdicts) == (0, [VALID])
    assert found.err.startswith("s.json:2:2: warning: 'propertys' is not a keyword")


def test_a_schema_may_refer_to_others_by_their_identifiers(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "order.json").write_text('{"$ref": "https://example.com/money"}')
    (tmp_path / "money.json").write_text(
        '{"$id": "https://example.com/money", "properties": {"cents": {"$ref": "/whole"}}}'
    )
    (tmp_path / "whole.json").write_text('{"$id": "https://example.com/whole", "type": "integer"}')
    others = ("--schemas", "money.json", "--schemas", "whole.json")
    assert cli("--schema", "order.json", *others, stdin=b'{"cents": 7}') == Outcome(0, [VALID], "")
    found = verdict(10, 1, 11, "/cents", "the schema's 'type' does not allow this")
    assert cli("--schema", "order.json", *others, stdin=b'{"cents": "7"}').verdicts == [found]
    alone = cli("--schema", "order.json", *others[:2], stdin=b"{}")
    assert alone.status == 2
    assert "https://example.com/money#/properties/cents: reference '/whole'" in alone.err


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        (
            SCHEMA.replace("integer", "int"),
            "s.json:3:33: /properties/id/type: not a valid schema: ",
        ),
        (SCHEMA.replace("]", "").replace("}\n", "\n"), "s.json:4:"),
        ("[1]", "s.json:1:1: a schema is an object, true or false"),
        ('{"$ref": "#/$defs/x"}', "s.json:1:"),
    ],
)
def test_a_bad_schema_is_bad_input_with_its_place(
    cli: Cli, tmp_path: Path, schema: str, message: str
) -> None:
    (tmp_path / "s.json").write_text(schema)
    status, verdicts, err = cli("--schema", "s.json", stdin=b"1")
    assert (status, verdicts) == (2, [])
    assert err.startswith(message)
    assert "Traceback" not in err


def test_a_missing_file_is_bad_input_and_the_others_are_judged(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("[1")
    status, verdicts, err = cli("no.json", "a.json")
    assert (status, [each["file"] for each in verdicts]) == (2, ["a.json"])
    assert err == "no.json: cannot be read: no such file or directory\n"


def test_a_missing_schema_is_bad_input(cli: Cli) -> None:
    status, _, err = cli("--schema", "no.json", stdin=b"1")
    assert (status, err) == (2, "no.json:1:1: cannot be read: no such file or directory\n")


def test_closed_standard_input_is_bad_input(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["guardstream", "json"])
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 2
    assert capsys.readouterr().err == "standard input is closed\n"


def test_almost_json_is_mended_and_printed(cli: Cli) -> None:
    found = cli("--repair", "usual", stdin=b"{a: 'b', /* c */}")
    (said,) = found.verdicts
    assert (found.status, said["valid"], json.loads(said["json"])) == (0, True, {"a": "b"})
    kinds = ["unquoted_keys", "single_quotes", "trailing_commas", "comments"]
    assert [each["kind"] for each in said["repairs"]] == kinds
    assert [each["offset"] for each in said["repairs"]] == [1, 4, 7, 9]


def test_only_the_kinds_that_are_named_are_mended(cli: Cli) -> None:
    found = cli("--repair", "comments,truncated", stdin=b"[1, 'a'")
    assert (found.status, found.verdicts[0]["json"]) == (3, None)
    assert found.verdicts[0]["offset"] == 4
    assert "'commas'" in cli("--repair", "commas").err


def test_lines_are_documents_of_their_own(cli: Cli) -> None:
    text = b'{"a": 1}\n\n[1,]\r\n"b"\n'
    found = cli("--lines", stdin=text)
    assert [(each["line"], each["valid"]) for each in found.verdicts] == [
        (1, True),
        (3, False),
        (4, True),
    ]
    assert (found.status, found.verdicts[1]["offset"]) == (3, 3)
    fast = cli("--lines", "--fail-fast", "--summary", stdin=text)
    assert fast.verdicts[-1] == {"summary": {"valid": 1, "invalid": 1, "unreadable": 0}}
    assert len(fast.verdicts) == 3


def test_all_files_are_read_unless_asked(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("[")
    (tmp_path / "b.json").write_text("[]")
    files = "a.json", "missing.json", "b.json"
    assert len(cli(*files).verdicts) == 2
    assert len(cli("--fail-fast", *files).verdicts) == 1
    found = cli("--all", "--summary", *files)
    assert found.verdicts[-1] == {"summary": {"valid": 1, "invalid": 1, "unreadable": 1}}
    assert found.status == 2


def test_lines_that_are_read_as_one_document_get_a_hint(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"id": 1}\n{"id": 2}\n')
    assert cli("a.jsonl").err == "a.jsonl: if each line is a document, pass --lines\n"
    assert not cli("--lines", "a.jsonl").err
