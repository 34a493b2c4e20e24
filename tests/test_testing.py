"""The test kit finds what it is meant to find, and says which law was broken."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from guardstream import Event, Finding, Finish, Policy, Text
from guardstream.formats import JSONFormat, OpenAIChat
from guardstream.stages.custom import CustomStage
from guardstream.testing import Case, check_adapter, check_policy, check_stage, splits
from tests.formats.chunks import call, chunk, model, whole

TEXTS = ["some text", "a", ""]


class Plain:
    """Passes the text; the seeded bugs below differ from it in one thing each."""

    held = 0

    def feed(self, text: str) -> Sequence[Event]:
        return [Text(text)] if text else []

    def finish(self) -> Sequence[Event]:
        return [Finish("stop")]


class Whole(Plain):
    """Keeps what a stage promises without anything around it."""

    over = False

    def feed(self, text: str) -> Sequence[Event]:
        return [] if self.over or not text else [Text(text)]

    def finish(self) -> Sequence[Event]:
        over, self.over = self.over, True
        return [] if over else [Finish("stop")]


def test_a_sound_stage_passes() -> None:
    check_stage(Plain, TEXTS)
    check_stage(Whole, TEXTS, alone=True, most_held=0, seeds=range(3))


class ByChunk(Plain):
    def feed(self, text: str) -> Sequence[Event]:
        return [Text(text.capitalize())]


class Order(Plain):
    """Reports behind the chunk, not behind the character."""

    at = 0

    def feed(self, text: str) -> Sequence[Event]:
        found = [
            Finding("e", self.at + at, self.at + at + 1, "monitor")
            for at, c in enumerate(text)
            if c == "e"
        ]
        self.at += len(text)
        return [Text(text), *found]


class Ends(Plain):
    def feed(self, text: str) -> Sequence[Event]:
        return [Finish("length")] if len(text) == 1 else [Text(text)]


class Remembers(Plain):
    seen: list[str] = []  # noqa: RUF012  # the bug

    def feed(self, text: str) -> Sequence[Event]:
        self.seen.append(text)
        return [Text(str(len(self.seen)))]


class Holds(Plain):
    def feed(self, text: str) -> Sequence[Event]:
        self.held += len(text)
        return []


class HoldsMore(Holds):
    def feed(self, text: str) -> Sequence[Event]:
        self.held += len(text) + 1
        return []


class Far(Plain):
    def finish(self) -> Sequence[Event]:
        return [Finding("far", 0, 99, "monitor")]


class Odd(Plain):
    def feed(self, text: str) -> Any:
        return [text]


class Twice(Plain):
    def finish(self) -> Sequence[Event]:
        return [Finish("stop"), Finish("stop")]


class Raises(Plain):
    def feed(self, text: str) -> Sequence[Event]:
        raise ValueError(len(text))


BROKEN: list[tuple[Callable[[], CustomStage], str]] = [
    (ByChunk, "the chunking matters: different text for the chunks"),
    (Order, "the chunking matters: different events for the chunks"),
    (Ends, "the chunking matters: different text for the chunks"),
    (Remembers, "the chunking matters|remembers what an earlier one has read"),
    (HoldsMore, "10 characters are held, 9 were fed"),
    (Far, "a finding extends beyond the text's end at 9"),
    (Odd, "stage 'Odd' returned 'str', which is not an event"),
    (Twice, "stage 'Twice' returned an event after a Finish"),
]


@pytest.mark.parametrize(("make", "law"), BROKEN, ids=[law for _, law in BROKEN])
def test_a_broken_stage_is_told_which_law_it_breaks(
    make: Callable[[], CustomStage], law: str
) -> None:
    with pytest.raises(AssertionError, match=law):
        check_stage(make, TEXTS)


def test_what_is_held_is_bounded() -> None:
    with pytest.raises(AssertionError, match="9 characters are held, 4 are allowed"):
        check_stage(Holds, TEXTS, most_held=4)


def test_a_stage_that_raises_is_not_hidden() -> None:
    with pytest.raises(ValueError, match="9"):
        check_stage(Raises, TEXTS)


class SaysToEmpty(Whole):
    def feed(self, text: str) -> Sequence[Event]:
        return [Text(text or "x")]


class NoFinish(Whole):
    def finish(self) -> Sequence[Event]:
        return []


class HoldsAtEnd(Whole):
    held = 3

    def feed(self, text: str) -> Sequence[Event]:
        return super().feed(text)


ALONE: list[tuple[Callable[[], CustomStage], str]] = [
    (Plain, "returns something after its end"),
    (SaysToEmpty, "returns something for an empty chunk"),
    (NoFinish, "ends without a Finish"),
    (HoldsAtEnd, "still holds text after its end"),
]


@pytest.mark.parametrize(("make", "law"), ALONE, ids=[law for _, law in ALONE])
def test_a_stage_that_stands_alone_is_held_to_more(
    make: Callable[[], CustomStage], law: str
) -> None:
    with pytest.raises(AssertionError, match=law):
        check_stage(make, TEXTS, alone=True)


def test_splits_are_whole_single_and_random() -> None:
    first, second, *others = splits("some text", 5, seed=1)
    assert first == ["some text"]
    assert second == list("some text")
    assert len(others) == 5
    assert {"".join(chunks) for chunks in others} == {"some text"}
    assert [*splits("some text", 5, seed=1)][2:] == others != [*splits("some text", 5, seed=2)][2:]


POLICY = Policy.parse(
    "rules: [{id: word, words: [secret], replacement: '*'}, {id: bad, words: [bad], action: block}]"
)


def test_a_policy_is_checked_by_cases() -> None:
    check_policy(
        POLICY,
        [Case("a secret", "a ******", "stop", ["word"]), Case("bad", finish="content_filter")],
    )


@pytest.mark.parametrize(
    ("case", "problem"),
    [
        (Case("a secret", "a secret"), "output for 'a secret': expected 'a secret', got 'a \\*"),
        (Case("bad", finish="stop"), "finish for 'bad': expected 'stop', got 'content_filter'"),
        (Case("secret", rules=[]), r"rules for 'secret': expected \[\], got \['word'\]"),
        (Case("secret", "x", channel="thinking"), "output for 'secret'"),
    ],
)
def test_what_a_policy_does_otherwise_is_said(case: Case, problem: str) -> None:
    with pytest.raises(AssertionError, match=problem):
        check_policy(POLICY, [case])


def test_what_is_no_policy_or_no_case_is_refused() -> None:
    with pytest.raises(TypeError, match=r"needs a Policy, as of Policy.load\(path\), not 'str'"):
        check_policy("policy.yaml", [])  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="needs a list of Case, not of 'tuple'"):
        check_policy(POLICY, [("a secret", "a ******")])  # type: ignore[list-item]


def test_a_stage_or_an_adapter_in_place_of_what_creates_it_is_refused() -> None:
    stage, adapter = POLICY.stages("text"), JSONFormat("mine", text="$.token")
    with pytest.raises(TypeError, match=r"creates stages, such as lambda: .*\(\.\.\.\), not "):
        check_stage(stage, ["so"])  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"creates adapters, such as lambda: JSONFormat\(\.\.\.\)"):
        check_adapter(adapter, [{"token": "so"}])  # type: ignore[arg-type]


CHUNKS: list[Any] = [
    chunk({"role": "assistant", "content": ""}),
    chunk({"content": "Good mor"}),
    chunk({"content": "ning, everybody", "reasoning_content": "greeting them"}),
    chunk(call(0, '{"weather": "su', name="forecast", id="1")),
    chunk(call(0, 'nny"}')),
    chunk(finish="stop"),
    whole([], usage={"total_tokens": 3}),
]


@pytest.mark.parametrize("form", [dict, model], ids=["dict", "object"])
def test_a_sound_adapter_passes(form: Any) -> None:
    check_adapter(OpenAIChat, [form(each) for each in CHUNKS])


class Overlooks(OpenAIChat):
    """Leaves a copy of the text elsewhere."""

    def write(self, chunk: Any, texts: Sequence[str], *, ends: bool = True) -> Any:
        written = super().write(chunk, texts, ends=ends)
        return written and {**written, "model": f"it says {chunk['choices'][0]['delta']}"}


class FindsNothing(OpenAIChat):
    def read(self, chunk: Any) -> Any:
        return super().read(chunk)._replace(pieces=[])


class FindsTheAnswer(OpenAIChat):
    """Passes all other text."""

    def read(self, chunk: Any) -> Any:
        reading = super().read(chunk)
        return reading._replace(pieces=[p for p in reading.pieces if p.slot.channel == "text"])

    def write(self, chunk: Any, texts: Sequence[str], *, ends: bool = True) -> Any:
        rest = [piece.text for piece in super().read(chunk).pieces[len(texts) :]]
        return super().write(chunk, [*texts, *rest], ends=ends)


class Mutates(OpenAIChat):
    def read(self, chunk: Any) -> Any:
        chunk["created"] += 1
        return super().read(chunk)


@pytest.mark.parametrize(
    ("broken", "problem"),
    [
        (Overlooks, "left in chunk"),
        (FindsNothing, "the adapter finds no text"),
        (FindsTheAnswer, r"left in chunk \d of the masked stream: \['greeting'\]"),
        (Mutates, "a policy without rules changes chunk 0"),
    ],
)
def test_what_is_wrong_with_an_adapter_is_found(broken: Any, problem: str) -> None:
    with pytest.raises(AssertionError, match=problem):
        check_adapter(broken, CHUNKS, says=["greeting them"] if broken is FindsTheAnswer else ())


# In asynchronous tests, by whichever plugin runs them

ROOT = Path(__file__).resolve().parents[1]

HOW_TO = {
    name: text
    for page in ("write-a-policy", "pytest")
    for name, text in re.findall(
        r"^```\w+\n# file: (\w+\.\w+)\n(.*?)^```$",
        (ROOT / "docs" / "how-to" / f"{page}.md").read_text(encoding="utf-8"),
        re.MULTILINE | re.DOTALL,
    )
}

PLUGINS = [("asyncio", "anyio", 1), ("anyio", "asyncio", 2)]
"""A plugin's mark, the plugin that is left out, and on how many event loops a test runs."""

CHECKS = """
import pytest
from guardstream import Guard, Policy, Text
from guardstream.formats import OpenAIChat
from guardstream.testing import Case, check_adapter, check_policy, check_stage, splits


class Eager:
    held = 0

    def feed(self, text):
        return [Text(text.upper())] if text else []

    def finish(self):
        return []


class Cut(Eager):
    def feed(self, text):
        return [Text(text.capitalize())] if text else []


@pytest.fixture
def policy():
    return Policy.parse("rules: [{id: w, words: [secret]}]")


@pytest.mark.MARK
async def test_checks(policy):
    check_stage(Eager, ["some text"])
    check_policy(policy, [Case("a secret", output="a [w]", finish="stop", rules=["w"])])
    check_adapter(OpenAIChat, [{
        "object": "chat.completion.chunk",
        "choices": [{"index": 0, "delta": {"content": "hello there"}, "finish_reason": None}],
    }])


@pytest.mark.MARK
async def test_checks_that_fail(policy):
    with pytest.raises(AssertionError, match="the chunking matters"):
        check_stage(Cut, ["some text"])
    with pytest.raises(AssertionError, match="output for"):
        check_policy(policy, [Case("a secret", output="a secret")])


@pytest.mark.MARK
async def test_streams(policy):
    for chunks in splits("a secret"):
        async def model():
            for chunk in chunks:
                yield chunk

        async with Guard(policy).wrap(model()) as guarded:
            assert "".join([chunk async for chunk in guarded]) == "a [w]"
"""


def passed(folder: Path, other: str) -> int:
    """How many tests of a folder pass without the `other` plugin; all must."""
    (folder / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")  # not one above the folder
    options = ["-q", "-p", "no:cacheprovider", "-p", f"no:{other}", "-W", "error"]
    options += ["-W", "ignore:The configuration option"]  # pytest-asyncio asks for a loop's scope
    options += ["-W", "ignore:'asyncio.iscoroutinefunction'"]  # langsmith's plugin, on Python 3.14
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTEST_ADDOPTS": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (count,) = re.findall(r"(\d+) passed", done.stdout)
    return int(count)


@pytest.mark.parametrize(("mark", "other", "loops"), PLUGINS)
def test_the_checks_work_in_asynchronous_tests(
    mark: str, other: str, loops: int, tmp_path: Path
) -> None:
    (tmp_path / "test_checks.py").write_text(CHECKS.replace("MARK", mark), encoding="utf-8")
    assert passed(tmp_path, other) == 3 * loops


@pytest.mark.parametrize(("mark", "other", "loops"), PLUGINS)
def test_the_how_to_on_tests_works_with_either_plugin(
    mark: str, other: str, loops: int, tmp_path: Path
) -> None:
    for name, text in HOW_TO.items():
        text = text.replace("pytest.mark.asyncio", f"pytest.mark.{mark}")
        (tmp_path / name).write_text(text, encoding="utf-8")
    assert passed(tmp_path, other) == 1 + loops * len(list(splits("see CU-12345678")))


def test_a_check_of_nothing_fails() -> None:
    with pytest.raises(AssertionError, match=r"^there is no text: nothing would be checked$"):
        check_stage(Plain, [])
    with pytest.raises(AssertionError, match=r"^there is no case: nothing would be checked$"):
        check_policy(Policy.parse("{}"), iter(()))
