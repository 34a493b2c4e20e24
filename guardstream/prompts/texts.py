"""The texts of messages: each is judged by rules, and with a vault its values become stand-ins."""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import NamedTuple, TypeAlias

from guardstream.errors import AdapterError, StageError
from guardstream.events import CLOSED, Event, Finding, text_of
from guardstream.policy import Policy
from guardstream.prompts.readings import readings
from guardstream.prompts.roles import NO_ROLE, SHARED
from guardstream.stages.pipeline import Pipeline, all_events
from guardstream.vault.masking import masking
from guardstream.vault.vault import Vault, VaultError

Path: TypeAlias = tuple[str | int, ...]
"""The keys and numbers that lead to a value in its message."""

_ESCAPED = re.compile(r'"(?=[^"\\]*\\)(?:[^"\\]|\\.)*+(?:"|\Z)', re.DOTALL)
"""A JSON string with an escape in it (RFC 8259, section 7).

An unclosed string extends to the end, so that a text is read only once.
"""


class Place(NamedTuple):
    """The path of a value in its message, and its role."""

    path: Path
    role: str

    def at(self, step: str | int) -> Place:
        """Return the place of an item of the value, by its key or index."""
        return Place((*self.path, step), self.role)

    def of(self, role: str) -> Place:
        """Return the same place with another role."""
        return Place(self.path, role)


@dataclass(frozen=True, slots=True)
class MessageFinding:
    """A finding in one text of the messages; its span counts in that text.

    `message` is the index of the message, from 0; `role` is the role of the text; `path` leads to
    the text in the message, as keys and indices.
    """

    message: int
    role: str
    path: Path
    finding: Finding


class MessagesBlockedError(Exception):
    """A rule blocks the messages."""


class Texts:
    """Judges the texts of some roles, and collects the findings.

    `message` is the index of the current message. `signed` says that the current text belongs to an
    object that must be sent back unchanged: stand-ins in it are not escaped.
    """

    def __init__(self, rules: Policy, roles: Collection[str], vault: Vault | None) -> None:
        self.findings: list[MessageFinding] = []
        self.message = 0
        self.signed = False
        self.vault = vault
        self._rules = rules
        self._blocks = any(rule.action == "block" for rule in rules.built.rules)
        self._roles = frozenset(roles)
        self._masking: dict[tuple[bool, bool, bool, bool], Policy] = {}

    def judges(self, role: str) -> bool:
        """Return whether texts of a role are judged; texts without a role always are."""
        return role == NO_ROLE or role in self._roles

    @property
    def assumed_role(self) -> str:
        """The role of a text that names none, or an unknown one: the user's, if that is judged."""
        return "user" if self.judges("user") else NO_ROLE

    def has_match(self, text: str) -> bool:
        """Return whether a rule finds anything in a text."""
        return bool(findings_in(self._rules, text))

    def guard(self, text: str, channel: str, place: Place, *, judged: bool = True) -> str:
        """Return the guarded text, the same object if nothing changes.

        If it is not `judged`, only values of the vault are masked. Raises MessagesBlockedError.
        """
        rules = self.rules_for(place.role, judged=judged)
        if rules is None or not text:
            return text
        if self.vault is not None and channel != "tool_args" and "\\" in text:
            text = self._guard_escaped(text, channel, place, judged=judged)
        events = _events(rules, text, channel)
        for event in events:
            if isinstance(event, Finding):
                self.findings.append(MessageFinding(self.message, place.role, place.path, event))
        if getattr(events[-1], "reason", None) in CLOSED:
            raise MessagesBlockedError
        if judged and self.judges(place.role):
            self._judge_readings(text, channel, place)
        shown = text_of(events)
        return text if shown == text else shown

    def _judge_readings(self, text: str, channel: str, place: Place) -> None:
        """Block a message that a rule blocks in another reading."""
        if not self._blocks:
            return
        for reading in readings(text):
            for event in _events(self._rules, reading.text, channel):
                if isinstance(event, Finding) and event.action == "block":
                    found = replace(event, start=reading.start, end=reading.end)
                    self.findings.append(
                        MessageFinding(self.message, place.role, place.path, found)
                    )
                    raise MessagesBlockedError

    def _guard_escaped(self, text: str, channel: str, place: Place, *, judged: bool) -> str:
        """Guard the decoded JSON strings in a text: `\\u738b` may be part of a name."""

        def written(match: re.Match[str]) -> str:
            try:
                decoded = json.loads(match[0], strict=False)
            except ValueError:
                return match[0]
            before = len(self.findings)
            guarded = self.guard(decoded, channel, place, judged=judged)
            start, end = match.span()
            self.findings[before:] = [
                replace(found, finding=replace(found.finding, start=start, end=end))
                for found in self.findings[before:]
            ]
            if guarded == decoded:
                return match[0]
            # As it was written: half of a surrogate pair can only be an escape.
            halves = any("\ud800" <= character <= "\udfff" for character in guarded)
            return json.dumps(guarded, ensure_ascii=match[0].isascii() or halves)

        return _ESCAPED.sub(written, text)

    def rules_for(self, role: str, *, judged: bool = True, alone: bool = False) -> Policy | None:
        """Return the rules for a role's texts; if the role is not judged, they only mask values.

        With `alone` they do not know the values of the vault, and add no new ones.
        """
        judged = judged and self.judges(role)
        if self.vault is None:
            return self._rules if judged else None
        shared, escape = role in SHARED, not self.signed
        key = judged, shared, escape, alone
        if key not in self._masking:
            rules = self._rules if judged else self._rules.reversible_part
            vault = Vault(ids=self.vault.ids) if alone else self.vault
            self._masking[key] = masking(rules, vault, shared=shared, escape=escape)
        return self._masking[key]

    def error(self, path: Path, problem: str) -> AdapterError:
        """Return the error for a value that cannot be read; `{}` in `problem` becomes the path."""
        place = ".".join(map(str, path)) or "."
        return AdapterError(f"message {self.message}: {problem.replace('{}', repr(place))}")


def findings_in(rules: Policy, text: str) -> list[Finding]:
    """Return the findings in a text."""
    return [event for event in _events(rules, text, "text") if isinstance(event, Finding)]


def _events(rules: Policy, text: str, channel: str) -> list[Event]:
    stage = Pipeline(rules.stages(channel))
    try:
        return all_events(stage, text)
    except (VaultError, RecursionError):
        raise  # values that are nested too deeply leave no room for what guards their texts
    except Exception as error:
        raise StageError(f"a stage failed ({type(error).__name__})") from error
