"""The JSON Schema of policy files, for editors."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from inspect import cleandoc, getsource
from itertools import pairwise
from typing import Any

from guardstream.policy.model import MODELS, PolicyFile
from guardstream.policy.sections import Model


def schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of a policy file."""
    made = PolicyFile.model_json_schema(by_alias=True)
    shapes = {PolicyFile.__name__: made, **made["$defs"]}
    models: set[type[Model]] = {PolicyFile, *MODELS.values()}
    for model in models:
        properties = shapes[model.__name__]["properties"]
        for name, said in _descriptions(model):
            key = model.model_fields[name].alias or name
            properties[key] = dict(sorted({"description": said, **properties[key]}.items()))
    head = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "guardstream policy",
    }
    return {**head, **{key: value for key, value in made.items() if key != "title"}}


def text() -> str:
    """Return the schema as the text of the committed file."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


def _descriptions(model: type[Model]) -> Iterator[tuple[str, str]]:
    """Yield the model's own fields that a text below describes, each with it."""
    (made,) = ast.parse(getsource(model)).body
    assert isinstance(made, ast.ClassDef)
    for field, below in pairwise(made.body):
        match field, below:
            case ast.AnnAssign(ast.Name(name)), ast.Expr(ast.Constant(str(said))):
                yield name, cleandoc(said)
