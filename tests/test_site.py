"""The site's quick starts and how-tos run as they stand, and print what they say.

The clients' default addresses are those of the examples' provider, which answers with a recording.
"""

from __future__ import annotations

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
from tests.support import packs_page, pages

ROOT = Path(__file__).resolve().parents[1]

DOCS = ROOT / "docs"

SHORT = [*sorted((DOCS / "start").glob("*.md")), *sorted((DOCS / "how-to").glob("*.md"))]

PAGES = [DOCS / "index.md", DOCS / "bulk.md", *SHORT]

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


def test_every_key_of_a_policy_is_on_the_page_of_keys() -> None:
    page = pages.PAGES["policy.md"]()
    sections = dict(part.split("\n", 1) for part in page.split("\n## ")[1:])
    assert len(sections) == 1 + len(schema()["$defs"])
    for key in keys(PolicyFile):
        assert f"| `{key}` |" in sections["The policy"]
    anchors = {name.lower().replace(" ", "-") for name in sections}
    assert set(re.findall(r"\]\(#([^)]+)\)", page)) <= anchors


@pytest.mark.parametrize("name", pages.PAGES)
def test_a_generated_page_is_what_its_command_writes(name: str) -> None:
    written = (pages.FOLDER / name).read_text(encoding="utf-8")
    assert written == pages.PAGES[name](), "python -m tests.support.pages"


def test_the_page_of_packs_has_each_rule_with_an_example() -> None:
    page = pages.PAGES["packs.md"]()
    for name in packs.names():
        assert f"\n## guardstream/{name}\n" in page
    rows = re.findall(r"^\| `([\w-]+)` \| (.*?) \|", page, re.MULTILINE)
    assert len(rows) > 300
    assert [rule for rule, example in rows if not example] == []


def test_a_pack_is_said_to_find_only_what_was_measured_often_enough() -> None:
    said = packs_page.measured()
    assert set(said) <= set(packs.names())
    lines = "\n".join(line for lines in said.values() for line in lines)
    counts = re.findall(r"(?: of ([\d,]+)| in ([\d,]+) texts)", lines)
    assert len(counts) > 15
    assert min(int((of or among).replace(",", "")) for of, among in counts) >= packs_page.ENOUGH
    assert "pii-au" not in said


def test_the_tests_of_the_page_about_applications_pass(tmp_path: Path) -> None:
    ((_, text),) = blocks(DOCS / "how-to" / "test-an-app.md")
    (tmp_path / "test_app.py").write_text(text, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert int(re.findall(r"(\d+) passed", done.stdout)[0]) > 20


LIMITS = {"Start": 250, "How to": 300, "Explanation": 1500}
"""How many words a page of a kind may have. A reference is as long as what it lists."""


def kinds() -> dict[str, list[str]]:
    """The pages of the site by their kind, as the navigation has them."""
    navigation = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").split("\nnav:\n")[1]
    sections = re.split(r"^  - ([\w ]+):", navigation, flags=re.MULTILINE)[1:]
    return {
        kind: re.findall(r"[\w/-]+\.md", listed)
        for kind, listed in zip(sections[::2], sections[1::2], strict=True)
    }


def words(name: str) -> int:
    """How many words of a page were written: those of a recorded run were not."""
    text = (DOCS / name).read_text(encoding="utf-8")
    return len(re.sub(r"<!-- recorded.*?/recorded -->", "", text, flags=re.DOTALL).split())


def test_a_page_is_of_one_kind() -> None:
    listed = [name for names in kinds().values() for name in names]
    assert sorted(kinds()) == ["Explanation", "How to", "Overview", "Reference", "Start"]
    there = {str(path.relative_to(DOCS)) for path in DOCS.rglob("*.md")}
    assert sorted(listed) == sorted(there | {"security.md"})


@pytest.mark.parametrize("kind", LIMITS)
def test_a_page_is_no_longer_than_its_kind_allows(kind: str) -> None:
    counted = {name: words(name) for name in kinds()[kind]}
    assert {name: count for name, count in counted.items() if count > LIMITS[kind]} == {}


def test_the_documentation_is_read_in_two_hours() -> None:
    assert sum(words(path.name) for path in DOCS.glob("*.md")) <= 30_000
