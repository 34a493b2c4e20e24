"""A schema that a document can be checked against while it arrives."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any, TypeAlias

from guardstream.jsonstream.schema.checks import KeywordChecks, draft_of, validator
from guardstream.jsonstream.schema.compile import Compiler
from guardstream.jsonstream.schema.dialects import ANNOTATIONS, DIALECTS, DRAFT_2020, OPENAPI
from guardstream.jsonstream.schema.doubling import may_double
from guardstream.jsonstream.schema.errors import SchemaError
from guardstream.jsonstream.schema.evaluate import Evaluator
from guardstream.jsonstream.schema.expected import Expectations
from guardstream.jsonstream.schema.gemini import as_json_schema, is_gemini
from guardstream.jsonstream.schema.nodes import ANY, NEVER, Node
from guardstream.jsonstream.schema.refs import ROOT, References, SchemasByURI

__all__ = ["Schema", "Verdict"]

_WRAPPERS = (
    "json_schema", "function", "format", "schema", "parameters", "input_schema", "inputSchema"
)  # fmt: skip
"""The fields under which providers' requests and tools have a schema."""

_WRAPPING = ("json_schema", "function")
"""The values of their field `type`, which in a schema is a type of values."""

_KEYWORDS = frozenset(name for dialect in DIALECTS.values() for name in dialect.keywords)

Verdict: TypeAlias = tuple[str, list[str | int]] | None
"""A verdict on a whole value: the keyword that refuses it and the path to the place, or None."""


class Schema:
    """A JSON Schema, compiled once and shared by any number of documents.

    `draft` is one of "draft-04", "draft-06", "draft-07", "2019-09", "2020-12" and "openapi-3.0";
    without, it is what `$schema` says, or 2020-12. Types in capitals, as Gemini has them, need no
    draft. With `formats`, `format` is asserted. A `$ref`
    may lead to one of `documents`, schemas by their address; it starts from `base`, the schema's
    own address. Nothing is ever fetched.

    Raises SchemaError for a schema that is invalid in that draft, refers to one that is missing, or
    has a pattern that cannot run in linear time; and for a document that only contains a schema, as
    a tool's description or OpenAPI's does: as a schema it would allow anything.
    """

    def __init__(
        self,
        schema: Mapping[str, Any] | bool,
        *,
        draft: str | None = None,
        formats: bool = False,
        documents: SchemasByURI | None = None,
        base: str = ROOT,
    ) -> None:
        plain = schema if isinstance(schema, bool) else _plain(schema)
        self._schema: dict[str, Any] | bool = plain
        self._fast: Callable[[Any], bool] | None = None
        self._exact = True
        self._expectations: Expectations | None = None
        if isinstance(plain, bool):
            self._node = ANY if plain else NEVER
            return
        try:
            if draft in (None, OPENAPI.name) and is_gemini(plain):
                self._schema = plain = as_json_schema(plain)
                draft = DRAFT_2020.name
            self._compile(plain, draft, formats, documents, base)
        except RecursionError:
            raise SchemaError("/: the schema is nested too deeply") from None

    def _compile(
        self,
        schema: dict[str, Any],
        draft: str | None,
        formats: bool,
        documents: SchemasByURI | None,
        base: str,
    ) -> None:
        _check_unwrapped(schema)
        dialect = draft_of(schema, draft)
        references = References(schema, dialect, documents, base)
        self._expectations = Expectations(schema, references)
        checks = KeywordChecks(dialect)
        self._evaluator = Evaluator(references, checks, formats)
        compiler = Compiler(schema, references, checks, self._evaluator, formats)
        self._node = compiler.compile()
        self._exact = not compiler.ambiguous
        self._evaluator.settle()
        # The evaluator has the final verdict on what jsonschema-rs refuses.
        judged = map(references.dialect_of, (schema, *references.used.values()))
        if OPENAPI not in judged and not may_double(references, schema):
            with suppress(SchemaError):
                self._fast = validator(
                    schema, dialect, references.used, formats=formats, base=base
                ).is_valid

    @property
    def reads_source(self) -> bool:
        """Whether judges and verdict read the text; those of a JSON Schema only read the value."""
        return False

    @property
    def node(self) -> Node:
        """The node of the root, for a walker."""
        return self._node

    def explain(
        self, path: list[str | int], keyword: str, value: Any, by: Any = None
    ) -> tuple[str, str]:
        """Return the pointer to what was refused, and what was expected there; no text of the
        document.

        `path` leads to it in the document's `value`, `keyword` refused it, and `by` is the schema
        that contains the keyword, if that is known.
        """
        if self._expectations is None:
            return "", keyword
        words = self._expectations.words(path, keyword, by)
        return self._expectations.pointer(path, value), words

    def verdict(
        self,
        value: Any,
        text: str,  # noqa: ARG002
        *,
        followed: bool = False,
    ) -> Verdict:
        """Return the final verdict on a whole document, from which `value` was built.

        `followed` says that the nodes followed it and all judges were asked. That is sufficient;
        the verdict is repeated if that is cheap.
        """
        if isinstance(self._schema, bool):
            return None if self._schema else ("false", [])
        if self._fast is not None:
            if self._fast(value):
                return None
        elif followed and self._exact:
            return None
        return self._evaluator.fault(self._schema, value)


def _plain(schema: object) -> dict[str, Any]:
    """Return a schema as a mapping; TypeError for anything else, such as a model."""
    if isinstance(schema, Mapping):
        return dict(schema)
    if isinstance(schema, type):
        raise TypeError(
            f"a schema is a mapping, not the class {schema.__qualname__!r}: use ModelSchema, or "
            "what its model_json_schema() returns"
        )
    raise TypeError(f"a schema is a mapping, True or False, not {type(schema).__qualname__!r}")


def _check_unwrapped(schema: Mapping[str, Any]) -> None:
    """Raise SchemaError for an object that contains a schema and has no keyword of its own."""
    if any(_is_own(name, schema[name]) for name in _KEYWORDS & schema.keys()):
        return
    way = list(_wrappers(schema))
    if way:
        raise SchemaError(f"/: the schema is under {'.'.join(way)!r}: give that alone")
    if "openapi" in schema or "swagger" in schema:
        raise SchemaError(
            "/: an OpenAPI document has many schemas: say which, with a '$ref' beside them such as "
            "'#/components/schemas/NAME'"
        )
    if any(name.startswith("$") for name in schema):
        return
    if any(
        isinstance(each, dict | list) for name, each in schema.items() if name not in ANNOTATIONS
    ):
        raise SchemaError(
            "/: there is no keyword of JSON Schema here, so anything would be allowed: put "
            "members under 'properties', and give the schema alone"
        )


def _is_own(keyword: str, operand: Any) -> bool:
    """Return whether a keyword is about values, and not about the object around the schema."""
    if keyword == "type":
        return operand not in _WRAPPING
    return not (keyword == "format" and isinstance(operand, dict))


def _wrappers(schema: Any) -> Iterator[str]:
    """Yield the nested fields that lead to the schema."""
    while True:
        name = next((each for each in _WRAPPERS if isinstance(schema.get(each), dict)), None)
        if name is None:
            return
        yield name
        schema = schema[name]
