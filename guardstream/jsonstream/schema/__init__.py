"""JSON Schema compiled to states that refuse at the first character."""

from guardstream.jsonstream.schema.schema import Schema

__all__ = ["Schema"]
