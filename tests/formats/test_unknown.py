"""Text in fields and events that no adapter knows: guarded at once, refused, or let through."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from random import Random
from types import MappingProxyType, SimpleNamespace
from typing import Any, ClassVar, NamedTuple

import pytest

from guardstream import AdapterError, Guard, Policy, PolicyError
from guardstream.events import Event, Finish, Text
from guardstream.formats.adapter import Piece, Slot
from guardstream.formats.spec import META, Leaf, Spec, SpecAdapter
from guardstream.formats.toolkit import paths
from guardstream.stream.flows import unknown
from guardstream.stream.flows.checks import Asides, CachedCheck, Names
from guardstream.stream.flows.recurring import Tail
from guardstream.stream.flows.told_apart import ToldApart
from guardstream.stream.flows.unknown import UnknownTexts
from tests.formats.chunks import chunk, model
from tests.support.effort import lines_executed

GUARD = Guard(
    Policy.parse(
        """
rules:
  - {id: bird, words: [blue bird], replacement: "*"}
  - {id: fish, words: [red fish], action: block}
  - {id: thought, words: [grey owl], channels: [thinking]}
  - {id: seen, words: [white crow], action: monitor}
"""
    )
)

FORMATS: dict[str, dict[str, Any]] = {
    "openai_chat": {"choices": [{"index": 0, "delta": {"content": "so "}}]},
    "openai_completions": {"object": "text_completion", "choices": [{"index": 0, "text": "so "}]},
    "openai_responses": {
        "type": "response.output_text.delta",
        **{"delta": "so ", "item_id": "i", "output_index": 0, "content_index": 0},
    },
    "anthropic": {
        "type": "content_block_delta",
        "index": 0,
        "delta": {"type": "text_delta", "text": "so "},
    },
    "gemini": {"candidates": [{"content": {"parts": [{"text": "so "}]}}]},
    "ollama": {"message": {"content": "so "}, "done": False},
    "cohere": {
        "type": "content-delta",
        "index": 0,
        "delta": {"message": {"content": {"text": "so "}}},
    },
    "bedrock": {"contentBlockDelta": {"contentBlockIndex": 0, "delta": {"text": "so "}}},
    "watsonx": {"results": [{"generated_text": "so ", "stop_reason": "not_finished"}]},
    "json": {"some": "so "},
}


def with_text(name: str, *values: Any) -> list[dict[str, Any]]:
    """Chunks of a format, each with a value in a field that it does not have."""
    return [{**FORMATS[name], "dreams": value} for value in values]


def test_a_monitored_part_of_a_name_does_not_hide_what_its_pieces_say() -> None:
    def check(text: str) -> list[Event]:
        session = GUARD.session()
        events = [*session.feed(text), *session.finish()]
        return [each for each in events if each != Finish("stop")]

    names = Names(check, 256)
    for said in ("red ", "fish white crow"):
        events = names.judge("$.name", said)
        names.end_chunk(over=False)
    assert events[-1] == Finish("content_filter")


class Echoing(SpecAdapter):
    """An adapter that makes chunks with the ids of earlier ones as they came in."""

    name = "echoing"
    spec: ClassVar[Spec] = {"id": META, "text": Leaf("delta", "text", "text")}

    def extra(self, chunk: Any, *_: Any) -> list[Any]:
        return [chunk]

    def end(self, chunk: Any, *_: Any) -> list[Any]:
        return [chunk]


def test_no_adapter_can_add_a_chunk_with_an_id_that_a_rule_would_change() -> None:
    adapter = Echoing()
    adapter.judge_marks(lambda _steps, mark: "blue bird" not in mark)
    for make in (adapter.extra, adapter.end):
        assert make({"id": "the blue bird", "text": "so"}) == [{"id": "", "text": "so"}]
        assert make({"id": "a crow", "text": "so"}) == [{"id": "a crow", "text": "so"}]


def test_json_of_very_many_keys_is_guarded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unknown, "PATHS", 8)
    value = json.dumps({f"key{number}": "a" for number in range(30)} | {"z": "blue bird"})
    (shown,) = GUARD.wrap_sync(with_text("openai_chat", value))
    assert shown["dreams"] == value.replace("blue bird", "*********")


def test_many_changed_keys_and_values_cost_what_a_few_do_each() -> None:
    def cost(count: int) -> int:
        dreams = {f"blue bird {place}": "blue bird" for place in range(count)}
        chunks = with_text("openai_chat", dreams)
        return lines_executed(lambda: list(GUARD.wrap_sync(chunks)))

    cost(10)  # what is made once
    assert cost(800) < 5 * cost(200)


def test_many_paths_are_guarded() -> None:
    whole = {"body": {f"field{n}": {"text": "a blue bird"} for n in range(1000)}}
    (out,) = GUARD.wrap_sync([whole], format="json")
    assert {each["text"] for each in out["body"].values()} == {"a *********"}


def test_too_many_paths_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unknown, "PATHS", 256)
    chunks = [{**FORMATS["openai_chat"], f"field{n}": "x"} for n in range(300)]
    stream = GUARD.wrap_sync(chunks)
    with pytest.raises(AdapterError, match="256 paths"):
        list(stream)
    assert stream.finish == "error"


class Colour(Enum):
    """A constant, which is not text."""

    RED = "red fish"


def test_odd_values_and_keys_pass_or_are_guarded() -> None:
    values: list[Any] = [Colour.RED, {None: "x"}, {(1, 2): "x"}, {1: 2}]
    chunks = with_text("openai_chat", *values)
    assert list(GUARD.wrap_sync(chunks)) == chunks
    (masked,) = GUARD.wrap_sync(with_text("json", {1: "blue bird"}))
    assert masked["dreams"] == {1: "*********"}
    named = chunk({"tool_calls": [{"index": 0, "function": {"name": {"t": "blue bird"}}}]})
    (out,) = GUARD.wrap_sync([named])
    assert "bird" not in str(out)


class Slotted:
    """An object without a `__dict__`."""

    __slots__ = ("said",)

    def __init__(self, said: str) -> None:
        self.said = said


@dataclass(frozen=True, slots=True)
class Frozen:
    """An object that cannot be changed."""

    said: str


class Pair(NamedTuple):
    said: str
    count: int


@pytest.mark.parametrize(
    ("value", "masked"),
    [
        (bytearray(b"a blue bird"), bytearray(b"a *********")),
        ({"a blue bird"}, {"a *********"}),
        (frozenset({"a blue bird"}), frozenset({"a *********"})),
        (("a blue bird", 5), ("a *********", 5)),
        (deque(["a blue bird"]), deque(["a *********"])),
        (Pair("a blue bird", 5), Pair("a *********", 5)),
        (MappingProxyType({"a": "blue bird"}), {"a": "*********"}),
        (Frozen("a blue bird"), Frozen("a *********")),
    ],
)
def test_values_of_any_type_are_guarded(value: Any, masked: Any) -> None:
    (out,) = GUARD.wrap_sync(with_text("openai_chat", value))
    assert out["dreams"] == masked
    assert type(out["dreams"]) is type(masked)


def test_objects_with_slots_are_guarded_and_not_changed() -> None:
    value = Slotted("a blue bird")
    (out,) = GUARD.wrap_sync(with_text("openai_chat", value))
    assert (out["dreams"].said, value.said) == ("a *********", "a blue bird")


@pytest.mark.parametrize("value", [iter(["a blue bird"]), {("a blue bird",): 1}, {b"blue bird": 1}])
def test_what_cannot_be_looked_into_ends_the_stream(value: Any) -> None:
    stream = GUARD.wrap_sync(with_text("openai_chat", value))
    with pytest.raises(AdapterError, match=r"at \$\.dreams cannot be read: it is a '"):
        next(stream)
    assert stream.finish == "error"


@pytest.mark.parametrize(
    "unknown",
    ["", "maybe", 5, [], {}, {"pass": "$.a"}, {"pass": ["a"]}, {"pass": 5}, {"pass": [], "x": 1}],
)
def test_what_is_no_way_to_treat_unknown_text_is_refused(unknown: Any) -> None:
    with pytest.raises(ValueError, match=r"unknown: |not a path"):
        GUARD.wrap_sync([], unknown=unknown)


def test_paths_that_pass_have_to_be_paths() -> None:
    with pytest.raises(PolicyError, match=r"<policy>:1:\d+: 'a' is not a path"):
        Policy.parse("unknown: {pass: [a]}")


UNDESCRIBED = [
    {"kind": "start", "id": "r1"},
    {"kind": "token", "data": {"say": "the blue ", "also": "no"}},
    {"kind": "token", "data": {"say": "bird is", "also": "no"}},
]


def test_a_log_says_once_which_text_is_judged_at_once(caplog: pytest.LogCaptureFixture) -> None:
    guard = Guard(GUARD.policy)
    for _ in range(3):
        list(guard.wrap_sync(UNDESCRIBED))
    (record,) = caplog.records
    said = record.getMessage()
    assert (record.name, record.levelname) == ("guardstream", "WARNING")
    assert "$.data.also, $.data.say is" in said
    assert "`unknown: hold`" in said
    assert "`formats`" in said
    other = [{**event, "kind": None, "note": "so", "it": "no"} for event in UNDESCRIBED]
    body = b"".join(b"data: %b\n\n" % json.dumps(event).encode() for event in other)
    list(guard.wrap_sync([body]))
    assert len(caplog.records) == 2


def test_the_log_says_nothing_of_text_that_is_guarded_exactly(
    caplog: pytest.LogCaptureFixture,
) -> None:
    list(Guard(GUARD.policy).wrap_sync([{"kind": "token", "say": text} for text in ("so", " it")]))
    assert not caplog.records


def test_the_log_says_nothing_of_what_rules_find_or_nobody_guards(
    caplog: pytest.LogCaptureFixture,
) -> None:
    list(Guard(Policy.parse("version: 1")).wrap_sync(UNDESCRIBED))
    list(GUARD.wrap_sync(UNDESCRIBED, format="json"))
    list(GUARD.wrap_sync(UNDESCRIBED, unknown="pass"))
    assert not caplog.records
    list(Guard(GUARD.policy).wrap_sync([{"blue bird": {"deep": "a text"}}] * 2))
    (record,) = caplog.records
    assert "blue" not in record.getMessage()


class FailedError(Exception):
    """An error that is not made of its arguments alone."""

    def __init__(self, what: str, _logger: object) -> None:
        super().__init__(what)
        self.what = what


def raised(error: Exception) -> Exception:
    try:
        try:
            raise RuntimeError("blue bird")
        except RuntimeError as cause:
            raise error from cause
    except Exception as found:
        return found


@pytest.mark.parametrize(
    "error",
    [
        FailedError("a blue bird", None),
        ValueError("a blue bird", "blue bird"),
        KeyError("blue bird"),
        FileNotFoundError(2, "no such file", "/tmp/blue bird"),
        UnicodeDecodeError("utf-8", b"blue bird", 0, 1, "a blue bird"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_exceptions_say_is_guarded(error: Exception) -> None:
    (out,) = GUARD.wrap_sync([{"error": raised(error)}])
    found = out["error"]
    assert type(found) is type(error)
    assert "blue bird" not in f"{found!s} {found!r} {found.args} {vars(found)}"
    assert found.__cause__ is None
    assert found.__traceback__ is None
    assert "*" in f"{found!s}{found!r}"
    fine = raised(FailedError("fine", None))
    (out,) = GUARD.wrap_sync([{"error": fine}])
    assert out["error"] is fine


@dataclass
class Noted:
    """An event of an application's own."""

    task: Any
    note: str


@pytest.mark.parametrize(
    "said",
    [
        lambda text, at, _: {"session": at // 2, "choice": at % 2, "note": text},
        lambda text, at, nr: {
            "seq": nr,
            "on": {"id": at // 2},
            "of": [{"at": at % 2, "note": text}],
        },
        lambda text, at, _: {
            "session": at // 2,
            "own": json.dumps({"choice": at % 2, "note": text}),
        },
        lambda text, at, _: {"session": at // 2, "size": len(text), "choice": at % 2, "note": text},
    ],
)
@pytest.mark.parametrize("seed", range(4))
def test_texts_that_interleave_are_told_apart_by_two_fields_together(said: Any, seed: int) -> None:
    random = Random(seed)
    rest = [cut("so it is said here: it is a blue bird here", random) for _ in range(4)]
    source: list[tuple[int, Any]] = []
    while any(rest):
        at = random.choice([at for at in range(4) if rest[at]])
        source.append((at, said(rest[at].pop(0), at, len(source))))
    out = GUARD.wrap_sync([event for _, event in source])
    texts = [""] * 4
    for (at, _), event in zip(source, out, strict=True):
        texts[at] += "".join(notes(event))
    assert not any("blue bird" in each for each in texts)


def cut(text: str, random: Random) -> list[str]:
    """Return a text in pieces of one to four characters."""
    pieces = []
    while text:
        size = random.randrange(1, 5)
        pieces.append(text[:size])
        text = text[size:]
    return pieces


def notes(value: Any) -> Iterator[str]:
    """Yield the notes in an event, also those in strings of JSON."""
    if isinstance(value, str) and value.startswith(("{", "[")):
        value = json.loads(value)
    if isinstance(value, list):
        for each in value:
            yield from notes(each)
    elif isinstance(value, (dict, Noted)):
        for name, each in (value if isinstance(value, dict) else vars(value)).items():
            if name == "note":
                yield each
            else:
                yield from notes(each)


def test_rows_of_a_long_list_are_not_compared_with_each_other() -> None:
    rows = [{"id": nr, "note": "so"} for nr in range(40)]
    assert paths.beside({"rows": rows}, (((), "rows"), 5)) == [
        (".rows.id", 5),
        (".rows.note", "so"),
    ]


def test_values_on_the_way_to_a_text_are_compared_before_others() -> None:
    event = {"meta": {f"m{nr}": nr for nr in range(20)}, "data": {"task": 1, "note": "so"}}
    assert paths.beside(event, ((), "data"))[:2] == [(".data.task", 1), (".data.note", "so")]


def test_what_is_the_same_everywhere_is_not_read_again_by_other_fields() -> None:
    checked: list[str] = []

    def check(text: str) -> list[Text]:
        checked.append(text)
        return [Text(text)]

    texts = UnknownTexts(CachedCheck(check), 64, lambda: False)
    texts.judge("$.zone", "eu-west", beside=[("step", 3)])
    for nr in range(200):
        texts.judge("$.region", "eu-west", beside=[("step", nr % 3)])
    assert len(checked) < 20
    for step, text in [(0, "blue "), *[(nr % 2 + 1, "bird") for nr in range(60)], (0, "bird")]:
        texts.judge("$.note", text, beside=[("step", step)])
    assert "blue bird" in checked


def test_fields_that_differ_in_each_event_keep_no_texts() -> None:
    apart = ToldApart(16)
    for nr in range(2000):
        for each in apart.texts("$.note", "so", Tail(16), [("seq", nr), ("task", nr % 3)]).values():
            each.add("so")
    assert len(apart.texts("$.note", "so", Tail(16), [("seq", 2000), ("task", 0)])) == 1
    for nr in range(20_000):
        apart.texts(f"$.at{nr}", "so", Tail(16), [("task", nr % 3)])
        apart.texts("$.note", "so", Tail(16), [("task", nr)])
    assert len(apart) <= 16_384


def test_few_texts_are_kept_where_each_may_be_long() -> None:
    apart = ToldApart(1_000_000)
    for nr in range(1000):
        told = apart.texts("$.note", "so", Tail(16), [("task", nr % 200), ("step", nr % 2)])
        assert told or nr < 2
    assert len(apart) <= 64


class Agent:
    """An application's own object, which holds itself."""

    def __init__(self) -> None:
        self.name = "blue bird"
        self.tools = [SimpleNamespace(agent=self)]


@pytest.mark.parametrize(
    "said",
    [
        lambda text, at: {"outs": [{"index": at, "told": text}]},
        lambda text, at: {"index": at, "told": text},
        lambda text, at: {"type": "told", "parts": [{"said": {"index": at, "told": text}}]},
        lambda text, at: chunk({"dreams": text}, choice=at),
        lambda text, at: chunk({"dreams": [text] if at else ["", text]}),
    ],
)
@pytest.mark.parametrize("as_model", [False, True])
def test_samples_that_come_at_the_same_time_each_go_on(said: Any, as_model: bool) -> None:
    if as_model and "object" not in said("", 0):
        pytest.skip("no class of the package's")
    make = model if as_model else dict
    pieces = [(letter, at) for letter in "a blue bird" for at in (0, 1)]
    stream = GUARD.wrap_sync([make(said(piece, at)) for piece, at in pieces])
    out = [json.dumps(each if isinstance(each, dict) else each.model_dump()) for each in stream]
    assert [finding.rule for finding in stream.findings] == ["bird", "bird"]
    assert "[bird]" in out[-1]
    assert "[bird]" in out[-2]


def test_an_object_that_holds_itself_is_named_and_may_pass() -> None:
    agent = Agent()
    source = [{"data": "a blue ", "agent": agent}, {"data": "bird", "agent": agent}]
    with pytest.raises(AdapterError, match=r"\$\.agent.*pass: \['\$\.agent'\]"):
        list(Guard(GUARD.policy).wrap_sync(source))
    out = list(Guard(GUARD.policy).wrap_sync(source, unknown={"pass": ["$.agent"]}))
    assert [event["data"] for event in out] == ["a ", "*********"]
    assert all(event["agent"] is agent for event in out)
    assert list(GUARD.wrap_sync(source, unknown="pass")) == source


def test_of_several_objects_the_one_that_holds_itself_is_named() -> None:
    source = [{"info": SimpleNamespace(user="me"), "results": [Agent()], "data": "so"}]
    with pytest.raises(AdapterError, match=r"pass: \['\$\.results'\]"):
        list(GUARD.wrap_sync(source))


def test_a_value_that_is_the_same_in_each_chunk_is_soon_judged_no_more() -> None:
    checked: list[str] = []

    def check(text: str) -> list[Text]:
        checked.append(text)
        return [Text(text)]

    texts = UnknownTexts(CachedCheck(check), 64, lambda: False)
    for _ in range(500):
        assert texts.judge("$.region", "eu-west") == [Text("eu-west")]
        assert texts.judge("$.zone", "b") == [Text("b")]
    assert len(checked) < 90
    texts.judge("$.region", "us")
    assert checked[-3:] == ["us", "region: us", ("eu-west" * 10)[-64:] + "us"]


def test_what_stands_beside_each_chunk_is_soon_judged_no_more() -> None:
    checked: list[str] = []

    def check(text: str) -> list[Text]:
        checked.append(text)
        return [Text(text)]

    texts = Asides(CachedCheck(check), 64)
    for place in range(1000):
        for number, token in enumerate(("gpt-4o", f"{place} words", f"{place} words")):
            slot = Slot(0, "text", "logprobs", number)
            assert texts.passes(Piece(slot, token, "aside"), repeats=False)
    assert sum("gpt-4o" in each for each in checked) < 20
    assert sum("words" in each for each in checked) < 1000


ADDRESS = r"[\w.+-]+@[\w-]+\.\w+"
"""A pattern without a limit, of which each word may be the beginning."""


@pytest.mark.parametrize("action", ["block", "mask"])
@pytest.mark.parametrize(
    "kinds",
    [["a"], ["token"], ["token", ""], ["token", "thought", "token", "tool.call"], ["a-kind" * 35]],
)
def test_values_that_recur_are_no_candidate_that_grows(action: str, kinds: list[str]) -> None:
    guard = Guard(Policy.parse(f"rules: [{{id: m, pattern: '{ADDRESS}', action: {action}}}]"))
    source = [{"kind": kinds[at % len(kinds)], "tenant": "acme-corp"} for at in range(600)]
    source.append({"kind": "over", "tenant": "acme-corp"})
    stream = guard.wrap_sync(source)
    assert list(stream) == source
    assert not stream.findings


@pytest.mark.parametrize("size", [1, 2, 7])
def test_values_that_do_not_recur_are_a_candidate_that_grows(size: int) -> None:
    guard = Guard(Policy.parse("rules: [{id: key, pattern: '[a-z0-9]{9,} END'}]"))
    letters = "".join(f"{at * at * 7919 % 46656:04x}" for at in range(200))
    values = [letters[at : at + size] for at in range(0, len(letters), size)]
    out = [each["say"] for each in guard.wrap_sync([{"say": each} for each in values])]
    assert "".join(out) == guard.check(letters).text == "[key]"
