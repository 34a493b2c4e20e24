"""The description of the endpoint for checks, as OpenAPI (https://spec.openapis.org/oas/v3.1.0)."""

from __future__ import annotations

from typing import Any

_TEXTS: dict[str, Any] = {
    "text": {"type": "string"},
    "texts": {"type": "array", "items": {"type": "string"}},
    "messages": {"type": "array", "items": {"type": "object"}},
    "tools": {"type": "array", "items": {"type": "object"}},
}
_NAME = {"type": ["string", "null"]}
_FINDING = {
    "type": "object",
    "properties": {name: {"type": "string"} for name in ("rule", "action", "severity")},
}
_ASKED = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        **_TEXTS,
        "direction": {"enum": ["request", "response"], "default": "request"},
    },
}
_VERDICT = {
    "type": "object",
    "required": ["action", "blocked", "blocked_by", "reason", "findings"],
    "properties": {
        "action": {"enum": ["none", "mask", "block"]},
        "blocked": {"type": "boolean"},
        "blocked_by": _NAME,
        "reason": _NAME,
        "findings": {"type": "array", "items": _FINDING},
        **_TEXTS,
    },
}
_LINE = {
    "type": "object",
    "properties": {
        "text": {"type": "string"},
        "finish": _NAME,
        "blocked_by": _NAME,
        "findings": {"type": "array", "items": _FINDING},
        "error": {"type": "object"},
    },
}


def _content(media: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {media: {"schema": schema}}


def _error(why: str) -> dict[str, Any]:
    error = {"type": "object", "properties": {"error": {"type": "object"}}}
    return {"description": why, "content": _content("application/json", error)}


OPENAPI: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {"title": "guardstream checks", "version": "1"},
    "paths": {
        "/check": {
            "post": {
                "summary": "Judge a request or an answer, or guard a stream of text",
                "requestBody": {
                    "required": True,
                    "content": {
                        **_content("application/json", _ASKED),
                        **_content("text/plain", {"type": "string"}),
                    },
                },
                "responses": {
                    "200": {
                        "description": "The verdict; of a text, what becomes of it, line by line",
                        "content": {
                            **_content("application/json", _VERDICT),
                            **_content("application/x-ndjson", _LINE),
                        },
                    },
                    "400": _error("What is asked cannot be judged"),
                    "401": _error("The key is not known"),
                    "413": _error("The request is too long"),
                    "429": _error("The key runs too many requests"),
                },
            }
        }
    },
}
