"""Adapters for the wire formats of providers; no provider's SDK is imported."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from copy import deepcopy
from functools import cache
from typing import TYPE_CHECKING, Any

from guardstream.errors import AdapterError
from guardstream.formats.adapter import Adapter, Unknown
from guardstream.formats.detection import is_chat
from guardstream.formats.generic.text import PlainText
from guardstream.formats.installed import entries
from guardstream.formats.toolkit.fields import BYTES, fields_of, is_record
from guardstream.hints import hint
from guardstream.lazy import LazyMapping, exporting

if TYPE_CHECKING:
    from guardstream.formats.generic.json_format import JSONFormat
    from guardstream.formats.openai.chat import OpenAIChat
    from guardstream.formats.openai.chat_events import OpenAIChatEvents
    from guardstream.formats.openai.completions import OpenAICompletions
    from guardstream.formats.openai.responses import OpenAIResponses
else:
    __getattr__, __dir__ = exporting(
        __name__,
        {
            "JSONFormat": "guardstream.formats.generic.json_format",
            "OpenAIChat": "guardstream.formats.openai.chat",
            "OpenAIChatEvents": "guardstream.formats.openai.chat_events",
            "OpenAICompletions": "guardstream.formats.openai.completions",
            "OpenAIResponses": "guardstream.formats.openai.responses",
        },
    )

_DESCRIBED = (
    *("anthropic_completions", "tgi", "llama_cpp", "koboldcpp", "workers_ai", "cohere_v1"),
    *("bedrock_llama", "bedrock_mistral", "bedrock_titan", "dify", "coze", "ragflow", "hunyuan"),
    *("ernie", "anythingllm", "flowise", "langflow", "onyx", "chat_ui", "langserve_log", "genkit"),
    *("bot_framework", "writer", "kosong", "livekit", "openai_media", "watsonx"),
)
"""Formats without code."""

ADAPTERS: Mapping[str, type[Any]] = LazyMapping(
    {
        "text": "guardstream.formats.generic.text:PlainText",
        "openai_chat": "guardstream.formats.openai.chat:OpenAIChat",
        "openai_chat_events": "guardstream.formats.openai.chat_events:OpenAIChatEvents",
        "openai_completions": "guardstream.formats.openai.completions:OpenAICompletions",
        "openrouter_responses": "guardstream.formats.openrouter:OpenRouterResponses",
        "openai_responses": "guardstream.formats.openai.responses:OpenAIResponses",
        "openai_live": "guardstream.formats.openai.live:OpenAILive",
        "openai_realtime": "guardstream.formats.openai.realtime:Realtime",
        "openai_agent_sessions": "guardstream.formats.openai.agent_sessions:AgentSessions",
        "anthropic": "guardstream.formats.anthropic.messages:Anthropic",
        "anthropic_sessions": "guardstream.formats.anthropic.sessions:AnthropicSessions",
        "gemini_live": "guardstream.formats.google.live:GeminiLive",
        "gemini": "guardstream.formats.google.gemini:Gemini",
        "ollama": "guardstream.formats.ollama:Ollama",
        "bedrock": "guardstream.formats.bedrock.converse:Bedrock",
        "bedrock_agent": "guardstream.formats.bedrock.agents:BedrockAgent",
        "bedrock_invoke": "guardstream.formats.bedrock.invoke:BedrockInvoke",
        "cohere": "guardstream.formats.cohere:Cohere",
        "mistral": "guardstream.formats.mistral.chat:Mistral",
        "mistral_conversations": "guardstream.formats.mistral.conversations:Conversations",
        "mistral_responses": "guardstream.formats.mistral.responses:MistralResponses",
        "mistral_transcription": "guardstream.formats.mistral.transcriptions:Transcriptions",
        "langchain_chains": "guardstream.formats.langchain.chains:LangChainChains",
        "langchain": "guardstream.formats.langchain.chunks:LangChain",
        "langchain_events": "guardstream.formats.langchain.events:LangChainEvents",
        "langchain_protocol": "guardstream.formats.langchain.protocol:LangChainProtocol",
        "langgraph": "guardstream.formats.langchain.graph:LangGraph",
        "langgraph_events": "guardstream.formats.langchain.graph:LangGraphEvents",
        "pydantic_ai": "guardstream.formats.pydantic_ai.events:PydanticAI",
        "pydantic_ai_responses": "guardstream.formats.pydantic_ai.responses:PydanticAIResponses",
        "assistants": "guardstream.formats.openai.assistants:Assistants",
        "interactions": "guardstream.formats.google.interactions:Interactions",
        **{name: f"guardstream.formats.described:described_as:{name}" for name in _DESCRIBED},
        "ui_messages": "guardstream.formats.protocols.ui_messages:UIMessages",
        "model_parts": "guardstream.formats.protocols.ui_messages:ModelParts",
        "ui_message_objects": ("guardstream.formats.protocols.ui_message_objects:UIMessageObjects"),
        "data_stream": "guardstream.formats.protocols.ui_messages:DataStream",
        "agentscope": "guardstream.formats.frameworks.agentscope:AgentScope",
        "agentscope_messages": (
            "guardstream.formats.frameworks.agentscope_messages:AgentScopeMessages"
        ),
        "ag_ui": "guardstream.formats.protocols.ag_ui:AGUI",
        "chatkit": "guardstream.formats.protocols.chatkit:ChatKit",
        "a2a": "guardstream.formats.protocols.a2a:A2A",
        "acp": "guardstream.formats.protocols.acp:ACP",
        "mcp": "guardstream.formats.protocols.mcp:MCP",
        "dashscope": "guardstream.formats.dashscope:DashScope",
        "sglang": "guardstream.formats.sglang:SGLang",
        "lmstudio": "guardstream.formats.lmstudio:LMStudio",
        "xai": "guardstream.formats.xai:XAI",
        "letta": "guardstream.formats.frameworks.letta:Letta",
        "llm": "guardstream.formats.frameworks.llm:LLM",
        "mirascope": "guardstream.formats.frameworks.mirascope:Mirascope",
        "openai_agents": "guardstream.formats.frameworks.openai_agents:OpenAIAgents",
        "llama_index": "guardstream.formats.frameworks.llama_index:LlamaIndex",
        "smolagents": "guardstream.formats.frameworks.smolagents:Smolagents",
        "autogen": "guardstream.formats.frameworks.autogen:AutoGen",
        "haystack": "guardstream.formats.frameworks.haystack:Haystack",
        "dspy": "guardstream.formats.frameworks.dspy:DSPy",
        "crewai": "guardstream.formats.frameworks.crewai:CrewAI",
        "semantic_kernel": "guardstream.formats.frameworks.semantic_kernel:SemanticKernel",
        "agno": "guardstream.formats.frameworks.agno:Agno",
        "microsoft_agents": "guardstream.formats.frameworks.microsoft_agents:MicrosoftAgents",
        "ag2": "guardstream.formats.frameworks.ag2:AG2",
        "adk": "guardstream.formats.frameworks.adk:ADK",
        "claude_agents": "guardstream.formats.frameworks.claude_agents:ClaudeAgents",
        "strands": "guardstream.formats.frameworks.strands:Strands",
        "cumulative_text": "guardstream.formats.generic.cumulative_text:CumulativeText",
        "sse_events": "guardstream.formats.generic.sse_events:ServerSentEvents",
        "events": "guardstream.formats.generic.named_events:NamedEvents",
        "json": "guardstream.formats.generic.any_json:AnyJSON",
    }
)
"""Every adapter of the package by name.

A class is imported when it is needed: a program loads only the formats that it uses.
"""


@cache
def installed() -> Mapping[str, Any]:
    """Return the entry points of other packages' adapters, by name. AdapterError for a name that is
    taken."""
    found: dict[str, Any] = {}
    for entry in entries():
        if entry.name in ADAPTERS or entry.name in found:
            raise AdapterError(
                f"{entry.value!r} cannot be adapter {entry.name!r}: the name is taken"
            )
        found[entry.name] = entry
    return found


@cache
def _adapter(name: str) -> type[Any]:
    """Return an adapter's class by its name, the package's own first. KeyError if there is none."""
    if name in ADAPTERS:
        return ADAPTERS[name]
    loaded: type[Any] = installed()[name].load()
    return loaded


@cache
def _names() -> tuple[str, ...]:
    return (*ADAPTERS, *installed())


def _format_of(chunk: object) -> str | None:
    """Return the name of the format that a chunk is in; those of other packages are asked last."""
    if is_chat(chunk, fields_of(chunk)):
        return "openai_chat"
    from guardstream.formats.detection.table import formats_of

    others = (name for name in installed() if _adapter(name).accepts(chunk))
    return next(formats_of(chunk), None) or next(others, None)


def may_be_of(adapter: Any, chunk: object) -> bool:
    """Return whether a chunk may be in an adapter's format: true if neither the adapter nor the
    table of formats can tell."""
    name = getattr(adapter, "name", "")
    if name in ADAPTERS and type(adapter) is ADAPTERS[name]:
        from guardstream.formats.detection.table import formats_of

        return name in formats_of(chunk, among=name)
    accepts = getattr(adapter, "accepts", None)
    return accepts is None or bool(accepts(chunk))


def is_known(name: str) -> bool:
    """Return whether there is an adapter of this name, of the package or installed."""
    return name in _names()


def named(name: str, *, unknown: Unknown = "guard", beside: Iterable[str] = ()) -> Adapter[Any]:
    """Return a new adapter by its name, which treats what it does not know as `unknown` says.

    AdapterError for an unknown name; it suggests a known one, also from `beside`.
    """
    known = [*_names(), *beside]
    if name not in known:
        raise AdapterError(f"no adapter {name!r}, {hint(name, known)}")
    adapter: Adapter[Any] = _adapter(name)(unknown=unknown)
    return adapter


def detect(chunk: object, *, unknown: Unknown = "guard") -> Adapter[Any]:
    """Return a new adapter that knows chunks like `chunk`.

    If no format knows it but it is JSON or a record, each string in it is guarded by its path; with
    `unknown` "refuse", that is an AdapterError, as for any other type.
    """
    name = "text" if isinstance(chunk, str) else _format_of(chunk)
    if name is not None:
        found: Adapter[Any] = _adapter(name)(unknown=unknown)
        return found
    _check_has_no_stream(chunk)
    if unknown != "refuse" and (isinstance(chunk, (dict, list, tuple)) or is_record(chunk)):
        return named("json", unknown=unknown)
    kind = f"{type(chunk).__module__}.{type(chunk).__qualname__}".removeprefix("builtins.")
    raise AdapterError(
        f"no adapter knows chunks of type {kind!r}: wrap an iterator of their text alone; or name "
        "the format, format='openai_chat' and the like; or describe it, "
        "format=JSONFormat('mine', text='$.token')"
    )


def _check_has_no_stream(chunk: object) -> None:
    """Raise AdapterError for a part of a stream of bytes, because parts cut the events with the
    text."""
    part = fields_of(chunk.get("PayloadPart")) if isinstance(chunk, dict) else {}
    if isinstance(part.get("Bytes"), BYTES):
        raise AdapterError(
            "the chunks are parts of a stream of bytes (SageMaker): wrap the bytes in them, "
            "guard.wrap_sync(part['PayloadPart']['Bytes'] for part in response['Body'])"
        )
    if isinstance(chunk, tuple) and [*map(type, chunk)] == [bytes, bool]:
        raise AdapterError(
            "the chunks are bytes, each with a flag (aiohttp's iter_chunks()): wrap the bytes "
            "alone, guard.wrap(response.content.iter_any())"
        )


def chosen(
    format: str | Adapter[Any] | None, chunk: object, *, unknown: Unknown = "guard"
) -> Adapter[Any]:
    """Return the adapter for a stream: by name, like the one given, or by its first chunk.

    `format` is a name, an adapter, or None. An adapter is copied, because an instance serves one
    stream. A new adapter treats what it does not know as `unknown` says. AdapterError for an
    unknown name, and for a chunk that cannot be guarded.
    """
    if isinstance(format, str):
        return named(format, unknown=unknown)
    if format is not None:
        return deepcopy(format)
    return PlainText() if chunk is None else detect(chunk, unknown=unknown)


__all__ = [
    "ADAPTERS",
    "Adapter",
    "JSONFormat",
    "OpenAIChat",
    "OpenAIChatEvents",
    "OpenAICompletions",
    "OpenAIResponses",
    "PlainText",
    "chosen",
    "detect",
    "is_known",
    "named",
]
