"""Every setting of every public function can be said in a policy, or is code for a stated reason.

A new parameter anywhere in the public surface fails here until it is given a key or a reason.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from dataclasses import fields
from functools import cache
from typing import Any, is_typeddict

import pytest

import guardstream
from guardstream.cli.app import serve as serve_command
from guardstream.extract import Reading
from guardstream.policy.schema import schema
from guardstream.resilience import Limiter
from guardstream.serve.proxy import Key, ProxySettings, Target
from guardstream.serve.replay_redis import RedisReplay
from guardstream.serve.routes import Settings
from guardstream.stream.opening import Reopening
from guardstream.stream.options import Delivering
from tests.support.api import GUARDRAIL, public

FUNCTION = "a function of the program's"
OBJECT = "an object of the program's"
FORMAT = "what the program reads: it opens the source"
CALL = "what one call asks for, otherwise than the policy"
VAULT = "a vault is of one conversation, which the program knows, and so is what is made for it"
STORED = "which files one run reads and writes, and how: it is about no stream"
FLOW = "what the program does next depends on it"


class Code(str):
    """Why a setting cannot be said in a policy."""


def _code(reason: str, *names: str) -> dict[str, str]:
    return dict.fromkeys(names, Code(reason))


RETRY = {
    name: f"retry.{name}"
    for name in ("attempts", "timeout", "wait_initial", "wait_max", "max_retry_after", "on")
}
REPLAY = {
    name: f"serve.replay.{name}"
    for name in ("max_events", "max_bytes", "max_age", "max_streams", "max_total")
}
DELIVERING = {
    **_code(FLOW, "raise_on_block", "keep_text"),
    **_code(FUNCTION, "on_text", "on_part", "on_tool_call", "on_finding", "on_finish", "clock"),
    **_code("what becomes of the program's own functions", "callback_errors"),
    "deadlines": "limits.total",
    "attributes": "audit.attributes",
}
READING = {
    **{
        name: f"extract.{name}"
        for name in Reading.__annotations__
        if name not in ("text_of", "context")
    },
    **_code(FUNCTION, "text_of"),
    **_code("data of one stream", "context"),
}
ROUTE = {name: f"serve.routes.*.{name}" for name in Settings.__annotations__}
DECODER = _code("a stream is decoded by hand", "max_line", "max_event", "strict", "apart")
TRANSPORT = {
    **_code(OBJECT, "transport", "vaults"),
    **_code(FORMAT, "format"),
    **_code("what the client in the program may ask for", "other"),
    "on_block": "serve.on_block",
}
DOCUMENT = {
    "limits": "json.limits",
    "duplicates": "json.duplicates",
    "schema": "json.schema",
    **_code("where a text by hand begins, and what is kept", "offset", "line", "column", "build"),
}

NEVER = Code("whoever writes a policy must not choose what the program runs")
WRAP = {
    **_code(FORMAT, "format", "framing"),
    **_code("data of one stream", "words"),
    "unknown": "unknown",
    "options": "audit.attributes",  # see Delivering and Reopening below
    **_code(VAULT, "vault"),
}

VAULTS = {
    **{
        name: f"vault.{name}"
        for name in ("ids", "max_entries", "max_bytes", "tools", "id_key", "timeout", "key")
    },
    "ttl": "vault.days",
    "on_error": "vault.on_error",
    "store": "vault.sqlite",
    "url": "vault.redis",
    **_code(VAULT, "conversation", "entries"),
    **_code("a bound on this process's memory", "max_conversations", "prefix"),
    **_code(OBJECT, "clock", "client"),
}

PROXY = {
    "routes": "serve.routes",
    "by_header": "serve.by_header",
    "other": "serve.other",
    "max_body": "serve.limits.body",
    "max_answer": "serve.limits.answer",
    "connect_timeout": "serve.upstream.connect_timeout",
    "read_timeout": "serve.upstream.read_timeout",
    "body_timeout": "serve.limits.body_timeout",
    "max_connections": "serve.limits.connections",
    "metrics": "metrics.prometheus",
    "upstream_key": "serve.upstream.key",
    "keys": "serve.keys",
    "upstreams": "serve.upstreams",
    "models": "serve.models",
    "upstream_routes": "serve.routes.*.upstream",
    "formats": "serve.routes.*.format",
    "state": "serve.state",
    "shared_objects": "serve.shared_objects",
    "answer_tokens": "serve.limits.answer_tokens",
    "on_block": "serve.on_block",
    "heartbeat": "serve.heartbeats",
    "replay": "serve.replay",
    "receipts": "serve.receipts.key",
}

SETTINGS: Mapping[str, Mapping[str, str]] = {
    "guardstream.Deadlines": {
        name: f"limits.{name}" for name in ("first_token", "idle", "total", "settle")
    },
    "guardstream.Guard": {
        "stages": "stages",
        **_code(OBJECT, "observers"),
        "observer_errors": "audit.errors",
        **_code("for tests, and where something else does the rest", "rules_only"),
    },
    "Guard.load": {
        "stages": "stages",
        "reload": "reload",
        "allow_code": NEVER,
        **_code(OBJECT, "observers"),
        "observer_errors": "audit.errors",
        **_code("for tests, and where something else does the rest", "rules_only"),
    },
    "Guard.wrap": WRAP,
    "Guard.wrap_sync": WRAP,
    "Guard.flow": {**WRAP, **_code(FORMAT, "media")},
    "Guard.check": _code(CALL, "channel"),
    "Guard.session": _code(CALL, "channel"),
    "Guard.options": _code(OBJECT, "observing"),
    "Guard.for_policy": _code(CALL, "own_stages"),
    "Guard.refuse_operations": _code(CALL, "sections", "in_reloads"),
    "Policy.load": {"allow_code": NEVER},
    "Policy.parse": {"allow_code": NEVER, **_code("where the text is from", "name", "folder")},
    "Policy.stages": _code(CALL, "tool", "form"),
    "Limiter.slot": _code("which key a stream has: `concurrency.by` for a guard's", "key"),
    "Limiter.enter": _code("which key a stream has: `concurrency.by` for a guard's", "key"),
    "guardstream.body.aguard_body": {"options": "audit.attributes"},
    "guardstream.body.guard_body": {"options": "audit.attributes"},
    "guardstream.bulk.Job": _code(
        STORED,
        *("target", "before", "columns", "format", "jobs", "engine", "part_size", "overwrite"),
    ),
    "guardstream.bulk.redact": _code(STORED, "columns", "jobs", "report"),
    "guardstream.bulk.run": _code(FUNCTION, "progress"),
    "guardstream.consumers.Coalesce": _code(FLOW, "characters", "milliseconds", "buffer"),
    "guardstream.consumers.FileSink": _code(FLOW, "partial", "fsync"),
    "guardstream.consumers.LoggingSink": _code(FLOW, "logger", "level"),
    "guardstream.consumers.Tee": _code(FLOW, "branches", "buffer", "slow"),
    "guardstream.consumers.replay": _code("tests and demos", "speed", "build"),
    "guardstream.consumers.replay_sync": _code("tests and demos", "speed", "build"),
    "guardstream.consumers.write_to": _code(FLOW, "on_error"),
    "guardstream.envoy.serve": {
        "drain": "serve.drain",
        "grace": "serve.grace",
        **_code("where this process serves", "address"),
        **_code(FUNCTION, "started"),
    },
    **{
        f"guardstream.extract.{name}{form}": {
            "documents": "extract.documents",
            "on_invalid": "extract.on_invalid",
            "partial_strings": "extract.partial_strings",
            "reading": "extract.fences",  # see Reading below
            **_code("a type of the program's", "model"),
        }
        for name in ("items", "snapshots", "text", "final")
        for form in ("", "_sync")
    },
    "guardstream.framing.sse.Decoder": DECODER,
    "guardstream.gate.gate": {
        "unit": "gate[].window",
        "deadline": "gate[].timeout",
        "ahead": "gate[].ahead",
        "on_error": "gate[].action",
        "on_timeout": "gate[].action",
        "channels": "gate[].channels",
        **_code(FORMAT, "format"),
        "unknown": "unknown",
    },
    "guardstream.http.GuardTransport": TRANSPORT,
    "guardstream.http.SyncGuardTransport": TRANSPORT,
    "guardstream.http.WireGuard": {
        **_code(FORMAT, "media", "format"),
        **_code("data of one stream", "words"),
        **_code(FLOW, "keep_text", "has_timer"),
        "unknown": "unknown",
        "deadlines": "limits.total",
        "attributes": "audit.attributes",
    },
    "guardstream.integrations.kosong.GuardedChatProvider": {"options": "audit.attributes"},
    "guardstream.integrations.langchain.mask": _code(VAULT, "vault"),
    "guardstream.integrations.langchain.step": {"options": "audit.attributes"},
    "guardstream.jsonstream.Document": DOCUMENT,
    "guardstream.jsonstream.Lexer": DOCUMENT,
    "guardstream.jsonstream.verdict": DOCUMENT,
    "guardstream.jsonstream.Limits": {
        name: f"json.limits.{name}" for name in ("depth", "digits", "string", "document")
    },
    "guardstream.jsonstream.Schema": {
        "draft": "json.draft",
        "formats": "json.formats",
        "documents": "json.schemas",
        **_code("where the files of a schema by hand are", "base"),
    },
    "guardstream.observability.AuditLog": {
        name: f"audit.{name}" for name in ("fsync", "starts", "mode", "chain", "sign", "every")
    },
    "guardstream.observability.LogObserver": {
        "logger": "audit.log.logger",
        "level": "audit.log.level",
    },
    "guardstream.observability.Timeline": _code(FUNCTION, "clock"),
    "guardstream.observability.otel.OpenTelemetry": _code(
        OBJECT, "tracer_provider", "meter_provider"
    ),
    "guardstream.observability.prometheus.Prometheus": _code(OBJECT, "registry"),
    "Guard.check_messages": _code(VAULT, "vault"),
    "Guard.pipelines": _code(VAULT, "vault"),
    "guardstream.prompts.check_messages": _code(VAULT, "vault"),
    "guardstream.vault.Vault": VAULTS,
    "guardstream.vault.Vaults": VAULTS,
    "guardstream.vault.MemoryStore": VAULTS,
    "guardstream.vault.RedisStore": VAULTS,
    "guardstream.vault.SQLiteStore": VAULTS,
    "guardstream.formats.JSONFormat": {
        **{
            name: f"formats.*.{name}"
            for name in (
                *("text", "thinking", "tool_args", "by", "copies", "done", "harmless"),
                *("event", "define", "reasons", "words", "end"),
            )
        },
        "unknown": "unknown",
    },
    "guardstream.resilience.Limiter": {
        "total": "concurrency.at_once",
        "per_key": "concurrency.per_key.at_once",
        "rate": "concurrency.rate",
        "key_rate": "concurrency.per_key.rate",
        "queue": "concurrency.queue",
        "timeout": "concurrency.timeout",
    },
    "guardstream.resilience.Retry": RETRY,
    "guardstream.resilience.retrying": {
        **RETRY,
        **_code(FUNCTION, "fallbacks", "resume", "worth", "on_retry"),
        "options": "audit.attributes",
    },
    "guardstream.receipts.Signer": {"issuer": "serve.receipts.issuer"},
    "guardstream.receipts.Audited": _code(CALL, "chains", "unchained", "wrong"),
    "guardstream.receipts.verify_audit": _code(CALL, "key"),
    "guardstream.receipts.verify": _code(CALL, "request", "nonce", "max_age"),
    "guardstream.serve.proxy.Proxy": _code(OBJECT, "sender"),
    "guardstream.serve.GuardMiddleware": {
        **_code(OBJECT, "guard"),
        "routes": "serve.routes",
        "replay": "serve.replay",
        "linger": "serve.replay.linger",
        "replay_by": "serve.replay.by",
        **_code(OBJECT, "replay_vault"),
        "settings": "serve.routes",  # see Settings below
    },
    "guardstream.serve.MemoryReplay": REPLAY,
    "guardstream.serve.Route": ROUTE,
    "guardstream.serve.aiter_events": DECODER,
    "guardstream.serve.proxy.ProxySettings": {
        **PROXY,
        "operations": "concurrency",
        "shows_metrics": "serve.metrics_listen",
        "more_keys": "serve.key_file",
    },
    "guardstream.serve.proxy.ServeOptions": {
        **PROXY,
        "check": "serve.check",
        "metrics_listen": "serve.metrics_listen",
        "header_timeout": "serve.limits.header_timeout",
        "drain": "serve.drain",
        "grace": "serve.grace",
        "reload": "reload",
        "audit": "audit.path",
        "audit_errors": "audit.errors",
        "allow_code": NEVER,
        "key_file": "serve.key_file",
        "key_function": "serve.key_function",
        "upstream_auth": "serve.upstream.auth",
        "upstream_version": "serve.upstream.version",
    },
    "guardstream.serve.proxy.Key": {
        name: f"serve.keys.*.{name}" for name in ("policy", "at_once", "tokens", "other")
    },
    "guardstream.serve.proxy.Keys": {
        "named": "serve.keys",
        "load": "serve.key_file",
        "function": "serve.key_function",
        **_code("what the file said when it was last read", "loaded"),
    },
    "guardstream.serve.proxy.Target": {
        name: f"serve.upstreams.*.{name}"
        for name in ("key", "auth", "version", "connect_timeout", "read_timeout")
    },
    "guardstream.stages.custom.StagePlan": {
        "position": "stages[].position",
        "channels": "stages[].channels",
    },
    "guardstream.stages.json.structure.Settings": {
        **{
            name: f"json.{name}"
            for name in (
                *("schema", "fences", "documents", "last_max", "after", "on_violation", "repair"),
                *("redact_keys", "numbers", "limits", "duplicates", "severity"),
            )
        },
        "close": "json.repair",
        "is_call": "json.tools",
        **_code("a stage by hand", "redact", "redact_after", "rule", "restore"),
    },
    "guardstream.stages.limits.limits.LimitSet": {
        name: f"limits.{name}" for name in ("max_chars", "max_lines", "tokens", "stop", "repeat")
    },
    "guardstream.stages.redact.RuleSet": {
        **{name: name for name in ("max_holdback", "on_overflow", "on_error")},
        **_code("what a wheel has compiled", "stored"),
    },
    # What the public surface names without saying it in a module's `__all__`.
    "Delivering": DELIVERING,
    "Reopening": {
        **DELIVERING,
        "retry": "retry",
        **_code(FUNCTION, "fallbacks", "resume", "worth", "on_retry"),
    },
    "Reading": READING,
    "Settings": ROUTE,
    "guardstream.serve.replay_redis.RedisReplay": {
        **{name: REPLAY[name] for name in ("max_events", "max_bytes", "max_age")},
        "prefix": "serve.replay.prefix",
        "timeout": "serve.replay.timeout",
    },
    "guardstream serve": {
        "file": "serve",
        "policy": "serve.policies",
        "upstream": "serve.upstream",
        "route": "serve.routes",
        "by_header": "serve.by_header",
        "check": "serve.check",
        "other": "serve.other",
        "on_block": "serve.on_block",
        "host": "serve.listen",
        "port": "serve.listen",
        "workers": "serve.workers",
        "reload": "reload",
        "metrics": "metrics.prometheus",
        "audit": "audit.path",
        "audit_errors": "audit.errors",
        "max_connections": "serve.limits.connections",
        "header_timeout": "serve.limits.header_timeout",
        "body_timeout": "serve.limits.body_timeout",
        "allow_code": NEVER,
    },
}

NO_SETTINGS = {
    "what the library makes and says": (
        *("Finding", "Finish", "Part", "Policy", "Result", "Stats", "ToolCall", "Report"),
        *(
            "Counts",
            "Entry",
            "Context",
            "Verdict",
            "RetryingStream",
            "StreamRecord",
            "Event",
            "Blank",
            "Comment",
        ),
        *("complete", "content", "error", "start", "Structure"),
    ),
    "building blocks of an adapter": (
        *("OpenAIChat", "OpenAIChatEvents", "OpenAICompletions", "OpenAIResponses", "PlainText"),
        *("chosen", "detect", "named", "Call", "Piece", "Reading", "Slot", "Leaf", "OneOf"),
        *("Hooks", "SpecAdapter", "Tree"),
    ),
    "what tests are made with": ("Case", "check_adapter", "check_policy", "check_stage", "splits"),
}


def found() -> Iterator[tuple[str, list[str]]]:
    """Every public class and function that has settings, with their names. Those of LiteLLM's
    guardrail are in LiteLLM's configuration."""
    seen: set[int] = set()
    for name, module in public().items():
        for exported in sorted(module.__all__):
            value = getattr(module, exported)
            if name != GUARDRAIL and id(value) not in seen and _has_settings(value):
                seen.add(id(value))
                yield f"{name}.{exported}", _settings(value)
    for owner in (guardstream.Guard, guardstream.Policy, Limiter):
        for name, method in inspect.getmembers(owner, callable):
            if not name.startswith("_"):
                yield f"{owner.__name__}.{name}", _settings(method)
    yield "guardstream serve", _settings(serve_command)
    yield "guardstream.serve.replay_redis.RedisReplay", _settings(RedisReplay)
    for each in (Delivering, Reopening, Reading, Settings):
        yield each.__name__, sorted(each.__annotations__)


def _has_settings(value: Any) -> bool:
    if not callable(value) or is_typeddict(value) or getattr(value, "_is_protocol", False):
        return False
    if not getattr(value, "__module__", "").startswith("guardstream"):
        return False
    return not (inspect.isclass(value) and issubclass(value, BaseException))


def _settings(value: Any) -> list[str]:
    """The parameters that may be left out; those that may not are what is worked on."""
    try:
        parameters = inspect.signature(value).parameters.values()
    except ValueError:
        return []
    return [
        each.name
        for each in parameters
        if each.default is not each.empty or each.kind is each.VAR_KEYWORD
    ]


FOUND = {name: names for name, names in found() if names}

LISTED = {name for names in NO_SETTINGS.values() for name in names}


@pytest.mark.parametrize("name", FOUND)
def test_every_setting_has_a_key_or_a_reason(name: str) -> None:
    if name not in SETTINGS and name.rpartition(".")[2] in LISTED:
        return
    known = SETTINGS.get(name, {})
    missing = [each for each in FOUND[name] if each not in known]
    assert missing == [], f"{name}: give each a key of a policy, or a reason why it is code"


KEYS = sorted({key for each in SETTINGS.values() for key in each.values() if type(key) is str})


published = cache(schema)


@pytest.mark.parametrize("key", KEYS)
def test_every_key_is_in_the_published_schema(key: str) -> None:
    whole = published()
    nodes = [whole]
    for part in key.replace("[]", ".[]").split("."):
        nodes = [inner for node in nodes for inner in _below(node, part, whole)]
    assert nodes, key


def _below(node: Any, part: str, whole: Any) -> Iterator[Any]:
    """What a schema says of a part below it."""
    if "$ref" in node:
        yield from _below(whole["$defs"][node["$ref"].rpartition("/")[2]], part, whole)
    for branch in (*node.get("anyOf", ()), *node.get("oneOf", ())):
        yield from _below(branch, part, whole)
    if part == "[]" and "items" in node:
        yield node["items"]
    elif part == "*" and isinstance(node.get("additionalProperties"), dict):
        yield node["additionalProperties"]
    elif part in node.get("properties", {}):
        yield node["properties"][part]


@pytest.mark.parametrize("of", [Key, ProxySettings, Target], ids=lambda of: of.__name__)
def test_every_setting_of_the_proxy_is_explained(of: Any) -> None:
    names = (each.name for each in fields(of))
    assert [name for name in names if f"`{name}`" not in of.__doc__] == []


def test_nothing_is_listed_that_is_not_there() -> None:
    assert [name for name in SETTINGS if name not in FOUND] == []
    assert LISTED - {name.rpartition(".")[2] for name in FOUND} == set()
