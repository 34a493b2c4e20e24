"""A number is refused at the first character after which no continuation is allowed."""

from __future__ import annotations

import json
import math
import random

import jsonschema_rs
import pytest

from guardstream.events import Text
from guardstream.jsonstream.document import Document
from guardstream.jsonstream.lexer.state import Limits
from guardstream.jsonstream.schema.schema import Schema
from guardstream.stages.json.structure import Settings, Structure
from guardstream.stages.redact import RuleSet
from guardstream.stages.rules import Rule
from tests.jsonstream.corpora import cuttings

WHOLE = {"type": "integer"}


def refused(schema, chunks):
    """The offset, message and advice with which the text is refused, None if it is not."""
    document = Document(schema)
    for chunk in chunks:
        document.feed(chunk)
    document.finish()
    error = document.error
    return None if error is None else (error.offset, str(error), error.pointer, error.advice)


@pytest.mark.parametrize(
    ("schema", "marked"),
    [
        ({"minimum": 0}, "-|5"),
        ({"minimum": 0}, "-0.0|5"),
        ({"minimum": 0}, "-0"),
        ({"minimum": 0, "maximum": 1}, "150|"),  # 150e-3 is allowed
        ({"minimum": 5, "maximum": 7}, "|1"),
        ({"minimum": 90, "maximum": 99}, "8|8"),
        ({"minimum": -9, "maximum": -5}, "-|1"),
        ({"maximum": 100}, "1000|"),  # 1000e-1 is allowed
        ({"maximum": 100}, "1e|3"),
        ({"maximum": 100}, "1000e|+1"),
        ({"maximum": 100}, "1000e-2"),
        ({"minimum": 100}, "5e|-1"),
        (WHOLE, "1.5|"),  # 1.5e1 is one
        (WHOLE, "1.5e|-1"),
        (WHOLE, "1.5e1"),
        (WHOLE, "1.0"),
        (WHOLE | {"minimum": 1, "maximum": 8}, "1|2"),
        (WHOLE | {"minimum": 1, "maximum": 8}, "10|"),  # 10e-1 is 1
        (WHOLE | {"minimum": 0, "maximum": 100}, "15|1"),
        (WHOLE | {"minimum": 0, "maximum": 100}, "100.|5"),
        (WHOLE | {"exclusiveMaximum": 8}, "|8"),
        (WHOLE | {"multipleOf": 5, "minimum": 1, "maximum": 30}, "|7"),
        (WHOLE | {"minimum": 1, "maximum": 8}, "9|"),  # 9999999999999999999e-19 reads as 1.0
        ({"enum": [1, 2, 30]}, "|4"),
        ({"enum": [1, 2, 30]}, "3|1"),
        ({"enum": [1, 2, 30]}, "3.0e1"),
        ({"const": 0}, "0.0|1"),
        ({"const": 0.1}, "0.10000000000000000555"),
        ({"const": 12}, "1|3"),
        ({"enum": [[1, 2], "x"]}, "[1, |3]"),
        ({"anyOf": [{"const": 7}, {"maximum": -1}]}, "|8"),
        ({"anyOf": [{"const": 75}, {"enum": [77]}]}, "7|3"),
        ({"allOf": [{"minimum": 5}, {"maximum": 7}]}, "8|"),  # each by itself
        ({"enum": list(range(1000, 1100))}, "|2"),
    ],
)
def test_it_is_refused_as_soon_as_that_is_certain(schema, marked):
    text = f"[{marked.replace('|', '')}]"
    made = Schema({"items": schema})
    found = {refused(made, chunks) for chunks in cuttings(text, random.Random(0))}
    assert len(found) == 1
    (found,) = found
    assert (found and found[0]) == (marked.index("|") + 1 if "|" in marked else None)


def test_an_integer_of_draft_4_has_neither_point_nor_exponent():
    made = Schema({"items": {"type": "integer", "maximum": 100}}, draft="draft-04")
    for text, at in (("[1.0]", 2), ("[1e1]", 2), ("[1000]", 4), ("[0]", None), ("[-150]", None)):
        for chunks in cuttings(text, random.Random(0)):
            found = refused(made, chunks)
            assert (found and found[0]) == at


@pytest.mark.parametrize("draft", ["draft-04", "openapi-3.0"])
@pytest.mark.parametrize("text", ["[8]", "[12]"])
def test_an_integer_may_equal_one_that_the_schema_writes_with_a_point(draft, text):
    schema = Schema({"items": {"type": "integer", "enum": [8.0, 12.0, 2.5]}}, draft=draft)
    assert refused(schema, [text]) is None
    assert refused(schema, text) is None


def test_the_advice_names_what_decided():
    document = Document(Schema({"properties": {"n": WHOLE | {"minimum": 1, "maximum": 8}}}))
    document.feed('{"n": 12')
    assert document.error is not None
    assert document.error.advice == "at /n: expected maximum 8, got a number"  # type: ignore[attr-defined]


def test_the_keyword_of_a_list_with_an_object_is_the_same_in_every_chunking():
    made = Schema({"items": {"minimum": 1, "enum": [2, {"a": 1}], "not": {"const": 5}}})
    for text in ("[626]", "[2.5, 0]"):
        found = {refused(made, chunks) for chunks in cuttings(text, random.Random(0))}
        assert [each and each[3] for each in found] == [
            'at /0: expected enum [2, {"a": 1}], got a number'
        ]


def test_what_is_too_small_for_a_float_is_not_nought():
    made = Schema({"items": {"minimum": 0}})
    assert refused(made, ["[-1e-400]"]) == refused(made, list("[-1e-400]"))
    assert refused(made, ["[-1e-400]"])[0] == 2
    assert refused(made, ["[-0e-400]"]) is None


def test_digits_beyond_the_limit_are_not_read_first():
    document = Document(Schema({"items": {"const": 12}}), Limits(digits=3))
    document.feed("[13456]")
    assert document.offset == 2


@pytest.mark.parametrize("close", [False, True])
def test_rules_see_nothing_of_a_number_that_is_refused(close):
    rules = RuleSet([Rule(id="n", patterns=(r"\b12\b",))])
    schema = Schema({"items": WHOLE | {"minimum": 1, "maximum": 8}})
    for chunks in cuttings('{"a": [1, 123]}'[6:], random.Random(0)):
        stage = Structure(Settings(schema=schema, redact=rules.stage, close=close))
        events = [event for chunk in chunks for event in stage.feed(chunk)]
        text = "".join(event.text for event in events if isinstance(event, Text))
        assert text == ("[1]" if close else "[1, ")


POOL = [0, 1, 2, 5, 8, 9, 10, 99, 100, 150, 0.5, 0.1, 2.5, -1, -5, -0.5, 1e22, 12345678901234567890]


class Writer:
    """Writes schemas about numbers, and numbers."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)

    def schema(self):
        rng, made = self.rng, {}
        if rng.random() < 0.4:
            made["type"] = rng.choice(["integer", "integer", "number"])
        for keyword, often in (("minimum", 0.5), ("maximum", 0.5), ("exclusiveMinimum", 0.1),
                               ("exclusiveMaximum", 0.1), ("const", 0.1)):  # fmt: skip
            if rng.random() < often:
                made[keyword] = rng.choice(POOL)
        if rng.random() < 0.2:
            made["multipleOf"] = rng.choice([1, 2, 5, 7, 0.5, 0.01])
        if rng.random() < 0.2:
            made["enum"] = rng.sample(POOL, 3)
        if rng.random() < 0.1:
            return {"anyOf": [made, self.schema()]}
        return made

    def digits(self, most: int) -> str:
        return "".join(self.rng.choice("0123456789999") for _ in range(self.rng.randrange(most)))

    def number(self) -> str:
        rng = self.rng
        return self.longer(rng.choice(["", "-"]) + rng.choice("0123456789"), often=0.5)

    def longer(self, text: str, often: float) -> str:
        """A number that begins with `text`, which does."""
        rng = self.rng
        if "e" not in text and "." not in text and text not in ("-", "0", "-0"):
            text += self.digits(rng.choice([1, 3, 20]))
        elif text == "-":
            text += rng.choice("123456789")
        if "e" not in text and "." not in text and rng.random() < often:
            text += "."
        if "." in text and "e" not in text:
            text += rng.choice("0123456789") + self.digits(rng.choice([1, 3, 20]))
        if "e" not in text and rng.random() < often:
            text += "e"
        if text[-1] == "e":
            text += rng.choice(["", "+", "-"])
        return text + (rng.choice("0123456789") + self.digits(2) if text[-1] in "e+-" else "")


@pytest.mark.parametrize("seed", range(4))
def test_nothing_is_refused_that_can_still_be_allowed(seed):
    writer, early = Writer(seed), 0
    for _ in range(500):
        schema, number = writer.schema(), writer.number()
        judge = jsonschema_rs.Draft202012Validator(schema)
        made, text = Schema({"type": "array", "items": schema}), f"[{number}]"
        found = {refused(made, chunks) for chunks in cuttings(text, writer.rng)}
        assert len(found) == 1, (schema, text)
        (error,) = found
        assert (error is None) == judge.is_valid(json.loads(number)), (schema, text)
        if error is None or error[0] > len(number):
            continue
        early += 1
        for _ in range(10):
            other = writer.longer(number[: error[0]], often=0.7)
            assert not judge.is_valid(json.loads(other)), (schema, number, other)
    assert early > 100


def some_numbers(rng: random.Random, depth: int = 3) -> dict:
    """A schema that asks several things of a number."""
    low = rng.randrange(-30, 300)
    plain = [
        {"minimum": low, "maximum": low + rng.choice([0, 5, 40])},
        {"enum": [low, low + 7, low / 4]},
        {"type": "integer", "exclusiveMaximum": low},
        {"multipleOf": rng.choice([3, 10])},
        {"type": ["string", "number"], "maxLength": 2},
        {"const": low},
    ]
    if not depth or rng.random() < 0.6:
        return rng.choice(plain)
    many = [some_numbers(rng, depth - 1) for _ in range(rng.randrange(2, 7))]
    return {
        rng.choice(["anyOf", "oneOf", "allOf"]): many,
        **(plain[0] if rng.random() < 0.2 else {}),
    }


@pytest.mark.parametrize("seed", range(60))
def test_many_schemas_of_one_number_say_what_the_whole_says(seed):
    rng = random.Random(seed)
    schema = {"anyOf": [some_numbers(rng) for _ in range(rng.choice([2, 9, 50]))]}
    made, judge = Schema({"items": schema}), jsonschema_rs.validator_for({"items": schema})
    for _ in range(30):
        number = rng.choice([rng.randrange(-40, 400), rng.randrange(0, 1600) / 4, -0.5, 1e300])
        text = json.dumps([number])
        found = {refused(made, chunks) for chunks in cuttings(text, rng)}
        assert len(found) == 1
        assert (found == {None}) == judge.is_valid([number])
        (error,) = found
        if error is not None:  # no number that begins so is allowed
            begun = text[1 : error[0] + 1].rstrip("]")
            longer = [f"{begun}{more}" for more in ("", "0", "5", "25", ".5", "e1")]
            valid = [judge.is_valid([float(each)]) for each in longer if number_like(each)]
            assert text[error[0]] == "]" or not any(valid)


def number_like(text: str) -> bool:
    try:
        return math.isfinite(json.loads(text))
    except ValueError:
        return False
