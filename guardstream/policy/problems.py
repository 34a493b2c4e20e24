"""What is wrong with a policy, in words: one line each, with file, line and column."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any

from pydantic import BaseModel, ValidationError

from guardstream.policy.document import Document, Path, Problem
from guardstream.policy.model import MODELS, PolicyFile, keys

_EXPECTED = {
    "string_type": "expected text: put it in quotes",
    "float_type": "expected a number",
    "list_type": "expected a list: write it in brackets, as in [one, two]",
    "dict_type": "expected a mapping",
    "model_type": "expected a mapping",
    "int_type": "expected a whole number",
    "bool_type": "expected true or false",
    "too_short": "must not be empty",
    "string_too_short": "must not be empty",
}


def lines_of(name: str, problems: Iterable[Problem]) -> list[str]:
    """Return one line for each of a file's `problems`, in file order, each once."""
    return [f"{name}:{mark.line}:{mark.column}: {text}" for mark, text in sorted(set(problems))]


def of_validation(
    error: ValidationError, document: Document, whole: type[BaseModel] = PolicyFile
) -> list[Problem]:
    """Translate what the model refused; of several complaints about one value, the first.

    `whole` is the model of a mapping at a place that is not of a policy.
    """
    found: dict[Path, Problem] = {}
    for detail in error.errors(include_url=False):
        path = _path(detail["loc"], document)
        if detail["type"] == "extra_forbidden":
            problem = Problem(document.key_mark(path), _unknown_key(path, whole))
        elif detail["type"] == "missing":
            problem = Problem(document.mark(path), f"missing key {detail['loc'][-1]!r}")
            path = (*path, detail["loc"][-1])
        else:
            problem = Problem(document.mark(path), _message(detail["type"], detail))
        found.setdefault(path, problem)
    return list(found.values())


def _path(loc: Path, document: Document) -> Path:
    """Drop the parts of a location that name a branch of a union instead of a place."""
    path: Path = ()
    for part in loc:
        if (*path, part) in document.values:
            path = (*path, part)
    return path


def _unknown_key(path: Path, whole: type[BaseModel]) -> str:
    names = [part for part in path[:-1] if isinstance(part, str)]
    # The second and the last are of a mapping by names, in which the last part is one.
    places = (names[-2:], names[-3:-1] if len(names) > 2 else [], names[-1:], names[-2:-1])
    found = (MODELS.get(".".join(place)) for place in places)
    model = next((each for each in found if each), whole)
    return f"unknown key {path[-1]!r}, {nearest(str(path[-1]), keys(model))}"


def nearest(word: str, known: list[str]) -> str:
    """Return a hint for a word that is not among the `known`."""
    close = get_close_matches(word, known, n=1, cutoff=0.6)
    return f"did you mean {close[0]!r}?" if close else "known: " + ", ".join(known)


def _message(kind: str, detail: Any) -> str:
    if kind == "literal_error":
        expected, value = str(detail["ctx"]["expected"]), detail["input"]
        if not isinstance(value, str):
            return f"expected {expected}"
        known = [part.strip("' ") for part in expected.replace(" or ", ",").split(",")]
        return f"{value[:40]!r} is not possible here, {nearest(value, known)}"
    if kind == "string_pattern_mismatch":
        return "an id is made of letters, digits, '_', '-' and '.'"
    if kind in _EXPECTED:
        return _EXPECTED[kind]
    text = str(detail["msg"]).removeprefix("Value error, ")
    return text[:1].lower() + text[1:]
