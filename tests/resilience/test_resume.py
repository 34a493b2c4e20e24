"""Streams that go on in another one, from what was released."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from guardstream import BlockedError, Guard, Policy
from guardstream.resilience import retrying
from tests.formats.chunks import chunk
from tests.resilience.providers import (
    AT_ONCE,
    BusyError,
    Provider,
    broken,
    drain,
)
from tests.support.sources import Source, guard
from tests.support.streams import GUARD, chat
from tests.support.watching import Watching

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


class GoingOn(Provider):
    """Goes on in its own text where what it is given, unmasked, breaks off."""

    def __init__(self, text: str, cut: int, masks: dict[str, str]) -> None:
        super().__init__()
        self._text, self._cut, self._masks = text, cut, masks

    async def __call__(self, text: str = "") -> AsyncIterator[str]:
        self.opened += 1
        source = text
        for value, mask in self._masks.items():
            source = source.replace(mask, value)
        assert self._text.startswith(source)
        return self._say(self._text[len(source) :], broken=self.opened == 1)

    async def _say(self, text: str, *, broken: bool) -> AsyncIterator[str]:
        for place, character in enumerate(text):
            if broken and place == self._cut:
                raise BusyError
            yield character


MASKED = {
    "the rule's id is the word": (
        "rules: [{id: secret, words: [secret]}]",
        "a secret and so on. It is.",
        {"secret": "[secret]"},
    ),
    "a mask that blocks": (
        """
rules:
  - {id: word, words: [secret], replacement: "[forbidden]"}
  - {id: bad, words: [forbidden], action: block}
""",
        "a secret and so on. It is.",
        {"secret": "[forbidden]"},
    ),
    "a mask of another length, reports and sentences": (
        r"""
limits: {release: sentence}
rules:
  - {id: word, words: [secret], replacement: "some mask"}
  - {id: behind, pattern: '(?<=secret )and', replacement: "&"}
  - {id: seen, pattern: '\w+ and', action: monitor}
""",
        "Say a secret and so on. It is. A secret and more.",
        {"secret": "some mask", "and": "&&&"},
    ),
    "a limit on what the provider sends": (
        "{limits: {max_chars: 20}, rules: [{id: word, words: [secret], replacement: '~~~~~~~~'}]}",
        "a secret and so on. It is.",
        {"secret": "~~~~~~~~"},
    ),
}


@pytest.mark.parametrize(("policy", "text", "masks"), MASKED.values(), ids=MASKED)
async def test_a_mask_is_not_guarded_again(policy: str, text: str, masks: dict[str, str]) -> None:
    for cut in range(1, len(text) + 1):
        seen = Watching()
        masking = Guard(Policy.parse(policy), observers=[seen])
        provider = GoingOn(text, cut, masks)
        stream = retrying(masking, provider, resume=provider, **AT_ONCE)
        whole = masking.check(text)
        assert "".join(await drain(stream)) == whole.text
        assert stream.finish == whole.finish
        assert sorted(stream.findings, key=str) == sorted(whole.findings, key=str)
        assert sorted(seen.record.findings, key=str) == sorted(whole.findings, key=str)


async def test_text_goes_on_after_a_tool_call() -> None:
    call = {"index": 0, "id": "c", "function": {"name": "look", "arguments": "{}"}}
    asked: list[str] = []

    async def resume(text: str) -> Source:
        asked.append(text)
        return Source([chunk({"content": "ret, a secret"}), chunk({}, finish="stop")])

    said = [chunk({"content": "a secret, sec"}), chunk({"tool_calls": [call]}), chunk({})]
    words = Guard(Policy.parse("rules: [{id: secret, words: [secret]}]"))
    stream = retrying(words, Provider(broken(*said)), resume=resume, **AT_ONCE)
    await drain(stream)
    assert asked == ["a [secret], "]
    assert stream.result.text == "a [secret], ret, a [secret]"
    assert [(found.start, found.end) for found in stream.findings] == [(2, 8), (17, 23)]


async def test_a_stream_can_go_on_more_than_once() -> None:
    asked: list[str] = []

    async def resume(text: str) -> Source:
        asked.append(text)
        return broken("b ") if len(asked) == 1 else Source(["c"])

    stream = retrying(guard(), Provider(broken("a ")), resume=resume, **AT_ONCE)
    assert "".join(await drain(stream)) == stream.result.text == "a b c"
    assert asked == ["a ", "a b "]


@pytest.mark.parametrize("resumes", [True, False])
async def test_a_stream_that_may_go_on_has_not_ended(resumes: bool) -> None:
    # The source that broke off is being closed, which is the last moment before it goes on.
    reasons: list[object] = []
    failed = Source(["a "], error=BusyError(), before=lambda _: reasons.append(stream.finish))
    options = {"resume": Provider(Source(["b"]))} if resumes else {}
    stream = retrying(guard(), Provider(failed), **options, **AT_ONCE)
    if not resumes:
        with pytest.raises(BusyError):
            await drain(stream)
        assert (reasons[-1], stream.finish) == ("error", "error")
        return
    assert "".join(await drain(stream)) == "a b"
    assert set(reasons) == {None}
    assert stream.finish == "stop"


async def test_the_error_of_a_block_has_the_text_of_all_sources() -> None:
    provider = Provider(Source(["b forbidden"]))
    options = {"resume": provider, "raise_on_block": True, **AT_ONCE}
    stream = retrying(guard(), Provider(broken("a ")), **options)
    with pytest.raises(BlockedError) as caught:
        await drain(stream)
    assert caught.value.result == stream.result
    assert stream.result.text == "a b "


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
