"""Documents that are written in pieces."""

from __future__ import annotations

import json
import random

from guardstream.events import Text
from guardstream.jsonstream.lexer.state import Limits
from guardstream.jsonstream.schema.schema import Schema
from guardstream.stages.json.structure import Settings, Structure
from guardstream.stages.redact import RuleSet
from guardstream.stages.rules import Rule

RULES = RuleSet(
    [
        Rule(id="w", words=("password", "ab"), whole_word=False),
        Rule(id="card", patterns=(r"\b(?:\d{2}[ -]?){2}\d{2}\b",)),
        Rule(id="b", words=("boom",), action="block", whole_word=False),
    ]
)


SCHEMAS = [
    None,
    Schema(True),
    Schema({"items": {"type": "integer"}}),
    Schema({"items": {"type": "string", "maxLength": 3}}),
    Schema({"items": {"maximum": 10, "multipleOf": 2}, "maxItems": 3, "uniqueItems": True}),
    Schema({"type": "object", "patternProperties": {"^a": {"pattern": "^b*$"}}}),
    Schema(
        {
            "properties": {"a": {"type": "string"}, "ab": {"enum": ["x", "xy"]}},
            "additionalProperties": False,
        }
    ),
    Schema(
        {
            "anyOf": [
                {"items": {"type": "integer", "maximum": 50}},
                {"type": "object", "properties": {"a": {"type": "null"}}, "required": ["a"]},
            ]
        }
    ),
    Schema(
        {"oneOf": [{"items": {"type": "string"}}, {"items": {"type": "number"}}], "minItems": 2}
    ),
]


ATOMS = [
    '"', '"a"', '"ab"', '"abcd"', "{", "}", "[", "]", ",", ", ", ": ", "1", "123456", "12 34 56",
    "-", "1.5", "1e", "true", "tru", "\\", "\\u", "\\u0061", "\\ud83d", "\\ude00", "\\q", "\n", " ",
    "\x01", "ab", "boom", "password", '"a": ', '"ab": ', "é", "```", "```json\n", "\n```\n",
    "<think>", "</think>", "text", "\ufeff",
]  # fmt: skip


class Writer:
    """Writes texts that are JSON, nearly so, or not at all, and chooses settings."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)

    def value(self, depth: int = 0):
        """A value of JSON."""
        rng = self.rng
        if depth > 2 or rng.random() < 0.4:
            return rng.choice([1, 12, 123456, 1.5, "a", "ab", "abcd", "pass\nword", "é\U0001f600",
                               None, True])  # fmt: skip
        inner = [self.value(depth + 1) for _ in range(rng.randrange(4))]
        if rng.random() < 0.5:
            return inner
        return {rng.choice(["a", "ab", "b", "é"]): each for each in inner}

    def text(self) -> str:
        """A document with mistakes, or pieces of one."""
        rng = self.rng
        if rng.random() < 0.25:
            return "".join(rng.choice(ATOMS) for _ in range(rng.randrange(1, 14)))
        indent, ascii_only = rng.choice([None, None, 1]), rng.random() < 0.5
        text = json.dumps(self.value(), ensure_ascii=ascii_only, indent=indent)
        if rng.random() < 0.2:
            text = rng.choice(["text\n", ""]) + rng.choice(["```json\n", "```\n", "\n"]) + text
            text += rng.choice(["\n```\nmore", "", " {"])
        for _ in range(rng.randrange(3)):
            at = rng.randrange(len(text) + 1)
            text = text[:at] + rng.choice(ATOMS) + text[at + rng.randrange(3) :]
        return text

    def settings(self) -> Settings:
        """Any settings of the stage."""
        choice = self.rng.choice
        return Settings(
            schema=choice(SCHEMAS),
            fences=choice([None, None, "strip", "keep", "require"]),
            documents=choice(["one", "many", "last"]),
            last_max=choice([10, 100_000]),
            after=choice(["stop", "ignore", "text"]),
            on_violation=choice(["block", "stop", "monitor", "text"]),
            close=choice([False, False, True]),
            redact=choice([None, RULES.stage]),
            redact_keys=choice([False, True]),
            numbers=choice([None, "string", "null", "zero"]),
            limits=choice([Limits(), Limits(3, 5, 4, 30)]),
            duplicates=choice([False, False, True]),
        )


def run(settings: Settings, chunks: list[str]):
    """The text, each other event with how much text came before it, and the violations."""
    stage, text, others = Structure(settings), "", []
    for events in [*map(stage.feed, chunks), stage.finish()]:
        for event in events:
            if isinstance(event, Text):
                text += event.text
            else:
                others.append((len(text), event))
    return text, others, [(str(each), each.offset) for each in stage.violations]
