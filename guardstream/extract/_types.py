"""Declared types: the members of a union, the fields of a class, and where the JSON has them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import UnionType
from typing import (
    Annotated,
    Any,
    Literal,
    TypeAlias,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

from pydantic import AliasChoices, AliasGenerator, OnErrorOmit, RootModel
from pydantic.fields import FieldInfo

Path: TypeAlias = tuple[str | int, ...]
"""The keys and indices that lead to a value."""

_OMITS = get_args(OnErrorOmit)[-1]
"""Marks a type whose invalid values are left out."""


def branches(kind: Any) -> list[Any]:
    """Return the members of a union, without None."""
    within = _within(kind)
    if within is None:
        return [] if kind is type(None) else [kind]
    return [each for member in within for each in branches(member)]


def _within(kind: Any) -> Iterable[Any] | None:
    """Return the types that a union, an alias or the like stands for."""
    if isinstance(kind, TypeVar):
        return (_open(kind),)
    origin = get_origin(kind)
    alias = origin or kind
    value = getattr(alias, "__value__", None)  # of a `type` statement
    if value is not None:
        variables = zip(alias.__type_params__, get_args(kind), strict=False)
        return (_filled(value, dict(variables)),)
    if origin is Annotated:
        return get_args(kind)[:1]
    return get_args(kind) if origin in (Union, UnionType) else None


def _filled(kind: Any, variables: Mapping[Any, Any]) -> Any:
    """Return a type with its type variables replaced."""
    if isinstance(kind, TypeVar):
        return variables.get(kind, kind)
    free = getattr(kind, "__parameters__", ()) if get_args(kind) else ()
    return kind[tuple(variables.get(each, each) for each in free)] if free else kind


def _open(variable: TypeVar) -> Any:
    """Return the type that pydantic uses for an unbound type variable."""
    if getattr(variable, "has_default", bool)():
        return variable.__default__  # type: ignore[attr-defined]  # of typing_extensions
    if variable.__constraints__:
        return Union[variable.__constraints__]  # noqa: UP007  # of a tuple
    return variable.__bound__ or Any


def literals(kind: Any) -> tuple[Any, ...]:
    """Return all values of a literal type; none for any other type."""
    found: list[Any] = []
    for each in branches(kind):
        if get_origin(each) is not Literal:
            return ()
        found += get_args(each)
    return tuple(found)


def may_be_omitted(declared: Any) -> bool:
    """Return whether an invalid value is left out: only at a value's end is it known whether the
    value stays."""
    if is_class(declared, RootModel):
        return may_be_omitted(declared_type(declared.model_fields["root"]))
    if get_origin(declared) is Annotated and _OMITS in get_args(declared):
        return True
    return any(map(may_be_omitted, _within(declared) or ()))


def is_class(kind: Any, of: Any) -> bool:
    """Return whether a type is a class, and a subclass of `of`."""
    return isinstance(kind, type) and issubclass(kind, of)


def is_named_tuple(kind: Any) -> bool:
    """Return whether a type is a class of named tuples."""
    return is_class(kind, tuple) and hasattr(kind, "_fields")


def hints_of(kind: Any) -> dict[str, Any]:
    """Return the declared types of a class's fields; `kind` may bind its type variables."""
    origin = get_origin(kind) or kind
    variables = dict(zip(getattr(origin, "__parameters__", ()), get_args(kind), strict=False))
    hints = get_type_hints(origin, include_extras=True)
    return {key: _filled(_unqualified(each), variables) for key, each in hints.items()}


def _unqualified(kind: Any) -> Any:
    """Return the type inside `Required[int]`, `NotRequired[int]` or `ReadOnly[int]`."""
    while str(get_origin(kind)).endswith(("Required", "ReadOnly")):
        kind = get_args(kind)[0]
    return kind


def declared_type(info: FieldInfo) -> Any:
    """Return the type of a model's field, with what pydantic needs to tell its values apart."""
    if info.discriminator is not None:
        return Annotated[info.annotation, info]
    return Annotated[info.annotation, *info.metadata] if info.metadata else info.annotation


def paths_of(
    fields: Mapping[str, FieldInfo], config: Mapping[str, Any]
) -> dict[str, tuple[Path, ...]]:
    """Return the paths in the JSON at which a field's value may be, in the order in which pydantic
    tries them."""
    by_name = config.get("populate_by_name") or config.get("validate_by_name")
    by_alias = config.get("validate_by_alias", True)
    found: dict[str, tuple[Path, ...]] = {}
    for name, info in fields.items():
        alias = info.validation_alias
        paths: list[Path] = []
        if by_alias and alias is not None:
            choices = alias.choices if isinstance(alias, AliasChoices) else [alias]
            paths = [(each,) if isinstance(each, str) else tuple(each.path) for each in choices]
        if by_name or alias is None:
            paths.append((name,))
        found[name] = tuple(paths)
    return found


def add_alias(name: str, info: FieldInfo, generator: Any) -> None:
    """Set the alias of a field that the configuration of its class generates."""
    if generator is None or info.validation_alias is not None:
        return
    if isinstance(generator, AliasGenerator):
        alias, validation, _ = generator.generate_aliases(name)
        info.validation_alias = validation or alias
    else:
        info.validation_alias = generator(name)
