"""`guardstream report`: a summary of audit logs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from guardstream.cli.output import naming
from guardstream.errors import GuardstreamError
from guardstream.observability.page import page
from guardstream.observability.report import report as summarised


def report(paths: Sequence[str], *, as_json: bool, html: Path | None = None) -> None:
    """Print a summary of audit logs, or write it as a page."""
    found = summarised(paths)
    if found.torn and not found.streams and not found.unfinished:
        raise GuardstreamError(
            f"{', '.join(paths)}: no line is a record of a stream: name audit logs"
        )
    if html is not None:
        with naming(html):
            html.write_text(page(found, ", ".join(paths)), encoding="utf-8")
    elif as_json:
        print(json.dumps(found.as_dict(), indent=2))
    else:
        print(*found.lines(), sep="\n")
