"""`guardstream lint`: errors and warnings about policies, one line each."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Literal, TypeAlias

from guardstream.cli import sarif
from guardstream.cli.sarif import Note
from guardstream.errors import PolicyError
from guardstream.policy import build, packs
from guardstream.policy.lint import warnings
from guardstream.policy.sources import Loader

CLEAN, WARNED, WRONG = 0, 1, 2

Form: TypeAlias = Literal["lines", "json", "sarif"]

_PLACE = re.compile(r"(.+?):(\d+):(\d+): (?:warning: )?(.*)", re.DOTALL)


def lint(policies: Sequence[str], *, strict: bool, form: Form = "lines") -> int:
    """Print what is wrong and what is doubtful; return the exit status."""
    notes = [note for name in policies for note in _notes(name)]
    if form == "lines":
        for note in notes:
            print(_line(note))
    else:
        said = sarif.log(notes) if form == "sarif" else [note._asdict() for note in notes]
        print(json.dumps(said, indent=2))
    if any(note.level == "error" for note in notes):
        return WRONG
    return WARNED if notes and strict else CLEAN


def _notes(name: str) -> Iterator[Note]:
    """What is to be said about one policy."""
    try:
        built = build.load(packs.resolve(name), Loader(purpose="lint"))
    except PolicyError as error:
        for line in str(error).splitlines():
            yield _note(line, "error", name)
    else:
        for line in warnings(built):
            yield _note(line, "warning", name)


def _note(line: str, level: str, name: str) -> Note:
    found = _PLACE.fullmatch(line)
    if found is None:
        return Note(name, 1, 1, level, line)
    return Note(found[1], int(found[2]), int(found[3]), level, found[4])


def _line(note: Note) -> str:
    """A note as compilers write it."""
    return f"{note.file}:{note.line}:{note.column}: {note.level}: {note.message}"
