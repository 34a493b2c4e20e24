"""`guardstream lint`: errors and warnings about policies, one line each."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Literal, TypeAlias

from guardstream.cli import names, sarif
from guardstream.policy import build, packs
from guardstream.policy.lint import warnings
from guardstream.policy.notes import Note, notes
from guardstream.policy.sources import Loader

CLEAN, WARNED, WRONG = 0, 1, 2

Form: TypeAlias = Literal["lines", "json", "sarif"]


def lint(policies: Sequence[str], *, strict: bool, form: Form = "lines") -> int:
    """Print what is wrong and what is doubtful; return the exit status."""
    found = [note for name in policies for note in _notes(name)]
    if form == "lines":
        for note in found:
            print(_line(note))
    else:
        said = sarif.log(found) if form == "sarif" else [note._asdict() for note in found]
        print(json.dumps(said, indent=2))
    if any(note.level == "error" for note in found):
        return WRONG
    return WARNED if found and strict else CLEAN


def _notes(name: str) -> Iterator[Note]:
    return notes(name, lambda: build.load(packs.resolve(name), Loader(purpose="lint")), _doubts)


def _doubts(built: build.Built) -> list[str]:
    return [*warnings(built), *names.warnings(built)]


def _line(note: Note) -> str:
    """A note as compilers write it."""
    return f"{note.file}:{note.line}:{note.column}: {note.level}: {note.message}"
