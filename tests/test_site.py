"""The site's quick starts and how-tos run as they stand, and print what they say.

The clients' default addresses are those of the examples' provider, which answers with a recording.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import pytest

from guardstream import Policy
from guardstream.policy import inline, packs
from guardstream.policy.model import PolicyFile, keys
from guardstream.policy.schema import schema

ROOT = Path(__file__).resolve().parents[1]

DOCS = ROOT / "docs"

TASKS = [DOCS / f"{name}.md" for name in ("index", "how-to", "bulk")]

PAGES = [*TASKS, *sorted((DOCS / "start").glob("*.md"))]

BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

NAMED = re.compile(r"\A# file: ([\w.]+)\n")

TESTS = re.compile(r"\A# file: test_")
"""Programs that are tests; `test_testing.py` runs them."""

ASK = """
from starlette.testclient import TestClient
import app

print(TestClient(app.app).get("/ask", params={"question": "Who can help me?"}).text)
"""
"""What the page of FastAPI does with curl."""


def blocks(page: Path) -> list[tuple[str, str]]:
    """The fenced blocks of a page with their languages, in order."""
    return BLOCK.findall(page.read_text(encoding="utf-8"))


def programs(page: Path) -> Iterator[tuple[str, str]]:
    """Each program of a page, and what the page says that it prints."""
    for (kind, text), (following, output) in pairwise([*blocks(page), ("", "")]):
        if kind == "python" and following == "text":
            yield (ASK if NAMED.match(text) else text), output


def shown() -> Iterator[object]:
    for page in PAGES:
        for number, (program, output) in enumerate(programs(page)):
            yield pytest.param(page, program, output, id=f"{page.stem}-{number}")


@contextmanager
def proxy(page: Path, upstream: str, folder: Path) -> Iterator[str]:
    """The proxy that the page starts, if it is the one about it; its address."""
    if page.stem != "proxy":
        yield ""
        return
    command = [sys.executable, "-m", "guardstream", "serve", "policy.yaml", "--port", "0"]
    with subprocess.Popen(
        [*command, "--upstream", upstream],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        said = re.search(r"http://127\.0\.0\.1:\d+", process.stderr.readline())
        assert said is not None
        yield said[0]
        process.terminate()
        process.communicate()


@pytest.fixture(scope="module")
def provider() -> Iterator[str]:
    """The address of the examples' provider."""
    path = ROOT / "examples" / "support" / "local_provider.py"
    spec = importlib.util.spec_from_file_location("local_provider", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    with module.provider() as url:
        yield url


@pytest.mark.parametrize(("page", "program", "output"), list(shown()))
def test_a_program_prints_what_the_page_says(
    page: Path, program: str, output: str, provider: str, tmp_path: Path
) -> None:
    for _, text in blocks(page):
        if named := NAMED.match(text):
            (tmp_path / named[1]).write_text(text, encoding="utf-8")
    keys = {"OPENAI_API_KEY": "none", "ANTHROPIC_API_KEY": "none"}
    places = {"OPENAI_BASE_URL": f"{provider}/v1", "ANTHROPIC_BASE_URL": provider}
    with proxy(page, provider, tmp_path) as url:
        done = subprocess.run(
            [sys.executable, "-c", program.replace("http://127.0.0.1:8080", url)],
            cwd=tmp_path,
            env={**os.environ, **keys, **places, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    assert done.stdout == output


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_program_of_a_page_is_followed_by_what_it_prints(page: Path) -> None:
    count = sum(kind == "python" and not TESTS.match(text) for kind, text in blocks(page))
    assert len(list(programs(page))) == count


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_policy_of_a_page_is_sound(page: Path) -> None:
    for kind, text in blocks(page):
        if kind == "yaml":
            built = Policy.parse(text, allow_code=[]).built
            assert [each for each in inline.run(built) if each.problem] == []


def test_every_key_of_a_policy_is_on_the_page_of_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT / "tools" / "site")
    page = importlib.import_module("schema_page").page(schema())
    sections = dict(part.split("\n", 1) for part in page.split("\n## ")[1:])
    assert len(sections) == 1 + len(schema()["$defs"])
    for key in keys(PolicyFile):
        assert f"| `{key}` |" in sections["The policy"]
    anchors = {name.lower().replace(" ", "-") for name in sections}
    assert set(re.findall(r"\]\(#([^)]+)\)", page)) <= anchors


def test_every_rule_of_a_pack_is_on_the_page_of_what_packs_find(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.syspath_prepend(ROOT / "tools" / "site")
    page = importlib.import_module("packs_page").page()
    sections = dict(part.split("\n", 1) for part in page.split("\n## ")[1:])
    assert [*sections] == [*packs.names()]
    for name in packs.names():
        for rule in re.findall(r"^  - id: (\S+)", packs.pack(name).read_text("utf-8"), re.M):
            own = f"| `{rule}` | <code>" in page
            assert own or name in ("chat", "extraction"), rule
    assert "| `email` |" in sections["pii-en"]
    assert "in chat: monitor" in sections["pii-en"]
    assert "97 of 100" in sections["pii-en"]


LIMITS = {"start": 250, "explanation": 1_500, "all": 32_000}
"""How many words a page to start with may have, one that explains, and all but the reference."""

EXPLAIN = ("concepts", "streams", "faq", "comparison", "index")


def test_a_page_has_no_more_words_than_its_kind() -> None:
    words = {page.stem: len(page.read_text("utf-8").split()) for page in DOCS.glob("*.md")}
    assert {name for name in EXPLAIN if words[name] > LIMITS["explanation"]} == set()
    assert sum(words.values()) <= LIMITS["all"]


@pytest.mark.parametrize("page", sorted((DOCS / "start").glob("*.md")), ids=lambda page: page.stem)
def test_a_page_to_start_with_is_read_in_a_minute(page: Path) -> None:
    assert len(page.read_text(encoding="utf-8").split()) <= LIMITS["start"]
