"""Makes the package's description of the README, whose links lead to files of the repository.

A package index has those files nowhere. With a `Repository` among the project's URLs the links
become addresses there, at the version's tag; without one their text stays, and pictures go.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

LINK = re.compile(r"(!?)\[([^\]]*)\]\((?!https?:|#)([^)\s]+)\)")


class ReadmeHook(MetadataHookInterface):
    """Sets the field `readme`."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Add the description to the project's metadata."""
        text = Path(self.root, "README.md").read_text(encoding="utf-8")
        repository = metadata.get("urls", {}).get("Repository")
        described = description(text, repository, f"v{metadata['version']}")
        metadata["readme"] = {"content-type": "text/markdown", "text": described}


def description(text: str, repository: str | None, tag: str) -> str:
    """Return `text` with links that work anywhere."""

    def turned(match: re.Match[str]) -> str:
        picture, name, path = match.groups()
        if repository is None:
            return "" if picture else name
        kind = "raw" if picture else "blob"
        return f"{picture}[{name}]({repository.rstrip('/')}/{kind}/{tag}/{path})"

    return LINK.sub(turned, text)
