"""The BFCL set as JSON Schemas and as the JSON a model would answer."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from tests.jsonstream.corpora import lines

_TYPES = {"dict": "object", "float": "number", "tuple": "array", "list": "array"}


def cases() -> Iterator[tuple[dict[str, Any], str]]:
    """Each function's parameters as a schema, and the text of a call's arguments."""
    for name in ("simple", "multiple", "parallel"):
        schemas = {record["id"]: record["function"] for record in lines(f"schemas_{name}.jsonl")}
        for record in lines(f"answers_{name}.jsonl"):
            functions = {each["name"]: each["parameters"] for each in schemas[record["id"]]}
            for call in record["ground_truth"]:
                for function, arguments in call.items():
                    if function in functions:
                        yield _schema(functions[function]), json.dumps(_first(arguments))


def _schema(schema: Any) -> Any:
    """The schema with the type names of JSON Schema; BFCL has Python's."""
    if isinstance(schema, list):
        return [_schema(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    found = {
        key: _schema(each) for key, each in schema.items() if key not in ("default", "optional")
    }
    if isinstance(found.get("type"), str):
        found["type"] = _TYPES.get(found["type"], found["type"])
        if found["type"] == "any":
            del found["type"]
    if isinstance(found.get("required"), bool):
        del found["required"]
    return found


def _first(answers: Any) -> Any:
    """The first of the answers that count; an empty one means that the argument is left out."""
    chosen = {}
    for name, values in answers.items():
        value = next((value for value in values if value != ""), None)
        if value is not None:
            chosen[name] = _plain(value)
    return chosen


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return _first(value) if all(isinstance(v, list) for v in value.values()) else value
    return [_plain(each) for each in value] if isinstance(value, list) else value
