"""A stream that begins with an application's own events: its format shows later."""

from __future__ import annotations

from typing import Any

import pytest

from guardstream.formats.generic.any_json import EVENTS
from tests.laws.asked import GUARD, cuttings, left_raw
from tests.support.samples.recognised_later import FORMATS, STARTED, openai

TEXT = "it is a secret."
MASKED = "it is a ######."


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("before", [1, 3, EVENTS - 2])
def test_what_comes_after_is_guarded_as_if_it_came_first(name: str, before: int) -> None:
    for pieces in cuttings(TEXT):
        source = FORMATS[name](pieces)
        stream = GUARD.wrap_sync([STARTED] * before + source)
        out = list(stream)
        assert not left_raw(out)
        assert out[before:] == list(GUARD.wrap_sync(source))
        assert (stream.result.text, stream.finish) == (MASKED, "stop")
        assert stream.state.flow is not None
        assert stream.state.flow.format == name


@pytest.mark.parametrize("options", [{"format": "json"}, {"before": EVENTS}])
def test_json_that_is_asked_for_or_goes_on_stays_json(options: dict[str, Any]) -> None:
    before = options.pop("before", 1)
    stream = GUARD.wrap_sync([STARTED] * before + openai([TEXT]), **options)
    assert not left_raw(list(stream))
    assert stream.state.flow is not None
    assert stream.state.flow.format == "json"
