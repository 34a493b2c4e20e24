"""The notation in which a format says what the fields of its events hold.

A description mirrors an event: an object for an object, a list with one item for a list, and a role
for the content of a field.

    message: {role: mark, content: text, tool_calls: [{id, type: mark, function: {name: name,
      arguments: tool_args}}]}

Roles of text: a channel, `text`, `thinking`, `refusal` or `tool_args`, with a field of it after a
dot (`text.error`); before it, its kind, if it is not the next characters of its text: `whole`,
`copy`, `echo`, `parsed`, `last`, `grown` or `later` (`guardstream.formats.adapter.Kind`);
`entire`, if an empty object in its place means no arguments; `tree`, if it may be of any shape.

Roles of what is no text (`guardstream.formats.toolkit.nodes`): `mark`, `keep`, `number`, `name`,
`about`, `skip`, `harmless`, `padding`, `request`, `unknown`, `apart`; and of what an event means
(`guardstream.formats.described`): `choice`, `by`, `call.id`, `call.index`, `call.name`,
`call.end`, `opens`, `closes`, `done`, `reason`, `usage`, `error`.

Several fields with one description are one entry, `id, type: mark`. `$name` refers to what the
format defines under `define` or in a section, `$format.name` to what another one does, `$name/kind`
to one of the objects that it tells apart. A kind before it, as in `copy $message`, is that of all
its texts that have no kind of their own. In an object, names with a
dollar sign say more than a field can:

- `$by`: the field that tells objects apart. Other names are then its values. `$all` are the fields
  of all these objects, `$else` is the description of other objects.
- `$with`: other descriptions of objects, whose fields this one has, too; beside `$by`, those whose
  kinds of objects it has, too.
- `$text`, `$else`: a text, or else something of this description.
- `$list`, `$else`: a list of such items, or else something of this description.
- `$each`: a list whose items are left out if nothing is left in them.
- `$values`: an object with any names, all of whose values have this description.
- `$repeats`: a value that repeats texts of the same event, or else has this description.
- `$tree`: a value of any shape with texts of this role; `$marks`, `$about` and `$own` name the
  fields in it that are marks, spell out the texts, or hold values of the application.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, get_args

from guardstream.formats.adapter import Kind
from guardstream.formats.toolkit.nodes import (
    ABOUT,
    APART,
    BY,
    CALL_END,
    CALL_ID,
    CALL_INDEX,
    CALL_NAME,
    CHOICE,
    CLOSES,
    END,
    ERROR,
    KEEP,
    META,
    NAME,
    NUMBER,
    OPENS,
    PADDED,
    PASSED,
    REASON,
    REQUEST,
    SKIP,
    UNKNOWN,
    USAGE,
    Arguments,
    Each,
    Either,
    Items,
    Leaf,
    Mirror,
    OneOf,
    Spec,
    Tree,
    Values,
)
from guardstream.hints import hint

_ROLES: Mapping[str, Spec] = {
    "mark": META,
    "keep": KEEP,
    "number": NUMBER,
    "name": NAME,
    "about": ABOUT,
    "done": END,
    "skip": SKIP,
    "harmless": PASSED,
    "padding": PADDED,
    "request": REQUEST,
    "unknown": UNKNOWN,
    "apart": APART,
    "choice": CHOICE,
    "by": BY,
    "call.id": CALL_ID,
    "call.index": CALL_INDEX,
    "call.name": CALL_NAME,
    "call.end": CALL_END,
    "closes": CLOSES,
    "opens": OPENS,
    "usage": USAGE,
    "reason": REASON,
    "error": ERROR,
}

_FIELDS = {"tool_args": "arguments"}
"""The usual fields of channels; others have their channel's name."""

_CHANNELS = ("text", "thinking", "refusal", "tool_args")

_KINDS = (*get_args(Kind), "grown")


class Notation:
    """Reads descriptions; `defined` finds what a name refers to.

    Methods raise ValueError for what they cannot read; it names the place and the fix.
    """

    def __init__(self, define: Mapping[str, Any], of_format: Callable[[str], Notation]) -> None:
        self._define = define
        self._of_format = of_format
        self._known: dict[str, Spec] = {}
        self._made: dict[Any, Any] = {}  # what was made of definitions for a kind

    def defined(self, name: str) -> Spec:
        """Return the spec of a definition, the same one each time."""
        if name not in self._known:
            if name not in self._define:
                told = f", {hint(name, self._define)}" if self._define else ""
                raise ValueError(f"nothing is defined as {name!r}{told}")
            said = self._define[name]
            if isinstance(said, dict) and all(key[0] != "$" or key == "$with" for key in said):
                spec: dict[str, Any] = {}
                self._known[name] = spec  # known before it is read: a definition may hold itself
                spec.update(self._fields(said, f"define.{name}"))
            elif isinstance(said, dict) and "$by" in said:
                kinds: dict[str, Any] = {}
                one_of = OneOf(said["$by"], kinds, self._else(said, f"define.{name}"))
                self._known[name] = one_of
                kinds.update(self._kinds(said, f"define.{name}"))
            else:
                self._known[name] = self.spec(said, f"define.{name}")
        return self._known[name]

    def spec(self, said: Any, place: str = "event") -> Spec:
        """Return the spec of a description."""
        if isinstance(said, str):
            return self._reference(said, place) if "$" in said else _role(said, place)
        if isinstance(said, list) and len(said) == 1:
            return [self.spec(said[0], f"{place}[*]")]
        if not isinstance(said, dict):
            quoted = (
                ": quote names with a comma in braces, {'id, host': mark}" if said is None else ""
            )
            raise ValueError(f"{place}: needs a role, an object, or a list with one item{quoted}")
        return self._object(said, place)

    def _reference(self, said: str, place: str) -> Spec:
        before, _, named = said.rpartition("$")
        kind = before.strip()
        path, _, member = named.partition("/")
        of_format, _, name = path.rpartition(".")
        if kind and kind not in _KINDS:
            raise ValueError(f"{place}: unknown kind {kind!r}, {hint(kind, _KINDS)}")
        try:
            found = (self._of_format(of_format) if of_format else self).defined(name)
        except ValueError as error:
            raise ValueError(f"{place}: {error}") from None
        if member:
            if not isinstance(found, OneOf) or member not in found.specs:
                raise ValueError(f"{place}: ${path} has no {member!r}")
            found = found.specs[member]
        return of_kind(found, kind, self._made) if kind else found

    def _object(self, said: Mapping[str, Any], place: str) -> Spec:
        special = {name for name in said if name.startswith("$")}
        if "$by" in said:
            return OneOf(said["$by"], self._kinds(said, place), self._else(said, place))
        if "$tree" in said:
            texts = self.spec(said["$tree"], place)
            if not isinstance(texts, Leaf):
                raise ValueError(f"{place}.$tree: needs the role of its texts")
            names = (said.get(of, ()) for of in ("$marks", "$about", "$own"))
            return Tree(texts, *(frozenset(each) for each in names))
        for name, make in _WRAPPERS.items():
            if name in said:
                inner = self.spec(said[name], f"{place}.{name}")
                return make(inner, self._else(said, place)) if name in _WITH_ELSE else make(inner)
        if special - {"$with"}:
            raise ValueError(f"{place}: unknown {min(special)!r}, {hint(min(special), _NAMES)}")
        return self._fields(said, place)

    def _else(self, said: Mapping[str, Any], place: str) -> Any:
        return self.spec(said["$else"], f"{place}.$else") if "$else" in said else None

    def _fields(self, said: Mapping[str, Any], place: str) -> dict[str, Any]:
        fields: dict[str, Any] = {}
        for each in said.get("$with", ()):
            also = self.spec(each, f"{place}.$with")
            if not isinstance(also, dict):
                raise ValueError(f"{place}.$with: {each!r} is not the description of an object")
            fields |= also
        for name, inner in apart(said):
            fields[name] = self.spec(inner, f"{place}.{name}")
        return fields

    def _kinds(self, said: Mapping[str, Any], place: str) -> dict[str, Any]:
        common = self.spec(said.get("$all", {}), f"{place}.$all")
        if not isinstance(common, dict):
            raise ValueError(f"{place}.$all: needs an object")
        kinds: dict[str, Any] = {}
        for each in said.get("$with", ()):
            also = self.spec(each, f"{place}.$with")
            if not isinstance(also, OneOf):
                raise ValueError(f"{place}.$with: {each!r} does not tell objects apart")
            for name, inner in also.specs.items():
                kinds[name] = {**inner, **common} if isinstance(inner, dict) else inner
        for name, inner in apart(said):
            own = self.spec(inner, f"{place}.{name}")
            kinds[name] = {**common, **own} if isinstance(own, dict) else own
        return kinds


def apart(said: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Return the entries of an object, one for each field."""
    return [
        (name.strip(), inner)
        for names, inner in said.items()
        if not names.startswith("$")
        for name in names.split(",")
    ]


_WRAPPERS: Mapping[str, Callable[..., Spec]] = {
    "$text": Either,
    "$list": Items,
    "$each": Each,
    "$values": Values,
    "$repeats": Mirror,
}

_WITH_ELSE = frozenset({"$text", "$list"})

_NAMES = (*_WRAPPERS, "$by", "$all", "$else", "$with", "$tree", "$marks", "$about", "$own")


def of_kind(spec: Any, kind: Any, made: dict[Any, Any]) -> Any:
    """Return a spec in which texts that are the next characters of one are of another kind.

    `made` has what was made of each part, because a spec may hold itself.
    """
    if isinstance(spec, Leaf):
        return spec._replace(kind=kind) if spec.kind == "delta" else spec
    if not isinstance(spec, (dict, list, tuple)):
        return spec
    known = made.get((id(spec), kind))
    if known is not None:
        return known[0]
    cell: list[Any] = []
    made[id(spec), kind] = cell  # with the original, so that its id stays unique
    if isinstance(spec, dict):
        cell += [{}, spec]
        cell[0].update((name, of_kind(inner, kind, made)) for name, inner in spec.items())
    elif isinstance(spec, OneOf):
        kinds: dict[str, Any] = {}
        cell += [spec._replace(specs=kinds, other=of_kind(spec.other, kind, made)), spec]
        kinds.update((name, of_kind(inner, kind, made)) for name, inner in spec.specs.items())
    elif isinstance(spec, list):
        cell += [[of_kind(spec[0], kind, made)], spec]
    else:
        parts = (of_kind(part, kind, made) for part in spec)
        cell += [type(spec)(*parts), spec]
    return cell[0]


def _role(said: str, place: str) -> Spec:
    """Return what a role says of a field."""
    if said in _ROLES:
        return _ROLES[said]
    first, _, rest = said.partition(" ")
    if first in ("tree", "entire") and rest:
        leaf = _role(rest, place)
        if not isinstance(leaf, Leaf):
            raise ValueError(f"{place}: {rest!r} is no role of a text")
        return Tree(leaf) if first == "tree" else Arguments(leaf)
    if said in _KINDS and said not in _CHANNELS:
        raise ValueError(f"{place}: {said!r} needs the text that it is a kind of: '{said} text'")
    kind, text = (first, rest) if rest else ("delta", first)
    channel, _, field = text.partition(".")
    if kind not in _KINDS or channel not in _CHANNELS:
        known = (*_ROLES, *_CHANNELS, *_KINDS)
        wrong = text if kind in _KINDS else kind
        raise ValueError(f"{place}: unknown role {said!r}, {hint(wrong, known)}")
    return Leaf(kind, channel, field or _FIELDS.get(channel, channel))  # type: ignore[arg-type]
