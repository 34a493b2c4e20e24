"""Adapters of other packages, which name their classes as entry points."""

from __future__ import annotations

import os
import sys
from collections.abc import Collection
from typing import Any

ENTRY_POINTS = "guardstream.formats"
"""The group in which other packages name their adapters' classes."""


def entries() -> Collection[Any]:
    """Return the entry points of adapters.

    To read the metadata of every distribution takes as long as to import a format, and in most
    environments none has an adapter. So their files are first searched for the name of the group.
    """
    if not any(map(_may_have_adapters, sys.path)):
        return ()
    from importlib.metadata import entry_points

    return entry_points(group=ENTRY_POINTS)


def _may_have_adapters(folder: str) -> bool:
    """Return whether a distribution in a folder of Python's path may name an adapter."""
    try:
        names = os.listdir(folder or ".")
    except NotADirectoryError:  # an archive, of which only `importlib.metadata` knows
        return True
    except OSError:
        return False
    if any(name.endswith(".egg") for name in names):
        return True
    folders = (name for name in names if name.endswith((".dist-info", ".egg-info")))
    return any(_names_group(os.path.join(folder, name, "entry_points.txt")) for name in folders)


def _names_group(path: str) -> bool:
    try:
        with open(path, "rb") as file:
            return ENTRY_POINTS.encode() in file.read()
    except OSError:
        return False
