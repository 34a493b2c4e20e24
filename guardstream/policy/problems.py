"""Formats the errors of a policy: one line each, with file, line and column."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel, ValidationError

from guardstream.hints import hint
from guardstream.policy.document import Document, KeyPath, Problem
from guardstream.policy.model import MODELS, PolicyFile, keys

_EXPECTED = {
    "float_type": "expected a number",
    "dict_type": "expected a mapping, as in {{name: value}}",
    "int_type": "expected a whole number",
    "bool_type": "expected true or false",
    "too_short": "must not be empty",
    "string_too_short": "must not be empty",
    "string_too_long": "expected at most {max_length} characters",
}


_BOUNDS = {
    "greater_than": ("above", "gt"),
    "greater_than_equal": ("of at least", "ge"),
    "less_than_equal": ("of at most", "le"),
}


def lines_of(name: str, problems: Iterable[Problem]) -> list[str]:
    """Return one line for each of a file's `problems`, in file order, without repetitions."""
    return [f"{name}:{mark.line}:{mark.column}: {text}" for mark, text in sorted(set(problems))]


def warnings_of(name: str, problems: Iterable[Problem]) -> list[str]:
    """Return the lines of a file's `problems` that do not keep it from loading."""
    return lines_of(name, [Problem(mark, f"warning: {text}") for mark, text in problems])


def of_validation(
    error: ValidationError, document: Document, whole: type[BaseModel] = PolicyFile
) -> list[Problem]:
    """Translate validation errors of the model; of several errors about one value, only the first.

    `whole` is the model of the root mapping, if that is not a policy.
    """
    found: dict[KeyPath, Problem] = {}
    for detail in error.errors(include_url=False):
        path = _path(detail["loc"], document)
        if detail["type"] == "extra_forbidden":
            problem = Problem(document.key_mark(path), _unknown_key(path, whole))
        elif detail["type"] == "missing":
            problem = Problem(document.mark(path), f"missing key {detail['loc'][-1]!r}")
            path = (*path, detail["loc"][-1])
        else:
            message = _message(detail["type"], detail, _model_at(path, whole))
            if detail["input"] is None and path in document.keys:
                message = f"{path[-1]!r} has no value: {message}"
                problem = Problem(document.key_mark(path), message)
            elif detail["loc"][-1:] == ("[key]",):
                problem = Problem(document.key_mark(path), message)
            else:
                problem = Problem(document.mark(path), message)
        found.setdefault(path, problem)
    return list(found.values())


def message_of(error: ValidationError) -> str:
    """Return the message of the first error about a value that stands in no file."""
    detail = error.errors(include_url=False)[0]
    return _message(detail["type"], detail, PolicyFile)


def _path(loc: KeyPath, document: Document) -> KeyPath:
    """Drop the parts of a location that name a branch of a union instead of a place."""
    path: KeyPath = ()
    for part in loc:
        if (*path, part) in document.values:
            path = (*path, part)
    return path


def _unknown_key(path: KeyPath, whole: type[BaseModel]) -> str:
    if path[-1] == "<<":
        return "unknown key '<<': YAML 1.2 has no merge keys: write the keys out, or use 'extends'"
    known = keys(_model_at(path[:-1], whole))
    return f"unknown key {path[-1]!r}, {hint(str(path[-1]), known)}"


def _model_at(path: KeyPath, whole: type[BaseModel]) -> type[BaseModel]:
    """Return the model of the mapping that is, or should be, at `path`."""
    names = [part for part in path if isinstance(part, str)]
    # The second and the last are mappings by name, whose last part is a name.
    places = (names[-2:], names[-3:-1] if len(names) > 2 else [], names[-1:], names[-2:-1])
    found = (MODELS.get(".".join(place)) for place in places)
    return next((each for each in found if each), whole)


def _message(kind: str, detail: Any, model: type[BaseModel]) -> str:
    value = detail["input"]
    if kind == "literal_error":
        expected = str(detail["ctx"]["expected"])
        if not isinstance(value, str) or expected == value:
            return f"expected {expected}" + (", without quotes" if expected == value else "")
        known = [part.strip("' ") for part in expected.replace(" or ", ",").split(",")]
        return f"{value[:40]!r} is not allowed here, {hint(value, known)}"
    if kind == "string_type":
        if isinstance(value, (list, dict)):
            return f"expected text, not a {'list' if isinstance(value, list) else 'mapping'}"
        return "expected text" if value is None else "expected text: put it in quotes"
    if kind in ("list_type", "tuple_type"):
        lines = value is None or isinstance(value, dict)
        how = "begin each item with '- '" if lines else "write it in brackets, as in [one, two]"
        return f"expected a list: {how}"
    if kind == "model_type":
        return f"expected a mapping, known keys: {', '.join(keys(model))}"
    if kind in _BOUNDS:
        words, bound = _BOUNDS[kind]
        return f"expected a number {words} {detail['ctx'][bound]}"
    if kind == "string_pattern_mismatch":
        return "an id is made of letters, digits, '_', '-' and '.'"
    if kind in _EXPECTED:
        return _EXPECTED[kind].format_map(detail.get("ctx", {}))
    text = str(detail["msg"]).removeprefix("Value error, ")
    return text[:1].lower() + text[1:]
