"""Judges messages of OpenAI's and Anthropic's shapes.

Chat messages, items of the Responses API and Anthropic's messages are told apart by their own
fields. Each text in them is a text of its own. Images, audio and files are not read. In what is not
known each string is a text, too; a policy may say that it is refused, or passes.

Sources: OpenAI's API reference, "Create chat completion" (messages) and "Create a model response"
(input); Anthropic's, "Create a Message" (messages, content blocks).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, groupby
from typing import Any, TypeAlias

from guardstream.errors import AdapterError, PolicyError, StageError
from guardstream.events import Event, Finding, Finish, FinishReason, Text
from guardstream.policy import Policy
from guardstream.policy.model import InputFile
from guardstream.prompts.shapes import ADDRESS, ITEMS, MESSAGE, OBJECTS, PARTS, SOURCES, Fields
from guardstream.stages.pipeline import Pipeline
from guardstream.vault.masking import masking
from guardstream.vault.vault import Vault, VaultError

Path: TypeAlias = tuple[str | int, ...]

_ROLES = {
    **{role: role for role in ("user", "tool", "system", "developer", "assistant")},
    **{"function": "tool", "model": "assistant", "ai": "assistant", "human": "user"},
}
"""Whose text it is, by what formats call them."""

_SHARED = frozenset(("system", "developer"))
"""The roles whose stand-ins are those of all conversations."""

_SIGNATURES = ("signature", "thought_signature", "thoughtSignature", "encrypted_content")
"""What says that an object must come back as the model gave it."""

_MARK = re.compile(r"[!-~]*")
_MARKED = ("type", "id", "data", "status", "format", "mimeType", "mime_type", "media_type")
"""Keys of kinds, ids and files, in what is not known, as are those that end in `_id` or `Id`.

What stands there is no text, unless it has a space or a character that is not ASCII.
"""

_SAID = ("text", "content")
"""Keys of texts: there is no file."""

_FILE = re.compile(r"(?:data:[!-+\--~]*,)?[A-Za-z0-9+/_=-]{1024,}")
"""A file in base64 or its address: a text has a space, or another character, before that."""

_RESULTS = (
    *("output", "outputs", "result", "results", "error", "tool_results"),
    *("toolResult", "functionResponse", "function_response"),
)
"""Keys of what a tool has returned, in what is the model's."""

_TEXTS = ("text", "input_text", "output_text")
"""The types of parts that are texts."""

_STRING = re.compile(r'"(?=[^"\\]*\\)(?:[^"\\]|\\.)*+(?:"|\Z)', re.DOTALL)
"""A string of JSON with something escaped in it (RFC 8259, section 7).

One that is not closed is taken to the end, so that a text is read once.
"""


@dataclass(frozen=True, slots=True)
class MessageFinding:
    """A finding in one text of the messages; its span counts in that text.

    `message` is the number of the message, from 0, `role` whose text it is, `path` leads to the
    text in the message: keys and numbers.
    """

    message: int
    role: str
    path: Path
    finding: Finding


@dataclass(frozen=True, slots=True)
class MessagesResult:
    """The messages that may be sent, none if they are blocked; and what was found in them.

    A message in which nothing was changed is the object that was given; others are copies, plain
    dictionaries.
    """

    messages: list[Any]
    findings: Sequence[MessageFinding]
    finish: FinishReason

    @property
    def blocked(self) -> bool:
        """Whether a rule forbids to send them."""
        return self.finish == "content_filter"


def check_messages(
    policy: Policy, messages: Iterable[Any], vault: Vault | None = None
) -> MessagesResult:
    """Apply the section `input` of a policy to messages; they are not changed.

    With a `vault`, rules that are reversible write stand-ins, in the texts of all roles; those of
    system prompts are the same in all conversations. What is signed stays byte for byte as long as
    no value stands in it.

    Raises PolicyError if there is no such section, AdapterError for an object that cannot be read
    and for what a policy with `unknown: refuse` does not know, StageError if a stage fails,
    VaultError if the vault has no room, and TypeError for a text or a single message in place of a
    list.
    """
    if isinstance(messages, (str, bytes, Mapping)):
        kind = type(messages).__name__
        raise TypeError(f"check_messages() needs a list of messages, not {kind!r}")
    rules = policy.input
    given = list(messages)
    if rules is None:
        named = f" {policy.name!r}" if policy.name else ""
        raise PolicyError(
            f"the policy{named} has no section 'input', so that nothing would be checked: "
            "say there what to look for, as in 'input: {extends: guardstream/injection}'"
        )
    section = policy.file.input or InputFile()

    def checked() -> MessagesResult:
        check = _Check(rules, section, vault)
        try:
            return MessagesResult(check.all(given), tuple(check.findings), "stop")
        except _BlockedError:
            return MessagesResult([], tuple(check.findings), "content_filter")
        except RecursionError:
            problem = "it is nested too deeply or holds itself"
            raise AdapterError(f"message {check.number}: {problem}") from None

    return checked() if vault is None else vault.settled(checked)


class _BlockedError(Exception):
    """A rule blocks the messages."""


class _Check:
    """One run over messages."""

    def __init__(self, rules: Policy, section: InputFile, vault: Vault | None = None) -> None:
        self.findings: list[MessageFinding] = []
        self._rules = rules
        self._vault = vault
        self._signed = False  # what is read belongs to something that is signed
        self._masking: dict[tuple[bool, bool, bool, bool], Policy] = {}
        self._roles = frozenset(section.roles)
        self._unknowns = section.unknown
        self._names: set[tuple[str, str]] = set()  # of fields that are not known, and harmless
        self.number = 0

    def all(self, messages: list[Any]) -> list[Any]:
        checked = []
        for self.number, message in enumerate(messages):
            checked.append(self._message(message))
        return checked

    def _message(self, message: Any) -> Any:
        plain = _plain(message)
        if plain is None:
            return self._odd(message, (), None)
        kind, name = _name(plain.get("type") or "message"), _name(plain.get("role"))
        role = _ROLES.get(name)
        if kind == "message" or kind in _ROLES:  # LangChain's type is the role
            if role is None:
                self._unknown(None, ("role",), None, "the role {!r}", name)
                return self._fields(message, plain, _WITH_ANY_ROLE, (), _role_of(kind, "user"))
            return self._fields(message, plain, MESSAGE, (), role)
        whose = self._whose(kind, role)
        if kind in ITEMS:
            return self._fields(message, plain, ITEMS[kind], (), whose)
        return self._unknown(message, (), None, "an item of type {!r}", kind, whose)

    def _whose(self, kind: str, role: str | None) -> str:
        """Whose text an item is: if its type and its role differ, that which is judged."""
        told = "assistant" if kind == "reasoning" or kind.endswith("_call") else role or "user"
        told = _role_of(kind, told)
        return role if role in self._roles and told not in self._roles else told

    def _fields(
        self, given: Any, plain: Mapping[str, Any], fields: Fields, path: Path, role: str
    ) -> Any:
        """Check the fields of an object; return the very same one if nothing changes."""
        outer, self._signed = self._signed, _is_signed(plain)
        try:
            return self._changed(given, plain, fields, path, role)
        finally:
            self._signed = outer

    def _changed(
        self, given: Any, plain: Mapping[str, Any], fields: Fields, path: Path, role: str
    ) -> Any:
        made: dict[Any, Any] = {}
        for key, value in plain.items():
            kind = fields.get(key)
            if kind == "meta":
                made[key] = self._meta(value, (*path, key), role)
            elif kind:
                here = (*path, key)
                made[key] = value if value is None else self._value(kind, value, here, role)
            else:
                named = self._named(key, path, role)
                made[named] = self._field(key, value, (*path, named), role)
        return self._made_of(given, plain, made, path)

    def _meta(self, value: Any, path: Path, role: str) -> Any:
        """Check what says nothing to a model: a text may stand in its place."""
        if self._unknowns == "pass" or (isinstance(value, str) and _MARK.fullmatch(value)):
            return value
        if isinstance(value, (list, tuple)):  # of files, say
            return self._each(value, path, role, self._meta)
        return self._guarded(value, path, role) if isinstance(value, (str, Mapping)) else value

    def _field(self, key: Any, value: Any, path: Path, role: str) -> Any:
        """Check a field that is not known; it says nothing if it is a number, or empty."""
        if value is None or isinstance(value, (int, float)):
            return value
        if isinstance(value, (str, list, tuple, Mapping)) and not value:
            return value
        return self._unknown(value, path, _role_at(key, role), "a field", key=key)

    def _made_of(
        self, given: Any, plain: Mapping[Any, Any], made: dict[Any, Any], path: Path
    ) -> Any:
        """What goes out for an object: the very same one if nothing has changed."""
        if len(made) < len(plain):
            raise self._not_read(path, "names of fields at {} are the same once they are masked")
        return given if _same(made, plain) else made

    def _value(self, kind: str, value: Any, path: Path, role: str) -> Any:
        if kind == "parts":
            joined = self._joined(value, role)
            return self._together(self._each(joined, path, role, self._part), path, role)
        if kind in OBJECTS:
            fields = OBJECTS[kind]

            def check(each: Any, here: Path, whose: str) -> Any:
                return self._object(each, here, whose, fields)

            return self._each(value, path, role, check)
        if kind == "source":
            return self._typed(value, path, role, SOURCES)
        if kind == "url":
            return self._address(value, path, role)
        if kind == "arguments" and not isinstance(value, str):
            return self._arguments(value, path, role)
        if not isinstance(value, str):
            return self._odd(value, path, role)
        return self._text(value, "tool_args" if kind == "arguments" else kind, path, role)

    def _each(
        self, value: Any, path: Path, role: str, check: Callable[[Any, Path, str], Any]
    ) -> Any:
        """Check a value, or each of a list; return the very same list if nothing changes."""
        if not isinstance(value, (list, tuple)):
            return check(value, path, role)
        checked = [check(each, (*path, number), role) for number, each in enumerate(value)]
        same = all(one is other for one, other in zip(checked, value, strict=True))
        return value if same else checked

    def _joined(self, parts: Any, role: str) -> Any:
        """With a vault: texts side by side as one part where a value goes over a border.

        Before anything is masked: half of it may be a value that is known. A part in which a rule
        finds a value by itself stays as it is.
        """

        def one(_start: int, given: list[Any], texts: list[str]) -> Any:
            rules = self._rules_for(role, judged=True, alone=True)
            if rules is None:
                return None
            whole, starts = "".join(texts), [0, *accumulate(map(len, texts))]
            over = [
                found
                for found in _found(rules, whole)
                if any(found.start < border < found.end for border in starts)
            ]
            if not over:
                return None
            inside = [
                (start + found.start, start + found.end)
                for start, text in zip(starts, texts, strict=False)
                for found in _found(rules, text)
            ]
            free = (
                not any(found.start < end and start < found.end for start, end in inside)
                for found in over
            )
            return _as_one(given, whole) if any(free) else None

        return self._runs(parts, one)

    def _together(self, parts: Any, path: Path, role: str) -> Any:
        """With a vault: texts side by side that only together hold a stand-in, as one part."""

        def one(start: int, given: list[Any], texts: list[str]) -> Any:
            whole = "".join(texts)
            checked = self._text(whole, "text", (*path, start), role)
            return None if checked == whole else _as_one(given, checked)

        return self._runs(parts, one)

    def _runs(self, parts: Any, one: Callable[[int, list[Any], list[str]], Any]) -> Any:
        """With a vault: `parts` with each run of texts as what `one` makes of it, unless None."""
        if self._vault is None or not isinstance(parts, (list, tuple)) or len(parts) < 2:
            return parts
        made: list[Any] = []
        for is_text, run in groupby(enumerate(parts), lambda each: _told(each[1]) is not None):
            numbers, given = zip(*run, strict=True)
            texts = [_told(part) or "" for part in given]
            joined = one(numbers[0], list(given), texts) if is_text and len(texts) > 1 else None
            made += given if joined is None else [joined]
        return parts if len(made) == len(parts) else made

    def _part(self, part: Any, path: Path, role: str) -> Any:
        if isinstance(part, str):
            return self._text(part, "text", path, role)
        return self._typed(part, path, role, PARTS)

    def _typed(self, value: Any, path: Path, role: str, shapes: Mapping[str, Fields]) -> Any:
        """Check an object whose type says what its fields are."""
        plain = _plain(value)
        if plain is None:
            return self._odd(value, path, role)
        kind = _name(plain.get("type") or "text")
        role = _role_of(kind, role)
        if kind not in shapes:
            return self._unknown(value, path, role, "a part of type {!r}", kind)
        return self._fields(value, plain, shapes[kind], path, role)

    def _object(self, value: Any, path: Path, role: str, fields: Fields) -> Any:
        plain = _plain(value)
        if plain is None:
            return self._odd(value, path, role)
        return self._fields(value, plain, fields, path, role)

    def _address(self, value: Any, path: Path, role: str) -> Any:
        """With a vault: hide values in what is fetched; what is in the address itself stays.

        What is no address, as it has a space, is a text.
        """
        if not isinstance(value, str):
            return self._object(value, path, role, ADDRESS)
        judged = not _MARK.fullmatch(value) and self._unknowns != "pass"
        if not judged and (self._vault is None or value.startswith("data:")):
            return value
        return self._text(value, "text", path, role, judged=judged)

    def _arguments(self, value: Any, path: Path, role: str) -> Any:
        """Arguments that are an object already: as JSON, each string in them is a text."""
        try:
            text = json.dumps(value, ensure_ascii=False)
        except (TypeError, ValueError):
            return self._odd(value, path, role)
        checked = self._text(text, "tool_args", path, role)
        if checked == text:
            return value
        try:
            return json.loads(checked)
        except ValueError:  # a rule has stopped in the middle
            raise _BlockedError from None

    # Texts

    def _text(self, text: str, channel: str, path: Path, role: str, *, judged: bool = True) -> str:
        rules = self._rules_for(role, judged=judged)
        if rules is None or not text:
            return text
        if self._vault is not None and channel != "tool_args" and "\\" in text:
            text = self._unescaped(text, channel, path, role, judged=judged)
        events = _events(rules, text, channel)
        for event in events:
            if isinstance(event, Finding):
                self.findings.append(MessageFinding(self.number, role, path, event))
        if events[-1] == Finish("content_filter"):
            raise _BlockedError
        shown = "".join(event.text for event in events if isinstance(event, Text))
        return text if shown == text else shown

    def _unescaped(self, text: str, channel: str, path: Path, role: str, *, judged: bool) -> str:
        """Check what strings of JSON in a text say: `\\u738b` may be part of a name."""

        def written(match: re.Match[str]) -> str:
            try:
                said = json.loads(match[0], strict=False)
            except ValueError:
                return match[0]
            before = len(self.findings)
            checked = self._text(said, channel, path, role, judged=judged)
            start, end = match.span()
            self.findings[before:] = [
                replace(found, finding=replace(found.finding, start=start, end=end))
                for found in self.findings[before:]
            ]
            return match[0] if checked == said else json.dumps(checked)

        return _STRING.sub(written, text)

    def _rules_for(self, role: str, *, judged: bool, alone: bool = False) -> Policy | None:
        """What is applied to a role's texts: of one that is not judged values alone are hidden.

        With `alone` the vault's values are not known to it, and it gets no new ones.
        """
        judged = judged and role in self._roles
        if self._vault is None:
            return self._rules if judged else None
        shared, escape = role in _SHARED, not self._signed
        kind = judged, shared, escape, alone
        if kind not in self._masking:
            rules = self._rules if judged else self._rules.reversible_part
            vault = Vault(ids=self._vault.ids) if alone else self._vault
            self._masking[kind] = masking(rules, vault, shared=shared, escape=escape)
        return self._masking[kind]

    # What is not known

    def _unknown(
        self,
        value: Any,
        path: Path,
        role: str | None,
        what: str,
        kind: str = "",
        whose: str = "user",
        key: Any = None,
    ) -> Any:
        """Do with what is not known, of a role or of nobody knows whom, what the policy says.

        With a vault values are hidden, too, in what would be refused in texts that are judged.
        `what` says what it is, with its `kind`; `whose` it is taken for if it has no role, and
        `key` is its name if that is not known.
        """
        if self._unknowns == "pass":
            return value
        if self._unknowns == "refuse" and (role is None or role in self._roles):
            remedy = "'unknown: guard' in the policy's 'input' takes each string in it for a text"
            said = what.format("<str>" if _found(self._rules, kind) else kind)
            raise self._not_read(path, f"{said} at {{}} is not known; {remedy}")
        return self._guarded_field(key, value, path, role or whose)

    def _odd(self, value: Any, path: Path, role: str | None) -> Any:
        """Take what stands where a text or an object is expected: a number may be one in tokens."""
        kind = type(value).__name__
        if self._unknowns == "guard" and (role is None or role in self._roles):
            if isinstance(value, (list, tuple)):
                return self._each(value, path, role or "user", self._odd)
            if isinstance(value, (int, float, bytes)):
                raise self._not_read(path, f"a value of type {kind!r} at {{}} is no text")
        return self._unknown(value, path, role, f"a value of type {kind!r}")

    def _not_read(self, path: Path, problem: str) -> AdapterError:
        place = ".".join(map(str, path)) or "."
        return AdapterError(f"message {self.number}: {problem.replace('{}', repr(place))}")

    def _named(self, name: Any, path: Path, role: str) -> Any:
        """What a field is called that is not known."""
        if name is None or isinstance(name, (int, float)):
            return name
        if not isinstance(name, str):
            kind = type(name).__name__
            raise self._not_read(path, f"the name of a field in {{}} is no str but {kind!r}")
        if self._unknowns == "pass" or (role, name) in self._names:
            return name
        before = len(self.findings)
        checked = self._text(name, "text", path, role)
        if checked == name and len(self.findings) == before:
            self._names.add((role, name))
        return checked

    def _guarded(self, value: Any, path: Path, role: str) -> Any:
        """Guard each string in whatever this is but files and marks, and what fields are called."""
        if isinstance(value, str):
            file = _FILE.fullmatch(value) and _may_be_file(path)
            return value if file else self._text(value, "text", path, role)
        if value is None or isinstance(value, (int, float)):
            return value
        if isinstance(value, bytes) and _may_be_file(path):
            return value
        if isinstance(value, (list, tuple)):
            return self._each(value, path, role, self._guarded)
        plain = _plain(value)
        if plain is None:
            if self._vault is None and role not in self._roles:
                return value
            kind = type(value).__name__
            raise self._not_read(
                path, f"a value of type {kind!r} at {{}} cannot be read: give dicts"
            )
        role = _role_of(_name(plain.get("type")), role)
        made = {}
        for key, inner in plain.items():
            named = self._named(key, path, role)
            here = (*path, named)
            made[named] = self._guarded_field(key, inner, here, _role_at(key, role))
        return self._made_of(value, plain, made, path)

    def _guarded_field(self, key: Any, value: Any, path: Path, role: str) -> Any:
        if key in _SIGNATURES and isinstance(value, (str, bytes)):
            return value
        if key in _MARKED or str(key).endswith(("_id", "Id")):
            if isinstance(value, str) and _MARK.fullmatch(value):
                return value
        elif key in ("input", "arguments") and isinstance(value, (dict, list)):
            return self._arguments(value, path, role)
        return self._guarded(value, path, role)


_WITH_ANY_ROLE: Fields = {**MESSAGE, "role": "text"}


def _plain(value: Any) -> Mapping[str, Any] | None:
    """An object as a mapping; None if it is none."""
    if isinstance(value, Mapping):
        return value
    if not hasattr(value, "model_dump") or isinstance(value, type):
        return None
    try:
        dumped = _filled(value.model_dump(), value.model_dump(exclude_unset=True))
    except RecursionError:
        raise
    except Exception:  # a class of somebody's may do anything
        return None
    return dumped if isinstance(dumped, Mapping) else None


def _filled(whole: Any, given: Any) -> Any:
    """What a model says that was given: its defaults, too, but for None."""
    if isinstance(whole, dict) and isinstance(given, dict):
        return {
            key: _filled(value, given[key]) if key in given else value
            for key, value in whole.items()
            if key in given or value is not None
        }
    if isinstance(whole, list) and isinstance(given, list) and len(whole) == len(given):
        return [_filled(one, other) for one, other in zip(whole, given, strict=True)]
    return given


def _is_signed(plain: Mapping[str, Any]) -> bool:
    """Tell whether an object must come back as the model gave it."""
    return any(
        isinstance(signature, (str, bytes)) and signature
        for signature in map(plain.get, _SIGNATURES)
    )


def _may_be_file(path: Path) -> bool:
    """Tell whether a file may stand at a path: in a field that is not one of texts."""
    names = [step for step in path if isinstance(step, str)]
    return bool(names) and names[-1] not in _SAID


def _same(made: Mapping[Any, Any], given: Mapping[Any, Any]) -> bool:
    """Tell whether a mapping has the very values that were given, by the same names."""
    return made.keys() == given.keys() and all(made[key] is given[key] for key in made)


def _events(rules: Policy, text: str, channel: str) -> list[Event]:
    """What rules make of a text."""
    stage = Pipeline(rules.stages(channel))
    try:
        return [*stage.feed(text), *stage.finish()]
    except VaultError:
        raise
    except Exception as error:
        raise StageError(f"a stage failed ({type(error).__name__})") from error


def _found(rules: Policy, text: str) -> list[Finding]:
    return [event for event in _events(rules, text, "text") if isinstance(event, Finding)]


def _told(part: Any) -> str | None:
    """The text of a part that is nothing but a text; None if it is another."""
    if isinstance(part, str):
        return part
    plain = _plain(part)
    if plain is None or plain.get("type", "text") not in _TEXTS:
        return None
    text = plain.get("text")
    return text if isinstance(text, str) and not _is_signed(plain) else None


def _as_one(parts: Sequence[Any], text: str) -> Any:
    """Parts that are texts, as one that says `text`."""
    if all(isinstance(part, str) for part in parts):
        return text
    made: dict[str, Any] = {}
    for part in parts:
        made |= _plain(part) or {"type": "text"}
    return {**made, "text": text}


def _name(value: object) -> str:
    """A type or role as it may be said in an error; what is no short text becomes its own type."""
    short = isinstance(value, str) and len(value) <= 40
    return str.__str__(value) if short else f"<{type(value).__name__}>"


def _role_of(kind: str, role: str) -> str:
    """Whose text is what stands in a message of `role`: what a tool gives is the tool's.

    OpenAI's and Anthropic's names for what tools give all end so.
    """
    tool = kind in ("tool", "function", "tool_result")
    return "tool" if tool or kind.endswith(("_tool_result", "_output")) else role


def _role_at(key: Any, role: str) -> str:
    """Whose text a field is, in what is a role's and not known."""
    return "tool" if role == "assistant" and key in _RESULTS else role
