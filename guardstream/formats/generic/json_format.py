"""A JSON format of your own, described in Python or in a policy's `formats`.

    MINE = JSONFormat("mine", text="$.token", thinking="$.think", copies="$.full", done="$.end")
    async for chunk in guard.wrap(stream, format=MINE): ...

A few paths are enough for a format with one text: JSONPath (RFC 9535) as far as `.name`,
`['name']` and `[*]`. `event` says more: it mirrors an event, in the notation in which the formats
of this package are described (`guardstream.formats.toolkit.notation`):

    JSONFormat("mine", event={"token": "text", "calls": [{"id": "call.id", "args": "tool_args"}]})

Text at any other path is guarded as unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, ClassVar

from guardstream.events import FinishReason
from guardstream.formats.adapter import Released, Unknown
from guardstream.formats.described import DescribedFormat
from guardstream.formats.meaning import Meaning, settings_of
from guardstream.formats.toolkit.files import described
from guardstream.formats.toolkit.nodes import BY, END, META, PASSED, Leaf, OneOf, Spec
from guardstream.formats.toolkit.notation import Notation
from guardstream.formats.toolkit.places import leaves as leaves_of
from guardstream.jsonpath import check_apart, check_by, steps_of


class JSONFormat(DescribedFormat):
    """The adapter for chunks of a format that is described by paths, or by what its events hold.

    - `name`: the name of the format, in results and errors.
    - `text`, `thinking`, `tool_args`: the path of the next piece of each.
    - `by`: the path of a value, such as a task's id, that tells interleaved texts apart. Without it
      there is one text.
    - `copies`: the path of the whole text so far, which is replaced by the released text.
    - `done`: the path of a value in the last chunk that is neither false, empty nor zero.
    - `harmless`: the paths of strings that are not text: ids, types, names.
    - `event`: what events hold, in place of the paths; `define` are parts of it, by name.
    - `reasons`: why answers end, by the format's own words; `words`: the words by those reasons,
      for a stream that the guard ends, in place of `true`.
    - `end`: the data of the event that ends a stream which the guard ends, such as `[DONE]`, or a
      mapping of its `event` (its name) and `data`. `{finish}` in it is the reason.
    - `unknown`: how text at other paths is handled, as for `Guard.wrap`.

    A path is given alone or in a list, for `by` and `done` alone. Raises ValueError for an invalid
    path, one given twice, a `by` with several values for one text, or a description that cannot be
    read; TypeError for no path.
    """

    marks: ClassVar[Sequence[str]] = ("id", "type", "event", "kind", "role")
    """Fields beside and around a text by which clients tell chunks apart. They are marks, unless a
    path says otherwise, and chunks that the guard adds have them, too."""
    taken: Callable[[Any], Any] | None = None
    """Copies chunks whose producer may keep changing them."""

    def __init__(
        self,
        name: str,
        *,
        text: str | Sequence[str] = (),
        thinking: str | Sequence[str] = (),
        tool_args: str | Sequence[str] = (),
        by: str | None = None,
        copies: str | Sequence[str] = (),
        done: str | None = None,
        harmless: str | Sequence[str] = (),
        event: Mapping[str, Any] | None = None,
        define: Mapping[str, Any] | None = None,
        reasons: Mapping[str, FinishReason] | None = None,
        words: Mapping[str, Any] | None = None,
        end: str | Mapping[str, str] | None = None,
        unknown: Unknown = "guard",
    ) -> None:
        self.name = name  # type: ignore[misc]  # each format has its own
        paths = {
            "text": text,
            "thinking": thinking,
            "tool_args": tool_args,
            "by": () if by is None else [by],
            "copies": copies,
            "done": () if done is None else [done],
            "harmless": harmless,
        }
        if event is None:
            spec: Any = _spec_of(_leaves(name, paths))
        elif any(paths.values()):
            both = next(argument for argument, given in paths.items() if given)
            raise ValueError(f"format {name!r}: {both}= and event= both say what events hold")
        else:
            spec = read_event(name, event, define or {})
            if any(leaf.kind == "grown" for _, leaf in leaves_of(spec)):
                raise ValueError(f"format {name!r}: a text that grows has the role 'text'")
            if not any(leaf.kind == "delta" for _, leaf in leaves_of(spec)):
                raise ValueError(f"format {name!r}: no field of its events has a role of text")
        self._described = names_in(spec)
        self.spec = _with_marks(spec, self.marks)  # type: ignore[misc]
        self.means = Meaning(self.spec)  # type: ignore[misc]
        self.repeats = self.means.has_copies
        self.signs_end = bool(self.means.ends)
        self._done = steps_of(done) if done and done in _paths(name, "copies", copies) else None
        if event is None and self._done:
            self.means.ends.append((*self._done,))
        given = {"end": end or "", "reasons": reasons or {}, "words": words or {"": True}}
        for setting, value in settings_of(given).items():
            setattr(self, setting, value)
        super().__init__(unknown=unknown)

    @property
    def apart_by_name(self) -> bool:
        """Whether each event name has a text of its own: not where one value repeats all text."""
        return not self.repeats

    def describes(self, field: str) -> bool:
        """Return whether a description names a field of the chunk."""
        return field in self._described

    @property
    def speaks(self) -> Callable[[Any], bool] | None:
        """Return what tells whether a chunk has text, or the end."""
        return self.accepts

    def _ends(self, event: Mapping[str, Any], found: Sequence[Any]) -> dict[int, FinishReason]:
        """Return the choices that a chunk ends; one value may end the stream and have all its
        text."""
        ends = super()._ends(event, found)
        way = ((), *(self._done or ()))
        if self._done and any(each.steps == way for each in found):
            ends.setdefault(0, "stop")
        return ends

    def end(
        self, chunk: Any, choice: int, reason: FinishReason, released: Released
    ) -> Sequence[Any]:
        """Return a last chunk without text, if the format marks its end: a text that is left out is
        no empty text."""
        made = super().end(chunk, choice, reason, released)
        return [self._without_empty(each) for each in made]

    def _without_empty(self, chunk: Any) -> Any:
        if not isinstance(chunk, dict):
            return chunk
        return {key: each for key, each in chunk.items() if each or (key,) not in self.means.texts}


_LEAVES: Mapping[str, Leaf] = {
    "text": Leaf("delta", "text", "text"),
    "thinking": Leaf("delta", "thinking", "thinking"),
    "tool_args": Leaf("delta", "tool_args", "arguments"),
    "by": BY,
    "copies": Leaf("copy", "text", "text"),
    "done": END,
    "harmless": PASSED,
}
"""What is at the paths of each argument."""


def _leaves(name: str, given: Mapping[str, Any]) -> dict[str, Leaf]:
    """Return what is at each path of a format."""
    leaves: dict[str, Leaf] = {}
    for argument, paths in given.items():
        for path in _paths(name, argument, paths):
            if argument == "done" and path in _paths(name, "copies", given["copies"]):
                continue  # one value may end the stream and have all its text
            if path in leaves:
                raise ValueError(f"format {name!r}: the path {path!r} is used for two things")
            leaves[path] = _LEAVES[argument]
    if not given["text"]:
        raise ValueError(f"format {name!r}: no path to its text")
    texts = [path for path, leaf in leaves.items() if leaf.kind in ("delta", "copy")]
    try:
        check_apart(leaves)
        for path in given["by"]:
            check_by(path, texts)
    except ValueError as error:
        raise ValueError(f"format {name!r}: {error}") from None
    return leaves


def read_event(name: str, event: Mapping[str, Any], define: Mapping[str, Any]) -> Spec:
    """Return the spec of what events hold. ValueError for what cannot be read."""
    notation = Notation(define, lambda other: described(other).notation)
    try:
        return notation.spec(event)
    except ValueError as error:
        raise ValueError(f"format {name!r}: {error}") from None


def _paths(name: str, argument: str, paths: Any) -> Collection[str]:
    """Return the paths of an argument; TypeError if it is neither a path nor several."""
    given = paths if isinstance(paths, Collection) and not isinstance(paths, str) else (paths,)
    for each in given:
        if not isinstance(each, str):
            kind = type(each).__name__
            raise TypeError(
                f"format {name!r}: {argument}= needs a path such as '$.token', not {kind!r}"
            )
    return given


def _spec_of(leaves: Mapping[str, Leaf]) -> Spec:
    """Return the spec of leaves by their paths, none of which is below another."""
    spec: Any = {}
    for path, leaf in leaves.items():
        node, steps = spec, steps_of(path)
        for step, following in zip(steps, [*steps[1:], ""], strict=True):
            inner: Any = leaf if following == "" else [{}] if following is None else {}
            if step is not None:
                node = node.setdefault(step, inner)
            elif following == "":
                node[0] = leaf
            else:
                node = node[0]
    result: Spec = spec
    return result


def names_in(spec: Any) -> frozenset[str]:
    """Return the names of the fields of events."""
    if isinstance(spec, OneOf):
        return frozenset({spec.key}).union(*map(names_in, spec.specs.values()))
    return frozenset(spec) if isinstance(spec, dict) else frozenset()


def _with_marks(spec: Any, marks: Sequence[str]) -> Any:
    """Return a spec in which objects have marks, besides the fields that it names."""
    if isinstance(spec, list):
        return [_with_marks(item, marks) for item in spec]
    if isinstance(spec, OneOf):
        kinds = {kind: _with_marks(each, marks) for kind, each in spec.specs.items()}
        return spec._replace(specs=kinds, other=_with_marks(spec.other, marks))
    if not isinstance(spec, dict):
        return spec
    known = {name: _with_marks(value, marks) for name, value in spec.items()}
    return {**dict.fromkeys(marks, META), **known}
