"""`guardstream init`: writes a first policy, with comments and tests."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from guardstream.errors import GuardstreamError


class InitError(GuardstreamError):
    """The file cannot be written."""


def init(path: Path) -> str:
    """Write the policy to `path`; return the message to print. InitError if the file exists."""
    text = (resources.files("guardstream.cli") / "first.yaml").read_text(encoding="utf-8")
    try:
        with path.open("x", encoding="utf-8", newline="\n") as file:
            file.write(text)
    except FileExistsError as error:
        raise InitError(f"{path}: already exists: name another file, or move it") from error
    return (
        f"wrote {path}: change it, then run\n"
        f"  guardstream lint {path}\n"
        f"  guardstream test {path}\n"
        f"  echo 'write to ann@example.com' | guardstream run {path}"
    )
