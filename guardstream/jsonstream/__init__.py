"""JSON while it arrives: an exact incremental lexer, schemas that refuse early, JSON in prose.

It knows no policy and no stage, and does no I/O.
"""

from guardstream.jsonstream.document import Document
from guardstream.jsonstream.errors import (
    DocumentError,
    JSONSyntaxError,
    SchemaError,
    SchemaViolationError,
)
from guardstream.jsonstream.lexer.lexer import Lexer, Limits
from guardstream.jsonstream.schema.models import ModelSchema
from guardstream.jsonstream.schema.schema import Schema
from guardstream.jsonstream.verdict import verdict

__all__ = [
    "Document",
    "DocumentError",
    "JSONSyntaxError",
    "Lexer",
    "Limits",
    "ModelSchema",
    "Schema",
    "SchemaError",
    "SchemaViolationError",
    "verdict",
]
