"""Calls a policy's check: not too often, not twice for the same text, and under its name.

A check that blocks decides. The verdict of one that monitors is only reported.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections import OrderedDict
from collections.abc import Awaitable
from dataclasses import replace

from guardstream.errors import GuardstreamError
from guardstream.gate.verdict import Check, Context, Verdict, verdict_of


class GateError(GuardstreamError):
    """A check could not be created, or called. The message never contains the text."""


class Cache:
    """Verdicts by keyed hashes of the judged texts. The hash's key is this process's own."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._secret = secrets.token_bytes(32)
        self._verdicts: OrderedDict[bytes, Verdict] = OrderedDict()

    def __len__(self) -> int:
        return len(self._verdicts)

    def key(self, text: str, context: Context) -> bytes:
        """Return the key of a verdict: a hash of the text, the text before it, and its channel."""
        data = "\0".join((context.channel, str(len(context.before)), context.before + text))
        return hmac.digest(self._secret, data.encode("utf-8", "surrogatepass"), hashlib.sha256)

    def get(self, key: bytes) -> Verdict | None:
        """Return the verdict with this key, if there is one."""
        if key in self._verdicts:
            self._verdicts.move_to_end(key)
        return self._verdicts.get(key)

    def put(self, key: bytes, verdict: Verdict) -> None:
        """Store a verdict; the least recently used one is removed."""
        self._verdicts[key] = verdict
        self._verdicts.move_to_end(key)
        if len(self._verdicts) > self._size:
            self._verdicts.popitem(last=False)


class Judging:
    """A check for one stream."""

    def __init__(
        self,
        check: Check,
        rule: str,
        *,
        blocks: bool,
        max_calls: int | None,
        cache: Cache | None,
    ) -> None:
        self.calls = 0
        self._check = check
        self._rule = rule
        self._blocks = blocks
        self._max_calls = max_calls
        self._cache = cache

    async def __call__(self, text: str, context: Context) -> Verdict:
        """Return the verdict that counts; raises the check's exceptions, and GateError."""
        verdict = await self._ask(text, context)
        if self._blocks or verdict.action == "allow":
            return verdict
        return Verdict("allow", rule=verdict.rule, severity=verdict.severity)

    async def _ask(self, text: str, context: Context) -> Verdict:
        cache = self._cache
        key = cache.key(text, context) if cache is not None else b""
        known = cache.get(key) if cache is not None else None
        if known is not None:
            return known
        if self._max_calls is not None and self.calls >= self._max_calls:
            raise GateError(
                f"check {self._rule!r} was asked {self.calls} times, its max_calls: "
                "give it more, or a larger window"
            )
        self.calls += 1
        answer = self._check(text, context)
        verdict = verdict_of(await answer if isinstance(answer, Awaitable) else answer)
        verdict = self._named(verdict)
        if cache is not None:
            cache.put(key, verdict)
        return verdict

    def _named(self, verdict: Verdict) -> Verdict:
        """Return the verdict under the check's name, followed by the check's own rule."""
        if verdict == Verdict("allow"):
            return verdict
        own = "" if verdict.rule == "gate" else f".{verdict.rule}"
        return replace(verdict, rule=self._rule + own)
