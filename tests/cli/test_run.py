"""`guardstream run`: exit 0 clean or masked, 3 blocked, 2 bad input, one line and no traceback."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.command_line import Cli

POLICY = """\
rules:
  - {id: word, words: [secret, 密码], replacement: "*"}
  - {id: bad, words: [forbidden], action: block}
"""


@pytest.fixture
def policy(tmp_path: Path) -> str:
    file = tmp_path / "policy.yaml"
    file.write_text(POLICY, encoding="utf-8")
    return str(file)


@pytest.mark.parametrize("chunk", [(), ("--chunk", "1"), ("--chunk", "5")])
def test_standard_input_is_masked(cli: Cli, policy: str, chunk: tuple[str, ...]) -> None:
    done = cli("run", policy, *chunk, stdin="my secret 密码!".encode())
    assert (done.status, done.out, done.err) == (0, "my ****** **!", "")


def test_a_file_is_masked_to_the_byte(cli: Cli, policy: str, tmp_path: Path) -> None:
    file = tmp_path / "text"
    file.write_bytes("clean\r\n日本 \x00 no newline".encode())
    assert cli("run", policy, str(file)).out.encode() == file.read_bytes()


@pytest.mark.parametrize("size", [1, 5, 16, 100])
def test_lines_of_json_are_text_however_they_arrive(cli: Cli, policy: str, size: int) -> None:
    lines = b'{"t": "secret"}\n{"t": "b"}     \n'
    assert len(lines) == 2 * 16
    outcome = cli("run", policy, "-", "--chunk", str(size), stdin=lines)
    assert outcome == (0, lines.decode().replace("secret", "******"), "")


@pytest.mark.parametrize("size", [1, 5, 100])
def test_events_are_no_text(cli: Cli, policy: str, size: int) -> None:
    events = b'data: {"t": "sec"}\n\ndata: {"t": "ret"}\n\n'
    outcome = cli("run", policy, "-", "--chunk", str(size), stdin=events)
    assert (outcome.status, "ret" in outcome.out) == (2, False)
    assert outcome.err.startswith("standard input: holds server-sent events")
    assert "framing" not in outcome.err  # which is no option here


def test_a_block_says_which_rule_and_exits_3(cli: Cli, policy: str, tmp_path: Path) -> None:
    report = tmp_path / "findings"
    done = cli("run", policy, "-", "--findings", str(report), stdin=b"a secret, forbidden word")
    assert (done.status, done.out) == (3, "a ******, ")
    assert done.err == "guardstream: blocked by rule 'bad'\n"
    found = [json.loads(line) for line in report.read_text(encoding="utf-8").splitlines()]
    assert [(item["rule"], item["start"], item["end"]) for item in found] == [
        ("word", 2, 8),
        ("bad", 10, 19),
    ]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (b"a forbidden", b"a \r\nguardstream: blocked by rule 'bad'\r\n"),
        (b"a\nforbidden", b"a\r\nguardstream: blocked by rule 'bad'\r\n"),
        (b"forbidden", b"guardstream: blocked by rule 'bad'\r\n"),
        (b"a secret", b"a ******\r\n"),
    ],
)
def test_in_a_terminal_what_follows_the_text_begins_a_line_of_its_own(
    policy: str, text: bytes, shown: bytes
) -> None:
    ours, terminal = os.openpty()
    command = [sys.executable, "-m", "guardstream", "run", policy]
    with os.fdopen(ours, "rb", buffering=0) as screen:
        subprocess.run(command, input=text, stdout=terminal, stderr=terminal, check=False)
        os.close(terminal)
        assert screen.read(1000) == shown


def test_bad_input_is_one_line_and_exits_2(cli: Cli, policy: str, tmp_path: Path) -> None:
    (tmp_path / "broken.yaml").write_text("rulez: []", encoding="utf-8")
    (tmp_path / "latin").write_bytes(b"a secret caf\xe9")
    commands = {
        ("run", str(tmp_path / "nope.yaml")): "nope.yaml:1:1: cannot be read",
        ("run", str(tmp_path / "broken.yaml")): "broken.yaml:1:1: unknown key 'rulez'",
        ("run", policy, str(tmp_path / "nope")): "nope: cannot be read: no such file",
        ("run", policy, str(tmp_path)): "cannot be read: is a directory",
        ("run", policy, str(tmp_path / "latin")): "latin: byte 12 is not valid UTF-8: convert it",
        ("run", policy, "--findings", str(tmp_path / "no" / "x")): "no such file or directory",
        ("run", "guardstream/nope"): "no pack 'nope', known: chat",
        ("demo", "--policy", "nope"): "nope:1:1: cannot be read",
    }
    for command, message in commands.items():
        done = cli(*command)
        assert done.status == 2
        assert message in done.err
        assert done.err.count("\n") == 1


def test_characters_cut_between_reads_are_decoded(
    cli: Cli, policy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("guardstream.cli.run._BYTES", 1)
    assert cli("run", policy, stdin="的密码".encode()).out == "的**"
    done = cli("run", policy, stdin="的密".encode() + b"\xe7\xa0")
    assert done.err == "standard input: byte 6 is not valid UTF-8: convert it first\n"


def test_a_closed_standard_input_is_bad_input(policy: str) -> None:
    command = f"'{sys.executable}' -c 'from guardstream.cli import main; main()' run '{policy}' <&-"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (2, "standard input is closed\n")


def test_usage_errors_exit_2(cli: Cli, policy: str) -> None:
    wrong = cli("run", policy, "--chunk", "0")
    assert (wrong.status, "Input" in wrong.err) == (2, False)
    assert cli("nope").status == 2


def test_a_reader_that_leaves_ends_the_program_quietly(policy: str) -> None:
    command = [sys.executable, "-c", "from guardstream.cli import main; main()", "run", policy]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdin.write(b"a secret line\n")
    process.stdin.flush()
    assert process.stdout.readline() == b"a ****** line\n"
    process.stdout.close()
    try:
        process.stdin.write(b"more\n" * 100)
        process.stdin.close()
    except BrokenPipeError:
        pass
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait(timeout=30) != 0


def test_a_timeline_is_drawn_beside_the_text(cli: Cli, policy: str, tmp_path: Path) -> None:
    target = tmp_path / "stream.svg"
    done = cli("run", policy, "--chunk", "3", "--timeline", str(target), stdin=b"a secret here")
    assert (done.status, done.out) == (0, "a ****** here")
    assert "word: mask, 6 characters from 2" in target.read_text()
    lost = cli("run", policy, "--timeline", str(tmp_path / "no" / "x.svg"), stdin=b"a")
    assert lost.status == 2
    assert "x.svg: no such file" in lost.err
    log = tmp_path / "audit.jsonl"
    Path(policy).write_text(f"audit: {{path: {log}}}\n{POLICY}", encoding="utf-8")
    logged = cli("run", policy, "--timeline", str(target), stdin=b"a secret here")
    assert (logged.status, logged.out) == (0, "a ****** here")
    assert len(log.read_text(encoding="utf-8").splitlines()) == 1
    Path(policy).write_text(f"{POLICY}\nretry: {{attempts: 2}}\n", encoding="utf-8")
    more = cli("run", policy, "--timeline", str(target), stdin=b"a")
    assert (more.status, more.out) == (2, "")
    assert re.search(r":\d+:1: --timeline draws what the rules do, not .* 'retry'", more.err)
