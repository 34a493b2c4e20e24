"""What the commands print: tables, JSON, SARIF, first policies; and what they run, and what not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from ruamel.yaml import YAML

from guardstream import Guard, Policy, PolicyError
from guardstream.cli.app import app
from guardstream.cli.progress import shown
from tests.support.command_line import Cli
from tests.support.policy_files import POLICY, dataset, policy

__all__ = ["policy"]


def test_a_first_policy_passes_lint_and_its_tests(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "new.yaml"
    assert cli("init", path).status == 0
    assert cli("lint", "--strict", path) == (0, "", "")
    assert cli("test", "--coverage", path).status == 0
    assert Guard.load(path).check("ann@example.com").text == "[address]"
    done = cli("init", path)
    assert (done.status, done.err.count("\n")) == (2, 1)
    assert "already exists" in done.err


def test_lint_as_json_and_sarif_says_what_the_lines_say(cli: Cli, policy: Path) -> None:
    broken = policy.with_name("broken.yaml")
    broken.write_text("\n  rulez: []", encoding="utf-8")
    done = cli("lint", "--json", policy, broken)
    assert done.status == 2
    warning, error = json.loads(done.out)
    assert (warning["file"], warning["line"], warning["column"]) == (str(policy), 8, 9)
    assert (warning["level"], error["level"], error["line"]) == ("warning", "error", 2)
    log = json.loads(cli("lint", "--sarif", policy, broken).out)
    results = log["runs"][0]["results"]
    assert [each["level"] for each in results] == ["warning", "error"]
    region = results[1]["locations"][0]["physicalLocation"]["region"]
    assert region == {"startLine": 2, "startColumn": 3}
    assert log["version"] == "2.1.0"
    assert cli("lint", "--json", "--sarif", policy).status == 2


def test_test_eval_and_diff_print_json(cli: Cli, policy: Path, tmp_path: Path) -> None:
    (tested,) = json.loads(cli("test", "--json", policy).out)
    assert [test["problem"] for test in tested["tests"]] == [None, None]
    data = dataset(tmp_path, {"text": "a secret", "spans": [[2, 8]]}, {"text": "x", "label": 0})
    measured = json.loads(cli("eval", "--json", policy, data).out)
    source = measured["sources"][""]
    assert source["spans"]["full"] == {"hits": 1, "total": 1, "percent": 100.0}
    assert source["rules"]["word"]["right"]["hits"] == 1
    after = tmp_path / "after.yaml"
    after.write_text("extends: policy.yaml\nrules: [{id: word, enabled: false}]", encoding="utf-8")
    changed = json.loads(cli("diff", "--json", policy, after, data).out)
    assert changed["rules"] == {"word": {"gone": 1, "come": 0}}


def test_diff_without_a_dataset_names_what_changed(cli: Cli, policy: Path) -> None:
    after = policy.with_name("after.yaml")
    after.write_text(
        "extends: policy.yaml\nmode: shadow\nrules:\n"
        "  - {id: card, action: block}\n  - {id: word, enabled: false}\n  - {id: z, words: [z]}\n",
        encoding="utf-8",
    )
    done = cli("diff", policy, after)
    assert done.status == 1
    assert done.out == (
        '~ mode: "enforce" → "shadow"\n'
        "- rule 'word'\n"
        '~ rule \'card\', action: "mask" → "block"\n'
        "+ rule 'z'\n"
        "4 changes\n"
    )
    assert cli("diff", policy, policy) == (0, "0 changes\n", "")
    found = json.loads(cli("diff", "--json", policy, after).out)["changes"]
    assert found[0] == {"what": "mode", "before": "enforce", "after": "shadow"}


def test_diff_sees_words_in_files(cli: Cli, tmp_path: Path) -> None:
    for name, words in (("a", "x\n"), ("b", "x\ny\n")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "w.txt").write_text(words)
        (tmp_path / name / "p.yaml").write_text("rules: [{id: w, words: {file: w.txt}}]")
    done = cli("diff", tmp_path / "a/p.yaml", tmp_path / "b/p.yaml")
    assert (done.status, done.out) == (1, "~ rule 'w', words in its file: 1 → 2\n1 change\n")


def test_explain_is_one_screen_and_rules_are_shown_one_by_one(cli: Cli, policy: Path) -> None:
    done = cli("explain", policy)
    assert done.status == 0
    assert "  word  mask    medium    secret, 敏感词" in done.out
    for pack in ("chat", "secrets", "injection", "pii-en"):
        assert len(cli("explain", f"guardstream/{pack}").out.splitlines()) < 50
    one = cli("explain", policy, "--rule", "word").out
    assert one.startswith(f"  # from {policy}:2\n  - id: word\n")
    assert "did you mean 'word'?" in cli("explain", policy, "--rule", "wrod").err
    assert cli("explain", policy, "--rule", "word", "--yaml").status == 2


def test_explained_word_files_can_be_read_again(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / "w.txt").write_text("one\n# no\ntwo\n")
    (tmp_path / "base" / "p.yaml").write_text("rules: [{id: w, words: {file: w.txt}}]")
    (tmp_path / "top").mkdir()
    for folder in ("", "top"):
        top = tmp_path / folder / "top.yaml"
        top.write_text(f"extends: {'../' if folder else ''}base/p.yaml")
        said = cli("explain", "--yaml", top).out
        assert Policy.parse(said, folder=top.parent).rules == Policy.load(top).rules


CODE = "rules: [{id: w, words: [x], validate: CHECKS.never, tests: [{clean: x}]}]"


@pytest.fixture
def ran(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that is there once the module `checks_of_mine` has been imported."""
    mark = tmp_path / "ran"
    module = "import pathlib\n"
    module += f"pathlib.Path({str(mark)!r}).touch()\ndef never(text):\n    return False\n"
    (tmp_path / f"checks_{tmp_path.name}.py").write_text(module)
    monkeypatch.syspath_prepend(tmp_path)
    return mark


def test_code_runs_only_where_it_is_allowed(cli: Cli, tmp_path: Path, ran: Path) -> None:
    name = f"checks_{tmp_path.name}"
    path = tmp_path / "p.yaml"
    path.write_text(CODE.replace("CHECKS", name))
    data = dataset(tmp_path, {"text": "x", "label": 0})
    allow = f"--allow-code={name}:never"
    assert cli("lint", path).status == 0
    assert cli("explain", path).status == 0
    for command in (["test", path], ["eval", path, data], ["run", path, data]):
        done = cli(*command)
        assert (done.status, done.err.count("\n")) == (2, 1)
        assert f"--allow-code {name}:never" in done.err
    with pytest.raises(PolicyError, match="the caller must allow"):
        Guard.load(path, reload=True)
    for other in (f"{name}:nev", f"{name}:never.x", name, "*", f"{name}:*"):
        with pytest.raises(PolicyError):
            Guard.load(path, allow_code=[other])
    for wrong in (True, f"{name}:never"):
        with pytest.raises(TypeError):
            Guard.load(path, allow_code=wrong)  # type: ignore[arg-type]
    assert not ran.exists()
    assert cli("test", path, allow).status == 0
    assert ran.exists()
    assert cli("eval", path, data, allow).status == 0
    guard = Guard.load(path, reload=True, allow_code=[f"{name}:never"])
    path.write_text(path.read_text() + "\nname: later\n")
    assert guard.policy.name == "later"


def test_stages_and_counters_do_not_run_at_lint(cli: Cli, tmp_path: Path, ran: Path) -> None:
    path = tmp_path / "p.yaml"
    name = f"checks_{tmp_path.name}"
    path.write_text(
        f"stages: [{{use: {name}.never}}]\nlimits: {{tokens: {{max: 3, counter: {name}.never}}}}"
    )
    assert cli("lint", path).status == 0
    done = cli("run", path)
    assert (done.status, done.err.count("which the caller must allow")) == (2, 2)
    assert not ran.exists()


def test_lint_and_test_need_no_secret(cli: Cli, policy: Path) -> None:
    made = "replacement: {pseudonym: {key_env: GUARDSTREAM_NO_SUCH_KEY}}"
    policy.write_text(POLICY.replace("validate: luhn", made), encoding="utf-8")
    done = cli("lint", policy)
    assert done.status == 0
    assert "warning: 'GUARDSTREAM_NO_SUCH_KEY', which holds the key, is not set" in done.out
    done = cli("test", policy)
    assert done.status == 0
    assert "'GUARDSTREAM_NO_SUCH_KEY', which holds the key" in done.err
    assert cli("run", policy).status == 2


def test_what_does_nothing_is_told(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    for text in ("version: 1", "rules: []", "rules: [{id: a, words: [x], enabled: false}]"):
        path.write_text(text)
        done = cli("lint", "--strict", path)
        assert (done.status, done.out.count("\n")) == (1, 1)
        assert "warning: the policy does nothing" in done.out
        done = cli("test", path)
        assert (done.status, done.err.count("\n")) == (0, 1)
        assert "no tests were run" in done.err
    path.write_text("input: {roles: [tool]}")
    assert "the section 'input' does nothing" in cli("lint", path).out


def test_word_files_stand_below_the_policy(tmp_path: Path) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    (tmp_path / "outside").write_text("x")
    (inner / "inside").write_text("x")
    (inner / "link").symlink_to(tmp_path / "outside")
    for name in ("../outside", str(tmp_path / "outside"), "link", "/etc/passwd", "/dev/zero"):
        with pytest.raises(PolicyError, match="is outside of the policy's folder"):
            Policy.parse(f"rules: [{{id: w, words: {{file: {name}}}}}]", folder=inner)
    assert Policy.parse("rules: [{id: w, words: {file: ./inside}}]", folder=inner).rules


def test_what_a_terminal_would_obey_is_not_printed(cli: Cli, policy: Path) -> None:
    policy.write_text('description: "\\e[2J"\nrules: [{id: a, words: ["\\e]0;x"]}]')
    done = cli("explain", policy)
    assert done.status == 0
    assert "\x1b" not in done.out


def test_the_hooks_for_pre_commit_are_commands(cli: Cli) -> None:
    root = Path(__file__).resolve().parents[2]
    hooks = YAML(typ="safe", pure=True).load(root / ".pre-commit-hooks.yaml")
    assert {hook["id"] for hook in hooks} == {"guardstream-lint", "guardstream-test"}
    for hook in hooks:
        name, *arguments = hook["entry"].split()
        assert name == "guardstream"
        assert cli(*arguments, "guardstream/pii-uk").status == 0


def test_every_command_has_its_whole_summary_in_the_help(cli: Cli) -> None:
    shown = " ".join(cli("-h").out.split())
    assert "exit 0 clean or masked, 3 blocked, 2 bad input." in shown
    assert "..." not in shown.partition("Commands:")[2]
    assert cli("--help").out == cli("-h").out
    assert cli("run", "-h").status == 0
    none = cli()
    assert (none.status, none.out) == (2, "")
    assert "Commands:" in none.err


def test_a_bar_is_shown_at_a_terminal_only(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(shown([1, 2], "counting")) == [1, 2]
    assert capsys.readouterr() == ("", "")


def commands(command: Any) -> Iterator[Any]:
    """A command and those below it."""
    for each in getattr(command, "commands", {}).values():
        yield from commands(each)
    yield command


def test_arguments_are_named_in_one_way() -> None:
    arguments = [
        each
        for command in commands(typer.main.get_command(app))
        for each in command.params
        if each.param_type_name == "argument"
    ]
    assert len(arguments) > 20
    assert [each.name for each in arguments if not (each.metavar or "").isupper()] == []
