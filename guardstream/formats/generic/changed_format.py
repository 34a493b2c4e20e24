"""A format like one of this package, with changes: what a gateway adds to it or renames."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from guardstream.events import FinishReason
from guardstream.formats import ADAPTERS
from guardstream.formats.adapter import Unknown
from guardstream.formats.generic.json_format import names_in, read_event
from guardstream.formats.meaning import settings_of
from guardstream.formats.spec import SpecAdapter, VariedSpecAdapter
from guardstream.formats.toolkit.files import class_name
from guardstream.formats.toolkit.nodes import Each, Either, OneOf, Spec
from guardstream.hints import hint


class ChangedFormat(SpecAdapter):
    """What makes an adapter of this package one of a policy."""

    _described: frozenset[str]

    def describes(self, field: str) -> bool:
        """Return whether a description names a field of the chunk."""
        return field in self._described

    def accepts(self, chunk: object) -> bool:
        """Return whether `chunk` has text, or the end, where this format has it."""
        return self._has_text_or_end(chunk)


def like(
    base: str,
    name: str,
    *,
    event: Mapping[str, Any] | None,
    define: Mapping[str, Any] | None = None,
    reasons: Mapping[str, FinishReason] | None = None,
    words: Mapping[str, Any] | None = None,
    end: str | Mapping[str, str] | None = None,
    unknown: Unknown = "guard",
) -> ChangedFormat:
    """Return the format `base` of this package with changes: the fields that `event` describes are
    added to it, or take the place of its own.

    The other arguments are those of a JSONFormat. ValueError for an unknown format, one whose
    events are not described in one piece, and a description that cannot be read.
    """
    if base not in ADAPTERS:
        raise ValueError(f"format {name!r}: no format {base!r}, {hint(base, ADAPTERS)}")
    adapter = ADAPTERS[base]
    plain = isinstance(adapter, type) and issubclass(adapter, SpecAdapter)
    if not plain or issubclass(adapter, VariedSpecAdapter):
        raise ValueError(f"format {name!r}: no format like {base!r} can be described")
    spec = merged(adapter.spec, read_event(name, event or {}, define or {}))
    given = {"reasons": reasons, "words": words, "end": end}
    settings = settings_of({key: value for key, value in given.items() if value})
    own = {"reasons", "words"} & {key for key, value in given.items() if value}
    own |= {"sse_end", "sse_end_name"} if end else set()
    made = type(
        class_name(name),
        (ChangedFormat, adapter),
        {
            "name": name,
            "spec": spec,
            "_described": names_in(spec),
            **{key: settings[key] for key in own},
        },
    )
    changed: ChangedFormat = made(unknown=unknown)
    return changed


def merged(base: Any, over: Any) -> Spec:
    """Return a description with the parts of another one in it."""
    if isinstance(base, dict) and isinstance(over, dict):
        news = {
            name: merged(base[name], new) if name in base else new for name, new in over.items()
        }
        return {**base, **news}
    if isinstance(base, (list, Each)) and isinstance(over, (list, Each)):
        item = merged(base[0], over[0])
        return Each(item) if isinstance(base, Each) else [item]
    if isinstance(base, OneOf) and isinstance(over, OneOf) and base.key == over.key:
        kinds = merged(dict(base.specs), dict(over.specs))
        return OneOf(base.key, kinds, over.other or base.other)  # type: ignore[arg-type]
    if isinstance(base, Either) and isinstance(over, (dict, list, Each, OneOf)):
        return base._replace(other=merged(base.other, over))
    result: Spec = over
    return result
