"""The outcome of a stream: from its own state, or from that of the stream it relays."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar, get_args

from guardstream.events import Finding, FinishReason, is_refused
from guardstream.stream.context import Shown
from guardstream.stream.result import Result, Stats
from guardstream.stream.state import StreamState

if TYPE_CHECKING:
    from guardstream.policy import Policy

C = TypeVar("C")


class Outcome(Shown, Generic[C]):
    """The base of whatever drives a `StreamState`."""

    def __init__(self, state: StreamState[C]) -> None:
        self.state = state
        """The sans-I/O state of the stream."""

    @property
    def findings(self) -> Sequence[Finding]:
        """What the rules have found so far, over all choices and channels."""
        return self.state.findings

    @property
    def blocked_by(self) -> str | None:
        """The id of the rule that blocked the stream, or the guarded stream that it reads."""
        return self.state.blocked_by

    @property
    def held(self) -> int:
        """How many code points are held back now."""
        return self.state.held

    @property
    def stats(self) -> Stats:
        """The counters as they stand."""
        return self.state.stats

    @property
    def result(self) -> Result:
        """A snapshot of what was delivered so far."""
        return self.state.result

    @property
    def extraction(self) -> Mapping[str, Any]:
        """The default options of `guardstream.extract` for this stream."""
        return self.state.extraction

    @property
    def policy(self) -> Policy | None:
        """The policy of the stream's guard; None if a guard did not create the stream."""
        return self.state.policy

    @property
    def delta(self) -> str:
        """The answer's text in the chunk that was delivered last."""
        return self.state.delta

    @property
    def failure(self) -> bytes | None:
        """The guard's own last chunk, if it is an error in place of a finish reason; else None."""
        return getattr(self.state.flow, "failure", None)


def reason_at_end(ended: FinishReason | None, sources: Iterable[object]) -> FinishReason:
    """Return the finish reason of a stream whose source has ended by itself.

    `ended` is the flow's. It is "stop" for text, because no chunk says why a text ended; if the
    source is a guarded stream, its `finish` does.
    """
    if ended not in (None, "stop"):
        return ended
    given: Iterator[Any] = (getattr(source, "finish", None) for source in sources)
    found: FinishReason = next((each for each in given if each in get_args(FinishReason)), "stop")
    return ended if ended and ended == found else found  # it may have the provider's word


def rule_at_end(sources: Iterable[object]) -> str | None:
    """Return the rule that blocked a source which is a guarded stream; None if none did."""
    for each in sources:
        rule = getattr(each, "blocked_by", None)
        if isinstance(rule, str) and is_refused(getattr(each, "finish", None), rule):
            return rule
    return None


class RelayedOutcome:
    """The base of streams that relay the chunks, and the outcome, of another stream.

    AttributeError if that stream has no findings and no result, as a plain iterator.
    """

    def __init__(self, stream: Any) -> None:
        self.stream = stream
        """The stream whose chunks are relayed."""

    @property
    def findings(self) -> Sequence[Finding]:
        """What was found in the stream so far."""
        found: Sequence[Finding] = self.stream.findings
        return found

    @property
    def blocked_by(self) -> str | None:
        """The id of the rule that blocked the stream, if one did."""
        rule: str | None = self.stream.blocked_by
        return rule

    @property
    def extraction(self) -> Mapping[str, Any]:
        """The default options of `guardstream.extract` for this stream."""
        extraction: Mapping[str, Any] = getattr(self.stream, "extraction", {})
        return extraction

    @property
    def stats(self) -> Stats:
        """The stream's counters as they stand."""
        stats: Stats = self.stream.stats
        return stats

    @property
    def result(self) -> Result:
        """A snapshot of what the stream has delivered, which may not all be read yet."""
        result: Result = self.stream.result
        return result
