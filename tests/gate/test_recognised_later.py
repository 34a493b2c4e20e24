"""A gate before a stream that begins with an application's own events: its format shows later."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import anyio
import pytest

from guardstream import AdapterError
from guardstream.formats.generic.any_json import EVENTS
from guardstream.gate import Context, Verdict, gate
from tests.laws.asked import events, lines
from tests.support.gated_bytes import guarded
from tests.support.samples.recognised_later import FORMATS, STARTED, openai, ui
from tests.support.sources import Source

pytestmark = pytest.mark.anyio

PIECES = ["All ", "is fine. ", "It is b", "ad. ", "Never seen."]
FIRST = [[STARTED], [STARTED] * 3, [{"type": "start"}], [{"status": "run"}, {"type": "ping"}]]


class Asked:
    """A check that blocks what is bad; what it was asked."""

    def __init__(self, verdict: Verdict | None = None) -> None:
        self.texts: list[str] = []
        self._verdict = verdict or Verdict("block")

    async def __call__(self, text: str, _: Context) -> bool | Verdict:
        self.texts.append(text)
        return self._verdict if "bad" in text else True


async def read(stream: Any) -> list[Any]:
    return [each async for each in stream]


@pytest.mark.parametrize("first", FIRST)
@pytest.mark.parametrize("name", FORMATS)
async def test_what_comes_after_is_judged_as_if_it_came_first(name: str, first: list[Any]) -> None:
    source = FORMATS[name](PIECES)
    asked = Asked()
    expected = gate(Source(source), Asked())
    ends = await read(expected)
    stream = gate(Source([*first, *source]), asked)
    assert await read(stream) == [*first, *ends]
    assert {"All is fine. ", "It is bad. "} <= set(asked.texts)
    assert stream.result.text == expected.result.text == "All is fine. "
    assert stream.finish == "content_filter"


@pytest.mark.parametrize("form", [events, lines])
@pytest.mark.parametrize("name", FORMATS)
async def test_bytes_are_judged_alike(name: str, form: Any) -> None:
    first, source = form({"status": "started"}), FORMATS[name](PIECES)
    ends = b"".join(await read(gate(Source([form(*source)]), Asked())))
    asked = Asked()
    for wire in ([first + form(*source)], [bytes([each]) for each in first + form(*source)]):
        stream = gate(Source(wire), asked)
        assert b"".join(await read(stream)) == first + ends
        assert stream.result.text == "All is fine. "


async def test_a_gate_of_the_policy_ends_a_stream_as_its_format_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    module = ModuleType("gate_checks")
    module.check = Asked()  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "gate_checks", module)
    stream = guarded().wrap(Source([STARTED, *openai(PIECES)]))
    *_, last = await read(stream)
    assert last["choices"][0]["finish_reason"] == "content_filter"
    assert stream.result.text == "All is fine. "


async def test_chunks_that_wait_are_written_by_what_has_read_them() -> None:
    masks = Asked(Verdict("replace", text="#"))
    wait = anyio.Event()

    async def check(text: str, context: Context) -> bool | Verdict:
        if "later" in text:
            wait.set()
        await wait.wait()
        return await masks(text, context)

    told = {"status": "it is bad"}
    stream = gate(Source([told, *ui(["So it is. ", "later "])]), check)
    first, *rest = await read(stream)
    assert first == {"status": "#"}
    assert rest == ui(["So it is. ", "later "])


async def test_after_so_many_events_json_stays_json() -> None:
    stream = gate(Source([STARTED] * EVENTS + openai(PIECES)), Asked())
    assert (await read(stream))[EVENTS:] == openai(PIECES)
    assert (stream.finish, stream.result.text) == ("stop", "")


async def test_a_format_that_is_not_there_is_refused_at_once() -> None:
    with pytest.raises(AdapterError, match="nope"):
        gate(Source([]), Asked(), format="nope")
