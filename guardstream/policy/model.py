"""The shape of a policy file: its keys, their types and their defaults.

Unknown keys are refused everywhere. Checks that need several keys (duplicate ids, rules that look
for nothing) are done where the rules are built.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    Discriminator,
    Field,
    GetJsonSchemaHandler,
    Tag,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import CoreSchema

from guardstream.events import Action, Channel, FinishReason, Severity
from guardstream.jsonpath import check_apart, check_by, steps_of
from guardstream.policy.operational import (
    AuditFile,
    ConcurrencyFile,
    ExtractFile,
    LogFile,
    MetricsFile,
    PerKeyFile,
    RetryFile,
    VaultFile,
)
from guardstream.policy.public import Kind
from guardstream.policy.sections import (
    CacheFile,
    GateFile,
    JsonFile,
    JsonLimitsFile,
    LimitsFile,
    Model,
    RepeatFile,
    StageFile,
    TokensFile,
    ToolFile,
    plain_or_mapping,
)
from guardstream.policy.serving import (
    KeyFile,
    ReceiptsFile,
    ReplayFile,
    RouteFile,
    ServeFile,
    ServeLimitsFile,
    StateFile,
    UpstreamFile,
)
from guardstream.stages.rules import OnError, OnOverflow

Normalization: TypeAlias = Literal[
    "case", "width", "digits", "zero_width", "canonical", "confusables", "strokes", "separators",
    "spaces", "hyphens", "markdown", "markup", "leet", "repeats", "simplified",
]  # fmt: skip
Unknown: TypeAlias = Literal["guard", "hold", "drop", "refuse", "pass"]
Role: TypeAlias = Literal["user", "tool", "system", "developer", "assistant"]
Text: TypeAlias = Annotated[str, Field(min_length=1)]


def _path(text: str) -> str:
    steps_of(text)
    return text


def _shown_path(text: str) -> str:
    steps_of(text.removesuffix("~"))  # of a key, as findings name it
    return text


def _group_name(name: str) -> str:
    if not re.fullmatch(_GROUP_NAME, name):
        how = "up to 100 letters, digits and '_', and no digit first"
        raise ValueError(f"a subpattern's name has {how}")
    return name


_GROUP_NAME = r"[A-Za-z_][A-Za-z0-9_]{0,99}"

Subpattern: TypeAlias = Annotated[
    str,
    AfterValidator(_group_name),
    WithJsonSchema({"type": "string", "pattern": f"^{_GROUP_NAME}$"}),
]
"""The name of a subpattern: that of a group in Python's `re`, of ASCII."""

PathText: TypeAlias = Annotated[str, AfterValidator(_path)]
"""A path in JSONPath (RFC 9535): `$.name`, `$['a name']`, `$.list[*].name`."""


def _listed(value: Any) -> Any:
    return value if value is None or isinstance(value, list) else [value]


class _OneOrMore:
    """In the JSON Schema, an item of the list may also be given alone."""

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        listed = handler(schema)
        branches = listed.get("anyOf", [listed])
        items = [branch["items"] for branch in branches if "items" in branch]
        return {"anyOf": [*items, *branches]}


class WordFile(Model):
    """Words from a file beside the policy: UTF-8, one per line, `#` starts a comment line."""

    file: Text
    """The file's path, from the policy's own folder."""


class KeepFile(Model):
    """How many code points of a match stay readable."""

    first: int = Field(default=0, ge=0)
    """How many at the match's beginning."""
    last: int = Field(default=0, ge=0)
    """How many at its end."""


class PseudonymFile(Model):
    """A stand-in that is the same for the same value: a prefix and a keyed hash (HMAC-SHA256)."""

    key_env: Text
    """The environment variable that holds the key."""
    prefix: str = ""
    """The text before the hash."""
    length: int = Field(default=12, ge=4, le=64)
    """How many hexadecimal digits of the hash are shown."""


class ReplacementFile(Model):
    """A replacement that is derived from the match: one of `keep` and `pseudonym`."""

    keep: KeepFile | None = None
    """Leaves the match's ends readable."""
    pseudonym: PseudonymFile | None = None
    """Names the same value alike each time."""


class AllowFile(Model):
    """Exceptions: matches that equal one of the words, that a pattern matches in full, or that
    directly follow what one of the patterns in `after` matches."""

    words: list[Text] = Field(default=[])
    """Matches that are left as they are."""
    patterns: list[Text] = Field(default=[])
    """Patterns of the whole of such matches."""
    after: list[Text] = Field(default=[])
    """Patterns of the text right before such matches, each with a maximum length."""


class EntropyFile(Model):
    """A check that a value looks random."""

    entropy: float = Field(gt=0, le=21)
    """The minimum Shannon entropy, in bits per character."""


class KeywordsFile(Model):
    """Words, one of which must precede a match."""

    words: list[Text] = Field(min_length=1)
    """The words, in any case."""
    within: int = Field(default=50, ge=1, le=1000)
    """How many code points before the match the word may be."""


class CaseFile(Model):
    """One inline test: an input with its output, or a text in which the rule finds nothing."""

    input: str | None = None
    """A text in which the rule finds something."""
    output: str | None = None
    """What the rule makes of `input`."""
    clean: str | None = None
    """A text in which the rule finds nothing."""


Shown: TypeAlias = Literal["show", "mask"]
Words: TypeAlias = Annotated[
    Annotated[list[Text], Tag("plain")] | Annotated[WordFile, Tag("mapping")],
    Discriminator(plain_or_mapping),
]
Replacement: TypeAlias = Annotated[
    Annotated[str, Tag("plain")] | Annotated[ReplacementFile, Tag("mapping")],
    Discriminator(plain_or_mapping),
]
Check: TypeAlias = Annotated[
    Annotated[Text, Tag("plain")] | Annotated[EntropyFile, Tag("mapping")],
    Discriminator(plain_or_mapping),
]
Keywords: TypeAlias = Annotated[
    Annotated[list[Text], Field(min_length=1), Tag("plain")]
    | Annotated[KeywordsFile, Tag("mapping")],
    Discriminator(plain_or_mapping),
]


class PublicFile(Model):
    """What becomes of matches that are no one's own; in prompts, all of them are masked."""

    help_lines: Shown = "show"
    """Telephone numbers that anyone may call: help lines, free and shared numbers of companies."""
    reserved_names: Shown = "mask"
    """Names and addresses of documentation (RFC 2606, 6761, 5737, 3849): `ann@example.com`."""
    test_cards: Shown = "mask"
    """Numbers of payment cards that are published for tests."""
    documentation_tokens: Shown = "mask"
    """Keys and tokens that the documentation of AWS and of JSON web tokens shows."""


class RuleFile(Model):
    """One entry of `rules`."""

    id: str = Field(pattern=r"^[\w.-]+$", max_length=100)
    """Names the rule in findings; a later rule of the same id overrides an inherited one."""
    description: str = ""
    """Why this rule exists."""
    severity: Severity = "medium"
    """Where matches overlap, the replacement of the most severe rule is used."""
    channels: list[Channel] | None = Field(default=None, min_length=1)
    """Where the rule applies; everywhere if absent."""
    words: Words | None = None
    """What to look for: a list, or a file with one word per line."""
    pattern: Annotated[list[Text] | None, BeforeValidator(_listed), _OneOrMore()] = None
    """What to look for: a pattern in the dialect of the `regex` library, or several."""
    group: str | int | None = None
    """The group of the pattern that is masked; the whole match if absent."""
    ignore_case: bool = True
    """Whether words match in any case; patterns say `(?i)`."""
    whole_word: bool | None = None
    """Whether words match as whole words only; by default those of letters do."""
    normalize: list[Normalization] = Field(default=[])
    """Which other differences between words are ignored."""
    exact: bool = False
    """Whether white space in words, and how letters with marks are written, is compared exactly."""
    validate_: Annotated[list[Check] | None, BeforeValidator(_listed), _OneOrMore()] = Field(
        default=None, alias="validate"
    )
    """Checks that a match must pass: a name, `entropy: BITS`, or the dotted path of a function."""
    keywords: Keywords | None = None
    """Words, one of which must precede the match."""
    allow: AllowFile = AllowFile()
    """Exceptions that do not count as a match."""
    public: Annotated[list[Kind] | None, BeforeValidator(_listed), _OneOrMore()] = None
    """Of which kinds of what is public matches may be; the policy's `public` says which show."""
    yields: list[Text] = Field(default=[])
    """Ids of rules whose masks are kept: a match in which one lies, or begins, does not count."""
    action: Action = "mask"
    """What happens to a match."""
    replacement: Replacement | None = None
    """What replaces a masked match; `[{id}]` if absent."""
    reversible: bool = False
    """Whether a vault stores the values masked in messages, so that answers get them back."""
    tests: list[CaseFile] = Field(default=[])
    """What the rule does, by example; run by `guardstream test`."""
    enabled: bool = True
    """Whether the rule applies at all; false switches an inherited rule off."""


class UnknownFile(Model):
    """Unknown text is guarded, except at some paths."""

    pass_: list[Annotated[str, AfterValidator(_shown_path)]] = Field(alias="pass", min_length=1)
    """Paths that pass, in the form of errors and findings: `$.choices[*].obfuscation`."""


_Paths = Annotated[
    Annotated[list[PathText], Field(min_length=1)] | None, BeforeValidator(_listed), _OneOrMore()
]


class EndFile(Model):
    """The event that ends a stream which the guard ends."""

    event: Annotated[str, Field(min_length=1)] | None = None
    """Its name."""
    data: Annotated[str, Field(min_length=1)]
    """Its data, in which `{finish}` is the reason."""


class FormatFile(Model):
    """A JSON format of your own, by the paths in its chunks or by what they hold."""

    text: _Paths = None
    """The path of the next piece of the answer."""
    thinking: _Paths = None
    """The path of the next piece of thinking."""
    tool_args: _Paths = None
    """The path of the next piece of a tool call's arguments."""
    by: PathText | None = None
    """The path of a value that tells interleaved texts apart: a task's id, an agent's name."""
    copies: _Paths = None
    """The path of the whole answer so far."""
    done: PathText | None = None
    """The path of a value in the last chunk that is neither false, empty nor zero."""
    harmless: _Paths = None
    """The paths of strings that are not text: ids, types, names."""
    like: Annotated[str, Field(min_length=1)] | None = None
    """A format of the package that this one is like: `event` has what differs."""
    event: Annotated[dict[str, Any], Field(min_length=1)] | None = None
    """What the fields of a chunk hold, in the shape of a chunk, in place of paths."""
    define: dict[str, Any] | None = None
    """Parts of `event`, by the names by which it refers to them."""
    reasons: dict[str, FinishReason] | None = None
    """Why answers end, by the format's own words."""
    words: dict[FinishReason, str] | None = None
    """The format's own words for why an answer ends, where the guard ends it."""
    end: Annotated[str, Field(min_length=1)] | EndFile | None = None
    """The event that ends a stream which the guard ends: its data, such as `[DONE]`, or more."""

    @property
    def last(self) -> str | dict[str, str] | None:
        """The event that ends a stream, as a JSONFormat takes it."""
        end = self.end
        return end.model_dump(exclude_none=True) if isinstance(end, EndFile) else end

    @model_validator(mode="after")
    def _apart(self) -> FormatFile:
        lists = (self.text, self.thinking, self.tool_args, self.copies)
        texts = [path for each in lists for path in each or ()]
        done = "" if self.done in (self.copies or ()) else self.done or ""
        paths = [*texts, *(self.harmless or ()), self.by or "", done]
        described = "event" if self.event else "like" if self.like else None
        if described and any(paths):
            raise ValueError(f"{described!r} and paths both say what chunks hold: leave out one")
        if not described and not self.text:
            raise ValueError("needs 'text', the path of the answer, or 'event', or 'like'")
        if self.define is not None and self.event is None:
            raise ValueError("'define' has parts of 'event', which is missing")
        twice = sorted({path for path in paths if path and paths.count(path) > 1})
        if twice:
            raise ValueError(f"the path {twice[0]!r} is used for two things")
        check_apart([path for path in paths if path])
        if self.by is not None:
            check_by(self.by, texts)
        return self


class ExtendsFile(Model):
    """A policy whose rules apply too, in some channels only."""

    policy: Text
    """A pack as `guardstream/NAME`, or a relative file."""
    channels: list[Channel] = Field(min_length=1)
    """Where its rules apply; a rule for other channels does not apply."""


_Extended: TypeAlias = Annotated[
    Annotated[Text, Tag("plain")] | Annotated[ExtendsFile, Tag("mapping")],
    Discriminator(plain_or_mapping),
]
_Extends: TypeAlias = Annotated[list[_Extended] | None, BeforeValidator(_listed), _OneOrMore()]


class InputFile(Model):
    """What to look for in the messages that go to a model."""

    extends: _Extends = None
    """Policies whose rules apply too: a pack as `guardstream/NAME`, or a relative file."""
    rules: list[RuleFile] = Field(default=[])
    """What to look for and what to do about it, in order."""
    roles: list[Role] = Field(default=["user", "tool"], min_length=1)
    """Whose messages are judged; a tool's result is the tool's, in any message."""
    unknown: Literal["guard", "refuse", "pass"] = "guard"
    """How unknown parts and fields of a message are handled: `pass` is a hole."""


def _no_lookalike(value: object) -> object:
    """Refuse `true` and `1.0`, which equal 1 in Python and are not integers in YAML."""
    if isinstance(value, (bool, float)):
        raise ValueError("expected 1")
    return value


class PolicyFile(Model):
    """The whole file."""

    version: Annotated[Literal[1], BeforeValidator(_no_lookalike)] = 1
    """The version of this format."""
    name: str = ""
    """The policy's name, for reports."""
    description: str = ""
    """What the policy is for."""
    extends: _Extends = None
    """Policies whose rules apply too: a pack as `guardstream/NAME`, or a relative file; or one in
    some channels only."""
    mode: Literal["enforce", "shadow"] = "enforce"
    """`shadow` reports what would have happened and changes nothing."""
    on_error: OnError = "block"
    """What happens to a stream when a rule fails; `allow` disables that rule."""
    max_holdback: int = Field(default=256, ge=1, le=1_000_000)
    """The most code points that are ever held back."""
    on_overflow: OnOverflow = "mask"
    """What happens to a candidate that would be held longer."""
    block_message: str = ""
    """Text that is sent before a blocked stream ends, after a space if text precedes it."""
    unknown: Unknown | UnknownFile = "guard"
    """How unknown events and fields of a provider are handled: `pass` is a hole."""
    subpatterns: dict[Subpattern, Text] = Field(
        default={}, json_schema_extra={"additionalProperties": False}
    )
    """Parts of patterns by name; the patterns of this file call them as `(?&name)`."""
    public: PublicFile | None = None
    """Which matches are shown, since they are no one's own."""
    rules: list[RuleFile] = Field(default=[])
    """What to look for and what to do about it, in order."""
    formats: dict[Text, FormatFile] = Field(default={})
    """JSON formats of your own, by name: for `format`, and for detecting formats."""
    json_: JsonFile | None = Field(default=None, alias="json")
    """The requirements for JSON output."""
    limits: LimitsFile | None = None
    """Bounds on one stream."""
    stages: list[StageFile] = Field(default=[])
    """Stages of your own, in order."""
    gate: list[GateFile] = Field(default=[])
    """Checks that wait for an answer, after everything else."""
    input: InputFile | None = None
    """What to look for in the messages that go to a model; null drops an inherited section."""
    reload: bool = False
    """Whether a guard reloads this file when it, or a file it needs, changes."""
    retry: RetryFile | None = None
    """Reopens a stream if its source fails before anything was released."""
    concurrency: ConcurrencyFile | None = None
    """How many streams run at once, and how many begin per interval."""
    audit: AuditFile | None = None
    """Where a record of each stream goes."""
    metrics: MetricsFile | None = None
    """What counts streams and their outcomes."""
    vault: VaultFile | None = None
    """Where the values are stored that reversible rules mask in messages."""
    extract: ExtractFile | None = None
    """How `guardstream.extract` reads the streams of this policy."""
    serve: ServeFile | None = None
    """What `guardstream serve` and the middleware do."""


SETTINGS = (
    "mode", "on_error", "max_holdback", "on_overflow", "block_message", "unknown", "json_",
    "limits", "stages", "input", "formats", "public",
)  # fmt: skip
"""The fields that a policy inherits from those it extends, unless it sets them itself."""

OPERATIONAL = (
    "reload", "gate", "retry", "concurrency", "audit", "metrics", "vault", "extract",
    "serve",
)  # fmt: skip
"""What only counts in the named file: an extended file must not have it."""

SECTIONS: tuple[Literal["limits", "input", "public"], ...] = ("limits", "input", "public")
"""The sections that a policy inherits key by key."""

MODELS: dict[str, type[Model]] = {
    "rules": RuleFile,
    "words": WordFile,
    "replacement": ReplacementFile,
    "keep": KeepFile,
    "pseudonym": PseudonymFile,
    "allow": AllowFile,
    "public": PublicFile,
    "validate": EntropyFile,
    "keywords": KeywordsFile,
    "tests": CaseFile,
    "json": JsonFile,
    "json.limits": JsonLimitsFile,
    "json.tools": ToolFile,
    "limits": LimitsFile,
    "repeat": RepeatFile,
    "tokens": TokensFile,
    "stages": StageFile,
    "gate": GateFile,
    "cache": CacheFile,
    "extends": ExtendsFile,
    "input": InputFile,
    "unknown": UnknownFile,
    "formats": FormatFile,
    "end": EndFile,
    "retry": RetryFile,
    "concurrency": ConcurrencyFile,
    "per_key": PerKeyFile,
    "audit": AuditFile,
    "log": LogFile,
    "metrics": MetricsFile,
    "vault": VaultFile,
    "extract": ExtractFile,
    "extract.limits": JsonLimitsFile,
    "serve": ServeFile,
    "upstream": UpstreamFile,
    "serve.upstreams": UpstreamFile,
    "serve.keys": KeyFile,
    "serve.state": StateFile,
    "serve.routes": RouteFile,
    "replay": ReplayFile,
    "receipts": ReceiptsFile,
    "serve.limits": ServeLimitsFile,
}
"""The model of the mapping at a key, for naming the known keys."""


def keys(model: type[BaseModel]) -> list[str]:
    """Return the keys of a mapping as they are written."""
    return [field.alias or name for name, field in model.model_fields.items()]
