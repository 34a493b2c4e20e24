"""The guard: applies a policy to streams, to complete texts, or to text fed by hand.

It applies the policy's rules and its sections about running streams (`operations`): gates, retries,
limits, records. A method that cannot apply one of these sections refuses the policy.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterable, Callable, Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Literal, TypeVar, Unpack, cast, overload

from guardstream.errors import PolicyError, StageError
from guardstream.forks import kept_across_forks
from guardstream.formats import Adapter
from guardstream.formats.adapter import Unknown
from guardstream.hints import check_known
from guardstream.stages.custom import CustomStage, StagePlan, planned
from guardstream.stages.halves import well_formed
from guardstream.stages.pipeline import Session
from guardstream.stream.arguments import (
    check_flag,
    check_framing,
    check_listed,
    check_unknown_beside,
    check_vault,
    described_kind,
    knowing,
    known_arguments,
)
from guardstream.stream.callbacks import ON_ERRORS
from guardstream.stream.delivery_options import attributes_of, extraction_of, options_of
from guardstream.stream.flows.choosing import NamedBy, choosing, own_formats
from guardstream.stream.flows.flow_maker import FlowMaker, Framing
from guardstream.stream.flows.format_hints import FormatHints
from guardstream.stream.observers import Observer, Observing, check_observer
from guardstream.stream.on_block import ON_BLOCK, OnBlock
from guardstream.stream.opening import REOPENING, opens
from guardstream.stream.options import Delivering, Options
from guardstream.stream.result import Result
from guardstream.stream.sources import check_function, check_open, check_sync
from guardstream.stream.synchronous import SyncGuardedStream
from guardstream.stream.whole import pipeline_of, result_of
from guardstream.vault.use import Part, VaultUse

# Slow imports that only some uses need are done where they are used: the policy file with its
# schema, YAML and regular expressions; an event loop; frames of bytes.
if TYPE_CHECKING:
    from guardstream.framing.frames.frame import Media
    from guardstream.gate.from_policy import Gate
    from guardstream.operations import Operations
    from guardstream.policy import Policy
    from guardstream.policy.reload import Watched
    from guardstream.prompts import MessagesResult
    from guardstream.resilience.retry import RetryingStream
    from guardstream.stream.asynchronous import GuardedStream
    from guardstream.stream.flows.flow import Around, MakeStage
    from guardstream.stream.opening import Open, Reopening
    from guardstream.stream.state import MakeFlow
    from guardstream.vault import Vault, Vaults

__all__ = ["Guard"]

C = TypeVar("C")

_EVENT_LOOPS = frozenset({"asyncio", "trio"})
"""A program with asynchronous streams has imported one of these modules."""

ONLY_BY_WRAP = ("gate", "retry", "concurrency")
"""The sections of a policy that only `wrap` applies."""


class Guard:
    """Applies one policy. Create it once and share it between streams, tasks and threads.

    `wrap` and `wrap_sync` guard streams, `check` a complete text, `session` text that is fed by
    hand, and `check_messages` prompts. Methods whose names begin with `with` return a changed copy.

    Methods whose description begins with "For servers" are for servers and transports, which drive
    streams themselves. A program that wraps streams needs none of them.
    """

    @known_arguments
    def __init__(
        self,
        policy: Policy | Watched,
        *,
        stages: Sequence[Callable[[], CustomStage] | StagePlan] = (),
        observers: Sequence[Observer] = (),
        observer_errors: Literal["report", "raise"] = "report",
        rules_only: bool = False,
    ) -> None:
        """Create a guard for a loaded policy; `Guard.load` loads the policy too.

        - `policy`: the result of `Policy.load` or `Policy.parse`.
        - `stages`: your own stages, after the policy's; see `guardstream.stages.custom`.
        - `observers`: notified of every stream: `opened` at its first read, `closed` at its end.
        - `observer_errors`: an error of an observer is logged ("report"), or ends the stream with
          an ObserverError ("raise").
        - `rules_only`: ignore the policy's `gate`, `retry`, `concurrency`, `audit` and `metrics`:
          for tests, or if other code applies them.

        Raises TypeError for a policy, stages or observers of the wrong type, such as the path of a
        policy. Raises PolicyError if a format of the policy has a name that is taken, or if a
        section cannot be applied: a check that cannot be built, an audit log that cannot be
        written, a package that is not installed.
        """
        from guardstream.policy import Policy
        from guardstream.policy.reload import Watched

        if not isinstance(policy, (Policy, Watched)):
            raise TypeError(
                f"Guard() needs a Policy, not {type(policy).__qualname__!r}: "
                "Guard.load(path) reads a policy file, Guard(Policy.parse(text)) takes its text"
            )
        check_known("observer_errors", observer_errors, ON_ERRORS)
        check_flag("rules_only", rules_only)
        check_listed("stages", stages)
        check_listed("observers", observers)
        self._watched = policy if isinstance(policy, Watched) else None
        self._policy = policy if isinstance(policy, Policy) else None
        own_formats(self._loaded, self._loaded.unknown)  # raises for a name that is taken
        self._stages = tuple(stages)
        self._staged: tuple[Policy, Policy] | None = None
        self._observers = tuple(observers)
        for observer in self._observers:
            check_observer(observer)
        self._observer_errors = observer_errors
        self._rules_only = rules_only
        self._current_operations = _CurrentOperations()
        self._given_operations: Operations | None = None  # those of `with_gates`
        self._vault_use = VaultUse()
        self._on_block: OnBlock = "finish"
        self._outer: Guard | None = None  # the one of `for_policy`
        self._format_hints = FormatHints()
        self._operating(self.policy)
        if self._watched is not None and not rules_only:
            self._watched.checks.append(self._current_operations.of)
        if not _EVENT_LOOPS.isdisjoint(sys.modules):
            _asynchronous()  # so that the first stream waits for no import

    def __repr__(self) -> str:
        return f"<Guard of {self._watched or self._policy!r}>"

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the current policy, the settings, stages and observers.

        The copy does not reload files. Raises TypeError for a guard that has a vault, or the gates
        of `with_gates`.
        """
        if self._vault_use != VaultUse():
            raise TypeError(
                "a guard with a vault cannot be pickled: open the vault in the other process"
            )
        if self._given_operations is not None:
            raise TypeError(
                "a guard with gates of with_gates cannot be pickled: give them to it in the other "
                "process"
            )
        settings = (self._stages, self._observers, self._observer_errors, self._rules_only)
        return _revived, (self._loaded, *settings, self._on_block, self._outer)

    def __copy__(self) -> Guard:
        """Return a guard that shares everything with this one; `__reduce__` would rebuild it."""
        guard = object.__new__(type(self))
        guard.__dict__.update(self.__dict__)
        return guard

    def __deepcopy__(self, memo: dict[int, Any]) -> Guard:
        """Do what `__copy__` does: a limiter, an audit log and followed files stay shared."""
        return self.__copy__()

    @classmethod
    @known_arguments
    def load(
        cls,
        path: str | Path,
        *,
        reload: bool | None = None,
        allow_code: Iterable[str] = (),
        stages: Sequence[Callable[[], CustomStage] | StagePlan] = (),
        observers: Sequence[Observer] = (),
        observer_errors: Literal["report", "raise"] = "report",
        rules_only: bool = False,
    ) -> Guard:
        """Return a guard that applies the policy file at `path`.

        - `path`: a file, or a pack as `guardstream/NAME`.
        - `reload`: whether each new stream checks if the file, or a file that it needs, has
          changed, and uses the new policy. If that is not valid, the last valid policy stays and
          the error is logged. None uses the policy's key `reload`.
        - `allow_code`: code that the policy may run, each entry as `module:name`.
        - `stages`, `observers`, `observer_errors`, `rules_only`: as for `Guard`.

        Raises PolicyError for a file that cannot be read, and for a policy with errors: it lists
        all of them with their places (`file:line:column`).
        """
        from guardstream.policy.reload import Watched

        if reload is not None:
            check_flag("reload", reload)
        watched = Watched(path, allow_code=allow_code)
        policy = watched.policy()
        if reload is None:
            reload = policy.file.reload
        return cls(
            watched if reload else policy,
            stages=stages,
            observers=observers,
            observer_errors=observer_errors,
            rules_only=rules_only,
        )

    @property
    def policy(self) -> Policy:
        """The policy that applies to a stream that begins now, with the guard's own stages."""
        return self._with_own_stages(self._loaded)

    @overload
    def wrap(
        self,
        stream: AsyncIterable[C],
        *,
        format: str | Adapter[C] | None = ...,
        words: Mapping[str, Sequence[str]] | None = ...,
        unknown: Unknown | None = ...,
        framing: Framing | None = ...,
        vault: Vault | None = ...,
        **options: Unpack[Delivering],
    ) -> GuardedStream[C]: ...
    @overload
    def wrap(
        self,
        stream: Open[C],
        *,
        format: str | Adapter[C] | None = ...,
        words: Mapping[str, Sequence[str]] | None = ...,
        unknown: Unknown | None = ...,
        framing: Framing | None = ...,
        vault: Vault | None = ...,
        **options: Unpack[Reopening],
    ) -> GuardedStream[C] | RetryingStream[C]: ...
    @knowing(REOPENING)
    def wrap(
        self,
        stream: AsyncIterable[C] | Open[C],
        *,
        format: str | Adapter[C] | None = None,
        words: Mapping[str, Sequence[str]] | None = None,
        unknown: Unknown | None = None,
        framing: Framing | None = None,
        vault: Vault | None = None,
        **options: Unpack[Reopening],
    ) -> GuardedStream[C] | RetryingStream[C]:
        """Return a stream of the chunks of `stream`, of the same type, with all text guarded.

        - `stream`: an async iterator of `str`, of a provider's chunks, or of bytes; or a function,
          sync or async, that opens one, called at the first read. A policy with `retry` needs a
          function, so that it can be called again.
        - `format`: an adapter or its name; by default the first chunk decides.
        - `words`: further words for rules of the policy, by rule id, for this stream only.
        - `unknown`: how to treat events and fields that the adapter does not know; overrides the
          policy. An adapter that is given as `format` has its own.
        - `framing`: "sse" if the `str` of the source are server-sent events, as lines without their
          ends or as whole events; "text" if they are text that only looks like events or lines of
          JSON, or if bytes are plain text; a `format` given with it must be one of text.
        - `vault`: the vault of the request's messages, whose stand-ins are restored.
        - `raise_on_block`: raise BlockedError after the last chunk of a blocked stream, whether a
          rule or a gate of the policy blocked it, or `stream` is a guarded one that was blocked.
        - `keep_text`: whether to keep the delivered text for `result` and `text()`.
        - `on_text`, `on_part`, `on_tool_call`, `on_finding`, `on_finish`: callbacks, sync or
          async, called with guarded text before each delivery.
        - `callback_errors`: an exception of a callback ends the stream ("raise") or is logged
          ("report").
        - `deadlines`: in seconds, until the first text, between chunks and in total; overrides the
          policy. `clock` returns monotonic seconds.
        - `attributes`: strings for the observers' record; `concurrency: {by: NAME}` of the policy
          reads one of them.
        - `retry`, `fallbacks`, `resume`, `worth`, `on_retry`: for a function, as in
          `guardstream.resilience.retrying`; `retry` overrides the policy.

        The result is a GuardedStream; a RetryingStream if there are retries; a GatedStream if the
        policy has a `gate`. All are `WrappedStream`s (`guardstream.stream.protocol`): they have the
        same attributes and methods.

        Raises TypeError for a stream that is not async, and for an unknown argument; AdapterError
        for an unknown `format`; PolicyError for words of an unknown rule, for a policy with
        `retry` if the stream is already open, for one with `concurrency` by a missing attribute,
        and for callbacks beside a `gate` that may block. Iterating raises the source's exceptions,
        LimiterError if the limits admit no further stream, and AdapterError or StageError, with
        which the stream ends closed, as `error`.
        """
        policy = self._policy_with(words)
        check_framing(framing)
        check_unknown_beside(format, unknown)
        if opens(stream):
            check_function(stream)
        else:
            check_open(stream, options)
        make_flow = self._flows(
            policy, format=format, unknown=unknown, framing=framing, vault=vault
        )
        operating = self._operating(policy)
        if vault is not None or self.vault is not None:
            _check_beside_vault(policy, operating, options)
        if operating is None and not opens(stream):
            chunks = cast("AsyncIterable[C]", stream)
            return _asynchronous()(chunks, make_flow, self.options(policy, options))
        from guardstream.operations import Operations, Wrapping

        def guarded(
            chunks: AsyncIterable[C],
            around: Around | None,
            delivering: Delivering,
            observing: Observing,
        ) -> GuardedStream[C]:
            make = make_flow if around is None else make_flow.with_pipelines(around)
            return _asynchronous()(chunks, make, self.options(policy, delivering, observing))

        observing, extraction = self.observing(policy, options), extraction_of(policy)
        self.options(policy, options, observing)  # raises now, not when a stream is opened
        choose = choosing(policy, format, policy.unknown if unknown is None else unknown)
        wrapping = Wrapping(
            stream, choose, framing, options, observing, extraction, guarded, self._on_block
        )
        whole: GuardedStream[C] | RetryingStream[C] = wrapping.around(
            operating or Operations(policy)
        )
        return whole

    @known_arguments
    def wrap_sync(
        self,
        stream: Iterable[C],
        *,
        format: str | Adapter[C] | None = None,
        words: Mapping[str, Sequence[str]] | None = None,
        unknown: Unknown | None = None,
        framing: Framing | None = None,
        vault: Vault | None = None,
        **options: Unpack[Delivering],
    ) -> SyncGuardedStream[C]:
        """Return a guarded stream to be read with `for`, with chunks of the same type.

        - `stream`: a plain iterable of `str`, of a provider's chunks, or of bytes, such as a list.
        - `format`, `words`, `unknown`, `framing`, `vault`: as for `wrap`.
        - `raise_on_block`, `keep_text`, `callback_errors`, `attributes`, `clock`: as for `wrap`.
        - `on_text` and the other callbacks: plain functions.
        - `deadlines`: in seconds. They are checked when a chunk arrives, since a plain iterator
          cannot be interrupted while it waits.

        Raises TypeError for a stream that is not a plain iterable, such as an async stream or a
        single chunk, for a coroutine function as a callback, and for an unknown argument;
        AdapterError for an unknown `format`; PolicyError for words of an unknown rule, and for a
        policy with `gate`, `retry` or `concurrency`, which need an event loop. Iterating raises the
        source's exceptions, and AdapterError or StageError, with which the stream ends as `error`.
        """
        check_sync(stream)
        policy = self._policy_with(words)
        self._refuse_operations(policy, "wrap_sync()")
        check_framing(framing)
        check_unknown_beside(format, unknown)
        make_flow = self._flows(
            policy, format=format, unknown=unknown, framing=framing, vault=vault
        )
        return SyncGuardedStream(stream, make_flow, self.options(policy, options))

    def check(self, text: str, channel: str = "text") -> Result:
        """Guard a complete text. The result is the same as for a stream of it, in any chunking,
        except that stand-ins of a vault stay.

        `channel` is `text`, `thinking`, `tool_args` or `refusal`; a rule may apply to some of them.
        Raises ValueError for any other channel, TypeError for a text that is not a str, StageError
        if a stage fails, and PolicyError for a policy with a `gate`, which only `wrap` runs.
        """
        if not isinstance(text, str):
            raise TypeError(f"check() needs a whole text, a str, not {type(text).__qualname__!r}")
        policy = self.policy
        self._refuse_operations(policy, "check()", ["gate"])
        stage = pipeline_of(policy, channel)
        try:
            result = result_of(stage, text, channel, policy.block_message)
        except Exception as error:
            raise StageError(f"a stage failed ({type(error).__name__})") from error
        shown = well_formed(result.text)
        return replace(result, text=shown, channels={(0, channel): shown} if shown else {})

    def session(self, channel: str = "text") -> Session:
        """Return a sans-I/O session: `feed(text)` and `finish()` return events.

        `held` is the number of code points that the session holds. A stage's exception passes
        unchanged; after it `feed` and `finish` return nothing. `feed` raises RuntimeError after
        `finish`.

        `channel` is as for `check`. Raises ValueError for an unknown channel, and PolicyError for
        a policy with a `gate`, which only `wrap` runs.
        """
        policy = self.policy
        self._refuse_operations(policy, "session()", ["gate"])
        return Session(policy.stages(channel))

    def check_messages(
        self, messages: Iterable[Any], *, vault: Vault | None = None
    ) -> MessagesResult:
        """Apply the policy's section `input` to prompts; see `guardstream.prompts`.

        `messages` have the shape of the API of OpenAI, Anthropic, Google (`contents`) or Bedrock
        (Converse); in other shapes and in unknown fields, each string is judged as a text. They
        are not changed; the result has the messages to send. With a `vault`, reversible rules
        write stand-ins, which `wrap` with the same vault restores.

        Raises PolicyError if the policy has no `input`, AdapterError for an object that cannot be
        read and, with `unknown: refuse`, for unknown parts, StageError if a stage fails, and
        VaultError if the vault is full.
        """
        from guardstream.prompts import check_messages

        policy = self.policy
        return check_messages(policy, messages, self._vault_for(policy, vault))

    @property
    def vaults(self) -> Vaults:
        """The vaults of the policy's section `vault`. Raises PolicyError if it has none."""
        policy = self.policy
        around = self._operating(policy)
        if around is None or around.vaults is None:
            named = f" {policy.name!r}" if policy.name else ""
            raise PolicyError(
                f"the policy{named} has no section 'vault': give it one, such as 'vault: {{}}', "
                "or create guardstream.vault.Vaults yourself"
            )
        return around.vaults

    @property
    def vault(self) -> Vault | None:
        """The vault of `with_vault`."""
        return self._vault_use.vault

    def with_stages(self, stages: Sequence[Callable[[], CustomStage] | StagePlan]) -> Guard:
        """Return a guard like this one with further stages of your own.

        Each entry is called for every pipeline and returns a stage, which runs after the rules; a
        `StagePlan` sets another position. See `guardstream.stages.custom`. Raises TypeError for an
        entry that is not callable.
        """
        guard = copy(self)
        guard._stages = (*self._stages, *planned(stages))
        guard._staged = None
        return guard

    def with_tools(self, tools: Mapping[str, Any]) -> Guard:
        """Return a guard for a request with the schemas of its tools, by the tools' names.

        A policy with `json: {tools: from_request}` validates arguments by them; the proxy and
        the transports call this automatically. A schema of None is for a tool whose arguments are
        not JSON, the name "" for the provider's own tools whose calls have no name, `"*"` for any
        other tool. Raises SchemaError for a schema that cannot be used.
        """
        return self._with_policy(self.policy.with_tools(tools))

    def with_vault(self, vault: Vault | None) -> Guard:
        """Return a guard for one request and its answer, which masks and restores with `vault`.

        This applies to `check_messages`, `wrap`, `wrap_sync`, `flow` and `guardstream.http`;
        `check` and `session` apply the rules alone. With None it masks irreversibly, even if the
        policy has a `vault`.
        """
        guard = self._with_policy(self.policy)
        guard._vault_use = replace(self._vault_use, vault=vault, is_refused=vault is None)
        return guard

    def without_restoring(self) -> Guard:
        """Return a guard that applies the policy, and leaves stand-ins in place.

        What it releases can be stored: a guard `with_restoring_only` restores it later. Raises
        TypeError for a guard without a vault.
        """
        guard = copy(self)
        guard._vault_use = self._part_of_work("rules")
        return guard

    def with_restoring_only(self) -> Guard:
        """Return a guard that only restores stand-ins, in what one `without_restoring` released.

        Raises TypeError for a guard without a vault.
        """
        guard = self._with_policy(self.policy.bare)
        guard._vault_use = self._part_of_work("restoring")
        return guard

    def with_on_block(self, on_block: OnBlock) -> Guard:
        """Return a guard whose streams of bytes end as `on_block` says when a rule blocks them.

        "finish" ends them with a finish reason, "error" with an error of the API: what a provider's
        client raises. An `on_block` that a transport, a route or the proxy is given replaces it.
        """
        check_known("on_block", on_block, ON_BLOCK)
        guard = copy(self)
        guard._on_block = on_block
        return guard

    @property
    def on_block(self) -> OnBlock:
        """How streams of bytes that a rule blocks end; see `with_on_block`."""
        return self._on_block

    def with_rules_only(self) -> Guard:
        """Return a guard that applies only the rules, as with `rules_only`."""
        guard = copy(self)
        guard._rules_only, guard._given_operations, guard._outer = True, None, None
        return guard

    def pinned(self) -> Guard:
        """Return a guard that keeps the current policy and does not reload it."""
        guard = self if self._watched is None else self._with_policy(self.policy)
        return guard if self._outer is None else guard._beside(self._outer.pinned())

    async def apinned(self) -> Guard:
        """Return `pinned()`. Files that have changed are loaded in a thread, because that may take
        seconds, in which other streams should not wait."""
        if self._outer is not None:
            return (await self._apinned())._beside(await self._outer.apinned())
        return await self._apinned()

    # For servers and transports, which drive streams themselves

    @known_arguments
    def flow(
        self,
        *,
        format: str | Adapter[Any] | None = None,
        media: Media | None = None,
        words: Mapping[str, Sequence[str]] | None = None,
        unknown: Unknown | None = None,
        vault: Vault | None = None,
    ) -> MakeFlow[Any]:
        """For servers: return a factory that makes a sans-I/O flow, given a first chunk and a
        meter.

        `media` is the framing of bytes: `sse`, `ndjson`, `json_array` or `text`; by default the
        first byte decides between the first three. `format` does not apply to `text`. The other
        arguments and the exceptions are those of `wrap`; it also raises PolicyError for a policy
        with `gate`, `retry` or `concurrency`.
        """
        if media is not None:
            from guardstream.framing.frames.kinds import FRAMES

            check_known("media", media, FRAMES)
        policy = self._policy_with(words)
        self._refuse_operations(policy, "what a server or a transport guards")
        return self._flows(policy, format=format, media=media, unknown=unknown, vault=vault)

    def pipelines(
        self, policy: Policy, vault: Vault | None = None
    ) -> Callable[[Adapter[Any]], MakeStage]:
        """For servers: return a function that, given a stream's adapter, returns its factory of
        pipelines.

        Raises PolicyError if the policy has a section `vault`, but there is no vault: neither this
        one nor the guard's.
        """
        policies = self._vault_use.policies(policy, self._vault_for(policy, vault))
        return lambda adapter: partial(pipeline_of, policies(adapter))

    def options(
        self, policy: Policy, options: Delivering, observing: Observing | None = None
    ) -> Options:
        """For servers: return the delivery options of a stream: the caller's `options`, with the
        policy's as defaults.

        `observing` replaces the guard's observers. Raises TypeError for a callback that is not a
        function, and for `deadlines`, flags and `attributes` of the wrong type.
        """
        if observing is None:
            observing = self.observing(policy, options)
        return options_of(policy, options, observing)

    def observing(self, policy: Policy, options: Delivering) -> Observing:
        """For servers: return the observers of a stream, those of the guard and of its policy.

        A guard made by `for_policy` adds those of the current policy of the guard that made it.
        """
        around = self._operating(policy)
        metrics: Sequence[Observer] = ()
        reported: Sequence[Observer] = ()
        strict: Sequence[Observer] = ()
        if around is not None:
            metrics, reported, strict = around.metrics, around.reported, around.binding
        if self._outer is not None:
            outer = self._outer._operating(self._outer.policy)
            if outer is not None:
                known = {type(each) for each in outer.metrics}  # two would count a stream twice
                own = (each for each in metrics if type(each) not in known)
                metrics = (*outer.metrics, *own)
                reported, strict = (*outer.reported, *reported), (*outer.binding, *strict)
        return Observing(
            (*self._observers, *metrics, *reported),
            self._observer_errors,
            strict=strict,
            policy=policy.name,
            fingerprint=policy.fingerprint,
            shadow=policy.shadow,
            attributes=attributes_of(policy, options),
        )

    @property
    def gates(self) -> Sequence[Gate]:
        """For servers: the gates that this guard's streams pass, in order."""
        around = self._operating(self.policy)
        return around.gates if around is not None else ()

    def with_gates(self, gates: Sequence[Gate]) -> Guard:
        """For servers: return a guard like this one whose streams pass these gates.

        It is for code that creates a guard with `rules_only` and applies its policy's other
        sections itself.
        """
        from guardstream.operations import Operations

        guard, policy = copy(self), self.policy
        gates = tuple(gate.of(policy) for gate in gates)
        guard._given_operations = Operations(policy, gates=gates)
        return guard

    @property
    def follows_files(self) -> bool:
        """For servers: whether the policy is reloaded when its files change."""
        return self._watched is not None

    def for_policy(self, policy: Policy | Watched, *, own_stages: bool = True) -> Guard:
        """For servers: return a guard for another policy, which serves some of the same paths.

        It has this guard's observers, also those of this guard's current policy, its `on_block` and
        its `rules_only`. With `own_stages` it has the stages that the program gave to this guard.
        """
        guard = Guard(
            policy,
            stages=self._stages if own_stages else (),
            observers=self._observers,
            observer_errors=self._observer_errors,
            rules_only=self._rules_only,
        )
        guard._on_block = self._on_block
        guard._outer = self
        return guard

    def keep_sections(self, names: Iterable[str], what: str) -> None:
        """For servers: refuse to reload a policy in which one of these sections has changed.

        They are applied only once, when a server starts. The last valid policy stays then; `what`
        tells the log how to apply the change instead.
        """
        if self._watched is not None:
            self._watched.keep(names, what)

    def refuse_operations(
        self, what: str, sections: Iterable[str] = ONLY_BY_WRAP, *, in_reloads: bool = False
    ) -> None:
        """For servers: raise PolicyError if the policy has one of these sections, which `what`
        cannot apply.

        A section is never ignored silently; `rules_only` ignores it on purpose. With `in_reloads`,
        a changed policy that has one is not loaded, and the last valid one stays.
        """
        if self._rules_only:
            return
        check = _Unapplied(what, tuple(sections))
        check(self.policy)
        if in_reloads and self._watched is not None and check not in self._watched.checks:
            self._watched.checks.insert(0, check)

    # Parts of the above

    @property
    def _loaded(self) -> Policy:
        """The current policy, without the guard's own stages."""
        policy = self._watched.policy() if self._watched is not None else self._policy
        assert policy is not None
        return policy

    def _with_own_stages(self, policy: Policy) -> Policy:
        if not self._stages:
            return policy
        if self._staged is None or self._staged[0] is not policy:
            self._staged = policy, policy.with_stages(self._stages)
        return self._staged[1]

    def _policy_with(self, words: Mapping[str, Sequence[str]] | None) -> Policy:
        return self.policy if words is None or words == {} else self.policy.with_words(words)

    def _with_policy(self, policy: Policy) -> Guard:
        """Return a copy for a policy with the same sections, which includes the guard's stages."""
        guard = copy(self)
        guard._policy, guard._watched, guard._stages = policy, None, ()
        guard._current_operations = copy(self._current_operations)
        return guard

    async def _apinned(self) -> Guard:
        if self._watched is None:
            return self
        if not self._watched.changed():
            return self._with_policy(self._with_own_stages(self._watched.loaded))
        from anyio import to_thread

        policy = await to_thread.run_sync(lambda: self.policy, abandon_on_cancel=True)
        return self._with_policy(policy)

    def _beside(self, outer: Guard) -> Guard:
        """Return a copy whose streams are reported to the observers of `outer`'s policy, too."""
        guard = copy(self)
        guard._outer = outer
        return guard

    def _operating(self, policy: Policy) -> Operations | None:
        """Return the objects around the rules of a policy; None if there are none."""
        if self._rules_only or self._given_operations is not None:
            return self._given_operations
        return self._current_operations.of(policy)

    def _refuse_operations(
        self, policy: Policy, what: str, sections: Iterable[str] = ONLY_BY_WRAP
    ) -> None:
        if not self._rules_only:
            _Unapplied(what, tuple(sections))(policy)

    def _flows(
        self,
        policy: Policy,
        *,
        format: str | Adapter[Any] | None,
        media: Media | None = None,
        unknown: Unknown | None,
        framing: Framing | None = None,
        vault: Vault | None = None,
    ) -> FlowMaker:
        if policy.needs_request:
            policy.stages("tool_args")  # raises a PolicyError that names what is missing
        stages = self.pipelines(policy, vault)
        passing = policy.unknown if unknown is None else unknown
        if unknown is not None:
            from guardstream.formats.toolkit.unknown import check_unknown

            check_unknown(unknown)
        named_by: NamedBy = "caller" if media is None else "endpoint"
        choose = choosing(policy, format, passing, self._format_hints, named_by=named_by)
        named = format is not None
        return FlowMaker(
            policy, choose, stages, passing, media, framing, named, on_block=self._on_block
        )

    def _vault_for(self, policy: Policy, vault: Vault | None) -> Vault | None:
        """Return the vault of a request or stream; PolicyError if one is required and missing."""
        check_vault(vault)
        if self._rules_only:
            return self.vault if vault is None else vault
        return self._vault_use.of_request(policy, vault)

    def _part_of_work(self, part: Part) -> VaultUse:
        if self.vault is None:
            raise TypeError(
                "only a guard with a vault restores something: give it one by with_vault(vault)"
            )
        return replace(self._vault_use, part=part)


@dataclass(frozen=True, slots=True)
class _Unapplied:
    """Refuses a policy that has one of these sections, which `what` does not apply.

    Equal objects count as one check: a server or a transport may be made many times for one guard.
    """

    what: str
    sections: tuple[str, ...]

    def __call__(self, policy: Policy) -> None:
        """Raise PolicyError if the policy has such a section."""
        for name in self.sections:
            if getattr(policy.file, name):
                raise PolicyError(
                    f"{policy.place(name)}: the section {name!r} is not applied by {self.what}: "
                    "guard a stream with wrap(), or ignore such sections with rules_only=True"
                )


class _CurrentOperations:
    """The `Operations` of the policy that applies now.

    Guards that follow the same files share one: after a reload, too, they have one limiter and one
    audit log. A guard that keeps its policy has a copy, which a reload does not change.
    """

    def __init__(self) -> None:
        self._lock = kept_across_forks(Lock())
        self._last: tuple[object, Operations | None] = (None, None)  # a built policy, and its own

    def of(self, policy: Policy) -> Operations | None:
        """Return the operations of a policy, created when it is first seen; None if it has none.

        Sections that are the same as in the last policy keep their objects.
        """
        built, made = self._last
        if built is policy.built:
            return made
        with self._lock:
            built, made = self._last
            if built is not policy.built:
                if made is not None or policy.operational:
                    from guardstream.operations import operations

                    made = operations(policy, made)
                self._last = policy.built, made
            return made


@cache
def _asynchronous() -> type[GuardedStream[Any]]:
    """Return the class of asynchronous streams, which is imported late: it needs an event loop."""
    from guardstream.stream.asynchronous import GuardedStream

    return GuardedStream


def _revived(
    policy: Policy,
    stages: Any,
    observers: Any,
    errors: Any,
    rules_only: bool,
    on_block: OnBlock,
    outer: Guard | None,
) -> Guard:
    guard = Guard(
        policy,
        stages=stages,
        observers=observers,
        observer_errors=errors,
        rules_only=rules_only,
    )
    guard = guard.with_on_block(on_block)
    return guard if outer is None else guard._beside(outer)


def _check_beside_vault(
    policy: Policy, around: Operations | None, options: Mapping[str, object]
) -> None:
    """Refuse gates and `resume`, which would see the values that a vault has restored."""
    if around is not None and around.gates:
        raise PolicyError(
            f"{policy.place('gate')}: a gate would see the values that the vault restores: give "
            "the vault to a guard around the gated stream, "
            'Guard(Policy.parse("rules: []")).wrap(gated, vault=vault)'
        )
    if options.get("resume"):
        raise TypeError("resume= would judge values that the vault has restored: use only one")


def check_guard(given: object, what: str) -> None:
    """Raise TypeError for anything but a guard; `what` needs it, for the message."""
    if isinstance(given, type) or not hasattr(given, "flow"):
        raise TypeError(
            f"{what} needs a Guard, such as Guard.load(path), not {described_kind(given)}"
        )
