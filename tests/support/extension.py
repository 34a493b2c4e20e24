"""The C extension compiled anew: with a bug in its source, or with sanitizers.

`python -m tests.support.extension` compares such an extension with the reference; `--sanitize`
compiles it with AddressSanitizer and UndefinedBehaviorSanitizer first, `--built` takes one that has
been compiled. It exits with 1 where they differ, and the sanitizers end it where memory is misused.
"""

from __future__ import annotations

import argparse
import importlib.machinery
import importlib.util
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
SOURCES = ROOT / "guardstream" / "scan" / "native"
NAME = "guardstream.scan._native"
BLOCK = 100
"""So many cases are compared before some of another kind are: a bug that those alone show is found
soon too."""

SANITIZERS = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-O1", "-g")


class Change(NamedTuple):
    """A text that occurs exactly once in a source file, and what replaces it."""

    file: str
    before: str
    after: str


def compiled(folder: Path, flags: Iterable[str] = (), change: Change | None = None) -> Path:
    """The extension, compiled into a folder."""
    sources = folder / "native"
    shutil.copytree(SOURCES, sources)
    if change is not None:
        path = sources / change.file
        text = path.read_text("utf-8")
        assert text.count(change.before) == 1, f"{change.before!r} stands not once in {path.name}"
        path.write_text(text.replace(change.before, change.after), "utf-8")
    built = folder / "_native.abi3.so"
    include = sysconfig.get_paths()["include"]
    command = [compiler(), "-shared", "-fPIC", f"-I{include}", "-DPy_LIMITED_API=0x030B0000"]
    subprocess.run([*command, *flags, str(sources / "module.c"), "-o", str(built)], check=True)
    return built


def compiler() -> str:
    """The C compiler's name."""
    return os.environ.get("CC", "cc").split()[0]


def load(path: Path) -> None:
    """Let this process use the extension at `path`; nothing of the search is imported yet."""
    loader = importlib.machinery.ExtensionFileLoader(NAME, str(path))
    spec = importlib.util.spec_from_file_location(NAME, path, loader=loader)
    assert spec is not None
    import guardstream.scan

    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    sys.modules[NAME] = module
    guardstream.scan._native = module  # type: ignore[attr-defined]


def compare(first: int, cases: int) -> str:
    """The first difference between the extension and the reference, if any."""
    from guardstream.scan.regex import forms
    from tests.support.generate import EVERY, draw_behind
    from tests.support.harness import hunt, told

    assert forms.NATIVE
    for start in range(first, first + cases, BLOCK):
        seeds = range(start, min(start + BLOCK, first + cases))
        found = hunt(seeds, most=1) or hunt(seeds[::EVERY], most=1, draw=draw_behind)
        if found:
            return told(found)
    return ""


def run(built: Path, cases: int, first: int = 0, *, sanitized: bool = False) -> int:
    """Compare in a process of its own; its exit status."""
    environment = dict(os.environ)
    if sanitized:
        library = subprocess.check_output([compiler(), "-print-file-name=libasan.so"], text=True)
        environment |= {
            "LD_PRELOAD": library.strip(),
            # The interpreter's own objects would count as leaks, and its pools hide misuse.
            "ASAN_OPTIONS": "detect_leaks=0",
            "PYTHONMALLOC": "malloc",
        }
    quiet = None if sanitized else subprocess.DEVNULL
    return subprocess.run(
        _command(built, cases, first),
        cwd=ROOT,
        env=environment,
        stdout=quiet,
        stderr=quiet,
        check=False,
    ).returncode


def difference_of(built: Path, cases: int) -> str:
    """What is told of the first case that differs."""
    done = subprocess.run(
        _command(built, cases, 0), cwd=ROOT, capture_output=True, check=False, text=True
    )
    return done.stdout


def _command(built: Path, cases: int, first: int) -> list[str]:
    arguments = ["--built", str(built), "--cases", str(cases), "--first", str(first)]
    return [sys.executable, "-m", "tests.support.extension", *arguments]


def main() -> int:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sanitize", action="store_true")
    parser.add_argument("--built", type=Path)
    parser.add_argument("--cases", type=int, default=1_000)
    parser.add_argument("--first", type=int, default=0, help="the first case's seed")
    chosen = parser.parse_args()
    if chosen.sanitize:
        with tempfile.TemporaryDirectory() as folder:
            built = compiled(Path(folder), SANITIZERS)
            return run(built, chosen.cases, chosen.first, sanitized=True)
    if chosen.built:
        load(chosen.built)
    found = compare(chosen.first, chosen.cases)
    print(found or f"{chosen.cases} cases, no differences")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
