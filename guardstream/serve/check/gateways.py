"""The requests of gateways that ask for a verdict, and the verdicts that they understand.

What differs is data: the fields by which a gateway's requests are told, where what it asks about
stands in them, and how its verdicts are written. All is judged as requests and answers of a model's
API are.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from guardstream.events import Finding, counted
from guardstream.hints import hint
from guardstream.http.request import RefusedError

Direction: TypeAlias = Literal["request", "response"]

CHAT = "openai_chat"
"""The format in which messages are judged that come without the body of a request."""


@dataclass(slots=True)
class Asked:
    """What a gateway asks about: the body of a request or an answer, in a format; or texts, and
    what comes with them, by field."""

    direction: Direction
    body: dict[str, Any] | None = None
    format: str = CHAT
    fields: Mapping[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Verdict:
    """What becomes of it: the body, or the fields that a rule has changed, and what was found.

    `holds` are how many code points of each text may still change if the text goes on.
    """

    asked: Asked
    findings: list[Finding] = field(default_factory=list)
    body: dict[str, Any] | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)
    holds: Sequence[int] = ()
    blocked_by: str | None = None
    reason: str | None = None

    @property
    def blocked(self) -> bool:
        return self.reason is not None

    @property
    def changed(self) -> bool:
        return bool(self.fields) or (self.body is not None and self.body is not self.asked.body)

    @property
    def found(self) -> list[dict[str, str]]:
        """What was found, without the text."""
        return [
            {"rule": each.rule, "action": each.action, "severity": each.severity}
            for each in counted(self.findings)
        ]


@dataclass(frozen=True, slots=True)
class Gateway:
    """One kind of request: `marks` are fields that all of them have, `direction` the one that says
    whether a model's answer is judged, which it does by `answers`. `about` are the fields that the
    model does not read, and `takes` those that it takes back, if a rule has changed them."""

    name: str
    marks: Collection[str]
    direction: str
    answers: str
    about: Collection[str]
    takes: Collection[str]
    read: Callable[[Gateway, Direction, Mapping[str, Any]], Asked]
    written: Callable[[Verdict], dict[str, Any]]

    def asked(self, given: Mapping[str, Any]) -> Asked:
        """Return what a request of this gateway asks about. RefusedError for another direction."""
        direction = given.get(self.direction, "request")
        if not isinstance(direction, str):
            raise RefusedError(400, "invalid_request", f"{self.direction!r} is not a text")
        is_answer = direction == self.answers
        return self.read(self, "response" if is_answer else "request", given)

    def answer(self, verdict: Verdict) -> dict[str, Any]:
        """Return the answer to the gateway: what it would not take back is blocked instead."""
        lost = [name for name in verdict.fields if name not in self.takes]
        if lost and not verdict.blocked:
            verdict.reason = f"a rule would mask {lost[0]!r}, which the gateway does not take back"
        return self.written(verdict)


def _texts(gateway: Gateway, direction: Direction, given: Mapping[str, Any]) -> Asked:
    """Read texts and messages that stand beside each other."""
    fields = {name: value for name, value in given.items() if name not in gateway.about}
    return Asked(
        direction, fields={name: fields[name] for name in fields if fields[name] is not None}
    )


_OWN = ("text", "texts", "messages", "tools", "tool_calls", "direction")


def _own(gateway: Gateway, direction: Direction, given: Mapping[str, Any]) -> Asked:
    for name in given:
        if name not in _OWN:
            why = f"a field is not known: {hint(name, _OWN)}"
            raise RefusedError(400, "invalid_request", why)
    if given.get("direction", "request") not in ("request", "response"):
        raise RefusedError(400, "invalid_request", "'direction' is 'request' or 'response'")
    return _texts(gateway, direction, given)


def _own_verdict(verdict: Verdict) -> dict[str, Any]:
    action = "block" if verdict.blocked else "mask" if verdict.changed else "none"
    return {
        "action": action,
        "blocked": verdict.blocked,
        "blocked_by": verdict.blocked_by,
        "reason": verdict.reason,
        "findings": verdict.found,
        **({} if verdict.blocked else {**verdict.asked.fields, **verdict.fields}),
    }


def _litellm_verdict(verdict: Verdict) -> dict[str, Any]:
    if verdict.blocked:
        return {"action": "BLOCKED", "blocked_reason": verdict.reason}
    action = "GUARDRAIL_INTERVENED" if verdict.changed else "NONE"
    return {"action": action, **verdict.fields, "stream_holdback_chars": [*verdict.holds]}


_PORTKEY_FORMATS = {
    "chatComplete": CHAT,
    "complete": "openai_completions",
    "embed": "openai_embeddings",
    "messages": "anthropic",
    "createModelResponse": "openai_responses",
    "imageGenerate": "openai_images",
    "createSpeech": "openai_speech",
}


def _portkey(_: Gateway, direction: Direction, given: Mapping[str, Any]) -> Asked:
    """Read the body of a request or an answer, which Portkey has read as JSON."""
    side = given.get(direction)
    body = side.get("json") if isinstance(side, Mapping) else None
    if not isinstance(body, dict):
        raise RefusedError(400, "invalid_request", f"'{direction}.json' is not an object")
    return Asked(direction, body, _PORTKEY_FORMATS.get(str(given.get("requestType")), ""))


def _portkey_verdict(verdict: Verdict) -> dict[str, Any]:
    said: dict[str, Any] = {"verdict": not verdict.blocked, "data": {"findings": verdict.found}}
    if verdict.changed and not verdict.blocked:
        said["transformedData"] = {verdict.asked.direction: {"json": verdict.body}}
    return said


GATEWAYS = (
    # https://docs.litellm.ai/docs/adding_provider/generic_guardrail_api. Images are not read, nor
    # what LiteLLM itself says of the call.
    Gateway(
        "litellm",
        ("input_type", "request_data"),
        "input_type",
        "response",
        (
            "input_type", "litellm_call_id", "litellm_trace_id", "images", "request_data",
            "request_headers", "litellm_version", "additional_provider_specific_params", "model",
        ),
        ("texts", "structured_messages", "tools"),
        _texts,
        _litellm_verdict,
    ),
    # https://portkey.ai/docs/integrations/guardrails/bring-your-own-guardrails
    Gateway(
        "portkey",
        ("eventType", "request"),
        "eventType",
        "afterRequestHook",
        (),
        (),
        _portkey,
        _portkey_verdict,
    ),
    # The endpoint's own requests, which programs send, and gateways whose requests are templates,
    # as Kong's: https://developer.konghq.com/plugins/ai-custom-guardrail
    Gateway("guardstream", (), "direction", "response", ("direction",), _OWN, _own, _own_verdict),
)  # fmt: skip


def gateway_of(given: Mapping[str, Any]) -> Gateway:
    """Return the gateway that has sent a request."""
    return next(each for each in GATEWAYS if given.keys() >= {*each.marks})
