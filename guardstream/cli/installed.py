"""Returns whether the packages that a command needs are installed, before it imports them."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping

from guardstream.cli.output import UsageError

PROXY = {
    "aiohttp": "aiohttp",
    "certifi": "certifi",
    "python_multipart": "python-multipart",
    "starlette": "starlette",
    "uvicorn": "uvicorn",
    "yarl": "yarl",
}
"""The modules that the proxy imports, and their names on PyPI."""


def is_installed(module: str) -> bool:
    """Return whether a top-level module can be imported."""
    return importlib.util.find_spec(module) is not None


def check_installed(what: str, needed: Mapping[str, str], extra: str) -> None:
    """Raise UsageError if `what` needs modules that are not there.

    `needed` gives the name on PyPI of each module; `extra` is the extra that has them all.
    """
    missing = [name for module, name in needed.items() if not is_installed(module)]
    if missing:
        raise UsageError(f"{what} needs {', '.join(missing)}: pip install 'guardstream[{extra}]'")
