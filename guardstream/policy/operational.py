"""The shape of the sections of a policy about running streams: `retry`, `audit` and others.

They only count in the named file, not in one that it extends: a file of shared rules must not
decide where records go or how often a provider is called.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import AfterValidator, BaseModel, Field, WithJsonSchema, model_validator

from guardstream.errors import PolicyError
from guardstream.policy.sections import Draft, Duration, JsonLimitsFile, Model, Repairs

_SECRET = re.compile(r"\$\{([A-Za-z_]\w*)\}", re.ASCII)

_RATE = re.compile(r"([1-9]\d{0,8})/(\d{1,4})?([smhd])")
_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}


def _plain(text: str) -> str:
    if _SECRET.search(text):
        raise ValueError("${…} is only for secrets: write the value itself here")
    return text


Setting: TypeAlias = Annotated[str, Field(min_length=1), AfterValidator(_plain)]
"""A literal text, into which no environment variable is substituted."""


def _secret(text: str) -> str:
    if not _SECRET.fullmatch(text):
        raise ValueError("a secret is read from the environment: write the variable as ${NAME}")
    return text


Secret: TypeAlias = Annotated[
    str,
    AfterValidator(_secret),
    WithJsonSchema({"type": "string", "pattern": rf"^{_SECRET.pattern}$"}),
]
"""The name of an environment variable, as `${NAME}`; only `revealed` ever reads the variable."""


def revealed(secret: str) -> str:
    """Return the value of the variable of a `${NAME}`; PolicyError if it is unset or empty."""
    name = named_secret(secret) or secret
    value = os.environ.get(name, "")
    if not value:
        raise PolicyError(
            f"the environment variable {name!r}, which holds the secret, is not set, or empty"
        )
    return value


def revealed_key(secret: str) -> str:
    """Like `revealed`, for a key that goes into headers; PolicyError if it cannot.

    The final line break of a file easily gets into a variable, and then no request would succeed.
    """
    value = revealed(secret)
    if value != value.strip() or not value.isprintable():
        name = named_secret(secret) or secret
        raise PolicyError(
            f"the environment variable {name!r}, which holds the secret, has white space at its "
            "beginning or end, or a line break: remove that"
        )
    return value


def named_secret(value: object) -> str | None:
    """Return the variable's name if a value is a `${NAME}`, None otherwise."""
    found = _SECRET.fullmatch(value) if isinstance(value, str) else None
    return found[1] if found else None


def secrets_of(section: BaseModel | None) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Yield the secrets of a section, each `${NAME}` with the path to it."""
    for name, value in section or ():
        if isinstance(value, BaseModel):
            yield from (((name, *path), each) for path, each in secrets_of(value))
        elif isinstance(value, dict):
            yield from (((name, key), item) for key, item in value.items() if named_secret(item))
            inner = ((key, item) for key, item in value.items() if isinstance(item, BaseModel))
            for key, item in inner:
                yield from (((name, key, *path), each) for path, each in secrets_of(item))
        elif isinstance(value, list):
            yield from (((name, n), item) for n, item in enumerate(value) if named_secret(item))
        elif named_secret(value):
            yield (name,), value


def _rate(text: str) -> str:
    if not _RATE.fullmatch(text):
        raise ValueError("expected a number and a time, such as 10/s, 600/m, 5000/d or 3/10s")
    return text


Rate: TypeAlias = Annotated[
    str, AfterValidator(_rate), WithJsonSchema({"type": "string", "pattern": f"^{_RATE.pattern}$"})
]
"""A number per interval."""


def rate_of(text: str) -> tuple[int, float]:
    """Return a `Rate` as a number of streams, and seconds."""
    found = _RATE.fullmatch(text)
    assert found is not None
    return int(found[1]), int(found[2] or 1) * _UNITS[found[3]]


class RetryFile(Model):
    """Reopens a stream if its source fails before anything was released."""

    attempts: int = Field(default=3, ge=1, le=100)
    """How often each source is opened, including the first time."""
    timeout: Duration | None = 45.0
    """The time limit for all attempts; null for no limit."""
    wait_initial: Duration = 0.1
    """The wait before the second attempt; later waits grow, with jitter."""
    wait_max: Duration = 5.0
    """The longest wait between attempts."""
    max_retry_after: Duration = 60.0
    """The longest `Retry-After` that is respected; a longer one is an error."""
    on: list[Literal["incomplete"]] = Field(default=[])
    """Ends before anything was released that count as failures: a stream that breaks off."""

    @model_validator(mode="after")
    def _waits(self) -> RetryFile:
        if self.wait_initial > self.wait_max:
            raise ValueError("'wait_initial' is longer than 'wait_max'")
        return self


class PerKeyFile(Model):
    """Limits on the streams of each key."""

    at_once: int | None = Field(default=None, ge=1)
    """How many streams of a key run at once."""
    rate: Rate | None = None
    """How many streams of a key begin per interval."""


class ConcurrencyFile(Model):
    """How many streams run at once in an event loop, and how many begin per interval."""

    at_once: int | None = Field(default=None, ge=1)
    """How many run at once, of all keys together."""
    rate: Rate | None = None
    """How many begin per interval: `10/s`, `600/m`, `5000/d`, `3/10s`."""
    by: Setting | None = None
    """The attribute of a stream that is its key: `user` for `attributes={"user": "u1"}`."""
    per_key: PerKeyFile | None = None
    """Limits on the streams of each key."""
    queue: int | None = Field(default=None, ge=0)
    """How many streams may wait; any number if absent."""
    timeout: Duration | None = None
    """How long a stream may wait; without limit if absent."""

    @model_validator(mode="after")
    def _bounds(self) -> ConcurrencyFile:
        if self.at_once is None and self.rate is None and self.per_key is None:
            raise ValueError("there is no limit: give 'at_once', 'rate' or 'per_key'")
        if (self.by is None) != (self.per_key is None):
            raise ValueError("'by' and 'per_key' need each other: give both")
        if self.per_key and self.per_key.at_once is None and self.per_key.rate is None:
            raise ValueError("'per_key' sets no limit: give 'at_once' or 'rate'")
        return self


class LogFile(Model):
    """Records in Python's standard log."""

    logger: Setting = "guardstream.streams"
    """The logger's name."""
    level: Literal["debug", "info", "warning", "error"] = "info"
    """The level of a stream that ended normally; blocks and errors are at least warnings."""


class AuditFile(Model):
    """Where a record of each stream goes. Records never hold text of a stream."""

    path: Setting | None = None
    """A file of JSON lines, relative to the policy; appended to."""
    fsync: bool = False
    """Whether a record is on disk before the stream's consumer continues."""
    starts: bool | None = None
    """Whether the beginning of a stream is logged, too; always with `errors: raise`."""
    mode: Annotated[str, Field(pattern="^0?[0-7]{3}$")] = "600"
    """The permissions of a new file, in octal digits and quotes."""
    chain: bool = False
    """Whether each line has a hash of the previous one, so that changes are detected."""
    sign: Secret | None = None
    """A private key of Ed25519 in PEM, as `${NAME}`, which signs the chain."""
    every: int = Field(default=1000, ge=1)
    """The chain is signed after this many lines, and at the end."""
    log: LogFile | None = None
    """Records go to Python's log, in addition to the file or instead of it."""
    attributes: dict[Setting, Setting] = Field(default={})
    """Additional attributes of each record, such as `service: shop`; a stream's own override
    them."""
    errors: Literal["report", "raise"] = "report"
    """Whether a record that cannot be written is logged, or ends its stream before its text."""

    @model_validator(mode="after")
    def _somewhere(self) -> AuditFile:
        if self.path is None and self.log is None:
            raise ValueError("records go nowhere: give 'path' or 'log'")
        of_file = sorted({"fsync", "starts", "mode", "chain", "sign"} & self.model_fields_set)
        if self.path is None and of_file:
            raise ValueError(f"{of_file[0]!r} has no effect without 'path'")
        if "every" in self.model_fields_set and self.sign is None:
            raise ValueError("'every' has no effect without 'sign'")
        return self

    @property
    def has_starts(self) -> bool:
        """Whether the beginning of a stream is logged."""
        return bool(self.starts) or self.errors == "raise"


class MetricsFile(Model):
    """What counts streams and their outcomes."""

    prometheus: bool = False
    """Whether prometheus_client's default registry is used; `serve` exposes it at `/metrics`."""
    opentelemetry: bool = False
    """Whether spans and metrics are created, by OpenTelemetry's global providers."""

    @model_validator(mode="after")
    def _something(self) -> MetricsFile:
        if not (self.prometheus or self.opentelemetry):
            raise ValueError("nothing is measured: give 'prometheus' or 'opentelemetry'")
        return self


class ExtractFile(Model):
    """How `guardstream.extract` reads the streams of this policy, unless the call says
    otherwise."""

    tool: Setting | None = None
    """The tool whose first call's arguments are read; if absent, the answer's text is read."""
    format: Setting | None = None
    """The adapter of the chunks; the first chunk decides if absent."""
    fences: Literal["strip", "keep", "require"] | None = None
    """What may surround the document."""
    repair: Repairs = ()
    """What is repaired, as in the section `json`."""
    duplicates: bool = False
    """Whether an object may repeat a key; the last value counts."""
    limits: JsonLimitsFile | None = None
    """Limits on each document."""
    schema_: Setting | dict[str, Any] | None = Field(default=None, alias="schema")
    """A JSON Schema for each document: a file beside the policy, or the schema."""
    draft: Draft | None = None
    """The draft of the schema."""
    schemas: list[Setting] = Field(default=[])
    """Files beside the policy with schemas that the schema refers to by their identifier."""
    formats: bool = False
    """Whether `format` is asserted."""
    documents: Literal["one", "many"] = "one"
    """Whether `items` and `text` read one document, or many, such as JSON lines."""
    on_invalid: Literal["raise", "skip"] = "raise"
    """What `items` does with a value that the model rejects."""
    partial_strings: bool = True
    """Whether `snapshots` shows incomplete strings."""

    @model_validator(mode="after")
    def _kinds(self) -> ExtractFile:
        if "close" in self.repair:
            raise ValueError("'close' changes output, which 'extract' does not have: leave it out")
        if self.schema_ is None and {"draft", "schemas", "formats"} & self.model_fields_set:
            raise ValueError("'draft', 'schemas' and 'formats' have no effect without 'schema'")
        return self


class VaultFile(Model):
    """Where the values are stored that reversible rules mask in messages, and who gets them
    back."""

    sqlite: Setting | None = None
    """A SQLite file, relative to the policy; without it and `redis`, the memory of this process."""
    redis: Secret | None = None
    """The URL of a Redis; extra `redis`."""
    key: Secret | list[Secret] | None = None
    """The key that encrypts values outside of this process; of several, the first encrypts and all
    decrypt."""
    id_key: Secret | None = None
    """The key that ids of stand-ins are derived from, the same in all workers; random if absent."""
    ids: Literal["hash", "number", "fake"] = "hash"
    """What follows a stand-in's label; a number can be written by anybody. With `fake`, a value
    that is a mail address, an IPv6 address or a card number becomes one that belongs to nobody."""
    days: float | None = Field(default=None, gt=0, le=3_650)
    """How long a conversation is kept after its last use, in days: 1 in memory, otherwise 30."""
    timeout: Duration = 2.0
    """How long a store may take."""
    max_entries: int = Field(default=10_000, ge=1)
    """How many values a conversation may have."""
    max_bytes: int = Field(default=10_000_000, ge=1)
    """The maximum size of these values, in bytes of UTF-8."""
    tools: dict[str, list[Setting]] = Field(default={})
    """The tool arguments that get real values, by the tool's name: `send_mail: [to]`."""
    on_error: Literal["block", "mask"] = "block"
    """What happens to a request whose vault fails: it is not sent, or it is masked irreversibly."""

    @model_validator(mode="after")
    def _one_store(self) -> VaultFile:
        if self.sqlite and self.redis:
            raise ValueError("values are stored in one place: give 'sqlite' or 'redis'")
        if (self.sqlite or self.redis) and not (self.key and self.id_key):
            raise ValueError("values outside of the process are encrypted: give 'key' and 'id_key'")
        return self
