"""The wire formats that can be guarded, one module each; no provider's SDK is imported."""

from __future__ import annotations

from typing import Any

from guardstream.errors import AdapterError
from guardstream.providers.base import Adapter
from guardstream.providers.openai_chat import OpenAIChat
from guardstream.providers.text import PlainText

ADAPTERS: dict[str, type[Any]] = {
    "text": PlainText,
    "openai_chat": OpenAIChat,
}
"""Every adapter by name, in the order in which they are asked whether they know a chunk."""


def named(name: str) -> Adapter[Any]:
    """Return a new adapter by its name; AdapterError names those there are."""
    if name not in ADAPTERS:
        raise AdapterError(f"no adapter {name!r}, there are: {', '.join(ADAPTERS)}")
    adapter: Adapter[Any] = ADAPTERS[name]()
    return adapter


def detect(chunk: object) -> Adapter[Any]:
    """Return a new adapter that knows chunks like `chunk`; AdapterError if there is none."""
    for adapter in ADAPTERS.values():
        if adapter.accepts(chunk):
            found: Adapter[Any] = adapter()
            return found
    kind = f"{type(chunk).__module__}.{type(chunk).__qualname__}".removeprefix("builtins.")
    known = ", ".join(ADAPTERS)
    raise AdapterError(
        f"no adapter knows chunks of type {kind!r}: pass provider= one of {known}, "
        "or wrap an iterator of the text alone"
    )


__all__ = ["ADAPTERS", "Adapter", "OpenAIChat", "PlainText", "detect", "named"]
