"""Chooses the format of a stream by its first chunk: a format of the policy, or a known one."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from guardstream.errors import AdapterError, PolicyError
from guardstream.events import UNKNOWN
from guardstream.formats import Adapter, chosen, detect, is_known, may_be_of, named
from guardstream.formats.adapter import Unknown
from guardstream.formats.generic.text import PlainText
from guardstream.formats.hooks import hooks_of
from guardstream.formats.toolkit.fields import is_record
from guardstream.stream.arguments import check_format
from guardstream.stream.whole import guards, is_harmless

if TYPE_CHECKING:
    from guardstream.formats.generic.changed_format import ChangedFormat
    from guardstream.formats.generic.json_format import JSONFormat
    from guardstream.framing.frames.frame import Media
    from guardstream.framing.sniffing import Beginning
    from guardstream.policy import Policy

    OwnFormat: TypeAlias = JSONFormat | ChangedFormat
    from guardstream.stream.flows.format_hints import FormatHints

Choose: TypeAlias = Callable[[Any], Adapter[Any]]
"""Returns the adapter for the first chunk of a stream; the chunk is None for an empty stream."""


NamedBy: TypeAlias = Literal["caller", "endpoint"]
"""Who has named a stream's format: the program that wraps it, or the path or route of a request."""

_IF_OTHER: Mapping[NamedBy, str] = {
    "caller": "leave out format=, or name that one",
    "endpoint": "the answer is in another format than its path or route names",
}


def choosing(
    policy: Policy | None,
    format: str | Adapter[Any] | None,
    unknown: Unknown,
    format_hints: FormatHints | None = None,
    *,
    named_by: NamedBy = "caller",
) -> Choose:
    """Return a function that chooses the adapter of a stream by its first chunk.

    `format_hints` is notified of streams in no known format. `named_by` says who has named
    the `format`, for the message if the first chunk is in another format. Raises AdapterError for
    an unknown name at once, not only at the first chunk.
    """
    check_format(format)
    own = own_formats(policy, unknown) if policy else {}
    asked = format
    if isinstance(asked, str):
        asked = own.get(asked) or named(asked, unknown=unknown, beside=own)

    def choose(chunk: Any) -> Adapter[Any]:
        mine = asked
        if mine is None and own and (isinstance(chunk, dict) or _is_unknown_record(chunk)):
            mine = next((each for each in own.values() if each.accepts(chunk)), None)
        if mine is None and len(own) == 1 and _may_begin(next(iter(own.values())), chunk):
            mine = next(iter(own.values()))
        _check_fits(format, mine, chunk, _IF_OTHER[named_by])
        try:
            adapter = chosen(mine, chunk, unknown=unknown)
        except AdapterError as error:
            if mine is not None or not own:
                raise
            hint = "the policy's formats are detected from dicts and records: name one of"
            raise AdapterError(f"{error}; {hint} {', '.join(own)}") from None
        adapter = _unless_told_by_text(mine, adapter, chunk, unknown)
        _detach_objects(adapter, chunk, policy)
        if mine is None and hooks_of(adapter).name == "json":
            _look_further(adapter, choose)
            if policy and format_hints:
                _report_unknown(adapter, policy, format_hints)
        if mine is None and _says_kind_alone(chunk):
            return _after_kind(adapter, choose)
        return adapter

    return choose


_TOLD_BY_TEXT = ("events", "kosong")
"""The formats that a text alone may show."""


def _unless_told_by_text(
    mine: object, adapter: Adapter[Any], chunk: Any, unknown: Unknown
) -> Adapter[Any]:
    """Return the adapter of a stream whose format nobody has named (`mine`), or one of no format
    for a text alone."""
    if mine is not None or hooks_of(adapter).name not in _TOLD_BY_TEXT:
        return adapter
    from guardstream.formats.generic.any_json import unnamed

    return unnamed(adapter, chunk, unknown=unknown)


def _check_fits(name: object, adapter: Adapter[Any] | None, chunk: object, advice: str) -> None:
    """Raise AdapterError if the first chunk is not one of the format `name`, but of another one.

    The named format would treat its text as unknown fields, of which nothing is held.
    """
    if name not in _ON_THE_WIRE or chunk is None or isinstance(chunk, str) or _is_anywhere(chunk):
        return
    if may_be_of(adapter, chunk):
        return
    try:
        other = detect(chunk)
    except AdapterError:
        return
    found = hooks_of(other).name
    alike = {"openai_chat", "openai_completions"}  # both may begin with a chunk without choices
    if found in _ON_THE_WIRE and found != name and {found, name} != alike:
        raise AdapterError(f"the first chunk is in the format {found!r}, not {name!r}: {advice}")


def _says_kind_alone(chunk: object) -> bool:
    return isinstance(chunk, dict) and chunk.keys() == {"type"}


def _is_unknown_record(chunk: object) -> bool:
    """Return whether a chunk is an object in no known format whose fields can be read."""
    return is_record(chunk) and not _is_known(detect(chunk))


def _is_known(adapter: Adapter[Any]) -> bool:
    return hooks_of(adapter).name not in ("json", "text")


def _known(chunk: Any, choose: Choose) -> Adapter[Any] | None:
    """Return the adapter of the known format of a chunk."""
    try:
        adapter = choose(chunk)
    except AdapterError:
        return None
    return adapter if _is_known(adapter) else None


def _after_kind(first: Adapter[Any], choose: Choose) -> Adapter[Any]:
    """Return the adapter of a stream whose first chunk has only a type (`{"type": "start"}`).

    An application may send such a chunk before chunks of a format other than `first`; the next
    chunk decides.
    """
    if not _is_known(first):
        return first
    from guardstream.formats.generic.any_json import Begun

    def recognise(chunk: Any) -> Adapter[Any] | None:
        if _says_kind_alone(chunk):
            return None
        return first if may_be_of(first, chunk) else _known(chunk, choose) or first

    begun = Begun()
    begun.recognise_by(recognise)
    return begun


_ANYWHERE = ("error", "ping")
"""Event types that many formats share, so that they identify none."""


def _is_anywhere(chunk: object) -> bool:
    return isinstance(chunk, dict) and chunk.get("type") in _ANYWHERE


def detach(adapter: Any, policy: Policy | None) -> None:
    """Let an adapter copy its chunks, if they are in no format of the package: their producer may
    keep adding to what is in them."""
    if getattr(adapter, "taken", adapter) is None and policy and guards(policy, UNKNOWN):
        from guardstream.formats.toolkit.detached import detached

        adapter.taken = detached


def _detach_objects(adapter: Any, chunk: Any, policy: Policy | None) -> None:
    """Let chunks be copied if they are objects; dicts made from bytes belong to nobody else."""
    if not isinstance(chunk, (dict, str)):
        detach(adapter, policy)


def _look_further(adapter: Adapter[Any], choose: Choose) -> None:
    """Let the adapter of a stream in no known format keep looking for a known one."""
    from guardstream.formats.generic.any_json import AnyJSON

    def recognise(chunk: Any) -> Adapter[Any] | None:
        if _says_kind_alone(chunk) or _is_anywhere(chunk):
            return None
        return _known(chunk, choose)

    if isinstance(adapter, AnyJSON):
        adapter.recognise_by(recognise)


def _report_unknown(adapter: Adapter[Any], policy: Policy, format_hints: FormatHints) -> None:
    """Let the adapter of a stream in no known format report the paths of text."""
    from guardstream.formats.generic.any_json import AnyJSON

    if isinstance(adapter, AnyJSON) and guards(policy, UNKNOWN):
        adapter.report_to(partial(format_hints.warn, check=partial(is_harmless, policy)))


def _may_begin(own: OwnFormat, chunk: Any) -> bool:
    """Return whether a stream in `own`, the only format of a policy, may begin with a chunk.

    The first event may have no text and only signal the beginning of an answer. Then no known
    format begins like this, or many do (`{"type": "start"}`) and `own` names the field `type`.
    """
    from guardstream.formats.generic.any_json import AnyJSON

    if not isinstance(chunk, dict):
        return False
    bare = _says_kind_alone(chunk) and own.describes("type")
    return bare or isinstance(detect(chunk), AnyJSON)


def own_formats(policy: Policy, unknown: Unknown) -> Mapping[str, OwnFormat]:
    """Return the formats that a policy describes, by name."""
    if not policy.file.formats:
        return {}
    taken = [name for name in policy.file.formats if is_known(name)]
    if taken:
        where = policy.place("formats", taken[0])
        raise PolicyError(f"{where}: the format {taken[0]!r} is built in: choose another name")
    return {name: _own_format(policy, name, unknown) for name in policy.file.formats}


def _own_format(policy: Policy, name: str, unknown: Unknown) -> OwnFormat:
    """Return a format that a policy describes. PolicyError for a description that cannot be
    read."""
    file = policy.file.formats[name]
    told: dict[str, Any] = {
        "event": file.event,
        "define": file.define,
        "reasons": file.reasons,
        "words": file.words,
        "end": file.last,
        "unknown": unknown,
    }
    try:
        if file.like is not None:
            from guardstream.formats.generic.changed_format import like

            return like(file.like, name, **told)
        from guardstream.formats.generic.json_format import JSONFormat

        return JSONFormat(
            name,
            text=file.text or (),
            thinking=file.thinking or (),
            tool_args=file.tool_args or (),
            by=file.by,
            copies=file.copies or (),
            done=file.done,
            harmless=file.harmless or (),
            **told,
        )
    except ValueError as error:
        raise PolicyError(f"{policy.place('formats', name)}: {error}") from None


def check_reads_text(adapter: Adapter[Any]) -> None:
    """Raise AdapterError for a named format whose chunks are never `str`.

    To such a format text is an unknown field, of which nothing is held: a word that two chunks
    share would be shown in part.
    """
    if not may_be_of(adapter, ""):
        raise AdapterError(
            f"the first chunk is a str, and those of {hooks_of(adapter).name!r} are not: leave out "
            "format= if it is text; of a response, wrap the bytes, or what json.loads makes of "
            "each line; pass framing='sse' for server-sent events"
        )


def reads_lines(choose: Choose) -> bool:
    """Return whether lines of the AI SDK's data stream are recognised: not if the caller asked for
    another format."""
    try:
        return getattr(choose({"0": "text"}), "name", "") == "data_stream"
    except AdapterError:
        return False


def beginning_of(media: Media | None, choose: Choose) -> Beginning:
    """Return what detects the framing of a stream of bytes; `media` is what the caller says."""
    from guardstream.framing.sniffing import Beginning

    return Beginning(media, may_be_lines=media == "text" and reads_lines(choose))


def check_is_text(choose: Choose) -> None:
    """Raise AdapterError if the format that the caller named is not that of plain text in bytes."""
    adapter = choose("")
    if type(adapter) is not PlainText and not reads_lines(choose):
        raise AdapterError(
            "framing='text' reads bytes as plain text, and those of format="
            f"{hooks_of(adapter).name!r} are not: leave out one of them"
        )


def check_text(first: str, own: Mapping[str, OwnFormat]) -> None:
    """Raise AdapterError if the first `str` of a stream is, or begins with, a line of JSON that is
    a chunk in a format of the policy or of a large provider."""
    found = None
    if first[:1] == "{":
        found = _format_of(first, own) or _format_of(first.splitlines()[0], own)
    if found:
        raise AdapterError(
            f"the first str is a line of JSON in the format {found!r}: wrap the response's bytes, "
            "or what json.loads makes of each line; if it is text, pass framing='text'"
        )


def _format_of(line: str, own: Mapping[str, OwnFormat]) -> str | None:
    """Return the name of the format whose chunk `line` is; None for any other text."""
    try:
        chunk = json.loads(line)
    except (ValueError, RecursionError):
        return None
    from guardstream.formats.detection.table import formats_of

    mine = (name for name, each in own.items() if each.accepts(chunk))
    wire = (name for name in formats_of(chunk) if name in _ON_THE_WIRE)
    return next(mine, None) or next(wire, None)


_ON_THE_WIRE = (
    "openai_chat",
    "openai_completions",
    "openai_responses",
    "anthropic",
    "gemini",
    "ollama",
)
"""The formats that are most often mistaken for one another, or for text, and resemble no other."""
