"""What a person may type, redirect or close by mistake: one line that says what, where and how.

Every command that reads a policy is given every kind of file that is none, and so on for the other
files that commands read; then calls that do not fit, and outputs that cannot be written.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support.command_line import Cli, Outcome, guardstream

GOOD = 'rules: [{id: word, words: [secret], tests: [{input: secret, output: "[word]"}]}]\n'

DATA = '{"text": "a secret", "label": 1}\n'


class Wrong(NamedTuple):
    """What a file holds, and what is said of it."""

    content: bytes
    said: str


POLICIES = {
    "empty": Wrong(b"", "the policy is empty"),
    "comment": Wrong(b"# nothing\n", "the policy is empty"),
    "binary": Wrong(bytes(range(256)), "not valid UTF-8: save it as UTF-8"),
    "gbk": Wrong("name: 敏感词".encode("gbk"), "not valid UTF-8: save it as UTF-8"),
    "utf16": Wrong(GOOD.encode("utf-16"), "not valid UTF-8: save it as UTF-8"),
    "latin1": Wrong("name: café".encode("latin-1"), "not valid UTF-8: save it as UTF-8"),
    "control": Wrong(b"name: a\x01", "a control character that YAML does not allow"),
    "list": Wrong(b"- a\n- b\n", "the policy must be a mapping"),
    "text": Wrong(b"just words\n", "the policy must be a mapping"),
    "broken": Wrong(b"rules: [", "not valid YAML"),
    "tab": Wrong(b"rules:\n\t- {id: a}\n", "not valid YAML"),
    "unknown_key": Wrong(b"rulez: []\n", "did you mean 'rules'?"),
    "wrong_type": Wrong(b"max_holdback: many\n", "expected a whole number"),
    "wrong_word": Wrong(b"mode: shaddow\n", "did you mean 'shadow'?"),
    "twice": Wrong(b"rules: [{id: a, words: [x]}, {id: a, words: [y]}]", "duplicate rule id 'a'"),
    "nothing": Wrong(b"rules: [{id: a}]", "give it words or a pattern"),
    "pattern": Wrong(b"rules: [{id: a, pattern: 'a('}]", "rule 'a': "),
    "check": Wrong(b"rules: [{id: a, words: [x], validate: lunh}]", "did you mean 'luhn'?"),
    "gone": Wrong(b"extends: gone.yaml", "cannot extend 'gone.yaml'"),
    "pack": Wrong(b"extends: guardstream/chatt", "did you mean 'chat'?"),
    "itself": Wrong(b"extends: itself", "that would be a cycle"),
    "off": Wrong(b"rules: [{id: a, enabled: false}]", "to disable is inherited"),
    "words": Wrong(b"rules: [{id: a, words: {file: none.txt}}]", "no such file or directory"),
    "outside": Wrong(b"rules: [{id: a, words: {file: /etc/passwd}}]", "of the policy's folder"),
    "version": Wrong(b"version: 2", "expected 1"),
    "attempts": Wrong(b"retry: {attempts: none}", "expected a whole number"),
    "rate": Wrong(b"concurrency: {rate: fast}", "expected a number and a time, such as 10/s"),
    "nowhere": Wrong(b"audit: {fsync: true}", "records go nowhere: give 'path' or 'log'"),
    "secret": Wrong(
        b"serve: {upstream: {url: 'http://x', key: sk-1}}", "write the variable as ${NAME}"
    ),
    "dollar": Wrong(b"audit: {path: '${LOGS}/a'}", "is only for secrets"),
    "listen": Wrong(b"serve: {listen: here}", "expected an address and a port"),
    "base": Wrong(b"extends: has_retry.yaml", "'retry' only counts in the policy's own file"),
    "deep": Wrong(b"[" * 5000, "nested"),
}

PATHS = {
    "missing": "no such file or directory",
    "folder": "is a directory",
    "pipe": "not a regular file",
    "loop": "too many levels of symbolic links",
    "x" * 300: "file name too long",
    "empty/below": "not a directory",
}

ON_POLICIES = {
    "run": ("run", "{}"),
    "run --chunk": ("run", "{}", "--chunk", "1"),
    "lint": ("lint", "{}"),
    "test": ("test", "{}"),
    "explain": ("explain", "{}"),
    "explain --yaml": ("explain", "{}", "--yaml"),
    "explain --rule": ("explain", "{}", "--rule", "a"),
    "explain --text": ("explain", "{}", "--text", "a"),
    "eval": ("eval", "{}", "good.jsonl"),
    "diff before": ("diff", "{}", "good.yaml"),
    "diff after": ("diff", "good.yaml", "{}"),
    "diff dataset": ("diff", "good.yaml", "{}", "good.jsonl"),
    "demo": ("demo", "--policy", "{}"),
    "serve": ("serve", "--upstream", "http://127.0.0.1:1", "--port", "0", "--policy", "{}"),
}

DATASETS = {
    "binary": "not valid UTF-8: save it as UTF-8",
    "utf16": "not valid UTF-8: save it as UTF-8",
    "gbk": "not valid UTF-8: save it as UTF-8",
    "text": "not JSON",
    "unknown_key": "not JSON",
    "broken": "not JSON",
    "missing": "no such file or directory",
    "folder": "is a directory",
    "loop": "too many levels of symbolic links",
    "data_list": "a line needs an object with a 'text'",
    "data_label": "'label' must be 0 or 1",
    "data_span": "is empty or not within the text",
    "data_spans": "'spans' must be a list",
}

ON_DATASETS = {
    "eval": ("eval", "good.yaml", "{}"),
    "eval --json": ("eval", "good.yaml", "{}", "--json"),
    "diff": ("diff", "good.yaml", "good.yaml", "{}"),
}

MORE = {
    "has_retry.yaml": b"retry: {attempts: 2}",
    "no_key.yaml": b"serve: {upstream: {url: 'http://x', key: '${NO_SUCH_KEY}'}}",
    "gated.yaml": b"serve: {upstream: 'http://x'}\ngate: [{use: judge, options: "
    b"{format: llama_guard, model: m}}]\nvault: {}\n"
    b"input: {rules: [{id: e, pattern: 'e@x', reversible: true}]}",
    "by_user.yaml": b"serve: {upstream: 'http://x'}\n"
    b"concurrency: {by: user, per_key: {at_once: 1}}",
    "middle.yaml": b"serve: {upstream: 'http://x', routes: {/x: {heartbeat: 1s}}}",
    "no_log.yaml": b"serve: {upstream: 'http://x'}\naudit: {path: folder}",
    "not_allowed.yaml": b"gate: [{use: 'company:check'}]",
    "data_list": b"[]\n",
    "data_label": b'{"text": "x", "label": 7}\n',
    "data_span": b'{"text": "x", "spans": [[0, 9]]}\n',
    "data_spans": b'{"text": "x", "spans": 1}\n',
    "data_neither": b'{"text": "x"}\n',
}

CALLS = {
    (
        "run",
        "good.yaml",
        "good.jsonl",
        "--findings",
        "good.jsonl",
    ): "good.jsonl: is read or written as well",
    (
        "run",
        "good.yaml",
        "good.jsonl",
        "--findings",
        "good.yaml",
    ): "good.yaml: is read or written as well",
    (
        "run",
        "good.yaml",
        "good.jsonl",
        "--timeline",
        "./good.jsonl",
    ): "good.jsonl: is read or written as well",
    (
        "run",
        "good.yaml",
        "--findings",
        "new",
        "--timeline",
        "new",
    ): "new: is read or written as well",
    (
        "demo",
        "--policy",
        "good.yaml",
        "--timeline",
        "good.yaml",
    ): "good.yaml: is read or written as well",
    ("test", "good.yaml", "--junit", "good.yaml"): "good.yaml: is read or written as well",
    ("import", "good.yaml", "--output", "good.yaml"): "good.yaml: is read or written as well",
    ("report", "good.jsonl", "--html", "good.jsonl"): "good.jsonl: is read or written as well",
    ("bulk", "redact", "good.yaml", "good.jsonl", "good.yaml", "--overwrite"): (
        "good.yaml: is read or written as well"
    ),
    ("nosuch",): "no such command 'nosuch'",
    ("runn", "good.yaml"): "Did you mean 'run'?",
    ("--nosuch",): "no such option: --nosuch",
    ("run",): "missing argument 'POLICY'",
    ("run", "good.yaml", "--chunk", "0"): "'--chunk'",
    ("run", "good.yaml", "--chunk", "many"): "'--chunk'",
    ("run", "good.yaml", "--chunk"): "option '--chunk' requires an argument",
    ("run", "good.yaml", "a", "b"): "unexpected extra argument",
    ("run", "good.yaml", "missing"): "missing: cannot be read: no such file or directory",
    ("run", "good.yaml", "folder"): "folder: cannot be read: is a directory",
    ("run", "good.yaml", "binary"): "binary: byte 128 is not valid UTF-8",
    ("run", "good.yaml", "gbk"): "gbk: byte 6 is not valid UTF-8",
    ("run", "good.yaml", "--findings", "folder"): "folder: is a directory",
    ("run", "good.yaml", "--findings", "missing/x"): "missing/x: no such file or directory",
    ("run", ""): "the name of a policy is empty",
    ("run", "chat"): "did you mean the pack 'guardstream/chat'?",
    ("run", "guardstream/chatt"): "did you mean 'chat'?",
    ("run", "guardstream/../chat"): "no pack '../chat'",
    ("run", "good.yaml", "--allow-code", "os.system"): "write 'module:name', in full",
    ("test", "good.yaml", "--allow-code", "os:*"): "write 'module:name', in full",
    ("lint",): "missing argument 'POLICY",
    ("lint", "good.yaml", "--json", "--sarif"): "exclude each other",
    ("test",): "missing argument 'POLICY",
    ("test", "good.yaml", "--junit", "missing/x"): "missing/x: no such file or directory",
    ("test", "good.yaml", "--junit", "folder"): "folder: is a directory",
    ("explain",): "missing argument 'POLICY'",
    ("explain", "good.yaml", "--rule", "wrod"): "did you mean 'word'?",
    ("explain", "good.yaml", "--text", "x", "--channel", "txt"): "did you mean 'text'?",
    ("explain", "good.yaml", "--text", "x", "--channel", ""): "no channel ''",
    ("explain", "good.yaml", "--text", "x", "--yaml"): "give one",
    ("explain", "good.yaml", "--channel", "thinking"): "no effect without --text",
    ("explain", "good.yaml", "--channel", "text", "--yaml"): "no effect without --text",
    ("explain", "good.yaml", "--rule", "word", "--allow-code", "a:b"): "no effect without --text",
    ("eval", "good.yaml", "--harmless", "folder", "--misses", "1"): "no effect without a DATASET",
    ("eval", "good.yaml", "good.jsonl", "--misses", "1", "--json"): "or with --json",
    ("diff", "good.yaml", "good.yaml", "--show", "1"): "no effect without a DATASET",
    ("diff", "good.yaml", "good.yaml", "--allow-code", "a:b"): "no effect without a DATASET",
    ("debug", "a", "b", "--dot"): "leave out the text",
    ("debug", "a(?&digit)", "b"): "offset 1: only policy files have subpatterns to call: take the",
    ("eval", "good.yaml"): "nothing to measure with",
    ("eval", "good.yaml", "good.jsonl", "--misses", "-1"): "'--misses'",
    ("diff", "good.yaml"): "missing argument 'AFTER'",
    ("diff", "good.yaml", "good.yaml", "good.jsonl", "--show", "x"): "'--show'",
    ("init", "good.yaml"): "good.yaml: already exists",
    ("init", "missing/x.yaml"): "missing/x.yaml: no such file or directory",
    ("init", "folder"): "folder: already exists",
    ("demo", "--speed", "-1"): "'--speed'",
    ("demo", "--speed", "fast"): "'--speed'",
    ("play", "http://127.0.0.1:1/p/"): "the link has no policy: copy the whole link",
    ("key",): "guardstream key: name a command: new; see 'guardstream key --help'",
    ("bulk",): "guardstream bulk: name a command: redact, eval, diff; see",
    ("debug",): "missing argument 'PATTERN'",
    ("debug", "a("): "the pattern is refused",
    ("debug", "a", "b", "--group", "3"): "the pattern has no group 3",
    ("debug", "a", "b", "--group", "x"): "the pattern has no group",
    ("debug", r"\K"): "the pattern is refused at offset 0",
    ("import",): "missing argument 'FILE'",
    ("import", "missing"): "missing:1:1: cannot be read: no such file or directory",
    ("import", "folder"): "folder:1:1: cannot be read: is a directory",
    ("import", "binary"): "not valid UTF-8: save it as UTF-8",
    ("import", "gbk", "--from", "words"): "not valid UTF-8: save it as UTF-8",
    ("import", "good.yaml", "--from", "excel"): "unknown format 'excel', known: gitleaks",
    ("import", "text", "--from", "gitleaks"): "text:",
    ("import", "text", "--from", "bedrock"): "text:",
    ("import", "broken", "--from", "presidio"): "broken:",
    ("import", "text", "--output", "missing/x"): "missing/x: no such file or directory",
    ("import", "text", "--output", "folder"): "folder: is a directory",
    ("report",): "missing argument 'AUDIT",
    ("report", "missing"): "missing: no such file or directory",
    ("report", "folder"): "folder: is a directory",
    ("report", "binary"): "no line is a record of a stream",
    ("report", "good.yaml"): "no line is a record of a stream",
    ("run", "good.yaml", "--findings", "-"): "'-' is not a file: name one, or /dev/stderr",
    ("run", "good.yaml", "--timeline", "-"): "'-' is not a file",
    ("test", "good.yaml", "--junit", "-"): "'-' is not a file",
    ("init", "-"): "'-' is not a file: name one",
    ("import", "good.yaml", "--output", "-"): "'-' is not a file",
    ("report", "good.jsonl", "--html", "-"): "'-' is not a file",
    ("eval", "good.yaml", "data_neither"): 'write for each text "label": 1 or 0, or "spans"',
    ("json", "missing"): "missing: cannot be read: no such file or directory",
    ("json", "folder"): "folder: cannot be read: is a directory",
    ("json", "--schema", "missing", "good.jsonl"): "missing:1:1: cannot be read",
    ("json", "--schema", "binary", "good.jsonl"): "not valid UTF-8: save it as UTF-8",
    ("json", "--schema", "good.jsonl", "--draft", "3", "good.jsonl"): "'3'",
    ("json", "--draft", "draft-07"): "no effect without --schema",
    ("json", "--schemas", "good.jsonl"): "no effect without --schema",
    ("json", "--schema", "good.jsonl", "--schemas", "missing"): "missing:1:1: cannot be read",
    ("json", "--repair", "everything", "good.jsonl"): "`usual` and `all` are several of them",
    ("json", "--chunk", "0"): "'--chunk'",
    ("serve", "--policy", "good.yaml"): "no upstream: give --upstream",
    ("serve", "--upstream", "http://x"): "no policy for all paths",
    ("serve", "--policy", "good.yaml", "--upstream", "x"): "expected a URL",
    ("serve", "good.yaml"): "no upstream: give --upstream",
    ("serve", "good.yaml", "--check", "--upstream", "http://x"): "leave out 'upstream'",
    ("serve", "good.yaml", "good.yaml"): "unexpected extra argument",
    ("serve", "good.yaml", "--policy", "good.yaml"): "name one policy for all paths",
    ("serve", "no_key.yaml"): "'NO_SUCH_KEY', which holds the secret, is not set",
    ("serve", "gated.yaml"): "a gate would see the values that the vault restores",
    ("serve", "by_user.yaml"): "have key and client, not user",
    ("serve", "middle.yaml"): "'heartbeat' of a route is for the middleware",
    ("serve", "no_log.yaml"): "cannot be written",
    ("run", "no_log.yaml"): "cannot be written",
    ("run", "not_allowed.yaml"): "which the caller must allow",
    ("serve", "--policy", "good.yaml", "--upstream", "ftp://x"): "expected a URL",
    ("serve", "--policy", "good.yaml", "--upstream", "http://x", "--port", "99999"): "'--port'",
    ("serve", "--policy", "good.yaml", "--upstream", "http://x", "--port", "www"): "'--port'",
    ("serve", "--policy", "a=good.yaml", "--upstream", "http://x"): "'default'",
    ("serve", "--policy", "=good.yaml", "--upstream", "http://x"): "expected NAME=POLICY",
    ("serve", "--policy", "good.yaml", "--policy", "good.yaml", "--upstream", "http://x"): "twice",
    ("serve", "--policy", "good.yaml", "--upstream", "http://x", "--route", "/v1"): "PATH=NAME",
    ("serve", "--policy", "good.yaml", "--upstream", "http://x", "--route", "/v1=no"): "'no'",
    ("serve", "--policy", "good.yaml", "--upstream", "http://x", "--other", "y"): "--other 'y'",
    ("serve", "--policy", "good.yaml", "--upstream", "http://x", "--workers", "0"): "'--workers'",
    ("serve", "--policy", "good.yaml", "--upstream", "http://x", "--audit", "folder"): "folder",
    ("serve", "--policy", "good.yaml", "--upstream", "http://x", "--audit", "missing/x"): "missing",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with every kind of file."""
    folder = tmp_path_factory.mktemp("wrong")
    for name, wrong in POLICIES.items():
        (folder / name).write_bytes(wrong.content)
    for name, content in MORE.items():
        (folder / name).write_bytes(content)
    (folder / "good.yaml").write_text(GOOD, encoding="utf-8")
    (folder / "good.jsonl").write_text(DATA, encoding="utf-8")
    (folder / "folder").mkdir()
    os.mkfifo(folder / "pipe")
    (folder / "loop").symlink_to("loop")
    return folder


@pytest.fixture
def call(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """Run the command line in the folder of wrong files."""
    monkeypatch.chdir(folder)
    return partial(guardstream, stdin=b"text")


def wrong_files() -> Iterator[tuple[tuple[str, ...], str]]:
    """Every command with every kind of file that it cannot read."""
    policies = {name: wrong.said for name, wrong in POLICIES.items()} | PATHS
    for command in ON_POLICIES.values():
        for name, said in policies.items():
            yield tuple(name if part == "{}" else part for part in command), said
    for command in ON_DATASETS.values():
        for name, said in DATASETS.items():
            yield tuple(name if part == "{}" else part for part in command), said
    yield from CALLS.items()


WRONG = list(wrong_files())


def test_there_are_enough_of_them() -> None:
    assert len(WRONG) >= 500


@pytest.mark.parametrize(("arguments", "said"), WRONG, ids=lambda value: str(value)[:60])
def test_it_is_one_line_and_status_2(call: Cli, arguments: tuple[str, ...], said: str) -> None:
    done = call(*arguments)
    # What is wrong with a policy is what lint was asked for, and so is on standard output.
    asked, other = (done.out, done.err) if arguments[0] == "lint" and done.out else done[:0:-1]
    assert done.status == 2, done
    assert said in asked
    assert (asked.count("\n"), other) == (1, "")
    assert "Traceback" not in asked


# What only a process of its own can show: encodings, closed and full outputs, ports


def shell(folder: Path, command: str, **environment: str) -> Outcome:
    line = command.replace("guardstream", f"'{sys.executable}' -m guardstream", 1)
    package = str(Path(__file__).resolve().parents[2])
    done = subprocess.run(
        ["bash", "-c", line],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": package, **environment},
        capture_output=True,
        check=False,
    )
    return Outcome(done.returncode, done.stdout.decode(), done.stderr.decode())


@pytest.mark.parametrize("encoding", ["cp1252", "gbk", "ascii", "utf-16", "cp1252:strict"])
def test_what_is_redirected_is_utf8_in_any_locale(folder: Path, encoding: str) -> None:
    done = shell(
        folder, "guardstream explain --yaml guardstream/sensitive-zh", PYTHONIOENCODING=encoding
    )
    assert (done.status, done.err) == (0, "")
    assert "words" in done.out
    assert not done.out.isascii()
    done = shell(folder, "guardstream run good.yaml <<< '日本 secret é'", PYTHONIOENCODING=encoding)
    assert done == (0, "日本 [word] é\n", "")


@pytest.mark.parametrize(
    ("command", "status", "said"),
    [
        ("guardstream run good.yaml good.jsonl > /dev/full", 4, "standard output: no space left"),
        ("guardstream explain good.yaml > /dev/full", 4, "standard output: no space left"),
        ("guardstream schema > /dev/full", 4, "standard output: no space left"),
        ("guardstream json good.jsonl > /dev/full", 4, "standard output: no space left"),
        ("guardstream run good.yaml good.jsonl >&-", 4, "standard output is closed"),
        ("guardstream explain good.yaml >&-", 4, "standard output is closed"),
        ("guardstream run good.yaml --findings /dev/full < good.jsonl", 4, "/dev/full: no space"),
        ("guardstream test good.yaml --junit /dev/full", 4, "/dev/full: no space left"),
        ("guardstream import text --output /dev/full", 4, "/dev/full: no space left"),
        ("guardstream run good.yaml <&-", 2, "standard input is closed"),
        ("guardstream run missing 2>&-", 2, ""),
        ("guardstream run good.yaml folder 2>/dev/full", 2, ""),
        ("guardstream run $'\\xff.yaml'", 2, ".yaml:1:1: cannot be read"),
        ("guardstream explain good.yaml --text $'\\xff'", 0, ""),
        ("guardstream explain guardstream/secrets --yaml | head -1; exit ${PIPESTATUS[0]}", 0, ""),
        ("yes | guardstream run good.yaml | head -1; exit ${PIPESTATUS[1]}", 141, ""),
        ("guardstream demo --speed 0 | true; exit ${PIPESTATUS[0]}", 141, ""),
        (
            "guardstream run good.yaml good.jsonl --findings good.yaml/x",
            2,
            "good.yaml/x: not a dir",
        ),
    ],
)
def test_outputs_that_cannot_be_written(folder: Path, command: str, status: int, said: str) -> None:
    done = shell(folder, command)
    assert done.status == status, done
    assert said in done.err
    assert done.err.count("\n") == bool(said)


def test_a_port_in_use_is_not_a_block(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = shell(
            folder, f"guardstream serve --policy good.yaml --upstream http://x --port {port}"
        )
    assert (done.status, done.out, done.err.count("\n")) == (4, "", 1)
    assert f"port {port}: address already in use; choose another with --port" in done.err
