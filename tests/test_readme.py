"""What the README shows works as it is written."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, get_args

import anyio
import pytest

from guardstream import Guard, Policy, PolicyError, Result
from guardstream.events import Action

ROOT = Path(__file__).resolve().parent.parent

README = (ROOT / "README.md").read_text(encoding="utf-8")

MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    """The fenced blocks of one language, in order."""
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_the_first_program_runs_with_the_first_policy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "policy.yaml").write_text(blocks("yaml")[0], encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(blocks("python")[0], names)

    async def source() -> AsyncIterator[str]:
        for chunk in ("ask blue", "bird about ", "sk-12345678901234567890", " unread"):
            yield chunk

    result = anyio.run(names["show"], source())
    assert isinstance(result, Result)
    assert capsys.readouterr().out == "ask ******** about "
    assert result.finish == "content_filter"


def test_the_other_programs_run() -> None:
    for program in blocks("python")[1:]:
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", program], capture_output=True, check=False
        )
        assert (done.returncode, done.stderr) == (0, b"")


def test_what_a_reader_needs_first_is_ten_lines_each() -> None:
    assert len(blocks("python")[0].splitlines()) <= 10
    assert len(blocks("yaml")[0].splitlines()) <= 10


def test_it_is_read_in_a_few_minutes() -> None:
    assert len(README.split()) <= 900


def test_the_actions_of_its_table_are_those_there_are() -> None:
    assert set(re.findall(r"`action: (\w+)`", README)) == set(get_args(Action))


@pytest.mark.parametrize("policy", blocks("yaml"))
def test_the_policies_load(policy: str) -> None:
    Guard(Policy.parse(policy))


def test_the_commands_it_names_exist() -> None:
    targets = set(re.findall(r"make (\w+)", README))
    assert {"demo", "test"} <= targets
    for target in targets:
        assert re.search(rf"^[\w\- ]*\b{target}\b[\w\- ]*:", MAKEFILE, re.MULTILINE), target


def test_the_files_it_links_to_exist() -> None:
    for name in re.findall(r"\]\((?!http)([^)#]+)\)", README):
        assert (ROOT / name).exists(), name


def test_the_error_it_quotes_is_the_error_there_is() -> None:
    quoted = re.search(r"unknown key 'acton'.*", README)
    assert quoted is not None
    with pytest.raises(PolicyError, match=re.escape(quoted.group(0))) as caught:
        Policy.parse("rules:\n  - id: a\n    words: [x]\n    acton: mask\n")
    assert str(caught.value).startswith("<policy>:4:5: ")


def test_its_links_work_on_a_package_index() -> None:
    pytest.importorskip("hatchling", reason="hatchling, which builds the package, is not installed")
    description = importlib.import_module("build_readme").description
    described = description(README, None, "v1")
    assert re.findall(r"\]\((?!https://)[^)]*\)", described) == []
    assert "docs/json.md" in described
    at_home = description(README, "https://example.com/guardstream/", "v1")
    assert "](https://example.com/guardstream/blob/v1/docs/json.md)" in at_home
    assert "](https://example.com/guardstream/raw/v1/docs/pictures/demo.svg)" in at_home
