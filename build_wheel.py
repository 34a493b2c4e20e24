"""Builds what a wheel has besides its sources: the C extension of the search, the formats, and the
packs.

The files that describe formats are put into one of JSON, which is read without a parser of YAML;
so are the packs, with their patterns compiled.

Without a compiler the wheel is pure Python and answers the same, more slowly. The extension keeps
to the limited API, so that one wheel serves CPython 3.11 and later; free-threaded builds, which
have no such API, use the Python form. An editable install gets it into the source tree.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SOURCE = "guardstream/scan/native/module.c"
MODULE = "guardstream.scan._native"


FORMATS = "guardstream/formats/formats.jsonl"
PACKS = "guardstream/policies/compiled.bin"


class WheelBuildHook(BuildHookInterface):  # type: ignore[type-arg]
    """Builds them before a wheel is packed."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build them; say in the wheel's tag what the extension was compiled for."""
        if version != "editable":  # where the files may still change
            folder = Path(tempfile.mkdtemp(prefix="guardstream-data-"))
            for made, content in {
                FORMATS: formats(Path(self.root)).encode(),
                PACKS: packs(Path(self.root)),
            }.items():
                file = folder / Path(made).name
                file.write_bytes(content)
                build_data["force_include"][str(file)] = made
        if sys.implementation.name != "cpython" or sysconfig.get_config_var("Py_GIL_DISABLED"):
            return
        root = Path(self.root)
        editable = version == "editable"
        folder = root if editable else Path(tempfile.mkdtemp(prefix="guardstream-native-"))
        built = compiled(root, folder)
        if built is None:
            self.app.display_warning("the C extension does not compile: the search runs in Python")
            return
        build_data["pure_python"] = False
        build_data["tag"] = f"cp311-abi3-{platform_tag()}"
        if not editable:
            build_data["force_include"][str(built)] = str(built.relative_to(folder))


def formats(root: Path) -> str:
    """All descriptions of formats, and tables of them: a line for each, its name and then its
    content in JSON."""
    import yaml

    folder = (root / FORMATS).parent
    files = [*sorted(folder.glob("*.yaml")), *sorted(folder.glob("tables/*.yaml"))]
    contents = ((file.stem, yaml.safe_load(file.read_text(encoding="utf-8"))) for file in files)
    return "".join(
        f"{name} {json.dumps(content, separators=(',', ':'))}\n" for name, content in contents
    )


def packs(root: Path) -> bytes:
    """The packs, parsed and compiled by the package itself."""
    code = (
        "import sys; from guardstream.policy.compiled import made; sys.stdout.buffer.write(made())"
    )
    return subprocess.run(
        [sys.executable, "-c", code], cwd=root, check=True, stdout=subprocess.PIPE
    ).stdout


def compiled(root: Path, folder: Path) -> Path | None:
    """The extension, compiled into a folder; None if it does not compile."""
    from setuptools import Distribution, Extension
    from setuptools.command.build_ext import build_ext

    extension = Extension(
        MODULE,
        [str(root / SOURCE)],
        depends=[str(header) for header in (root / SOURCE).parent.glob("*.h")],
        define_macros=[("Py_LIMITED_API", "0x030B0000")],
        py_limited_api=True,
        optional=True,
    )
    command = build_ext(Distribution({"name": "guardstream", "ext_modules": [extension]}))
    command.build_lib = str(folder)
    command.build_temp = tempfile.mkdtemp(prefix="guardstream-objects-")
    command.ensure_finalized()
    try:
        command.run()
    except Exception:
        # A compiler that is not there fails in ways of its own; none of them is fatal here.
        return None
    built = folder / command.get_ext_filename(MODULE)
    return built if built.exists() else None


def platform_tag() -> str:
    """The platform part of the wheel's tag; on macOS the oldest version that it is compiled for."""
    from packaging.tags import mac_platforms, platform_tags

    target = os.environ.get("MACOSX_DEPLOYMENT_TARGET")
    if sys.platform == "darwin" and target:
        major, minor = (*map(int, target.split(".")), 0)[:2]
        return next(mac_platforms((major, minor)))
    return next(iter(platform_tags()))
