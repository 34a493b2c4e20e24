"""The errors of the JSON stream: the documented place of what `lexer` and `schema` raise."""

from guardstream.jsonstream.lexer.errors import DocumentError, JSONSyntaxError, json_pointer
from guardstream.jsonstream.schema.errors import SchemaError, SchemaViolationError

__all__ = [
    "DocumentError",
    "JSONSyntaxError",
    "SchemaError",
    "SchemaViolationError",
    "json_pointer",
]
