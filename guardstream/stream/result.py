"""What a guarded stream delivered, and its counters of chunks, characters and seconds."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from time import monotonic
from typing import Any

from guardstream.events import Finding, FinishReason, Region, regions
from guardstream.formats.toolkit.fields import fields_of

_INPUT = (
    "input_tokens",
    "prompt_tokens",
    "prompt_token_count",
    "promptTokenCount",
    "inputTokens",
    "prompt_eval_count",
)
_OUTPUT = (
    "output_tokens",
    "completion_tokens",
    "candidates_token_count",
    "candidatesTokenCount",
    "outputTokens",
    "eval_count",
)


def tokens_in(usage: Any) -> int | None:
    """Return the number of input tokens; None if the usage does not have it."""
    return _count(usage, _INPUT)


def tokens_out(usage: Any) -> int | None:
    """Return the number of output tokens; None if the usage does not have it."""
    return _count(usage, _OUTPUT)


def _count(usage: Any, names: tuple[str, ...]) -> int | None:
    """Return the first of these fields of a provider's usage that is a number."""
    if usage is None:
        return None
    fields = fields_of(usage)
    fields = {**fields_of(fields.get("tokens")), **fields}  # Cohere has them there
    return next((fields[name] for name in names if type(fields.get(name)) is int), None)


@dataclass(frozen=True, slots=True)
class Stats:
    """A snapshot of a stream's counters.

    - `chunks_in`, `chunks_out`: chunks read from the source, and chunks delivered.
    - `characters_in`, `characters_out`: code points of text, over all choices and channels.
    - `held_mean`, `held_max`: held code points, sampled after each chunk from the source.
    - `held_seconds`: how long any text was held; measured only for observed streams.
    - `first_received`, `first_released`: seconds from `wrap` to the first chunk from the source,
      and to the first released text; None before that.
    - `seconds`: from `wrap` to the end, or to now.
    - `tokens_in`, `tokens_out`: from the provider's usage; None if it has none.
    """

    chunks_in: int
    chunks_out: int
    characters_in: int
    characters_out: int
    held_mean: float
    held_max: int
    held_seconds: float
    first_received: float | None
    first_released: float | None
    seconds: float
    tokens_in: int | None = None
    tokens_out: int | None = None

    @property
    def tokens_per_second(self) -> float | None:
        """The provider's output tokens per second since `wrap`; None without a usage."""
        if self.tokens_out is None or self.seconds <= 0:
            return None
        return self.tokens_out / self.seconds


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A tool call as delivered: the `name` of the tool, and its guarded `arguments` as text.

    `id` is the provider's, if its format has one, and `choice` the index of its choice. `complete`
    is false until all arguments were delivered, and stays false after a block, a limit or a cut.
    """

    name: str
    arguments: str
    id: str | None = None
    choice: int = 0
    complete: bool = False

    def parse(self) -> Any:
        """Return the arguments as a JSON value. Raises ValueError if they are not JSON."""
        return json.loads(self.arguments)


@dataclass(frozen=True, slots=True)
class Result:
    """What a stream delivered so far.

    - `text`: the text of choice 0; `channels`: the text of each (choice, channel).
    - `findings`: in the order in which they settled.
    - `finish`: the finish reason; None while the stream is open.
    - `tool_calls`: all announced calls, in the order in which they began.
    - `usage`: the provider's last usage object.
    - `blocked_by`: the rule that blocked it; None if none did, even if the provider filtered it.
    - `provider_reason`: the provider's own word for why it ended, where nobody knows that word.
    """

    text: str
    findings: Sequence[Finding]
    finish: FinishReason | None
    channels: Mapping[tuple[int, str], str] = field(default_factory=dict)
    tool_calls: Sequence[ToolCall] = ()
    usage: Any = None
    blocked_by: str | None = None
    provider_reason: str | None = None

    @property
    def regions(self) -> tuple[Region, ...]:
        """The masked values: findings that overlap are one, whichever rules have found it."""
        return regions(self.findings)

    @property
    def thinking(self) -> str:
        """Choice 0's thinking."""
        return self.channels.get((0, "thinking"), "")

    @property
    def refusal(self) -> str:
        """Choice 0's refusal."""
        return self.channels.get((0, "refusal"), "")

    def as_dict(self) -> dict[str, Any]:
        """Return what happened as JSON values, for a log: finish reason, blocking rule, findings,
        and the tokens of the provider's usage. It has no text."""
        return {
            "finish": self.finish,
            "blocked_by": self.blocked_by,
            "findings": [asdict(finding) for finding in self.findings],
            "input_tokens": tokens_in(self.usage),
            "output_tokens": tokens_out(self.usage),
        }

    def _repr_html_(self) -> str:
        """Return what was delivered and found, for notebooks."""
        from html import escape  # only notebooks need it

        rows = "".join(
            f"<tr><td>{escape(found.rule)}</td><td>{found.action}</td><td>{escape(found.channel)}"
            f"</td><td>{found.start}–{found.end}</td></tr>"
            for found in self.findings
        )
        head = "<tr><th>rule</th><th>action</th><th>channel</th><th>characters</th></tr>"
        table = f"<table>{head}{rows}</table>" if rows else ""
        text = f'<pre style="white-space: pre-wrap">{escape(self.text)}</pre>'
        return f"{text}<p>finish: {self.finish or 'open'}</p>{table}"


class Meter:
    """The counters of a running stream; its attributes are written on the hot path."""

    __slots__ = (
        "characters_in",
        "characters_out",
        "chunks_in",
        "chunks_out",
        "ended",
        "first_received",
        "first_released",
        "held",
        "held_max",
        "held_seconds",
        "held_since",
        "held_total",
        "started",
    )

    def __init__(self) -> None:
        self.chunks_in = self.chunks_out = 0
        self.characters_in = self.characters_out = 0
        self.held = self.held_total = self.held_max = 0
        self.held_seconds = 0.0
        self.held_since: float | None = None
        self.first_received: float | None = None
        self.first_released: float | None = None
        self.ended: float | None = None
        self.started = monotonic()

    def received(self, characters: int, held: int) -> None:
        """Count a chunk that came in, and the text held after it."""
        if not self.chunks_in:
            self.first_received = monotonic()
        self.chunks_in += 1
        self.characters_in += characters
        self.held = held
        if held:
            self.held_total += held
            if held > self.held_max:
                self.held_max = held

    def holding(self) -> None:
        """Measure how long text is held; called after each incoming chunk."""
        if self.held:
            if self.held_since is None:
                self.held_since = monotonic()
        elif self.held_since is not None:
            self.held_seconds += monotonic() - self.held_since
            self.held_since = None

    def delivered(self, characters: int) -> None:
        """Count a chunk that goes out, and record the time of the first text."""
        self.chunks_out += 1
        if characters:
            if not self.characters_out:
                self.release_began()
            self.characters_out += characters

    def release_began(self) -> None:
        """Record the time of the first released text."""
        self.first_released = monotonic()

    def end(self) -> None:
        """Stop the clock."""
        if self.ended is None:
            self.held = 0
            self.holding()
            self.ended = monotonic()

    def stats(self, usage: Any = None) -> Stats:
        """Return the counters as they stand, with the tokens of the provider's usage."""
        return Stats(
            chunks_in=self.chunks_in,
            chunks_out=self.chunks_out,
            characters_in=self.characters_in,
            characters_out=self.characters_out,
            held_mean=self.held_total / self.chunks_in if self.chunks_in else 0.0,
            held_max=self.held_max,
            held_seconds=self.held_seconds,
            first_received=self._since(self.first_received),
            first_released=self._since(self.first_released),
            seconds=(self.ended or monotonic()) - self.started,
            tokens_in=tokens_in(usage),
            tokens_out=tokens_out(usage),
        )

    def _since(self, moment: float | None) -> float | None:
        return None if moment is None else moment - self.started
