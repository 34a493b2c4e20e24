"""The public names of the package, as text: what modules say they export, with signatures.

python -m tests.support.api    # writes them into tests/public_api.txt
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any, ForwardRef, is_typeddict

import guardstream

STORED = Path(__file__).resolve().parents[1] / "public_api.txt"

GUARDRAIL = "guardstream.integrations.litellm"
"""Is not described: what it inherits is LiteLLM's."""

COMMAND = "python -m tests.support.api"


def modules() -> Iterator[ModuleType]:
    """All modules that have `__all__`, except for those that need the C extension, and LiteLLM's
    guardrail where its base class is missing."""
    for found in pkgutil.walk_packages(guardstream.__path__, "guardstream."):
        if found.name == GUARDRAIL and find_spec("litellm") is None:
            continue
        if not found.name.endswith(("__main__", "native")):
            module = importlib.import_module(found.name)
            if hasattr(module, "__all__"):
                yield module


def public() -> dict[str, ModuleType]:
    """The public modules by name."""
    found = {module.__name__: module for module in modules()}
    return dict(sorted({"guardstream": guardstream, **found}.items()))


def described() -> str:
    """Every public module with its names; what several of them export is described once."""
    known: dict[int, str] = {}
    lines: list[str] = []
    for name, module in public().items():
        if name == GUARDRAIL:
            continue
        lines.append(name)
        for exported in sorted(module.__all__):
            value = getattr(module, exported)
            place = f"{name}.{exported}"
            earlier = known.get(id(value)) if inspect.isroutine(value) or _is_class(value) else None
            if earlier is not None:
                lines.append(f"    {exported}: see {earlier}")
                continue
            known[id(value)] = place
            lines += [f"    {line}" for line in _described(exported, value)]
    return "\n".join(lines) + "\n"


def _described(name: str, value: Any) -> Iterator[str]:
    if _is_class(value):
        yield from _of_class(name, value)
        for member, found in sorted(_members(value)):
            yield from (f"    {line}" for line in _member(member, found))
    elif inspect.isroutine(value):
        yield from _function(name, value)
    elif inspect.ismodule(value):
        yield f"module {name}"
    else:
        yield name


def _of_class(name: str, value: type[Any]) -> list[str]:
    if getattr(value, "_is_protocol", False):
        return [f"protocol {name}"]
    if is_typeddict(value):
        fields = value.__annotations__.items()
        return [f"fields {name}", *(f"    {key}: {_annotation(each)}" for key, each in fields)]
    if issubclass(value, Exception) and "__init__" not in vars(value):
        return [f"class {name}({value.__bases__[0].__name__})"]
    return _called(f"class {name}", inspect.signature(value), returns=False)


def _members(value: type[Any]) -> Iterator[tuple[str, Any]]:
    """The public members of a class that are defined in this package, including its bases."""
    seen: set[str] = set()
    for base in value.__mro__:
        if base.__module__.partition(".")[0] != "guardstream":
            continue
        for name, found in vars(base).items():
            told = callable(found) or isinstance(found, (property, classmethod, staticmethod))
            if told and not name.startswith("_") and name not in seen and not _is_class(found):
                seen.add(name)
                yield name, found


def _member(name: str, found: Any) -> list[str]:
    if isinstance(found, property):
        assert found.fget is not None
        return [f"{name}: {_annotation(inspect.signature(found.fget).return_annotation)}"]
    if isinstance(found, (classmethod, staticmethod)):
        first, *rest = _function(name, found.__func__)
        return [f"{type(found).__name__} {first}", *rest]
    return _function(name, found)


def _function(name: str, value: Any) -> list[str]:
    kind = "async def" if inspect.iscoroutinefunction(value) else "def"
    return _called(f"{kind} {name}", inspect.signature(value))


def _called(head: str, signature: inspect.Signature, *, returns: bool = True) -> list[str]:
    """Return a signature in one line, or, if it is long, a line for each parameter."""
    parameters = list(_parameters(signature))
    tail = f" -> {_annotation(signature.return_annotation)}" if returns else ""
    line = f"{head}({', '.join(parameters)}){tail}"
    if len(line) <= 88:
        return [line]
    return [f"{head}(", *(f"    {each}," for each in parameters), f"){tail}"]


def _parameters(signature: inspect.Signature) -> Iterator[str]:
    named_only = False
    for each in signature.parameters.values():
        if each.kind is each.KEYWORD_ONLY and not named_only:
            named_only = True
            yield "*"
        stars = {each.VAR_POSITIONAL: "*", each.VAR_KEYWORD: "**"}.get(each.kind, "")
        named_only = named_only or stars == "*"
        known = f": {_annotation(each.annotation)}" if each.annotation is not each.empty else ""
        default = f" = {_default(each.default)}" if each.default is not each.empty else ""
        yield f"{stars}{each.name}{known}{default}"


def _annotation(annotation: Any) -> str:
    """Return an annotation as it is written."""
    if isinstance(annotation, ForwardRef):
        return annotation.__forward_arg__
    return annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)


def _default(value: Any) -> str:
    """Return a default without addresses, which differ from run to run."""
    return value.__qualname__ if inspect.isroutine(value) else repr(value)


def _is_class(value: Any) -> bool:
    """Whether a value is a class of this package; other classes are described by name alone."""
    return inspect.isclass(value) and value.__module__.partition(".")[0] == "guardstream"


if __name__ == "__main__":
    STORED.write_text(described(), encoding="utf-8")
