"""Judges what a gateway asks about, as the proxy judges requests and answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from guardstream.events import is_refused, text_of
from guardstream.guard import Guard
from guardstream.http.body import aguard_body, in_thread
from guardstream.http.request import RefusedError, checked_fields
from guardstream.serve.check.gateways import CHAT, Asked, Verdict

_TEXTS = ("text", "texts")
_MESSAGES = ("messages", "structured_messages")


async def judged(guard: Guard, asked: Asked) -> Verdict:
    """Return the verdict. RefusedError for what cannot be judged, StageError if a stage fails."""
    verdict = Verdict(asked)
    try:
        if asked.direction == "response":
            await _judge_answer(guard, asked, verdict)
        elif guard.policy.input is None:
            why = "the policy has no section 'input', by which requests are judged"
            raise RefusedError(400, "no_input", why)
        else:
            await in_thread(partial(_judge_request, guard, asked, verdict))
    except RefusedError as error:
        if error.code not in ("content_filter", "unguarded_input"):
            raise
        verdict.blocked_by, verdict.reason = error.rule, error.message
    return verdict


def _judge_request(guard: Guard, asked: Asked, verdict: Verdict) -> None:
    fields = asked.body if asked.body is not None else _as_chat(asked.fields)
    checked = checked_fields(guard, asked.format, fields, verdict.findings)
    if asked.body is not None:
        verdict.body = checked
    elif checked is not fields:
        verdict.fields = _changed(asked.fields, fields, checked)


async def _judge_answer(guard: Guard, asked: Asked, verdict: Verdict) -> None:
    body = asked.body if asked.body is not None else _answer(asked.fields)
    made, result = await aguard_body(guard, asked.format or CHAT, body)
    verdict.findings += result.findings
    if is_refused(result.finish, result.blocked_by):
        why = f"the answer was blocked by rule {result.blocked_by!r}"
        raise RefusedError(400, "content_filter", why, result.blocked_by)
    if asked.body is not None:
        verdict.body = made
        return
    verdict.fields = _fields_of(made, asked.fields) if made is not body else {}
    shown = [each["message"].get("content") or "" for each in made["choices"]]
    rules = guard.with_rules_only()
    texts = zip(_texts_of(asked.fields), shown, strict=False)
    verdict.holds = [_held(rules, *each) for each in texts]


# Requests


def _as_chat(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return a request for a chat that has the same texts: those that no message has are the
    user's, and so are fields that nobody knows."""
    messages = [each for name in _MESSAGES for each in _list(name, fields.get(name))]
    known = {*_strings(messages)}
    texts = [text for text in _texts_of(fields) if text not in known]
    rest = {name: fields[name] for name in fields if name not in (*_TEXTS, *_MESSAGES)}
    return {"messages": [*messages, *({"role": "user", "content": each} for each in texts)], **rest}


def _changed(
    fields: Mapping[str, Any], before: Mapping[str, Any], after: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the fields that a rule has changed."""
    messages, made = before["messages"], after["messages"]
    now = dict(zip(_strings(messages), _strings(made), strict=True))
    changed: dict[str, Any] = {}
    at = 0
    for name in _MESSAGES:
        size = len(fields.get(name, ()))
        if made[at : at + size] != messages[at : at + size]:
            changed[name] = made[at : at + size]
        at += size
    for name in _TEXTS:
        told = fields.get(name)
        new = now.get(told, told) if isinstance(told, str) else [now.get(t, t) for t in told or ()]
        if told and new != told:
            changed[name] = new
    others = {name: value for name, value in after.items() if value != before.get(name)}
    return changed | {name: value for name, value in others.items() if name != "messages"}


# Answers


def _answer(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the whole answer of a chat that has the same texts, each in a choice of its own, and
    the calls of tools in the first one."""
    texts = [*_texts_of(fields), *_strings([fields[name] for name in fields if name not in _SAID])]
    choices: list[dict[str, Any]] = [
        {"index": at, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        for at, text in enumerate(texts or [""])
    ]
    if calls := fields.get("tool_calls"):
        choices[0]["message"]["tool_calls"] = _list("tool_calls", calls)
    return {"object": "chat.completion", "choices": choices}


_SAID = (*_TEXTS, "tool_calls")


def _fields_of(made: Mapping[str, Any], fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields that a rule has changed. RefusedError for one that nobody takes back."""
    said = [each["message"].get("content") or "" for each in made["choices"]]
    told = _texts_of(fields)
    others = [*_strings([fields[name] for name in fields if name not in _SAID])]
    if said[len(told) :] != (others if told or others else [""]):
        why = "a rule would mask a field that only its sender can change"
        raise RefusedError(400, "unguarded_input", why)
    changed: dict[str, Any] = {}
    if said[: len(told)] != told:
        texts = iter(said)
        for name in _TEXTS:
            if name in fields:
                one = isinstance(fields[name], str)
                changed[name] = next(texts) if one else [next(texts) for _ in fields[name]]
    calls = made["choices"][0]["message"].get("tool_calls")
    if calls and calls != fields["tool_calls"]:
        changed["tool_calls"] = calls
    return changed


def _held(guard: Guard, text: str, whole: str) -> int:
    """Return how many code points of a guarded text may become something else if it goes on."""
    return len(whole) - len(text_of(guard.session().feed(text)))


# Both


def _texts_of(fields: Mapping[str, Any]) -> list[str]:
    """Return the texts that are asked about. RefusedError for what is none."""
    found: list[Any] = []
    for name in _TEXTS:
        told = fields.get(name, [])
        found += [told] if isinstance(told, str) else _list(name, told)
    if not all(isinstance(each, str) for each in found):
        raise RefusedError(400, "invalid_request", "'texts' is not a list of texts")
    return found


def _list(name: str, value: Any) -> list[Any]:
    if value is None or isinstance(value, list):
        return value or []
    raise RefusedError(400, "invalid_request", f"{name!r} is not a list")


def _strings(value: Any) -> Iterator[str]:
    """Yield the strings in JSON, in their order; names of fields are none."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _strings(inner)
