"""The laws on a stream of every format, its answer cut in many ways."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from guardstream import AdapterError
from guardstream.http import WireGuard
from tests.laws.asked import EMPTY, GUARD, cuttings, events, in_any_cut, left_raw
from tests.laws.objects import encoded
from tests.support.samples.formats import FORMATS

TEXT = "a secret, no sec"


def _is_json(chunks: Sequence[Any]) -> bool:
    """Tell whether chunks are dicts of JSON values."""
    try:
        return encoded(chunks) == chunks and all(type(each) is dict for each in chunks)
    except TypeError:
        return False


NAMED = {"cumulative_text", "events", "openrouter_responses"}
"""Formats that nothing tells from another one."""


def given(name: str) -> dict[str, Any]:
    """How a guard is told of a format that it does not recognise."""
    return {"format": name} if name in NAMED else {}


ENDLESS = {"agno", "ag2"}
"""Formats whose stand-ins here have no class of an end beside them; their own tests have one."""

MAY_BEGIN = {"json"}
"""Formats that nobody has described: the beginning of a match may be shown, never all of it."""


def meant(name: str, text: str) -> str:
    """The answer of a stream as a client reads it without a rule."""
    with EMPTY.wrap_sync(FORMATS[name]([text]), **given(name)) as stream:
        list(stream)
    return stream.result.text


def read(name: str, pieces: Sequence[str]) -> tuple[list[Any], Any]:
    """What comes of an answer, and its result."""
    stream = GUARD.wrap_sync(FORMATS[name](pieces), **given(name))
    return list(stream), stream.result


def an_empty_policy_changes_nothing(name: str) -> None:
    for pieces in cuttings(TEXT):
        source = FORMATS[name](pieces)
        out = list(EMPTY.wrap_sync(source, **given(name)))
        assert list(map(repr, out)) == list(map(repr, source))


def a_masked_word_is_in_no_slot(name: str) -> None:
    for pieces in cuttings(TEXT):
        out, result = read(name, pieces)
        assert not left_raw(out)
        assert result.text == GUARD.check(meant(name, TEXT)).text


def a_block_leaks_nothing(name: str) -> None:
    for pieces in cuttings("all forbidden fruit"):
        out, result = read(name, pieces)
        assert not left_raw(out, "forbidden" if name in MAY_BEGIN else "forb")
        assert result.finish == "content_filter"
        assert result.text in ("all ", "") or name in MAY_BEGIN


def a_stop_shows_what_stands_before(name: str) -> None:
    for pieces in cuttings("all enough fruit"):
        out, result = read(name, pieces)
        assert not left_raw(out, "enough")
        assert result.finish == "stop"


def held_text_goes_out(name: str) -> None:
    for pieces in cuttings("so a sec"):
        _, result = read(name, pieces)
        assert result.text == meant(name, "so a sec")


def bytes_are_read_as_dicts_are(name: str) -> None:
    if not _is_json(FORMATS[name](["a"])):
        return
    for pieces in cuttings(TEXT):
        source = FORMATS[name](pieces)
        wire = WireGuard(GUARD, **given(name))
        for event in source:
            wire.feed(events(event))
        wire.finish()
        assert wire.result.channels == read(name, pieces)[1].channels
    assert in_any_cut(events(*FORMATS[name](["so ", "it"])), **given(name))


LAWS: dict[str, Callable[[str], None]] = {
    law.__name__.replace("_", " "): law
    for law in (
        an_empty_policy_changes_nothing,
        a_masked_word_is_in_no_slot,
        a_block_leaks_nothing,
        a_stop_shows_what_stands_before,
        held_text_goes_out,
        bytes_are_read_as_dicts_are,
    )
}


ENDS = {"a block leaks nothing", "a stop shows what stands before"}


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("law", LAWS)
def test_law(law: str, name: str) -> None:
    if law in ENDS and name in ENDLESS:
        with pytest.raises(AdapterError, match="no class"):
            LAWS[law](name)
    else:
        LAWS[law](name)
