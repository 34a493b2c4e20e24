"""A request to a model's API, checked by a policy's `input` before it is sent on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple, Protocol, TypeAlias

from guardstream.errors import AdapterError, GuardstreamError
from guardstream.events import Finding
from guardstream.framing.json import TooManyValuesError, json_bytes, json_object
from guardstream.guard import Guard
from guardstream.http.request_fields import (
    BESIDE,
    CONTENT,
    FREE_TEXT,
    IDS,
    LISTS,
    MODEL,
    NAMES,
    NOT_READ,
    STRUCTURE,
)
from guardstream.prompts import MessagesResult


class RefusedError(GuardstreamError):
    """A request that is answered with an error, in the format of its endpoint."""

    def __init__(self, status: int, code: str, message: str, rule: str | None = None) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.rule = status, code, message, rule


@contextmanager
def refused() -> Iterator[None]:
    """Refuse a request whose JSON cannot be read or written."""
    try:
        yield
    except TooManyValuesError as error:
        raise RefusedError(413, "too_many_values", str(error)) from error
    except AdapterError as error:
        raise RefusedError(400, "invalid_json", str(error)) from error


def checked_request(guard: Guard, format: str, body: bytes) -> bytes:
    """Return the `body` to forward: the same bytes unless a rule changes it.

    It is judged by the `input` of the guard's policy. `format` names the adapter of the answer's
    stream, and so the format of the request. Raises RefusedError for a body that is not a JSON
    object, that cannot be reserialised, or that a rule blocks.
    """
    request, guard = object_of(body), guard.pinned()
    if guard.policy.input is None:
        return body
    checked = checked_fields(guard, format, request)
    if checked is request:
        return body
    with refused():
        return json_bytes(checked, len(body))


Path: TypeAlias = tuple[str | int, ...]
"""The keys and numbers that lead to a value in a request."""


class Judge(NamedTuple):
    """Judges messages by a guard, and collects what is found in them."""

    guard: Guard
    found: list[Finding]

    def messages(self, messages: list[Any], paths: Sequence[Path]) -> list[Any]:
        """Return the messages to forward. RefusedError if a rule forbids them.

        `paths` lead to the messages in their request, so that an error can say where a match is.
        """
        return judged_messages(self.guard, messages, paths, self.found).messages


def checked_fields(
    guard: Guard, format: str, request: dict[str, Any], found: list[Finding] | None = None
) -> dict[str, Any]:
    """Return the fields of a request to forward: the same object unless a rule changes one.

    The guard's policy has an `input`. What is found is added to `found`. Raises RefusedError for a
    request that a rule forbids, or that cannot be judged.
    """
    _check_names(format, request)
    judge = Judge(guard, [] if found is None else found)
    check = partial(_checked_fields, judge, format, request)
    return check() if guard.vault is None else guard.vault.settled(check)


def object_of(body: bytes) -> dict[str, Any]:
    """Return the JSON object in a request's body; RefusedError if it is not one."""
    with refused():
        value = json_object(body)
    if value is None:
        raise RefusedError(400, "invalid_json", "the request's body is not a JSON object")
    return value


def _check_names(format: str, request: dict[str, Any]) -> None:
    """Refuse a field that is a judged field only for parsers that ignore case.

    Programs in Go do: https://pkg.go.dev/encoding/json#Unmarshal.
    """
    known = {*BESIDE.get(format, ()), LISTS.get(format, "model")}
    folded = {name.casefold(): name for name in known}
    for field in request.keys() - known:
        if (name := folded.get(field.casefold())) is not None:
            why = f"the field {name!r} is spelled in a form that only some readers recognise"
            raise RefusedError(400, "invalid_request", why)


def _checked_fields(judge: Judge, format: str, request: dict[str, Any]) -> dict[str, Any]:
    """Judge the texts of a request for the model; return the same request if nothing changes.

    These are all strings but those of NOT_READ. A field that the format does not define counts as
    the user's text, and so does its name. With a vault, values are masked in every field, even
    where the model does not read it.
    """
    roles, unread = BESIDE.get(format, {}), NOT_READ.get(format, MODEL)
    checked = {}
    for field, value in request.items():
        if field == LISTS.get(format):
            checked[field] = _listed(judge, field, request) if value else value
        elif field not in unread:
            walk = _Walk(judge, roles.get(field, "user"), unread)
            content = (format, field) in CONTENT
            checked[field] = walk.judged(value, (field,), content=content)
        elif judge.guard.vault is not None and field not in IDS:
            checked[field] = _Walk(judge, "assistant", frozenset()).judged(value, (field,))
    names = _Texts(judge)
    for field in request:
        names.note("user", field, (), name=True)
    names.check()
    made = {
        names.checked("user", field, (), name=True): checked.get(field, value)
        for field, value in request.items()
    }
    return _object(request, made)


def _listed(judge: Judge, field: str, request: dict[str, Any]) -> Any:
    """Judge the messages of a request; a single text counts as a message of the user."""
    given = request[field]
    if isinstance(given, str):
        return _content(judge, "user", given, (field,))
    if isinstance(given, dict):  # one of them, as Gemini allows
        checked = judge.messages([given], [(field,)])
        return given if checked[0] is given else checked
    if not isinstance(given, list):
        raise RefusedError(400, "invalid_request", f"{field!r} is not a list")
    checked = judge.messages(given, [(field, at) for at in range(len(given))])
    return given if all(a is b for a, b in zip(checked, given, strict=True)) else checked


class _Texts:
    """The texts of a request, judged together, so that rules are prepared only once for a vault."""

    def __init__(self, judge: Judge) -> None:
        section = judge.guard.policy.file.input
        self._judge = judge
        self._texts: dict[tuple[str, str], str] = {}
        self._paths: list[Path] = []
        self._names_pass = section is not None and section.unknown == "pass"

    def note(self, role: str, text: str, path: Path, *, name: bool = False) -> str:
        """Add the text at a path, or the `name` of a field there unless the format defines it."""
        if not (name and self._is_known(text)) and (role, text) not in self._texts:
            self._texts[role, text] = text
            self._paths.append(path)
        return text

    def check(self) -> None:
        """Judge everything that was added. RefusedError if a rule forbids any of it."""
        given = [{"role": role, "content": text} for role, text in self._texts]
        judged = self._judge.messages(given, self._paths)
        for text, message in zip(self._texts, judged, strict=True):
            self._texts[text] = str(message["content"])

    def checked(self, role: str, text: str, path: Path, *, name: bool = False) -> str:
        """Return the judged text or `name` that was given to `note`.

        RefusedError if it is changed where the developer's program or the model's API would then
        fail or do something else. Stand-ins of a vault are read back, and so stand anywhere.
        """
        if name and self._is_known(text):
            return text
        judged = self._texts[role, text]
        if judged == text:
            return text
        structural = role == "developer" and self._judge.guard.vault is None
        if structural and (name or _is_structure(text, path)):
            what = f"a name in {_said(path)}" if name else _said(path)
            why = f"a rule would mask {what}, where only the sender can change it"
            raise RefusedError(400, "unguarded_input", why)
        return judged

    def _is_known(self, name: str) -> bool:
        return self._names_pass or name in NAMES


def _is_structure(text: str, path: Path) -> bool:
    """Return whether a string is an enum, a pattern or an id, rather than a text."""
    keys = [step for step in path if isinstance(step, str)]
    return keys[-1] in STRUCTURE or (keys[-1] not in FREE_TEXT and len(text.split()) < 2)


def _said(path: Path) -> str:
    """Return a path as a message names it, without the names of fields that may be text."""
    return ".".join(str(step) if isinstance(step, int) or step in NAMES else "*" for step in path)


class _ChangeText(Protocol):
    def __call__(self, text: str, path: Path, /, *, name: bool = False) -> str:
        """Return the result for the text at a path, or for the `name` of a field there."""
        ...


def _object(given: dict[str, Any], made: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of an object after judging: the same object if none changed."""
    if len(made) < len(given):
        why = "names of fields are the same once they are masked"
        raise RefusedError(400, "unguarded_input", why)
    same = all(name in made and made[name] is inner for name, inner in given.items())
    return given if same else made


def with_names(
    value: Any, change: _ChangeText, path: Path = (), skipped: frozenset[str] = frozenset()
) -> Any:
    """Change every string in JSON and every name of a field; return the same value if none changed.

    `path` leads to the value. What is at a path of `skipped`, without the indexes of lists, stays
    as it is. RefusedError if two fields of an object then have the same name.
    """
    if isinstance(value, list):
        items = [with_names(item, change, (*path, at), skipped) for at, item in enumerate(value)]
        return value if all(a is b for a, b in zip(items, value, strict=True)) else items
    if not isinstance(value, dict):
        return change(value, path) if isinstance(value, str) else value
    keys = ".".join(step for step in path if isinstance(step, str)) if skipped else ""
    mapped = {}
    for name, inner in value.items():
        if f"{keys}.{name}" in skipped:
            mapped[name] = inner
        else:
            made = change(name, path, name=True)
            mapped[made] = with_names(inner, change, (*path, name), skipped)
    return _object(value, mapped)


_INSIDE = ("messages", "contents", "parts")
"""The fields of an object beside the messages that hold messages, or the content of one."""


class _Walk(NamedTuple):
    """Judges the texts of one role in other fields than the messages; some paths are not read."""

    judge: Judge
    role: str
    unread: frozenset[str]

    def judged(self, value: Any, path: Path, *, content: bool = False) -> Any:
        """Return the judged value; `content` says that it has the form of a message's content."""
        if not value or not isinstance(value, (str, list, dict)):
            return value
        if content:
            return _content(self.judge, self.role, value, path)
        try:
            inside = value if isinstance(value, dict) else {}
            field = next((each for each in _INSIDE if isinstance(inside.get(each), list)), None)
            if field is not None:
                return self._around(field, inside, path)
            texts = _Texts(self.judge)
            with_names(value, partial(texts.note, self.role), path, self.unread)
            texts.check()
            return with_names(value, partial(texts.checked, self.role), path, self.unread)
        except RecursionError:
            raise RefusedError(400, "invalid_request", _TOO_DEEP) from None

    def _around(self, field: str, value: dict[str, Any], path: Path) -> Any:
        """Judge an object with messages in `field`, or with the parts of one."""
        parts = field == "parts"
        judged = (
            _content(self.judge, self.role, value[field], (*path, field))
            if parts
            else _listed(self.judge, field, value)
        )
        rest = {name: inner for name, inner in value.items() if name != field}
        checked = self.judged(rest, path)
        same = judged is value[field] and checked is rest
        return value if same else {**checked, field: judged}


_TOO_DEEP = "the request is nested too deeply"


def _content(judge: Judge, role: str, content: Any, path: Path) -> Any:
    return judge.messages([{"role": role, "content": content}], [path])[0]["content"]


def check_coding(codings: Iterable[str]) -> None:
    """Refuse a compressed body: it would not be read. `codings` are values of `Content-Encoding`.

    `utf-8` is no coding, but some clients name it.
    """
    named = {each.strip().lower() for value in codings for each in value.split(",")}
    if named - {"", "identity", "utf-8"}:
        why = "the request's body is compressed: send it as it is, so that it can be judged"
        raise RefusedError(415, "unguarded_input", why)


def checked_messages(
    guard: Guard, messages: list[Any], paths: Sequence[Path] | None = None
) -> list[Any]:
    """Return the messages to forward. RefusedError if a rule forbids them.

    `paths` lead to the messages in their request, so that an error can say where a match is.
    """
    return judged_messages(guard, messages, paths).messages


def judged_messages(
    guard: Guard,
    messages: list[Any],
    paths: Sequence[Path] | None = None,
    found: list[Finding] | None = None,
) -> MessagesResult:
    """Return the messages to forward, and what was found, which is also added to `found`.
    RefusedError if a rule forbids them."""
    try:
        checked = guard.check_messages(messages)
    except (GuardstreamError, RecursionError) as error:
        why = str(error) if isinstance(error, GuardstreamError) else "it is nested too deeply"
        raise RefusedError(400, "unguarded_input", why) from error
    if found is not None:
        found += [each.finding for each in checked.findings]
    if checked.blocked:
        last = checked.findings[-1] if checked.findings else None
        rule = last.finding.rule if last else "input"
        where = f" at {_said(paths[last.message])}" if last and paths else ""
        why = f"the prompt was blocked by rule {rule!r}{where}"
        raise RefusedError(400, "content_filter", why, rule)
    return checked
