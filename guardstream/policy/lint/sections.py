"""Warnings about a policy as a whole, and about its sections other than `rules`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import regex
from pydantic import BaseModel

from guardstream.policy.build import CompiledPolicy, applies
from guardstream.policy.document import Problem
from guardstream.policy.model import OPERATIONAL, ReplacementFile
from guardstream.policy.operational import named_secret, rate_of, secrets_of
from guardstream.stages.limits.stop import unreachable


def find(built: CompiledPolicy) -> Iterator[Problem]:
    """Yield the warnings about a policy's sections."""
    yield from _limits(built)
    yield from _nothing(built)
    yield from find_missing_keys(built)
    yield from _arguments(built)
    yield from _unused_subpatterns(built)
    yield from _small_budgets(built)
    yield from _beginnings(built)
    yield from _endless(built)


def _beginnings(built: CompiledPolicy) -> Iterator[Problem]:
    """Warn of `starts: false` where beginnings are logged all the same."""
    audit = built.file.audit
    if audit is not None and audit.starts is False and audit.has_starts:
        mark = built.source.document.mark(("audit", "starts"))
        why = "beginnings are logged: 'errors: raise' allows no text without a record"
        yield Problem(mark, why)


def _small_budgets(built: CompiledPolicy) -> Iterator[Problem]:
    """Warn of budgets that a request without a limit for its answer never fits."""
    serve = built.file.serve
    if serve is None or not isinstance(serve.keys, dict):
        return
    for name, key in serve.keys.items():
        tokens = getattr(key, "tokens", None)
        if tokens is not None and rate_of(tokens)[0] <= serve.limits.answer_tokens:
            mark = built.source.document.mark(("serve", "keys", name, "tokens"))
            reserved = f"{serve.limits.answer_tokens} for an answer without a limit of its own"
            hint = "raise it, or lower 'limits: {answer_tokens: ...}'"
            yield Problem(mark, f"the budget is no more than what is reserved, {reserved}: {hint}")


def _nothing(built: CompiledPolicy) -> Iterator[Problem]:
    """Warn of a policy that guards nothing, or a section `input` that checks nothing."""
    file, source = built.file, built.source
    does = built.placed or file.json_ or file.limits or file.stages or file.gate or built.input
    if not does:
        what = "section 'input'" if source.prefix else "policy"
        hint = "give it 'rules', or name a policy that has some under 'extends'"
        yield Problem(source.document.key_mark(source.prefix), f"the {what} does nothing: {hint}")


def _endless(built: CompiledPolicy) -> Iterator[Problem]:
    """Warn of formats that do not say how they end."""
    for name, file in (built.file.formats or {}).items():
        if not (file.done or file.end or file.like or _says_done(file.event)) and name in (
            built.source.file.formats or {}
        ):
            mark = built.source.document.key_mark(("formats", name))
            hint = (
                "a stream that the guard ends just closes: name its last event by 'done' or 'end'"
            )
            yield Problem(mark, f"the format {name!r} has no end: {hint}")


def _says_done(event: Any) -> bool:
    """Return whether the description of events has the role of what ends an answer."""
    if isinstance(event, dict):
        return any(map(_says_done, event.values()))
    return any(map(_says_done, event)) if isinstance(event, list) else event == "done"


def _unused_subpatterns(built: CompiledPolicy) -> Iterator[Problem]:
    """Warn of subpatterns that no pattern of their file calls."""
    for name in built.source.uncalled:
        mark = built.source.document.key_mark(("subpatterns", name))
        yield Problem(mark, f"no pattern of this file calls the subpattern {name!r}: leave it out")


def find_missing_keys(built: CompiledPolicy) -> Iterator[Problem]:
    """Warn of secrets that the policy needs and that are missing."""
    for placed in built.placed:
        made = placed.rule.replacement
        here = placed.origin_of("replacement")
        if here.source is not built.source or not isinstance(made, ReplacementFile):
            continue
        if made.pseudonym and not os.environ.get(made.pseudonym.key_env):
            mark = here.mark("replacement", "pseudonym", "key_env")
            name = made.pseudonym.key_env
            yield Problem(mark, f"{name!r}, which holds the key, is not set in this environment")
    for section in OPERATIONAL:
        values = getattr(built.file, section)
        for path, secret in secrets_of(values) if isinstance(values, BaseModel) else ():
            name = named_secret(secret) or secret
            if not os.environ.get(name):
                mark = built.source.document.mark((section, *path))
                what = f"{name!r}, which holds a secret, is not set in this environment"
                yield Problem(mark, what)


def _arguments(built: CompiledPolicy) -> Iterator[Problem]:
    """If there is a vault, warn of rules that irreversibly change tool arguments."""
    if built.input is None or not any(each.rule.reversible for each in built.input.placed):
        return
    for placed in built.placed:
        rule = placed.rule
        if placed.origin.source is not built.source:
            continue
        if rule.action == "mask" and applies(rule, "tool_args") and not rule.reversible:
            message = "masks tool arguments, and no vault restores them: set 'channels'"
            yield Problem(placed.origin.mark("id"), f"rule {rule.id!r} {message}")


def _limits(built: CompiledPolicy) -> Iterator[Problem]:
    section, source = built.file.limits, built.keys.get(("limits", "stop"))
    if section is None or source is not built.source:
        return
    for index, sequence in enumerate(section.stop):
        if regex.search(r"\\[nrt]", sequence):
            yield Problem(
                source.document.mark(("limits", "stop", index)),
                "the stop sequence contains a backslash and a letter: write a line break as "
                r'"\n", in double quotes',
            )
    for sequence, other in unreachable(section.stop).items():
        mark = source.document.mark(("limits", "stop", section.stop.index(sequence)))
        message = (
            f"the stop sequence {sequence!r} is never reached: {other!r} ends the stream first"
        )
        yield Problem(mark, message)
