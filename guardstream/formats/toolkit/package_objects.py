"""Events as objects of a provider's package: further ones of its classes, and their fields.

No package is imported: its classes are there if one of its objects is.
"""

from __future__ import annotations

import sys
from typing import Any

from guardstream.errors import AdapterError


def sibling(chunk: Any, module: str, name: str) -> Any:
    """Return the class `name` of the already imported `module`; AdapterError if it does not exist.

    For chunks that are objects of a provider's package, whose other classes are then imported, too.
    """
    found = getattr(sys.modules.get(module), name, None)
    if found is None:
        kind = type(chunk).__qualname__
        raise AdapterError(f"no class {name!r} beside {kind!r} to create another chunk")
    return found


def constructed(chunk: Any, name: str, fields: dict[str, Any], *modules: str) -> Any:
    """Return an event like `chunk`: `fields` as a dict, or an object of the class `name` in the
    first of `modules` that has it. For the packages of OpenAI and Anthropic."""
    if isinstance(chunk, dict):
        return fields
    *others, last = modules
    found = (getattr(sys.modules.get(module), name, None) for module in others)
    kind = next(filter(None, found), None) or sibling(chunk, last, name)
    return kind.construct(**fields)


def plain(value: Any) -> dict[str, Any]:
    """Return an object of the packages of OpenAI, Anthropic or LiteLLM as a dict; a dict as it
    is."""
    fields: dict[str, Any]
    if isinstance(value, dict):
        fields = value
    elif is_foreign(value):
        fields = value.model_dump(mode="json", exclude_unset=True, warnings=False)
    else:
        fields = value.to_dict(warnings=False)
    return fields


def is_foreign(value: Any) -> bool:
    """Return whether a value is a model of another package than OpenAI's and Anthropic's, which
    lacks their methods."""
    return hasattr(value, "model_dump") and not hasattr(value, "to_dict")
