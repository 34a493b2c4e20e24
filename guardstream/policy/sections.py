"""The shape of the sections `json`, `limits`, `stages` and `gate` of a policy file."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal, TypeAlias, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    WithJsonSchema,
    model_validator,
)

from guardstream.events import Channel, Severity
from guardstream.jsonstream.repair import USUAL, Kind


class Model(BaseModel):
    """The base of all mappings in a policy: unknown keys are refused, types are not guessed.

    What stands below a field describes it; `schema` reads it from there, as pydantic would do for
    every program that loads a policy.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


def plain_or_mapping(value: Any) -> str:
    """Return the tag of a value that is a mapping, or else a text or a list."""
    return "mapping" if isinstance(value, (dict, BaseModel)) else "plain"


_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h)")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def quantity(
    written: re.Pattern[str], units: Mapping[str, float], expected: str
) -> Callable[[Any], Any]:
    """Return a function that parses a number with one of `units`, and returns anything else
    unchanged.

    `written` matches the two as its groups; `expected` describes the form for a text that does not
    match.
    """

    def read(value: Any) -> Any:
        if not isinstance(value, str):
            return value
        found = written.fullmatch(value.strip())
        if found is None:
            raise ValueError(f"expected {expected}")
        number = int(found[1]) if found[1].isdecimal() else float(found[1])
        return number * units[found[2]]

    return read


_seconds = quantity(_DURATION, _UNITS, "a time such as 15s, 500ms or 2m")


def _schema(bound: str) -> WithJsonSchema:
    number = {"type": "number", bound: 0, "maximum": 86_400}
    text = {"type": "string", "pattern": r"^\s*\d+(\.\d+)?\s*(ms|s|m|h)\s*$"}
    return WithJsonSchema({"anyOf": [number, text]})


Duration: TypeAlias = Annotated[
    float,
    BeforeValidator(_seconds),
    Field(gt=0, le=86_400, allow_inf_nan=False),
    _schema("exclusiveMinimum"),
]

Pause: TypeAlias = Annotated[
    float,
    BeforeValidator(_seconds),
    Field(ge=0, le=86_400, allow_inf_nan=False),
    _schema("minimum"),
]
"""A duration that may be zero."""


def _null(value: Any) -> Any:
    """Read YAML's null as the word, because its author wants nulls rather than unchecked
    numbers."""
    return "null" if value is None else value


Numbers: TypeAlias = Annotated[
    Literal["string", "null", "zero", "leave"],
    BeforeValidator(_null),
    WithJsonSchema({"enum": ["string", "null", "zero", "leave", None]}),
]


Draft: TypeAlias = Literal["draft-04", "draft-06", "draft-07", "2019-09", "2020-12", "openapi-3.0"]


_REPAIRS: list[str] = [*get_args(Kind), "close"]


def _kinds(value: Any) -> Any:
    """Read `true` as the usual kinds, and one word as a list of it."""
    if isinstance(value, bool):
        return tuple(sorted(USUAL)) if value else ()
    if value is None:
        return ()
    if isinstance(value, str):
        return (value,)
    return tuple(value) if isinstance(value, list) else value


Repairs: TypeAlias = Annotated[
    tuple[Kind | Literal["close"], ...],
    BeforeValidator(_kinds),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": ["boolean", "null"]},
                {"enum": _REPAIRS},
                {"type": "array", "items": {"enum": _REPAIRS}},
            ]
        }
    ),
]


class JsonLimitsFile(Model):
    """Bounds on a JSON document, in levels and code points."""

    depth: int = Field(default=128, ge=1, le=100_000)
    """The maximum nesting of objects and arrays; with a schema, 128 at most."""
    digits: int = Field(default=1_000, ge=1, le=4_000)
    """The length of the longest number; at most `max_holdback` if rules look at numbers."""
    string: int = Field(default=10_000_000, ge=0)
    """The length of the longest string."""
    document: int = Field(default=100_000_000, ge=1)
    """The length of the longest document."""


class ToolFile(Model):
    """The requirements for the arguments of one tool."""

    schema_: Annotated[str, Field(min_length=1)] | dict[str, Any] | None = Field(
        default=None, alias="schema"
    )
    """A JSON Schema of the arguments, as in the section; any JSON if absent."""
    draft: Draft | None = None
    """The draft of the schema; the section's if absent."""


def _form(value: Any) -> str:
    return "word" if isinstance(value, str) else "tools"


Tools: TypeAlias = Annotated[
    Annotated[dict[Annotated[str, Field(min_length=1)], ToolFile], Tag("tools")]
    | Annotated[Literal["from_request"], Tag("word")],
    Discriminator(_form),
]


class JsonFile(Model):
    """The requirements for JSON output."""

    schema_: Annotated[str, Field(min_length=1)] | dict[str, Any] | None = Field(
        default=None, alias="schema"
    )
    """A JSON Schema: a file beside the policy, or the schema itself."""
    draft: Draft | None = None
    """The draft of the schema; if absent, the one that it declares, or 2020-12."""
    schemas: list[Annotated[str, Field(min_length=1)]] = []
    """Files beside the policy with schemas that the schema refers to by their identifier."""
    formats: bool = False
    """Whether `format` is asserted."""
    tools: Tools | None = None
    """The requirements for each tool's arguments, by the tool's name (`*` is any other), or those
    of the request."""
    channels: list[Channel] = Field(default=["text"], min_length=1)
    """The channels that carry JSON; if absent and there are only tools, none."""
    fences: Literal["strip", "keep", "require"] | None = None
    """How prose and code fences around documents are handled."""
    documents: Literal["one", "many", "last"] = "one"
    """Whether one document is expected, many (such as JSON lines), or only the last of many
    counts."""
    last_max: int = Field(default=100_000, ge=1)
    """How many code points of a document may wait to be the last; more block."""
    after: Literal["stop", "ignore", "text"] = "stop"
    """What happens after the one document: the stream ends, the rest is dropped, or released as
    text."""
    on_violation: Literal["block", "stop", "monitor"] = "block"
    """What happens at the first character that no valid document can have."""
    repair: Repairs = ()
    """What is repaired: `true` is everything but `truncated`; `close` closes what ends early."""
    redact_keys: bool | None = None
    """Whether rules apply to object keys, too; if absent, only in tool arguments."""
    numbers: Numbers = "string"
    """What a number that a rule masks becomes; `leave` leaves all numbers unchanged."""
    duplicates: bool = False
    """Whether a key may occur twice in an object."""
    limits: JsonLimitsFile = JsonLimitsFile()
    """Bounds on each document."""
    severity: Severity = "medium"
    """The severity of the findings about violations."""

    @model_validator(mode="after")
    def _has_effect(self) -> JsonFile:
        given = self.model_fields_set
        if "last_max" in given and self.documents != "last":
            raise ValueError("'last_max' has no effect without 'documents: last'")
        if "after" in given and self.documents != "one":
            raise ValueError("'after' has no effect without 'documents: one'")
        about = sorted({"draft", "formats", "schemas"} & given)
        if about and self.schema_ is None and self.tools is None:
            raise ValueError(f"{about[0]!r} has no effect without 'schema'")
        return self


class RepeatFile(Model):
    """When output counts as repetitive."""

    min_chars: int = Field(default=20, ge=1, le=10_000)
    """The shortest piece, in code points, that counts."""
    times: int = Field(default=8, ge=3, le=10_000)
    """How many times in a row it must occur."""


class TokensFile(Model):
    """A limit on tokens; `encoding` or `counter` defines a token."""

    max: int = Field(ge=1)
    """The number of tokens after which the stream ends, as `length`."""
    encoding: Annotated[str, Field(min_length=1)] | None = None
    """An encoding of tiktoken, such as `o200k_base`."""
    counter: Annotated[str, Field(min_length=1)] | None = None
    """A counter that the program registers, an entry point, or a dotted path."""


class LimitsFile(Model):
    """Limits on one stream; text is counted in each pipeline separately, before all rules."""

    max_chars: int | None = Field(default=None, ge=1)
    """The number of code points after which the stream ends, as `length`."""
    max_lines: int | None = Field(default=None, ge=1)
    """The number of lines after which the stream ends, as `length`."""
    tokens: TokensFile | None = None
    """The number of tokens after which the stream ends, as `length`."""
    stop: list[Annotated[str, Field(min_length=1, max_length=1_000)]] = Field(
        default=[], max_length=256
    )
    """Texts at which the stream ends, as `stop`; they are not shown."""
    repeat: RepeatFile | None = None
    """Ends a stream that repeats itself, as `length`."""
    release: Literal["settled", "sentence", "paragraph", "complete"] = "settled"
    """What must be complete before it is released; with `complete`, nothing is released before the
    end."""
    release_max: int | None = Field(default=None, ge=1)
    """How many code points may wait for release; more block. The default is 10,000, or 100,000 for
    `complete`."""
    channels: list[Channel] | None = Field(default=None, min_length=1)
    """Where text is limited; everywhere if absent."""
    first_token: Duration | None = None
    """The longest wait for the first chunk."""
    idle: Duration | None = None
    """The longest wait between two chunks."""
    total: Duration | None = None
    """The longest time a stream may take."""
    settle: Duration | None = None
    """How long text may be held after the source has said that it ends; 500ms if absent."""


def _no_secrets(options: dict[str, Any]) -> dict[str, Any]:
    for value in options.values():
        if isinstance(value, str) and re.fullmatch(r"\$\{\w+\}", value):
            instead = f"key_env: {value[2:-1]}"
            raise ValueError(f"${{…}} is only for secrets: for a key write {instead!r}")
    return options


class CacheFile(Model):
    """A cache of verdicts by keyed hashes of the texts, without the texts."""

    size: int = Field(default=1_000, ge=1, le=1_000_000)
    """How many verdicts; the least recently used one is dropped first."""


class GateFile(Model):
    """A check that waits for an answer: a model, or a function of your own."""

    use: str = Field(min_length=1)
    """`openai_moderation`, `judge`, `classifier`, `presidio`, or a function as `module:name`."""
    id: str | None = Field(default=None, pattern=r"^[\w.-]+$", max_length=100)
    """Names the check in findings; the value of `use` if absent."""
    action: Literal["monitor", "block"] = "monitor"
    """`monitor` reports and changes nothing; `block` applies the verdict."""
    mode: Literal["background", "hold"] | None = None
    """Whether text continues meanwhile, or waits; by default it waits only if the check can
    block."""
    window: Literal["sentence", "paragraph", "complete"] | Annotated[int, Field(ge=1)] = "sentence"
    """What is judged together; a number counts code points."""
    overlap: int = Field(default=0, ge=0, le=100_000)
    """How many code points before a window the check also sees."""
    ahead: int = Field(default=10_000, ge=1)
    """How many code points may wait; a longer window is cut, or blocks if text waits for it."""
    timeout: Duration = 10.0
    """How long a check may take; after that it has failed."""
    max_calls: int | None = Field(default=None, ge=0)
    """How many windows of a stream are judged; the next one counts as failed."""
    cache: CacheFile | None = None
    """Caches verdicts across all streams; no cache if absent."""
    channels: list[Channel] | None = Field(default=None, min_length=1)
    """What is judged; everything if absent."""
    options: Annotated[dict[str, Any], AfterValidator(_no_secrets)] = Field(default={})
    """Arguments of the check; a key is given by the name of its environment variable, `key_env`."""

    @property
    def name(self) -> str:
        """The name of the check in findings."""
        return self.id or self.use.replace(":", ".")


class StageFile(Model):
    """A stage of your own."""

    use: str = Field(min_length=1)
    """An entry point in the group `guardstream.stages`, or a dotted path."""
    position: Literal["before", "after"] = "after"
    """Whether it sees the text before the rules, or their output."""
    options: dict[str, Any] = Field(default={})
    """Arguments of the stage."""
    channels: list[Channel] | None = Field(default=None, min_length=1)
    """The channels it applies to; all if absent."""
