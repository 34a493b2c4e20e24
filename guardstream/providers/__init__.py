"""The wire formats that can be guarded, one module each; no provider's SDK is imported."""

from __future__ import annotations

from copy import deepcopy
from functools import cache
from importlib.metadata import entry_points
from typing import Any

from guardstream.errors import AdapterError
from guardstream.providers.adapter import Adapter, Unknown
from guardstream.providers.anthropic.messages import Anthropic
from guardstream.providers.any_json import AnyJSON
from guardstream.providers.bedrock import Bedrock
from guardstream.providers.cohere import Cohere
from guardstream.providers.google.gemini import Gemini
from guardstream.providers.google.interactions import Interactions
from guardstream.providers.kosong import Kosong
from guardstream.providers.langchain.chunks import LangChain
from guardstream.providers.langchain.events import LangChainEvents
from guardstream.providers.mistral import Mistral
from guardstream.providers.named_events import NamedEvents
from guardstream.providers.ollama import Ollama
from guardstream.providers.openai.assistants import Assistants
from guardstream.providers.openai.chat import OpenAIChat
from guardstream.providers.openai.chat_events import OpenAIChatEvents
from guardstream.providers.openai.completions import OpenAICompletions
from guardstream.providers.openai.responses import OpenAIResponses
from guardstream.providers.pydantic_ai.events import PydanticAI
from guardstream.providers.text import PlainText
from guardstream.providers.watsonx import Watsonx
from guardstream.providers.writer import Writer

ADAPTERS: dict[str, type[Any]] = {
    "text": PlainText,
    "openai_chat": OpenAIChat,
    "openai_chat_events": OpenAIChatEvents,
    "openai_completions": OpenAICompletions,
    "openai_responses": OpenAIResponses,
    "anthropic": Anthropic,
    "gemini": Gemini,
    "ollama": Ollama,
    "bedrock": Bedrock,
    "cohere": Cohere,
    "mistral": Mistral,
    "langchain": LangChain,
    "langchain_events": LangChainEvents,
    "pydantic_ai": PydanticAI,
    "kosong": Kosong,
    "assistants": Assistants,
    "interactions": Interactions,
    "watsonx": Watsonx,
    "writer": Writer,
    "events": NamedEvents,
    "json": AnyJSON,
}
"""Every adapter of the package by name, in the order in which they are asked about a chunk."""

ENTRY_POINTS = "guardstream.providers"
"""The group in which other packages name their adapters' classes."""


@cache
def adapters() -> dict[str, type[Any]]:
    """Return all adapters by name: those of the package, then those of installed ones."""
    found = dict(ADAPTERS)
    for entry in entry_points(group=ENTRY_POINTS):
        if entry.name in found:
            raise AdapterError(f"{entry.value!r} wants to be the adapter {entry.name!r}: taken")
        found[entry.name] = entry.load()
    return found


def named(name: str, *, unknown: Unknown = "guard") -> Adapter[Any]:
    """Return a new adapter by its name; AdapterError names those there are."""
    known = adapters()
    if name not in known:
        raise AdapterError(f"no adapter {name!r}, there are: {', '.join(known)}")
    adapter: Adapter[Any] = known[name](unknown=unknown)
    return adapter


def detect(chunk: object, *, unknown: Unknown = "guard") -> Adapter[Any]:
    """Return a new adapter that knows chunks like `chunk`.

    Of JSON that none knows every string is guarded by its path, unless `unknown` is "refuse";
    AdapterError for that, and for any other type.
    """
    for adapter in adapters().values():
        if adapter.accepts(chunk):
            found: Adapter[Any] = adapter(unknown=unknown)
            return found
    if isinstance(chunk, (dict, list)) and unknown != "refuse":
        return AnyJSON(unknown=unknown)
    kind = f"{type(chunk).__module__}.{type(chunk).__qualname__}".removeprefix("builtins.")
    known = ", ".join(adapters())
    raise AdapterError(
        f"no adapter knows chunks of type {kind!r}: pass provider= one of {known}, "
        "or wrap an iterator of the text alone"
    )


def chosen(
    provider: str | Adapter[Any] | None, chunk: object, *, unknown: Unknown = "guard"
) -> Adapter[Any]:
    """Return the adapter for a stream: by name, like the one given, or by its first chunk.

    An adapter that is given is copied: an instance serves one stream.
    """
    if isinstance(provider, str):
        return named(provider, unknown=unknown)
    if provider is not None:
        return deepcopy(provider)
    return PlainText() if chunk is None else detect(chunk, unknown=unknown)


__all__ = [
    "ADAPTERS",
    "Adapter",
    "OpenAIChat",
    "OpenAIChatEvents",
    "OpenAICompletions",
    "OpenAIResponses",
    "PlainText",
    "chosen",
    "detect",
    "named",
]
