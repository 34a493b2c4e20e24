"""Applications whose responses could be read in two ways."""

from __future__ import annotations

import json

import anyio
import pytest

from guardstream.serve import MemoryReplay
from tests.serve.apps import Upstream, guarded, streaming
from tests.serve.visit import Visit

pytestmark = pytest.mark.anyio


async def fetch(app: object) -> Visit:
    with anyio.fail_after(5):
        return await Visit().to(app)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["text/event-stream", "application/x-ndjson"])
@pytest.mark.parametrize("charset", ["utf-7", "iso-2022-jp", "utf-16", "nonsense"])
async def test_events_and_lines_in_another_charset_are_refused(kind: str, charset: str) -> None:
    upstream = Upstream([b"data: +AHMAZQBjAHIAZQB0-\n\n"])
    visit = await fetch(guarded(streaming(upstream, f"{kind}; charset={charset}")))
    assert visit.status == 502
    assert charset in json.loads(visit.body)["error"]["message"]
    assert upstream.closed.is_set()


async def test_what_an_unknown_field_is_called_is_guarded(
    caplog: pytest.LogCaptureFixture,
) -> None:
    chunk = b'data: {"choices": [], "a secret": "x"}\n\n'
    visit = await fetch(guarded(streaming(Upstream([chunk]), "text/event-stream")))
    assert visit.body == b'data: {"choices":[],"a ******":"x"}\n\n'
    assert "secret" not in caplog.text


async def test_an_error_does_not_say_what_a_field_is_called(
    caplog: pytest.LogCaptureFixture,
) -> None:
    chunk = b'data: {"choices": [], "a secret": "x"}\n\n'
    app = streaming(Upstream([chunk]), "text/event-stream")
    visit = await fetch(guarded(app, unknown="refuse"))
    assert b"event: error" in visit.body
    assert b"a ******" in visit.body
    assert b"secret" not in visit.body
    assert "secret" not in caplog.text


async def test_a_last_event_without_its_blank_line_is_kept_and_sent() -> None:
    chunks = [b'data: {"choices": []}\n\n', b"data: [DONE]"]
    app = guarded(streaming(Upstream(chunks), "text/event-stream"), replay=MemoryReplay())
    visit = await fetch(app)
    assert visit.body.endswith(b"\ndata: [DONE]\n\n")
