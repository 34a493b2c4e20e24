"""The objects that apply a policy's sections about running streams: gates, a limiter, observers.

They belong to a guard and are shared by its streams. When a policy is reloaded, only changed
sections get new objects; the others continue, with their counts.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from guardstream.errors import PolicyError
from guardstream.policy import Policy
from guardstream.policy.operational import (
    AuditFile,
    ConcurrencyFile,
    MetricsFile,
    VaultFile,
    rate_of,
    revealed,
)
from guardstream.resilience.source import Source
from guardstream.stream.callbacks import CALLBACKS
from guardstream.stream.flows.flow import Around
from guardstream.stream.observers import Joined, Observer, Observing, StreamRecord
from guardstream.stream.on_block import OnBlock, blocked_message
from guardstream.stream.opening import (
    REOPENING,
    Open,
    Reopening,
    Retry,
    check_reopening,
    fallbacks_of,
    opens,
)
from guardstream.stream.options import Delivering
from guardstream.vault.vault import VaultError

if TYPE_CHECKING:
    from guardstream.gate.from_policy import Gate
    from guardstream.gate.tasks import Delivery
    from guardstream.resilience.limiter import Limiter
    from guardstream.resilience.retry import RetryingStream
    from guardstream.stream.asynchronous import GuardedStream
    from guardstream.stream.flows.choosing import Choose
    from guardstream.stream.flows.flow_maker import Framing
    from guardstream.vault import Vaults

T = TypeVar("T")

SECTIONS = ("gate", "retry", "concurrency", "audit", "metrics", "vault")
"""The sections that the objects of a guard apply."""


@dataclass(frozen=True, slots=True)
class Operations:
    """The objects around the rules of a policy.

    `limiter` returns the limiter of the running event loop; `by` is the attribute of a stream that
    is its key there. With `strict`, errors of `audits` end a stream.
    """

    policy: Policy
    gates: Sequence[Gate] = ()
    limiter: Callable[[], Limiter] | None = None
    by: str | None = None
    retry: Retry | None = None
    audits: Sequence[Observer] = ()
    strict: bool = False
    metrics: Sequence[Observer] = ()
    vaults: Vaults | None = None

    @property
    def binding(self) -> Sequence[Observer]:
        """The audits whose errors end a stream."""
        return self.audits if self.strict else ()

    @property
    def reported(self) -> Sequence[Observer]:
        """The audits whose errors are reported."""
        return () if self.strict else self.audits

    def key(self, attributes: Mapping[str, str]) -> str:
        """Return the key of a stream; PolicyError if it lacks the attribute."""
        if self.by is None:
            return ""
        if self.by not in attributes:
            raise PolicyError(
                f"{self.policy.place('concurrency', 'by')}: a stream needs the attribute "
                f"{self.by!r}: wrap(stream, attributes={{{self.by!r}: ...}})"
            )
        return attributes[self.by]


def operations(policy: Policy, before: Operations | None = None) -> Operations | None:
    """Return the objects for a policy's sections about running streams; None if it has none.

    Those in `before` are kept for unchanged sections. Raises PolicyError, with its place, for an
    object that cannot be created: a check, a log that cannot be written, a package that is not
    installed.
    """
    file = policy.file
    if not any(getattr(file, name) for name in SECTIONS):
        return None
    was = before or Operations(policy)

    def kept(name: str, known: T, make: Callable[[], T]) -> T:
        same = before is not None and getattr(was.policy.file, name) == getattr(file, name)
        return known if same else make()

    gates = kept("gate", was.gates, lambda: _gates(policy))
    return Operations(
        policy,
        gates=tuple(gate.of(policy) for gate in gates),
        limiter=kept("concurrency", was.limiter, lambda: _limiter(file.concurrency)),
        by=file.concurrency.by if file.concurrency else None,
        retry=_retry(policy),
        audits=kept("audit", was.audits, lambda: _audits(policy, file.audit)),
        strict=file.audit is not None and file.audit.errors == "raise",
        metrics=kept("metrics", was.metrics, lambda: _metrics(policy, file.metrics)),
        vaults=kept("vault", was.vaults, lambda: _vaults(policy, file.vault)),
    )


class Guarded(Protocol):
    """Guards the chunks of one source."""

    def __call__(
        self,
        chunks: AsyncIterable[Any],
        around: Around | None,
        delivering: Delivering,
        observing: Observing,
        /,
    ) -> GuardedStream[Any]:
        """Return a guarded stream of the chunks, with a stage around each pipeline; `observing` is
        notified."""
        ...


@dataclass(frozen=True, slots=True)
class Wrapping:
    """Wraps a guard's stream: `guarded` applies the rules, and the policy's operations come around
    it."""

    stream: Any
    choose: Choose
    framing: Framing | None
    options: Reopening
    observing: Observing
    extraction: Mapping[str, Any]
    guarded: Guarded
    on_block: OnBlock = "finish"

    def around(self, operations: Operations) -> Any:
        """Return the stream with all operations around the rules: from the source outwards, the
        limiter, the rules, retries, gates.

        Raises PolicyError for a source that would have to be opened again, and for a stream without
        the attribute that is its key.
        """
        policy, gates, options = operations.policy, operations.gates, self.options
        retry = _checked_retry(options.get("retry")) or operations.retry
        if retry is not None and not opens(self.stream):
            raise PolicyError(
                f"{policy.place('retry')}: a stream that is open cannot be opened "
                "again: give wrap() the function that opens it, wrap(lambda: client.stream(...))"
            )
        check_callbacks(policy, gates, options)
        last, inner = joined(gates, self.observing)
        if gates:  # the last of them raises
            options = {**options, "raise_on_block": False}
        inside = self._inside_gates(operations, retry, options, inner)
        return gated(inside, gates, self._delivery(policy), last) if gates else inside

    def _inside_gates(
        self,
        operations: Operations,
        retry: Retry | None,
        options: Reopening,
        observing: Observing,
    ) -> Any:
        """Return the guarded stream inside of the gates."""
        stream, limiter = self.stream, operations.limiter
        key = operations.key(self.observing.attributes)
        if retry is not None or any(options.get(name) for name in REOPENING):
            retry = retry or Retry()
            return self._retrying(operations.policy, options, limiter, key, retry, observing)
        if opens(stream) or limiter:
            stream = Source(stream, limiter, key)
        return self.guarded(stream, None, options, observing)

    def _delivery(self, policy: Policy) -> Delivery:
        """Return how the gates deliver the stream."""
        from guardstream.gate.tasks import Delivery

        fails = self.on_block == "error"
        return Delivery(
            self.choose,
            self.framing,
            partial(blocked_message, message=policy.block_message) if fails else None,
            raise_on_block=self.options.get("raise_on_block", False),
            keep_text=self.options.get("keep_text", True),
        )

    def _retrying(
        self,
        policy: Policy,
        options: Reopening,
        limiter: Callable[[], Limiter] | None,
        key: str,
        retry: Retry,
        observing: Observing,
    ) -> RetryingStream[Any]:
        from guardstream.resilience.retry import RetryingStream

        check_reopening(options)
        joined = Joined(observing, _may_be_tried_again) if observing else None
        inner = joined.observing if joined else observing
        each: Reopening = {**options, "on_finish": None}

        def attempt(source: Open[Any], around: Around | None) -> GuardedStream[Any]:
            return self.guarded(Source(source, limiter, key), around, each, inner)

        sources = (self.stream, *fallbacks_of(options))
        return RetryingStream(attempt, sources, retry, options, joined, self.extraction, policy)


def check_callbacks(policy: Policy, gates: Sequence[Gate], options: Mapping[str, Any]) -> None:
    """Refuse callbacks if a gate may block, because they would see text that it has not judged.

    Raises PolicyError, with the place of the policy's gate.
    """
    given = [name for name in CALLBACKS if options.get(name) is not None]
    if given and any(gate.blocks for gate in gates):
        raise PolicyError(
            f"{policy.place('gate')}: {given[0]}= would see text that a gate has not judged yet: "
            "give the callback to a guard around the gated stream, "
            f'Guard(Policy.parse("rules: []")).wrap(gated, {given[0]}=...)'
        )


def joined(gates: Sequence[Gate], observing: Observing) -> tuple[Joined | None, Observing]:
    """Return the observers that the last gate notifies of the end, and those that the guard
    notifies."""
    if not gates or not observing:
        return None, observing
    last = Joined(observing, _may_be_judged)
    return last, last.observing


def gated(
    stream: Any,
    gates: Sequence[Gate],
    delivery: Delivery,
    last: Joined | None,
    *,
    whole: bool = False,
) -> Any:
    """Return a guard's stream after all gates, one after the other; the last one raises a block,
    and notifies `last`."""
    for number, gate in enumerate(gates, 1):
        is_last = number == len(gates)
        stream = gate.around(
            stream,
            delivery if is_last else replace(delivery, raise_on_block=False),
            of_guard=number == 1,
            observing=last if is_last else None,
            whole=whole,
        )
    return stream


def _may_be_tried_again(record: StreamRecord) -> bool:
    return record.error is not None or record.finish == "timeout"


def _may_be_judged(record: StreamRecord) -> bool:
    return record.finish != "cancelled"


def _gates(policy: Policy) -> Sequence[Gate]:
    if not policy.file.gate:
        return ()
    from guardstream.gate.from_policy import gates

    return gates(policy)


def _checked_retry(given: Any) -> Retry | None:
    """Return the argument `retry`. TypeError for anything but a Retry or None."""
    if given is not None and not isinstance(given, Retry):
        raise TypeError(f"retry= needs Retry(attempts=2), not {type(given).__qualname__!r}")
    return given


def _retry(policy: Policy) -> Retry | None:
    section = policy.file.retry
    if section is None:
        return None
    try:
        import guardstream.resilience.retry  # noqa: F401
    except ImportError as error:
        raise PolicyError(f"{policy.place('retry')}: {error}") from error
    return Retry(**section.model_dump())


def _limiter(section: ConcurrencyFile | None) -> Callable[[], Limiter] | None:
    """Return a function that returns the limiter of the running event loop.

    A limiter belongs to one loop, but a guard may be used in several.
    """
    if section is None:
        return None
    from guardstream.per_loop import PerLoop
    from guardstream.resilience.limiter import Limiter

    each = section.per_key
    return PerLoop(
        partial(
            Limiter,
            section.at_once,
            per_key=each.at_once if each else None,
            rate=rate_of(section.rate) if section.rate else None,
            key_rate=rate_of(each.rate) if each and each.rate else None,
            queue=section.queue,
            timeout=section.timeout,
        )
    )


def _signer(policy: Policy, section: AuditFile) -> Callable[[Mapping[str, Any]], str] | None:
    """Return the signer of an audit log; PolicyError for a key that is missing or invalid."""
    if section.sign is None:
        return None
    from guardstream.receipts import ReceiptError, Signer

    try:
        return Signer(revealed(section.sign), policy.name or "guardstream").checkpoint
    except (ReceiptError, PolicyError) as error:
        raise PolicyError(f"{policy.place('audit', 'sign')}: {error}") from error


def _audits(policy: Policy, section: AuditFile | None) -> Sequence[Observer]:
    if section is None:
        return ()
    from guardstream.observability import AuditLog, LogObserver

    found: list[Observer] = []
    if section.path is not None:
        path = policy.built.source.folder / section.path
        log = AuditLog(
            path,
            fsync=section.fsync,
            starts=section.has_starts,
            mode=int(section.mode, 8),
            chain=section.chain,
            sign=_signer(policy, section),
            every=section.every if section.sign is not None else None,
        )
        try:
            log.open()
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            where = policy.place("audit", "path")
            raise PolicyError(f"{where}: {path}: cannot be written: {reason}") from error
        found.append(log)
    if section.log is not None:
        levels = logging.getLevelNamesMapping()
        found.append(
            LogObserver(logging.getLogger(section.log.logger), levels[section.log.level.upper()])
        )
    return tuple(found)


def _vaults(policy: Policy, section: VaultFile | None) -> Vaults | None:
    if section is None:
        return None
    from guardstream.vault import MemoryStore, RedisStore, SQLiteStore, Store, Vaults
    from guardstream.vault.stores import DAY

    keys = [section.key] if isinstance(section.key, str) else section.key or []
    sealing = [_vault_key(policy, "key", each) for each in keys]
    id_key = None if section.id_key is None else _vault_key(policy, "id_key", section.id_key)
    store: Store
    try:
        if section.sqlite:
            path = policy.built.source.folder / section.sqlite
            store = SQLiteStore(path, (section.days or 30) * DAY, section.timeout)
        elif section.redis:
            store = RedisStore(revealed(section.redis), (section.days or 30) * DAY, section.timeout)
        else:
            store = MemoryStore((section.days or 1) * DAY)
        return Vaults(
            store,
            key=sealing,
            id_key=id_key,
            ids=section.ids,
            max_entries=section.max_entries,
            max_bytes=section.max_bytes,
            tools=section.tools,
            on_error=section.on_error,
        )
    except (PolicyError, VaultError, ValueError) as error:
        # The message of the client's own error may repeat the URL, which may hold a password.
        no_url = section.redis is not None and type(error).__module__ == "builtins"
        why = f"{section.redis} does not hold a Redis URL: redis://HOST:PORT" if no_url else error
        raise PolicyError(f"{policy.place('vault')}: {why}") from error


def _vault_key(policy: Policy, name: str, secret: str) -> bytes:
    """Return a key of the section `vault`. Raises PolicyError for one that is missing or short."""
    from guardstream.vault.vault import check_key

    where = policy.place("vault", name)
    try:
        key = revealed(secret).encode()
    except PolicyError as error:
        raise PolicyError(f"{where}: {error}") from error
    try:
        check_key(key)
    except ValueError as error:
        raise PolicyError(f"{where}: {secret}: {error}") from error
    return key


def _metrics(policy: Policy, section: MetricsFile | None) -> Sequence[Observer]:
    if section is None:
        return ()
    found: list[Observer] = []
    try:
        if section.prometheus:
            from guardstream.observability.prometheus import shared

            found.append(shared())
        if section.opentelemetry:
            from guardstream.observability.otel import OpenTelemetry

            found.append(OpenTelemetry())
    except ImportError as error:
        raise PolicyError(f"{policy.place('metrics')}: {error}") from error
    return tuple(found)
