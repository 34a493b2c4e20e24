"""The shape of a policy file: its keys, their types and their defaults.

Unknown keys are refused everywhere. What needs more than one key to judge (duplicate ids, rules
that look for nothing) is checked where the rules are built.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag

from guardstream.events import Action, Severity
from guardstream.stages.rules import OnError, OnOverflow

Channel: TypeAlias = Literal["text", "thinking", "tool_args", "refusal"]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


def _kind(value: Any) -> str:
    return "mapping" if isinstance(value, (dict, BaseModel)) else "plain"


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


class WordFile(_Model):
    """Words from a file beside the policy: UTF-8, one a line, `#` starts a comment line."""

    file: str = Field(min_length=1)


class KeepFile(_Model):
    """How many code points of a match stay readable."""

    first: int = Field(default=0, ge=0)
    last: int = Field(default=0, ge=0)


class ReplacementFile(_Model):
    """A replacement that shows the ends of a match."""

    keep: KeepFile


class AllowFile(_Model):
    """Matches that are none: whole words, or patterns that match them in full."""

    words: list[Annotated[str, Field(min_length=1)]] = []
    patterns: list[Annotated[str, Field(min_length=1)]] = []


class CaseFile(_Model):
    """One inline test: what comes out for an input, or a text that the rule leaves alone."""

    input: str | None = None
    output: str | None = None
    clean: str | None = None


Words: TypeAlias = Annotated[
    Annotated[list[Annotated[str, Field(min_length=1)]], Tag("plain")]
    | Annotated[WordFile, Tag("mapping")],
    Discriminator(_kind),
]
Replacement: TypeAlias = Annotated[
    Annotated[str, Tag("plain")] | Annotated[ReplacementFile, Tag("mapping")],
    Discriminator(_kind),
]


class RuleFile(_Model):
    """One entry of `rules`."""

    id: str = Field(pattern=r"^[\w.-]+$", max_length=100)
    description: str = ""
    severity: Severity = "medium"
    channels: list[Channel] | None = Field(default=None, min_length=1)
    words: Words | None = None
    pattern: Annotated[
        list[Annotated[str, Field(min_length=1)]] | None, BeforeValidator(_listed)
    ] = None
    group: str | int | None = None
    ignore_case: bool = True
    whole_word: bool | None = None
    action: Action = "mask"
    replacement: Replacement | None = None
    allow: AllowFile = AllowFile()
    tests: list[CaseFile] = []
    enabled: bool = True


class PolicyFile(_Model):
    """The whole file."""

    version: Literal[1] = 1
    name: str = ""
    description: str = ""
    max_holdback: int = Field(default=256, ge=1, le=1_000_000)
    on_overflow: OnOverflow = "mask"
    on_error: OnError = "block"
    rules: list[RuleFile] = []


MODELS: dict[str, type[_Model]] = {
    "rules": RuleFile,
    "words": WordFile,
    "replacement": ReplacementFile,
    "keep": KeepFile,
    "allow": AllowFile,
    "tests": CaseFile,
}
"""The model of the mapping that stands at a key, for naming the keys it knows."""
