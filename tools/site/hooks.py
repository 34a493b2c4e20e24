"""What the documentation's site has besides docs/: files of the repository that its pages link to.

A Markdown file becomes a page as it is, any other text one page that shows it. The links between
them stay as they are in the repository, where they work too; here they are turned to the pages.
`reference/policy.md` is written from the policy's JSON Schema, `reference/finds.md` from the packs.
"""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath
from posixpath import normpath, relpath
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from packs_page import page as packs_page
from schema_page import page as schema_page

from guardstream.policy.schema import schema

ROOT = Path(__file__).resolve().parents[2]

NOT_SHOWN = frozenset(
    {"ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "guardstream/scan/README.md"}
)
"""Files for those who work on the package: links to them become text."""

LINK = re.compile(r"(?<=\]\()(?!https?:|mailto:|#)([^)#\s]+)")

WHOLE = re.compile(r"\[([^\]]*)\]\(([^)\s]+)\)")

FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)

LANGUAGES = {".py": "python", ".yaml": "yaml", ".toml": "toml", ".json": "json", ".html": "html"}

BOOSTS = {"start/": 2, "reference/": 0.5, "repository/": 0.2}
"""How much a page counts in a search, by its folder: those that say how to begin come first."""

_places: dict[str, str] = {}
"""Where a page of the site is from, by its address: a path in the repository."""


def source(uri: str) -> str:
    """Return where in the repository a page's Markdown is from."""
    return _places.get(uri, f"docs/{uri}")


def linked(place: str, text: str) -> list[str]:
    """Return the paths in the repository that Markdown at a place links to."""
    folder = str(PurePosixPath(place).parent)
    return [normpath(f"{folder}/{link}") for link in LINK.findall(FENCE.sub("", text))]


def address(place: str) -> str:
    """Return the site's address of a file of the repository."""
    if place.startswith("docs/"):
        return place.removeprefix("docs/")
    if (ROOT / place).is_dir():
        return f"repository/{place}/index.md"
    name = f"repository/{place}"
    return name if name.endswith(".md") else f"{name}.md"


def shown(path: Path) -> str:
    """Return a file as a page: Markdown as it is, anything else in a block; a folder as a list."""
    if path.is_dir():
        files = (each for each in path.rglob("*") if each.is_file() and each.suffix != ".pyc")
        names = sorted(str(each.relative_to(path)) for each in files)
        return f"# {path.name}\n\n" + "\n".join(f"- [{name}]({name})" for name in names) + "\n"
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".md":
        return text
    return f"# {path.name}\n\n``````{LANGUAGES.get(path.suffix, 'text')}\n{text}``````\n"


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the schema's page, and each file outside of docs/ that a page links to."""
    _places.clear()
    files.append(File.generated(config, "reference/policy.md", content=schema_page(schema())))
    files.append(File.generated(config, "reference/finds.md", content=packs_page()))
    open_ = [(source(each.src_uri), each.content_string) for each in files.documentation_pages()]
    while open_:
        place, text = open_.pop()
        for target in linked(place, text):
            path = ROOT / target
            uri = address(target)
            if target.startswith("docs/") or uri in _places or not path.exists():
                continue
            if target in NOT_SHOWN:
                continue
            readme = path / "README.md"
            path = readme if readme.exists() else path
            content = shown(path)
            files.append(File.generated(config, uri, content=content))
            _places[uri] = f"{target}/index.md" if path.is_dir() else str(path.relative_to(ROOT))
            if path.is_dir() or path.suffix == ".md":
                open_.append((_places[uri], content))
    return files


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Turn links between files of the repository to those between pages; rank the page."""
    for folder, boost in BOOSTS.items():
        if page.file.src_uri.startswith(folder):
            page.meta["search"] = {"boost": boost}
    place = source(page.file.src_uri)
    here = str(PurePosixPath(page.file.src_uri).parent)

    def target(link: str) -> str:
        return normpath(f"{PurePosixPath(place).parent}/{link}")

    def turned(match: re.Match[str]) -> str:
        found = target(match[1])
        return relpath(address(found), here) if (ROOT / found).exists() else match[1]

    def plain(match: re.Match[str]) -> str:
        return match[1] if target(match[2].partition("#")[0]) in NOT_SHOWN else match[0]

    parts = re.split(rf"({FENCE.pattern})", markdown, flags=FENCE.flags)
    parts[::2] = [LINK.sub(turned, WHOLE.sub(plain, part)) for part in parts[::2]]
    return "".join(parts)
