"""What interrupts a thread that builds a search must not see what is half built."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from guardstream import Guard, Policy
from guardstream.errors import StageError
from guardstream.scan.regex import forms
from guardstream.scan.regex.joints import Joints
from guardstream.scan.words.aho_corasick import WordIndex
from tests.support.forms import form

__all__ = ["form"]

POLICY = r"""
rules:
  - {id: bird, words: [bluebird, vögel], replacement: "*"}
  - {id: number, pattern: 'qz~\d+', replacement: "*"}
"""


def interrupted(
    monkeypatch: pytest.MonkeyPatch, kind: type, method: str, handler: Callable[[], object]
) -> None:
    """Let `handler` run in the middle of a method, the first time that it is called."""
    original, waiting = getattr(kind, method), [handler]

    def run(*given: object) -> object:
        if waiting:
            waiting.pop()()
        return original(*given)

    monkeypatch.setattr(kind, method, run)


@pytest.mark.parametrize(("kind", "method"), [(WordIndex, "_number"), (Joints, "_led")])
@pytest.mark.usefixtures("form")
def test_a_handler_that_interrupts_building_fails_by_itself(
    monkeypatch: pytest.MonkeyPatch, kind: type, method: str
) -> None:
    if kind is Joints and forms.NATIVE:
        pytest.skip("the extension is not interrupted")
    guard, told = Guard(Policy.parse(POLICY)), []

    def handler() -> None:
        stream = guard.wrap_sync(["a \u044fbluebird, qz~12"])
        with pytest.raises(StageError):
            stream.text()
        told.append((stream.result.text, stream.finish))

    interrupted(monkeypatch, kind, method, handler)
    for _ in range(2):
        text = "a bluebird, qz~345 über vögel"
        assert guard.check(text).text == "a ********, ****** über *****"
    assert guard.check("a bluebird, qz~12").text == "a ********, *****"
    assert told == [("", "error")]
