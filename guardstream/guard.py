"""The guard: a policy applied to streams, to whole texts, or to text you feed yourself."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterable, Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any, Literal, TypeVar, Unpack

from guardstream.errors import StageError
from guardstream.events import Event, Finding, FinishReason, Stage, Text
from guardstream.framing.frames import Media
from guardstream.policy import Policy
from guardstream.policy.reload import Watched
from guardstream.prompts import MessagesResult, check_messages
from guardstream.providers import Adapter, chosen
from guardstream.providers.adapter import Unknown
from guardstream.stages.custom import CustomStage, StagePlan
from guardstream.stages.passing import Passing
from guardstream.stages.pipeline import Pipeline
from guardstream.stream.asynchronous import GuardedStream
from guardstream.stream.bytes import WireFlow
from guardstream.stream.callbacks import Hooks
from guardstream.stream.chunks import ChunkFlow
from guardstream.stream.deadlines import Deadlines
from guardstream.stream.flow import Flow
from guardstream.stream.make import flow_of
from guardstream.stream.observers import Observer, Observing
from guardstream.stream.options import Delivering, Options
from guardstream.stream.result import Meter, Result
from guardstream.stream.state import MakeFlow
from guardstream.stream.synchronous import SyncGuardedStream
from guardstream.stream.text import TextFlow

C = TypeVar("C")


class Guard:
    """Applies one policy; made once, and shared freely between streams and threads."""

    def __init__(
        self,
        policy: Policy | Watched,
        *,
        stages: Sequence[Callable[[], CustomStage] | StagePlan] = (),
        observers: Sequence[Observer] = (),
        observer_errors: Literal["report", "raise"] = "report",
    ) -> None:
        """`stages` are your own, behind the policy's: see `guardstream.stages.custom`.

        `observers` are told of every stream; `observer_errors` says what becomes of theirs.
        """
        self._source = policy
        self._stages = tuple(stages)
        self._staged: tuple[Policy, Policy] | None = None
        self._observers = tuple(observers)
        self._observer_errors = observer_errors

    @classmethod
    def load(
        cls,
        path: str | Path,
        *,
        reload: bool = False,
        stages: Sequence[Callable[[], CustomStage] | StagePlan] = (),
        observers: Sequence[Observer] = (),
        observer_errors: Literal["report", "raise"] = "report",
    ) -> Guard:
        """Read the policy file at `path`, or a pack as `guardstream/NAME`.

        PolicyError says for everything that is wrong where it stands: `file:line:column`. With
        `reload`, every new stream asks whether the file, or one that it needs, has changed, and
        takes the new policy; if that is not valid, the last one stays and the error is logged.
        """
        policy = Watched(path) if reload else Policy.load(path)
        return cls(policy, stages=stages, observers=observers, observer_errors=observer_errors)

    @property
    def policy(self) -> Policy:
        """The policy that this guard applies to a stream that begins now."""
        source = self._source
        policy = source.policy() if isinstance(source, Watched) else source
        if not self._stages:
            return policy
        if self._staged is None or self._staged[0] is not policy:
            self._staged = policy, policy.with_stages(self._stages)
        return self._staged[1]

    def wrap(
        self,
        stream: AsyncIterable[C],
        *,
        provider: str | Adapter[C] | None = None,
        words: Mapping[str, Sequence[str]] | None = None,
        unknown: Unknown | None = None,
        **options: Unpack[Delivering],
    ) -> GuardedStream[C]:
        """Return a stream of chunks like those of `stream`, with all text in them guarded.

        `provider` names the adapter, or is one; without it the first chunk tells. `words` are more
        words for rules of the policy, by rule id, for this stream alone. `unknown="pass"` lets
        events and fields through that the adapter does not know. `Delivering` has the other
        options: callbacks, deadlines, what raises and what is kept.
        """
        _check_async(stream)
        policy = self._policy_with(words)
        make_flow = self._flows(policy, provider=provider, unknown=unknown)
        return GuardedStream(stream, make_flow, self.options(policy, options))

    def wrap_sync(
        self,
        stream: Iterable[C],
        *,
        provider: str | Adapter[C] | None = None,
        words: Mapping[str, Sequence[str]] | None = None,
        unknown: Unknown | None = None,
        **options: Unpack[Delivering],
    ) -> SyncGuardedStream[C]:
        """Return what `wrap` returns, for a plain iterator."""
        _check_sync(stream)
        policy = self._policy_with(words)
        make_flow = self._flows(policy, provider=provider, unknown=unknown)
        return SyncGuardedStream(stream, make_flow, self.options(policy, options))

    def pinned(self) -> Guard:
        """Return a guard that keeps the policy of this moment, whatever is reloaded later."""
        if not isinstance(self._source, Watched):
            return self
        return Guard(self.policy, observers=self._observers, observer_errors=self._observer_errors)

    def with_stages(self, stages: Sequence[Callable[[], CustomStage] | StagePlan]) -> Guard:
        """Return a guard with more stages of your own, and otherwise like this one."""
        return Guard(
            self._source,
            stages=(*self._stages, *stages),
            observers=self._observers,
            observer_errors=self._observer_errors,
        )

    def check_messages(self, messages: Iterable[Any]) -> MessagesResult:
        """Apply the policy's `input` to what goes into a model; see `guardstream.prompts`.

        Messages of OpenAI's and Anthropic's shapes; they are not changed, the result has those
        that may be sent. AdapterError for what may hold text and is not known.
        """
        return check_messages(self.policy, messages)

    def check(self, text: str, channel: str = "text") -> Result:
        """Guard a whole text at once; the answer is that of a stream of it, in any chunking."""
        policy = self.policy
        stage = pipeline_of(policy, channel)
        try:
            events = [*stage.feed(text), *stage.finish()]
        except Exception as error:
            raise StageError(f"a stage failed ({type(error).__name__})") from error
        return _result(events, channel, policy.block_message)

    def session(self, channel: str = "text") -> Pipeline:
        """Return a pipeline to feed by hand: `feed(text)` and `finish()` return events."""
        return Pipeline(self.policy.stages(channel))

    def flow(
        self,
        *,
        provider: str | Adapter[Any] | None = None,
        media: Media | None = None,
        words: Mapping[str, Sequence[str]] | None = None,
        unknown: Unknown | None = None,
    ) -> MakeFlow[Any]:
        """Return a function that makes a stream's flow, given its first chunk and a meter: no I/O.

        `media` says how bytes carry chunks: `sse`, `ndjson`, `text`; without it the first byte
        tells the first two apart. The other arguments are those of `wrap`.
        """
        return self._flows(
            self._policy_with(words), provider=provider, media=media, unknown=unknown
        )

    def _policy_with(self, words: Mapping[str, Sequence[str]] | None) -> Policy:
        return self.policy.with_words(words) if words else self.policy

    def _flows(
        self,
        policy: Policy,
        *,
        provider: str | Adapter[Any] | None,
        media: Media | None = None,
        unknown: Unknown | None,
    ) -> MakeFlow[Any]:
        passing = unknown or policy.unknown
        if isinstance(provider, str):
            chosen(provider, None)  # an unknown name is told now, not with the first chunk

        def choose(chunk: Any) -> Adapter[Any]:
            return chosen(provider, chunk, unknown=passing)

        def make_flow(chunk: Any, meter: Meter) -> Flow[Any]:
            def make(adapter: Adapter[Any]) -> ChunkFlow[Any] | TextFlow:
                return flow_of(
                    adapter,
                    partial(pipeline_of, policy),
                    meter,
                    policy.block_message,
                    policy.file.max_holdback,
                )

            if media or isinstance(chunk, (bytes, bytearray, memoryview)):
                return WireFlow(media, choose, make, partial(_is_harmless, policy))
            return make(choose(chunk))

        return make_flow

    def options(self, policy: Policy, options: Delivering) -> Options:
        """Return how a stream is delivered: what the caller says, then what the policy says."""
        hooks = Hooks(
            on_text=options.get("on_text"),
            on_part=options.get("on_part"),
            on_tool_call=options.get("on_tool_call"),
            on_finding=options.get("on_finding"),
            on_finish=options.get("on_finish"),
            errors=options.get("callback_errors", "raise"),
        )
        observing = Observing(
            self._observers,
            self._observer_errors,
            policy=policy.name,
            fingerprint=policy.fingerprint,
            shadow=policy.shadow,
            attributes=dict(options.get("attributes") or {}),
        )
        deadlines = options.get("deadlines")
        return Options(
            raise_on_block=options.get("raise_on_block", False),
            keep_text=options.get("keep_text", True),
            hooks=hooks,
            deadlines=_deadlines(policy) if deadlines is None else deadlines,
            clock=options.get("clock", monotonic),
            observing=observing,
        )


def _deadlines(policy: Policy) -> Deadlines:
    """Return the deadlines that a policy sets; one in shadow mode ends nothing."""
    limits = policy.file.limits
    if limits is None or policy.shadow:
        return Deadlines()
    return Deadlines(limits.first_token, limits.idle, limits.total)


def pipeline_of(policy: Policy, channel: str, tool: str | None = None) -> Stage:
    """Return the pipeline of a channel, for arguments also of a tool; one stage needs none."""
    stages = policy.stages(channel, tool)
    if not stages:
        return Passing()
    return stages[0] if len(stages) == 1 else Pipeline(stages)


def _is_harmless(policy: Policy, text: str) -> bool:
    """Tell whether `policy` leaves a text as it is."""
    stage = pipeline_of(policy, "text")
    result = _result([*stage.feed(text), *stage.finish()], "text", "")
    return result.text == text and result.finish != "content_filter"


def _result(events: Sequence[Event], channel: str, message: str) -> Result:
    text = "".join(event.text for event in events if isinstance(event, Text))
    found = [replace(event, channel=channel) for event in events if isinstance(event, Finding)]
    finish: FinishReason = getattr(events[-1], "reason", "stop")
    if finish == "content_filter" and channel == "text":
        text += message
    return Result(text, tuple(found), finish, {(0, channel): text} if text else {})


def _check_async(stream: object) -> None:
    if inspect.iscoroutine(stream):
        stream.close()
    if hasattr(stream, "__aiter__") or hasattr(stream, "__anext__"):
        return
    if inspect.isawaitable(stream):
        raise TypeError("wrap() was given a coroutine, not a stream: await it first")
    if hasattr(stream, "__aenter__"):
        raise TypeError(
            "wrap() was given a context manager, not a stream: "
            "enter it first, 'async with ... as stream', and wrap the stream"
        )
    if inspect.isasyncgenfunction(stream) or inspect.iscoroutinefunction(stream):
        raise TypeError("wrap() was given a function, not a stream: call it first")
    if isinstance(stream, (str, bytes)):
        raise TypeError("wrap() was given a whole text, not a stream: use check()")
    if isinstance(stream, Iterable):
        raise TypeError("wrap() was given a plain iterator: use wrap_sync()")
    raise TypeError(f"wrap() needs an async iterator, not {type(stream).__qualname__!r}")


def _check_sync(stream: object) -> None:
    if inspect.iscoroutine(stream):
        stream.close()
        raise TypeError("wrap_sync() was given a coroutine: await it first and use wrap()")
    if isinstance(stream, (str, bytes)):
        raise TypeError("wrap_sync() was given a whole text, not a stream: use check()")
    if isinstance(stream, Iterable):
        return
    if hasattr(stream, "__aiter__") or hasattr(stream, "__aenter__"):
        raise TypeError("wrap_sync() was given an async stream: use wrap()")
    if hasattr(stream, "__enter__"):
        raise TypeError(
            "wrap_sync() was given a context manager, not a stream: "
            "enter it first, 'with ... as stream', and wrap the stream"
        )
    raise TypeError(f"wrap_sync() needs an iterator, not {type(stream).__qualname__!r}")
