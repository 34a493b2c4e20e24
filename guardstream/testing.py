"""Checks for your own stages, policies and adapters: their results must not depend on the chunking.

Each check raises AssertionError, which names the violated rule and the chunks that violate it. The
checks work in any test framework, or without one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from itertools import zip_longest
from random import Random
from typing import Any, TypeVar

from guardstream.errors import StageError
from guardstream.events import Event, Finding, FinishReason, Text, joined, text_of
from guardstream.formats import Adapter
from guardstream.formats.adapter import Piece, Reading, Slot
from guardstream.guard import Guard
from guardstream.policy import Policy
from guardstream.stages.custom import Checked, CustomStage
from guardstream.stages.pipeline import Pipeline

__all__ = ["SEEDS", "Case", "check_adapter", "check_policy", "check_stage", "splits"]

T = TypeVar("T")

SEEDS = range(20)
"""The seeds of the random splits that are tried by default."""


def splits(text: str, n: int = 20, seed: int = 0) -> Iterator[list[str]]:
    """Yield `text` whole, in single characters, and in `n` random splits, some chunks empty.

    The same `seed` gives the same splits.
    """
    yield [text]
    yield list(text)
    random = Random(seed)
    for _ in range(n):
        chunks, at = [], 0
        while at < len(text):
            size = random.choice((0, 1, 1, 2, 3, 5, 8, 13))
            chunks.append(text[at : at + size])
            at += size
        yield chunks


def _some(given: Iterable[T], what: str) -> list[T]:
    """Return what is to be checked; AssertionError if there is nothing."""
    found = list(given)
    if not found:
        raise AssertionError(f"there is no {what}: nothing would be checked")
    return found


def check_stage(
    make_stage: Callable[[], CustomStage],
    texts: Iterable[str],
    *,
    seeds: Iterable[int] = SEEDS,
    most_held: int | None = None,
    alone: bool = False,
) -> None:
    """Check that a stage keeps the contract of stages on each of `texts`.

    - It gives the same text, the same findings in the same order and the same finish, each at the
      same position, in any chunking: whole, character by character, in two parts, and in a random
      split for each of the `seeds`.
    - It returns only events; spans are valid, and nothing follows a Finish.
    - It never holds more than it was fed, at most `most_held` after each chunk (if given), and
      nothing at the end.
    - It shares no state with the next stage that `make_stage` creates.
    - With `alone`, for a stage that is used outside of a policy: `finish` ends with a Finish, and
      it returns nothing after that, nor for an empty chunk.

    Raises AssertionError; TypeError for a stage in place of what creates it.
    """
    _check_creates("check_stage", "stages", make_stage)
    texts = _some(texts, "text")
    seeds, wrapper = list(seeds), _Alone if alone else Checked

    def play(chunks: Sequence[str]) -> list[Event]:
        given = make_stage()
        return _played(wrapper(given, type(given).__name__), chunks, most_held)

    for text in texts:
        expected = play([text])
        for chunks in _chunkings(text, seeds):
            got = play(chunks)
            if got != expected:
                raise AssertionError(_difference(chunks, expected, got))
        again = play([text])
        if again != expected:
            raise AssertionError(f"a stage remembers what an earlier one has read: {again}")


def _check_creates(name: str, what: str, make: object) -> None:
    """Raise TypeError for a stage or an adapter in place of what creates them."""
    if not callable(make):
        given = type(make).__qualname__
        raise TypeError(
            f"{name}() needs a function that creates {what}, such as lambda: {given}(...), not "
            f"{given!r}: each serves one stream"
        )


def _chunkings(text: str, seeds: Iterable[int]) -> Iterator[list[str]]:
    yield list(text)
    for place in range(1, min(len(text), 40)):
        yield [text[:place], text[place:]]
    for seed in seeds:
        yield from list(splits(text, 1, seed))[2:]


def _difference(chunks: Sequence[str], expected: list[Event], got: list[Event]) -> str:
    what = "events"
    if text_of(expected) != text_of(got):
        what = "text"
    elif _others(expected) != _others(got):
        what = "findings or finish"
    return (
        f"the chunking matters: different {what} for the chunks {list(chunks)!r}\n"
        f"  whole:     {expected}\n  in chunks: {got}"
    )


def _others(events: Iterable[Event]) -> list[Event]:
    return [event for event in events if not isinstance(event, Text)]


class _Alone(Checked):
    """Checks the whole contract of a stage that is used alone."""

    def feed(self, text: str) -> list[Event]:
        events = super().feed(text)
        if self._stage.feed(""):
            raise self._error("returns something for an empty chunk")
        self._check_over()
        return events

    def finish(self) -> list[Event]:
        events = [] if self._finished else self._checked(self._stage.finish())
        if not self._finished:
            raise self._error("ends without a Finish")
        self._check_over()
        return events

    def _check_over(self) -> None:
        if not self._finished:
            return
        if getattr(self._stage, "held", 0):
            raise self._error("still holds text after its end")
        if [*self._stage.feed("x"), *self._stage.finish()]:
            raise self._error("returns something after its end")


def _played(stage: Checked, chunks: Sequence[str], most: int | None) -> list[Event]:
    """Return the events of a text in chunks, with adjacent texts joined; AssertionError says what
    is wrong."""
    events: list[Event] = []
    fed = 0
    try:
        for chunk in chunks:
            events += stage.feed(chunk)
            fed += len(chunk)
            _check_held(stage.held, fed, most)
        events += stage.finish()
    except StageError as error:
        raise AssertionError(str(error)) from error
    for event in events:
        if isinstance(event, Finding) and event.kind != "overflow" and event.end > fed:
            raise AssertionError(f"a finding extends beyond the text's end at {fed}: {event}")
    return joined(events)


def _check_held(held: int, fed: int, most: int | None) -> None:
    if held > fed:
        raise AssertionError(f"{held} characters are held, {fed} were fed")
    if most is not None and held > most:
        raise AssertionError(f"{held} characters are held, {most} are allowed")


@dataclass(frozen=True, slots=True)
class Case:
    """A text, and the expected result of a policy in `channel`; None is not checked.

    `output` is the released text, `finish` the finish reason, and `rules` are those of the
    findings, in order.
    """

    text: str
    output: str | None = None
    finish: FinishReason | None = None
    rules: Sequence[str] | None = None
    channel: str = "text"


def check_policy(policy: Policy, cases: Iterable[Case], *, seeds: Iterable[int] = SEEDS) -> None:
    """Check the results of a `policy` for each text of `cases`, in any chunking.

    `seeds` are those of the random splits. Raises AssertionError; TypeError for anything but a
    Policy and a list of Case.
    """
    if not isinstance(policy, Policy):
        given = type(policy).__qualname__
        raise TypeError(f"check_policy() needs a Policy, as of Policy.load(path), not {given!r}")
    cases = _some(cases, "case")
    wrong = next((type(case).__qualname__ for case in cases if not isinstance(case, Case)), None)
    if wrong is not None:
        raise TypeError(f"check_policy() needs a list of Case, not of {wrong!r}")
    guard, seeds = Guard(policy, rules_only=True), list(seeds)
    for case in cases:
        check_stage(lambda c=case: Pipeline(policy.stages(c.channel)), [case.text], seeds=seeds)  # type: ignore[misc]
        result = guard.check(case.text, case.channel)
        rules = [finding.rule for finding in result.findings]
        for what, expected, got in (
            ("output", case.output, result.text),
            ("finish", case.finish, result.finish),
            ("rules", None if case.rules is None else list(case.rules), rules),
        ):
            if expected is not None and expected != got:
                raise AssertionError(
                    f"{what} for {case.text!r}: expected {expected!r}, got {got!r}"
                )


_MASKED = "rules: [{id: masked, pattern: '[^\\s*]', replacement: '*'}]"

_WORD = re.compile(r"[^\W\d_]{5,}")


def check_adapter(
    make_adapter: Callable[[], Adapter[Any]], chunks: Iterable[Any], *, says: Iterable[str] = ()
) -> None:
    """Check the adapters that `make_adapter` returns on the chunks of a recorded stream.

    Raises AssertionError unless

    - under a policy without rules, the chunks come out unchanged;
    - under a policy that masks every character, all text that the adapter finds in the released
      chunks is masked, and no chunk contains any of its words. `says` are texts that the stream is
      known to contain, in any field; only they reveal text that the adapter overlooks.
    """
    _check_creates("check_adapter", "adapters", make_adapter)
    chunks, says = list(chunks), list(says)
    passed = _guarded(make_adapter(), deepcopy(chunks), "{}")
    for number, (one, other) in enumerate(zip_longest(passed, chunks)):
        if one != other:
            raise AssertionError(f"a policy without rules changes chunk {number}")
    masked = _guarded(_NamesLeft(make_adapter()), deepcopy(chunks), _MASKED)
    for text in _texts(make_adapter(), masked):
        if text.strip("* \t\r\n"):
            raise AssertionError(f"a text is not masked: {text!r}")
    words = _words(make_adapter(), chunks, says)
    if not words:
        raise AssertionError(
            "there is no word in the stream to search for: the adapter finds no text"
        )
    for number, chunk in enumerate(masked):
        left = {word for text in _strings(chunk) for word in _WORD.findall(text)} & words
        if left:
            raise AssertionError(f"left in chunk {number} of the masked stream: {sorted(left)}")


def _guarded(adapter: Adapter[Any], chunks: Sequence[Any], policy: str) -> list[Any]:
    return list(Guard(Policy.parse(policy)).wrap_sync(chunks, format=adapter))


class _NamesLeft:
    """An adapter that hides names, which cannot be masked and would block the stream."""

    def __init__(self, adapter: Adapter[Any]) -> None:
        self._adapter = adapter
        self._pieces: dict[int, tuple[Any, Sequence[Piece]]] = {}  # by the id of the kept chunk

    def __getattr__(self, name: str) -> Any:
        return getattr(self._adapter, name)

    def __deepcopy__(self, memo: dict[int, Any]) -> _NamesLeft:
        return _NamesLeft(deepcopy(self._adapter, memo))

    def read(self, chunk: Any) -> Reading:
        """Find the text in a chunk, without names."""
        reading = self._adapter.read(chunk)
        self._pieces[id(chunk)] = (chunk, reading.pieces)
        return reading._replace(pieces=[each for each in reading.pieces if each.kind != "name"])

    def write(self, chunk: Any, texts: Sequence[str], *, ends: bool = True) -> Any:
        """Return a chunk with other texts and its own names."""
        rest = iter(texts)
        pieces = self._pieces[id(chunk)][1]
        whole = [each.text if each.kind == "name" else next(rest) for each in pieces]
        return self._adapter.write(chunk, whole, ends=ends)


def _texts(adapter: Adapter[Any], chunks: Iterable[Any], *, calls: bool = False) -> list[str]:
    """Return the joined texts of a stream; those of tool calls, which stay JSON, only
    if requested."""
    texts: dict[Slot, str] = {}
    for chunk in chunks:
        for slot, text, kind in adapter.read(chunk).pieces:
            if kind != "name" and (slot.channel == "tool_args") == calls and kind != "parsed":
                texts[slot] = texts.get(slot, "") + text
    return list(texts.values())


def _words(adapter: Adapter[Any], chunks: Sequence[Any], says: Sequence[str]) -> set[str]:
    """Return the words of a stream's texts that do not occur in it for another reason."""
    joined = " ".join([*_texts(adapter, chunks), *says])
    names = {text for chunk in chunks for text in _strings(chunk, keys=True)}
    names |= set(_WORD.findall(" ".join(_texts(adapter, chunks, calls=True))))
    other = {word for name in names for word in _WORD.findall(name) if name == word or "_" in name}
    return set(_WORD.findall(joined)) - other


def _strings(value: Any, *, keys: bool = False) -> Iterator[str]:
    """Yield every string in a chunk, at any depth; with `keys` also the names of its fields."""
    if hasattr(value, "model_dump"):
        value = value.model_dump()
    elif hasattr(value, "__dict__"):
        value = vars(value)
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _strings(item, keys=keys)
            if keys:
                yield str(key)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _strings(item, keys=keys)
    elif isinstance(value, (str, bytes)):
        yield value if isinstance(value, str) else value.decode("utf-8", "replace")
