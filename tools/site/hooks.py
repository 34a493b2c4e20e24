"""What the documentation's site has besides docs/: the threat model, and `llms.txt`.

The links between files of the repository stay as they are, and work there, too. Here a link to
a page leads to the page; of one to any other file its name is left.
"""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath
from posixpath import normpath, relpath
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.nav import Navigation
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[2]

BESIDE = {"SECURITY.md": "security.md"}
"""Files outside of docs/ that are pages, with the pages' addresses."""

LINK = re.compile(r"\[([^\]]*)\]\((?!https?:|mailto:|#)([^)#\s]+)(#[^)\s]*)?\)")

FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)

BOOSTS = {"start/": 2, "how-to/": 2, "reference/packs": 2, "reference/": 0.5}
"""How much a page counts in a search, by the beginning of its address: what answers a question
comes before what lists names."""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the files that stand beside docs/."""
    for name, uri in BESIDE.items():
        content = (ROOT / name).read_text(encoding="utf-8")
        files.append(File.generated(config, uri, content=content))
    return files


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Turn links between files of the repository to those between pages; rank the page."""
    uri = page.file.src_uri
    boosts = [boost for beginning, boost in BOOSTS.items() if uri.startswith(beginning)]
    page.meta["search"] = {"boost": boosts[0]} if boosts else {}
    places = {address: name for name, address in BESIDE.items()}
    folder = PurePosixPath(places.get(uri, f"docs/{uri}")).parent

    def turned(match: re.Match[str]) -> str:
        target = normpath(f"{folder}/{match[2]}")
        address = BESIDE.get(target, target.removeprefix("docs/"))
        if target.startswith("docs/") or target in BESIDE:
            return (
                f"[{match[1]}]({relpath(address, str(PurePosixPath(uri).parent))}{match[3] or ''})"
            )
        return f"`{target}`" if target.endswith(match[1].strip("/")) else f"{match[1]} (`{target}`)"

    parts = re.split(rf"({FENCE.pattern})", markdown, flags=FENCE.flags)
    return "".join(part if at % 2 else LINK.sub(turned, part) for at, part in enumerate(parts))


def on_nav(nav: Navigation, config: MkDocsConfig, files: Files) -> Navigation:
    """Write `llms.txt`: each page with its kind, for programs that read the documentation."""
    lines = [f"# {config.site_name}", "", f"> {config.site_description}", ""]
    for section in nav.items:
        pages = [each for each in section.children or [section] if each.is_page]
        lines += [f"## {section.title}", ""] if section.children else []
        lines += [f"- [{_title(each)}]({each.file.url})" for each in pages]
        lines.append("")
    files.append(File.generated(config, "llms.txt", content="\n".join(lines)))
    return nav


def _title(page: Page) -> str:
    source = page.file.content_string
    return page.title or re.sub(r"`", "", re.findall(r"^# (.*)$", source, re.MULTILINE)[0])
