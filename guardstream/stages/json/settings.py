"""The settings of the JSON stage."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from guardstream.events import Severity, Stage
from guardstream.jsonstream.document import Checks
from guardstream.jsonstream.documents import Fences
from guardstream.jsonstream.lexer.lexer import Limits
from guardstream.jsonstream.repair import Kind

OnViolation: TypeAlias = Literal["block", "stop", "monitor", "text"]
After: TypeAlias = Literal["stop", "ignore", "text", "refuse"]
Numbers: TypeAlias = Literal["string", "null", "zero"]
MakeStage: TypeAlias = Callable[[], Stage]
Place: TypeAlias = tuple[str, ...]
"""The path to a value in a document: member names, and `[*]` for an array element."""
Restore: TypeAlias = Callable[[Stage, Place], Stage]


@dataclass(frozen=True, slots=True)
class Settings:
    """What the JSON stage does.

    - `schema`: a Schema or a model's, or None for any JSON.
    - `fences`: None, the whole text is JSON; "strip", documents in prose and code fences, and
      nothing else is released; "keep", the rest is released as text; "require", like "strip", but
      only documents in code fences count.
    - `documents`: "one"; "many", such as JSON lines; or "last", the last of many, at the stream's
      end. `last_max` code points may wait for that; more block. `after` says what follows a single
      document: "stop" ends the stream, "ignore" drops the rest, "text" releases it as text,
      "refuse" takes anything but white space and models' end tokens as a violation.
    - `on_violation`: "block" and "stop" end the stream there, as `content_filter` and as `stop`;
      "monitor" reports and changes nothing; "text" does not even report: what is not JSON is text,
      from its beginning if that has no bracket or quote.
    - `repair`: kinds of almost-JSON that are repaired, each with a finding of its own; "truncated"
      closes a document that the end of the text cuts off.
    - `close` holds separators, keys, numbers and literals until they are complete, and closes a
      document that anything else ends too early; so does "truncated".
    - `redact` creates a stage for each text in a document, and outside if that is released: each
      string value, each key with `redact_keys`, and each number unless `numbers` is None. A number
      that it changes becomes a string, null, or 0.
      `redact_after` does so for a value in an object, given the name of its member, which may
      say what the value is.
    - `restore` gets the stage of each string value and the value's path, and returns the stage that
      replaces it; outside of documents the path is `()`.
    - `is_call` says that the text is the arguments of a call: none are an empty object.
    - `rule` and `severity` are those of findings about violations.
    """

    schema: Checks | None = None
    fences: Fences | None = None
    documents: Literal["one", "many", "last"] = "one"
    last_max: int = 100_000
    after: After = "stop"
    on_violation: OnViolation = "block"
    repair: frozenset[Kind] = frozenset()
    close: bool = False
    redact: MakeStage | None = None
    redact_after: Callable[[str], Stage] | None = None
    restore: Restore | None = None
    redact_keys: bool = False
    numbers: Numbers | None = "string"
    limits: Limits = field(default_factory=Limits)
    duplicates: bool = False
    is_call: bool = False
    rule: str = "json"
    severity: Severity = "medium"

    @property
    def closes(self) -> bool:
        """Whether the output is always closed, wherever it ends."""
        return self.close or "truncated" in self.repair

    @property
    def guards_numbers(self) -> bool:
        """Whether rules see numbers."""
        return self.redact is not None and self.numbers is not None

    @property
    def goes_on(self) -> bool:
        """Whether the stream continues after the text stops being JSON."""
        return self.on_violation in ("monitor", "text")
