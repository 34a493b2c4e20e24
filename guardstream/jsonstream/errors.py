"""The errors of the JSON stream, which `lexer` and `schema` raise, in one module."""

from guardstream.jsonstream.lexer.errors import DocumentError, JSONSyntaxError, json_pointer
from guardstream.jsonstream.schema.errors import SchemaError, SchemaViolationError

__all__ = [
    "DocumentError",
    "JSONSyntaxError",
    "SchemaError",
    "SchemaViolationError",
    "json_pointer",
]
