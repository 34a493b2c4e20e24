"""Caches what is derived from a type before a stream begins: its adapter, and its early schema.

For a model that contains hundreds of others this takes a tenth of a second. So it is cached for the
classes and adapters that were used last. Other types are not cached: two unions may compare equal
although pydantic tells them apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property, lru_cache
from typing import Any

from pydantic import BaseModel, PydanticSchemaGenerationError, TypeAdapter

from guardstream.jsonstream.schema.models import EarlySchema
from guardstream.jsonstream.schema.unions import Unions

_KEPT = 16


class Known:
    """An adapter, its early schema, and its unions."""

    def __init__(self, model: Any) -> None:
        self.adapter = _adapter_of(model)

    @cached_property
    def early(self) -> EarlySchema:
        """The schema that refuses a document while it arrives."""
        return EarlySchema(self.adapter)

    @cached_property
    def unions(self) -> Unions:
        """Counts how often pydantic would try a value."""
        return Unions(self.adapter.core_schema)


def known(model: Any) -> Known:
    """Return the `Known` of a type or a TypeAdapter. TypeError for anything else."""
    if isinstance(model, TypeAdapter):
        return _kept(model, None)
    if isinstance(model, type) and issubclass(model, BaseModel):
        return _kept(model, model.__pydantic_validator__)  # another one when it is rebuilt
    return Known(model)


@lru_cache(maxsize=_KEPT)
def _kept(model: Any, validator: object) -> Known:
    del validator
    return Known(model)


def _adapter_of(model: Any) -> TypeAdapter[Any]:
    if isinstance(model, TypeAdapter):
        return model
    if isinstance(model, str):
        raise TypeError(
            f"the model must be a type, not the text {model!r}: give the class itself; a path "
            "comes before it"
        )
    if isinstance(model, Mapping):
        raise TypeError(
            f"the model must be a type, not a {type(model).__qualname__!r}: pass a JSON Schema as "
            "schema=, with a model such as dict"
        )
    if isinstance(model, BaseModel):
        name = type(model).__qualname__
        raise TypeError(f"the model must be a type, not an object of {name!r}: give the class")
    if _is_of_pydantic_1(model):
        raise TypeError(
            f"{model!r} is a model of pydantic 1: define how it is created from plain values, "
            "Annotated[Any, PlainValidator(MODEL.parse_obj)]"
        )
    try:
        return TypeAdapter(model)
    except PydanticSchemaGenerationError as error:
        raise TypeError(
            f"pydantic does not know the type {model!r}: give a model, a dataclass, a TypedDict or "
            "a list of them; or define how it is created from plain values, "
            "Annotated[TYPE, PlainValidator(function)]"
        ) from error


_OF_1 = ("pydantic.v1.main", "BaseModel")


def _is_of_pydantic_1(model: object) -> bool:
    bases = model.__mro__ if isinstance(model, type) else ()
    return any((each.__module__, each.__name__) == _OF_1 for each in bases)
