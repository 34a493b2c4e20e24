"""Explains what a schema expected where it refused a value, in the schema's own words.

Nothing of the document is shown: keys that the schema does not name are given by position, and what
came as a type and a length.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from guardstream.jsonstream.lexer import tokens as t
from guardstream.jsonstream.lexer.errors import json_pointer
from guardstream.jsonstream.lexer.tokens import Token
from guardstream.jsonstream.schema import nodes as n
from guardstream.jsonstream.schema.dialects import CONTENT, SchemaDict, listed, without_annotations
from guardstream.jsonstream.schema.refs import References

_LONGEST = 300  # code points of the expectation: an `enum` may have thousands of values
_CHOICES = ("anyOf", "oneOf")
_VALUES = ("enum", "const")
_OTHERS = ("additionalProperties", "unevaluatedProperties")
_OF_CONTAINERS = frozenset(
    (
        "additionalProperties", "contains", "dependentRequired", "dependentSchemas", "items",
        "maxContains", "maxItems", "maxProperties", "minItems", "minProperties", "required",
        "unevaluatedItems", "unevaluatedProperties", "uniqueItems",
    )
)  # fmt: skip
_NAMES = {
    n.OBJECT: "an object", n.ARRAY: "an array", n.STRING: "a string", n.NUMBER: "a number",
    n.TRUE: "a boolean", n.FALSE: "a boolean", n.NULL: "null",
}  # fmt: skip
_CLOSES = (t.CLOSE_OBJECT, t.CLOSE_ARRAY)
_KEYS = (t.KEY, t.KEY_PART)
_BEGUN = {"t": "a boolean", "f": "a boolean", "n": "null"}
_TOKENS = {
    t.OPEN_OBJECT: "an object", t.OPEN_ARRAY: "an array", t.STRING: "a string",
    t.STRING_PART: "a string", t.INTEGER: "a number", t.FLOAT: "a number", t.KEY: "a key",
    t.KEY_PART: "a key",
}  # fmt: skip


class Expectations:
    """Describes the expectations of one schema; `references` are its own."""

    def __init__(self, root: SchemaDict, references: References) -> None:
        self._root = root
        self._references = references

    def words(self, path: Sequence[str | int], keyword: str, by: Any = None) -> str:
        """Return what `keyword` expects of the value at `path`; only the keyword if it is not
        found.

        `by` is the schema that contains it; without it, any schema that may apply to the value.
        """
        reads = list(self._reads(self._at(path) if by is None else [by]))
        if keyword in _VALUES:
            return _one_of(reads, keyword)
        reads = [{**read, **read.get(CONTENT, {})} for read in reads]
        operands = [read[keyword] for read in reads if keyword in read]
        if not operands:  # the allowed values are of other types
            return _one_of(reads, keyword) if keyword == "type" else keyword
        if keyword == "type":  # of all branches, because none remained
            types = dict.fromkeys(name for each in operands for name in listed(each))
            return f"type {_shown(next(iter(types)) if len(types) == 1 else list(types))}"
        if keyword in _OTHERS and operands[0] is False:
            return _only(keyword, reads)
        if by is None and any(each != operands[0] for each in operands):
            return keyword  # there are several, which differ
        plain = self._plain(keyword, operands[0])
        return keyword if plain is None else f"{keyword} {_shown(plain)}"

    def value(self, path: Sequence[str | int]) -> str:
        """Return the schema of the value at `path`; empty if there is none, or more than one."""
        found = [each for each in self._at(path) if isinstance(each, dict)]
        return _shown(self._plain("", found[0])) if len(found) == 1 else ""

    def pointer(self, path: Sequence[str | int], value: Any) -> str:
        """Return the pointer to `path` in `value`; keys that the schema does not name are given by
        position."""
        parts: list[str | int] = []
        for at, part in enumerate(path):
            if isinstance(part, int) or self._names(path[:at], part):
                parts.append(part)
            else:
                parts.append(f"#{_position(value, part)}")
            value = _inside(value, part)
        return json_pointer(parts)

    def _names(self, path: Sequence[str | int], key: str) -> bool:
        return any(key in read.get("properties", ()) for read in self._reads(self._at(path)))

    def _at(self, path: Sequence[str | int]) -> list[Any]:
        """Return the schemas that may apply to the value at `path`."""
        found: list[Any] = [self._root]
        for part in path:
            found = [inner for read in self._reads(found) for inner in _stepped(read, part)]
        return found

    def _reads(self, schemas: list[Any]) -> Iterator[SchemaDict]:
        """Yield the keywords of schemas, and of all that may apply to the same value."""
        return self._references.readings(schemas, ("if", "then", "else", "allOf", *_CHOICES))

    def _plain(self, keyword: str, operand: Any) -> Any:
        """Return the most informative short description; None if there is none.

        Of choices, only the types of their branches: the rest is long and says less.
        """
        if keyword in _CHOICES:
            types = [read["type"] for read in self._reads(operand) if "type" in read]
            return list(dict.fromkeys(name for each in types for name in listed(each))) or None
        if isinstance(operand, dict) and operand.keys() == {"$ref"}:
            read = self._reads([operand])
            operand = next((each for each in read if "$ref" not in each), operand)
        return without_annotations(operand) if isinstance(operand, dict) else operand


def came(keyword: str, offset: int, tokens: Sequence[Token], value: Any) -> str:
    """Return what came: a type, and a length if that is the same in every chunking.

    `value` is what is at the path so far, None if nothing is.
    """
    if keyword in _OTHERS and any(
        kind in _KEYS and start - 1 <= offset < end for kind, _, start, end in tokens
    ):
        return "a key"
    closes = any(kind in _CLOSES and start == offset for kind, _, start, _ in tokens)
    if isinstance(value, dict | list) and (closes or keyword in _OF_CONTAINERS):
        return described(value)
    for kind, content, start, end in tokens:
        if end <= offset and not (end == offset and kind in (t.INTEGER, t.FLOAT)):
            continue
        if kind == t.LITERAL:
            return described(content)
        if kind == t.SCALAR_PART:
            return _BEGUN.get(content, "a number")
        if kind == t.STRING and offset == end - 1 and offset != start - 1:
            return described(content)
        return _TOKENS.get(kind, "something else")
    return "something else"


def described(value: Any) -> str:
    """Return the type of a complete value, and its length."""
    if isinstance(value, dict | list):
        what = "member" if isinstance(value, dict) else "element"
        return f"{_NAMES[n.kind_of(value)]} with {_counted(len(value), what)}"
    if isinstance(value, str):
        return f"a string of {_counted(len(value), 'character')}"
    return _NAMES[n.kind_of(value)]


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _one_of(reads: list[SchemaDict], keyword: str) -> str:
    """Return the allowed values, of `enum` or `const`; only the keyword if none are given."""
    values: list[Any] = []
    for read in reads:
        new = [*read.get("enum", ()), *([read["const"]] if "const" in read else [])]
        values += [each for each in new if each not in values]
    if len(values) == 1 and not any("enum" in read for read in reads):
        return f"const {_shown(values[0])}"
    return f"enum {_shown(values)}" if values else keyword


def _only(keyword: str, reads: list[SchemaDict]) -> str:
    """Return that there may be no members beyond those that have a schema."""
    if keyword == "additionalProperties":
        reads = [read for read in reads if read.get(keyword) is False]
    members = [name for read in reads for name in read.get("properties", ())]
    patterns = [name for read in reads for name in read.get("patternProperties", ())]
    known = [f"properties {_shown(list(dict.fromkeys(members)))}"] if members else []
    known += [f"patternProperties {_shown(list(dict.fromkeys(patterns)))}"] if patterns else []
    return f"{keyword} false beside {' and '.join(known)}" if known else f"{keyword} false"


def _stepped(read: SchemaDict, part: str | int) -> Iterator[Any]:
    """Yield the schemas that `read` has for a member or an element."""
    if isinstance(part, int):
        prefix = read.get("prefixItems", ())
        yield prefix[part] if part < len(prefix) else read.get("items")
        return
    properties = read.get("properties", {})
    yield properties[part] if part in properties else read.get("additionalProperties")
    yield from read.get("patternProperties", {}).values()


def _shown(operand: Any) -> str:
    text = json.dumps(operand, ensure_ascii=False)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _position(value: Any, key: str) -> int:
    """Return the position of a key in an object, from 1; a key without a value yet comes last."""
    names = list(value) if isinstance(value, dict) else []
    return names.index(key) + 1 if key in names else len(names) + 1


def _inside(value: Any, part: str | int) -> Any:
    try:
        return value[part]
    except (KeyError, IndexError, TypeError):
        return None
