"""A request to a model's API, checked by a policy's `input` before it is sent on."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from itertools import groupby
from typing import Any, TypeAlias, cast

from guardstream.errors import AdapterError, GuardstreamError
from guardstream.framing.json import json_bytes, json_object
from guardstream.guard import Guard
from guardstream.providers.fields import map_strings


class RefusedError(Exception):
    """A request that is answered with an error, in the format of its endpoint."""

    def __init__(self, status: int, code: str, message: str, rule: str | None = None) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.rule = status, code, message, rule


@contextmanager
def refused() -> Iterator[None]:
    """Refuse a request whose JSON cannot be read or written."""
    try:
        yield
    except AdapterError as error:
        raise RefusedError(400, "invalid_json", str(error)) from error


_LISTS = {
    **dict.fromkeys(("openai_chat", "anthropic", "ollama", "cohere"), "messages"),
    "openai_responses": "input",
}
"""Where each format has its messages."""

_TURNS = {"gemini": "contents", "gemini_counting": "contents", "bedrock": "messages"}
"""Where formats have messages of their own shape: a role, and parts of any kind."""

_SPEAKERS = {"model": "assistant", "assistant": "assistant", "function": "tool", "tool": "tool"}

_FILES = frozenset({"data", "bytes", "mimeType", "mime_type", "role", "format"})
_FILES |= {"id", "toolUseId", "thoughtSignature", "thought_signature", "type", "kind", "raw"}
"""What is no text in those, nor in the messages of agents, unless it has a space."""

_MARK = re.compile(r"[!-~]*")

_GIVEN = frozenset({"toolResult", "functionResponse", "function_response"})
_GIVEN |= {"codeExecutionResult", "code_execution_result"}
"""What a tool gives, also where it stands in the model's message."""

_ADDRESSES = frozenset({"fileUri", "file_uri"})
"""Where a file is fetched from: nobody's text, but a value may stand in it."""

_DOCUMENTS = frozenset({"args", "response", "input", "json"})
"""What a tool is given or gives, in those: in it every string, key and number may be a value."""

_SETTINGS = frozenset({"model", "previous_response_id", "conversation", "cachedContent", "images"})
"""Fields that hold no value of anybody, in any format."""

_OPTIONS = frozenset(
    (
        *("user", "metadata", "safety_identifier", "prompt_cache_key", "prompt_cache_retention"),
        *("stop", "stop_sequences", "tool_choice", "function_call", "service_tier", "priority"),
        *("stream_options", "include", "truncation", "reasoning", "reasoning_effort", "thinking"),
        *("verbosity", "modalities", "audio", "logit_bias", "store", "context_management"),
        *("container", "mcp_servers", "anthropic_version", "anthropic_beta", "encoding_format"),
        *("generationConfig", "generation_config", "safetySettings", "safety_settings"),
        *("toolConfig", "tool_config", "cached_content", "labels", "taskType", "task_type"),
        *("options", "keep_alive", "think", "name", "safety_mode", "citation_options"),
        *("response_format", "size", "quality", "style", "background", "moderation"),
        *("output_format", "voice", "stream_format", "input_file_id", "endpoint"),
        *("completion_window", "output_expires_after", "inferenceConfig", "guardrailConfig"),
        *("additionalModelRequestFields", "additionalModelResponseFieldPaths", "modelId"),
        *("performanceConfig", "requestMetadata", "outputConfig", "serviceTier"),
        *("model_id", "project_id", "space_id", "jsonrpc", "method", "id"),
    )
)
"""Fields that formats have for settings: they choose, count and name, and say nothing to a model.
Each is from the reference of an API above, where it is not among those that are judged."""

_BESIDE: Mapping[str, Mapping[str, str]] = {
    "openai_chat": {
        **dict.fromkeys(("tools", "functions", "response_format"), "developer"),
        "prediction": "assistant",
        "documents": "tool",  # what vLLM puts into the prompt, too
        **dict.fromkeys(("chat_template", "chat_template_kwargs"), "developer"),
    },
    "openai_completions": {"prompt": "user", "suffix": "user"},
    "openai_embeddings": {"input": "user"},
    "openai_moderations": {"input": "user"},
    "openai_images": {"prompt": "user"},
    "openai_speech": dict.fromkeys(("input", "instructions"), "user"),
    "openai_batches": {},
    "openai_responses": {
        "instructions": "system",
        **dict.fromkeys(("tools", "text"), "developer"),
        "prompt": "user",
    },
    "anthropic": {"system": "system", "tools": "developer"},
    "gemini": {
        **dict.fromkeys(("systemInstruction", "system_instruction"), "system"),
        "tools": "developer",
    },
    "gemini_embeddings": dict.fromkeys(("content", "requests"), "user"),
    "gemini_counting": {"generateContentRequest": "user"},
    "ollama_embeddings": {"prompt": "user"},
    "ollama_model": {},
    "ollama": {
        "system": "system",
        **dict.fromkeys(("prompt", "suffix"), "user"),
        **dict.fromkeys(("tools", "format", "template"), "developer"),
    },
    "cohere": {"documents": "tool", "tools": "developer"},
    "bedrock": {"system": "system", "toolConfig": "developer"},
    "dashscope": {"input": "user", "parameters": "developer"},
    "watsonx": {"input": "user"},
    "a2a": {"params": "user"},
    "mcp": {"params": "user"},
}
"""What else is said to the model, and whose text it is; in other formats all is the user's."""

_CONTENT = (
    ("openai_completions", "prompt"),
    ("openai_embeddings", "input"),
    ("openai_responses", "instructions"),
    ("anthropic", "system"),
)
"""Fields that are like the content of a message; in others each string is a text of its own."""


def checked_request(guard: Guard, provider: str, body: bytes) -> bytes:
    """Return the `body` that may be sent on: the same bytes unless a rule changes it.

    The `input` of the policy of `guard` judges it; `provider` names the adapter of the answer's
    stream, and so the format of the request. Raises RefusedError for a body that is no JSON object,
    cannot be written anew, or that a rule forbids.
    """
    with refused():
        request = json_object(body)
    if request is None:
        raise RefusedError(400, "invalid_json", "the request's body is no JSON object")
    if guard.policy.input is None:
        return body
    _check_names(provider, request)
    check = partial(_checked_fields, guard, provider, request)
    checked = check() if guard.vault is None else guard.vault.settled(check)
    if all(value is request[field] for field, value in checked.items()):
        return body
    with refused():
        return json_bytes({**request, **checked}, len(body))


def _check_names(provider: str, request: dict[str, Any]) -> None:
    """Refuse a field that is one of those that are judged for readers alone that mind no case.

    Programs in Go do not: https://pkg.go.dev/encoding/json#Unmarshal.
    """
    known = {
        *_BESIDE.get(provider, ()),
        _LISTS.get(provider, "model"),
        _TURNS.get(provider, "model"),
    }
    folded = {name.casefold(): name for name in known}
    for field in request.keys() - known:
        if (name := folded.get(field.casefold())) is not None:
            why = f"the field {name!r} is written in another way, which not all readers mind"
            raise RefusedError(400, "invalid_request", why)


def _checked_fields(guard: Guard, provider: str, request: dict[str, Any]) -> dict[str, Any]:
    """Check what a request says to the model.

    A field that no format has is taken for the user's text. With a vault values are hidden in every
    field, also where a format says nothing to the model.
    """
    said = _BESIDE.get(provider)
    if said is None:
        said = dict.fromkeys(request.keys() - {"model"}, "user")
    checked = {
        field: _beside(guard, role, request[field], content=(provider, field) in _CONTENT)
        for field, role in said.items()
        if request.get(field)
    }
    read = {*said, *_SETTINGS, _LISTS.get(provider), _TURNS.get(provider)}
    for field in request.keys() - read:
        if field not in _OPTIONS:
            checked[field] = _beside(guard, "user", request[field], content=False)
        elif guard.vault is not None:
            checked[field] = _beside(guard, "assistant", request[field], content=False)
    if provider in _LISTS and request.get(_LISTS[provider]):
        checked[_LISTS[provider]] = _listed(guard, _LISTS[provider], request)
    if provider in _TURNS and request.get(_TURNS[provider]):
        checked[_TURNS[provider]] = _turns(guard, _TURNS[provider], request)
    return checked


def _listed(guard: Guard, field: str, request: dict[str, Any]) -> Any:
    """Check the messages of a request; one text stands for a message of the user."""
    given = request[field]
    if isinstance(given, str):
        return _content(guard, "user", given)
    if not isinstance(given, list):
        raise RefusedError(400, "invalid_request", f"{field!r} is no list")
    checked = checked_messages(guard, given)
    return given if all(a is b for a, b in zip(checked, given, strict=True)) else checked


def _turns(guard: Guard, field: str, request: dict[str, Any]) -> Any:
    """Check messages of another shape than OpenAI's: each string in them is a text of its own."""
    given = request[field]
    if isinstance(given, dict):  # one of them, as Gemini allows
        given = [given]
    if not isinstance(given, list) or not all(isinstance(each, dict) for each in given):
        raise RefusedError(400, "invalid_request", f"{field!r} is no list of messages")
    before = given
    if guard.vault is not None:
        given = [_together(guard, each) for each in given]
    texts = _Texts(guard)
    for each in given:
        _turn(each, texts.note, lambda _, document: document)
    texts.check()
    checked = [
        _turn(each, texts.checked, lambda role, document: _document(guard, role, document))
        for each in given
    ]
    return request[field] if all(a is b for a, b in zip(checked, before, strict=True)) else checked


def _together(guard: Guard, message: dict[str, Any]) -> dict[str, Any]:
    """Texts of a message side by side that only together hold a value, as one part."""
    field = "parts" if "parts" in message else "content"
    parts = message.get(field)
    if not isinstance(parts, list):
        return message
    role = _SPEAKERS.get(str(message.get("role")), "user")
    made: list[Any] = []
    for told, run in groupby(
        parts, lambda part: isinstance(part, dict) and part.keys() == {"text"}
    ):
        given = list(run)
        if told and len(given) > 1 and all(isinstance(part["text"], str) for part in given):
            content = [{"type": "text", "text": part["text"]} for part in given]
            checked = _content(guard, role, content)
            if len(checked) < len(given):
                given = [{"text": part["text"]} for part in checked]
        made += given
    return message if len(made) == len(parts) else {**message, field: made}


class _Texts:
    """The texts of a request, checked in one go: rules are made ready for a vault once."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self._texts: dict[tuple[str, str], str] = {}

    def note(self, role: str, text: str) -> str:
        """Take a text to check."""
        return self._texts.setdefault((role, text), text)

    def check(self) -> None:
        """Check all. RefusedError if a rule forbids one."""
        given = [{"role": role, "content": text} for role, text in self._texts]
        for text, message in zip(self._texts, checked_messages(self._guard, given), strict=True):
            self._texts[text] = str(message["content"])

    def checked(self, role: str, text: str) -> str:
        """What may be sent of a text that was taken."""
        return self._texts[role, text]


_Change: TypeAlias = Callable[[str, str], str]
"""What becomes of a role's text."""


def _turn(
    message: dict[str, Any], change: _Change, document: Callable[[str, Any], Any]
) -> dict[str, Any]:
    """Change each text of a message, and what tools are given and give."""
    role = _SPEAKERS.get(str(message.get("role")), "user")
    return cast(dict[str, Any], _mapped(role, message, change, document))


def _mapped(role: str, value: Any, change: _Change, document: Callable[[str, Any], Any]) -> Any:
    """Change each string in a value but for files and marks; the same value if none changed."""
    if not isinstance(value, dict):
        if not isinstance(value, list):
            return map_strings(value, lambda text: change(role, text))
        items = [_mapped(role, item, change, document) for item in value]
        return value if all(a is b for a, b in zip(items, value, strict=True)) else items
    mapped = {}
    for name, inner in value.items():
        if name in _DOCUMENTS and isinstance(inner, (dict, list)):
            mapped[name] = document(role, inner)
        elif name in _FILES and isinstance(inner, str) and _MARK.fullmatch(inner):
            mapped[name] = inner
        elif name in _GIVEN and role == "assistant":
            mapped[name] = _mapped("tool", inner, change, document)
        elif name in _ADDRESSES and isinstance(inner, str):
            mapped[name] = change("assistant", inner)
        else:
            mapped[name] = _mapped(role, inner, change, document)
    return value if all(mapped[name] is inner for name, inner in value.items()) else mapped


def _document(guard: Guard, role: str, value: Any) -> Any:
    """Check what a tool is given or gives, as the arguments of a call are."""
    call = {"type": "tool_use", "name": "", "input": value}
    return _content(guard, role, [call])[0]["input"]


def _with_keys(value: Any, change: Callable[[str], str]) -> Any:
    """Change every string in JSON, keys too; the same value if none changed."""
    if isinstance(value, list):
        items = [_with_keys(item, change) for item in value]
        return value if all(a is b for a, b in zip(items, value, strict=True)) else items
    if not isinstance(value, dict):
        return map_strings(value, change)
    mapped = {change(name): _with_keys(inner, change) for name, inner in value.items()}
    same = all(name in mapped and mapped[name] is inner for name, inner in value.items())
    return value if same else mapped


def _beside(guard: Guard, role: str, value: Any, *, content: bool) -> Any:
    """Check what is said to the model beside the messages."""
    if content:
        return _content(guard, role, value)
    try:
        if isinstance(value, dict) and isinstance(value.get("messages"), list):
            turns = _turns(guard, "messages", value)
            rest = {name: inner for name, inner in value.items() if name != "messages"}
            checked = _beside(guard, role, rest, content=False)
            same = turns is value["messages"] and checked is rest
            return value if same else {**checked, "messages": turns}
        change_all = map_strings if guard.vault is None else _with_keys
        texts = _Texts(guard)
        change_all(value, lambda text: texts.note(role, text))
        texts.check()
        return change_all(value, lambda text: texts.checked(role, text))
    except RecursionError:
        raise RefusedError(400, "invalid_request", "the request is nested too deeply") from None


def _content(guard: Guard, role: str, content: Any) -> Any:
    return checked_messages(guard, [{"role": role, "content": content}])[0]["content"]


def checked_messages(guard: Guard, messages: list[Any]) -> list[Any]:
    """Return messages as they may be sent on. RefusedError if a rule forbids it."""
    try:
        checked = guard.check_messages(messages)
    except (GuardstreamError, RecursionError) as error:
        why = str(error) if isinstance(error, GuardstreamError) else "it is nested too deeply"
        raise RefusedError(400, "unguarded_input", why) from error
    if checked.blocked:
        rule = checked.findings[-1].finding.rule if checked.findings else "input"
        raise RefusedError(400, "content_filter", f"the prompt was blocked by rule {rule!r}", rule)
    return checked.messages
