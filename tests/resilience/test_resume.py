"""Streams that go on in another one, from what was released."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from guardstream import Guard, Policy
from guardstream.resilience import retrying
from tests.providers.chunks import chunk
from tests.resilience.providers import (
    AT_ONCE,
    BusyError,
    Provider,
    broken,
    drain,
)
from tests.support.sources import Source, guard
from tests.support.streams import GUARD, chat

pytestmark = pytest.mark.anyio


class Resuming(Provider):
    """Goes on where the text breaks off that it is given."""

    def __init__(self, text: str, cut: int) -> None:
        super().__init__()
        self.asked: list[str] = []
        self._text, self._cut = text, cut

    async def __call__(self, text: str = "") -> AsyncIterator[str]:
        self.asked.append(text)
        return self._say(self._text[len(text) :], broken=len(self.asked) == 1)

    async def _say(self, text: str, *, broken: bool) -> AsyncIterator[str]:
        for place, character in enumerate(text):
            if broken and place == self._cut:
                raise BusyError
            yield character


@pytest.mark.parametrize("cut", range(1, 22))
async def test_a_stream_goes_on_from_the_guarded_text(cut: int) -> None:
    # The mask is as long as what it masks, so the provider can go on behind it.
    provider = Resuming("a secret, forever mine", cut)
    stream = retrying(guard(), provider, resume=provider, **AT_ONCE)
    got = await drain(stream)
    assert "".join(got) == stream.result.text == "a ******, forever mine"
    released = len(provider.asked[1])
    assert "a ******, forever mine"[:released] == provider.asked[1]
    assert [found.rule for found in stream.findings] == ["word"]
    assert stream.finish == "stop"


LOOKING_BACK = Guard(
    Policy.parse(
        r"""
rules:
  - {id: key, pattern: '(?<=key: )\w{1,8}', replacement: "[key]"}
  - {id: seen, words: [key], action: monitor}
"""
    )
)


@pytest.mark.parametrize("cut", range(1, 12))
async def test_rules_look_back_over_the_seam(cut: int) -> None:
    provider = Resuming("the key: abc.", cut)
    stream = retrying(LOOKING_BACK, provider, resume=provider, **AT_ONCE)
    assert "".join(await drain(stream)) == "the key: [key]."
    assert sorted(found.rule for found in stream.findings) == ["key", "seen"]


async def test_a_stream_can_go_on_more_than_once() -> None:
    asked: list[str] = []

    async def resume(text: str) -> Source:
        asked.append(text)
        return broken("b ") if len(asked) == 1 else Source(["c"])

    stream = retrying(guard(), Provider(broken("a ")), resume=resume, **AT_ONCE)
    assert "".join(await drain(stream)) == stream.result.text == "a b c"
    assert asked == ["a ", "a b "]


async def test_going_on_is_bounded() -> None:
    async def resume(_: str) -> Source:
        return broken("b ")

    stream = retrying(guard(), Provider(broken("a ")), resume=resume, attempts=3, **AT_ONCE)
    with pytest.raises(BusyError):
        await drain(stream)
    assert stream.result.text == "a b b "
    assert stream.attempts == 3


async def test_json_goes_on_where_it_broke_off() -> None:
    orders = Guard(
        Policy.parse(
            """
json: {schema: {type: object, properties: {to: {type: string}}, required: [to]}}
rules: [{id: word, words: [secret], replacement: "#"}]
"""
        )
    )
    provider = Resuming('{"to": "the secret one", "n": 1}', 14)
    stream = retrying(orders, provider, resume=provider, **AT_ONCE)
    assert "".join(await drain(stream)) == '{"to": "the ###### one", "n": 1}'
    assert stream.finish == "stop"


async def test_thoughts_from_before_are_in_the_result() -> None:
    async def resume(text: str) -> Source:
        assert text == "the ###### is told"
        return Source([chunk({"content": " twice"}), chunk({}, finish="stop")])

    said = [each for each in chat() if "content" in str(each)]
    stream = retrying(GUARD, Provider(broken(*said)), resume=resume, **AT_ONCE)
    await drain(stream)
    assert stream.result.text == "the ###### is told twice"
    assert stream.result.thinking == "think of a ###### "
    assert len(stream.findings) == 2


def test_going_on_needs_the_text() -> None:
    with pytest.raises(TypeError, match="keep_text=True"):
        retrying(guard(), Provider(), resume=Provider(), keep_text=False)
