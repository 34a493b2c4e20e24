"""Formats that hold little but text: Writer, watsonx, cumulative text, Replicate's events."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from guardstream import AdapterError, sse
from guardstream.formats import detect, named
from tests.laws.asked import (
    GUARD,
    check_masked,
    cuttings,
    events,
    in_any_cut,
    left_raw,
    recorded,
    unchanged,
)
from tests.support.samples.plain_formats import piece


def result(said: str, stop: str = "not_finished", **fields: Any) -> dict[str, Any]:
    found = {"generated_text": said, "generated_token_count": 1, "stop_reason": stop, **fields}
    return {"model_id": "m", "created_at": "t", "results": [found]}


def joined(source: Any) -> dict[Any, str]:
    return {
        "text": "".join(
            e.get("value", "") or e.get("results", [{}])[0].get("generated_text", "")
            for e in source
        )
    }


@pytest.mark.parametrize(("make", "name"), [(piece, "writer"), (result, "watsonx")])
def test_text_is_masked_in_any_cut(make: Any, name: str) -> None:
    for pieces in cuttings("a secret, no sec"):
        source = [make(each) for each in pieces]
        assert detect(source[0]).name == name  # type: ignore[attr-defined]
        stream = GUARD.wrap_sync(source)
        out = list(stream)
        assert joined(out)["text"] == stream.result.text == "a ######, no sec"
        assert not left_raw(out)
    assert unchanged([make("plain ")])
    assert in_any_cut(events(make("a"), make("b"))) == events(make("a"), make("b"))


def test_what_is_not_known_is_refused() -> None:
    source = [result("a", aside="words")]
    with pytest.raises(AdapterError, match="is not known"):
        list(GUARD.wrap_sync(source, unknown="refuse"))
    assert list(GUARD.wrap_sync(source, format=named("watsonx", unknown="pass"))) == source
    with pytest.raises(AdapterError, match="no adapter knows"):
        list(GUARD.wrap_sync([{"value": "a", "aside": "words"}], unknown="refuse"))


def test_replicates_events_are_text() -> None:
    said = [
        sse.Event(each, "output", id=str(place))
        for place, each in enumerate(["", "a sec", "ret\n\nx"])
    ]
    body = b": hi\n\n" + b"".join(map(sse.encode, [*said, sse.Event("{}", "done", id="9")]))
    assert in_any_cut(body, media="sse") == body
    masked = b"".join(
        data[6:]
        for data in in_any_cut(body, GUARD, media="sse").splitlines()
        if data[:5] == b"data:"
    )
    assert masked == b"a ######x{}"


RECORDINGS = recorded("other/*writer*", "other/*test_generate*", "other/*watsonx*")


@pytest.mark.corpus
@pytest.mark.parametrize("path", RECORDINGS)
def test_recordings(path: Path) -> None:
    data = path.read_bytes()
    rows = [row.removeprefix("data:").strip() for row in data.decode().splitlines()]
    source = [json.loads(row) for row in rows if row.startswith("{")]
    assert unchanged(source)
    check_masked(source, joined)
    assert in_any_cut(data) == data
