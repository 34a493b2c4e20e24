"""Events that an upstream declares as JSON are guarded as the events that they are."""

from __future__ import annotations

import httpx
import pytest

from tests.serve.proxy.upstream import Provider, chat, completion, proxied


@pytest.mark.parametrize("media", ["application/json", "application/json; charset=utf-8"])
def test_events_declared_as_json_are_guarded_as_events(media: str) -> None:
    with proxied(lambda provider, _: provider.stream(chat("the secr", "et"), media_type=media)) as (
        url,
        _,
    ):
        asked = {"model": "m", "stream": True, "messages": [{"role": "user", "content": "x"}]}
        answer = httpx.post(f"{url}/v1/chat/completions", json=asked)
    assert answer.status_code == 200
    assert "data: [DONE]" in answer.text
    assert "######" in answer.text


def test_a_whole_answer_stays_one() -> None:
    def respond(_provider: Provider, _body: object) -> object:
        return completion("the secret")

    with proxied(respond) as (url, _):  # type: ignore[arg-type]
        asked = {"model": "m", "messages": [{"role": "user", "content": "x"}]}
        answer = httpx.post(f"{url}/v1/chat/completions", json=asked)
    assert answer.json()["choices"][0]["message"]["content"] == "the ######"
