"""Control functions of terminals in a text: each is read as text, and as nothing."""

from __future__ import annotations

from itertools import product
from random import Random

import pytest
import regex

from guardstream.events import Finding
from guardstream.stages.redact import RuleSet
from guardstream.stages.rules import Rule
from tests.support.chunking import joined, one_by_one, play, random_split
from tests.support.forms import form

__all__ = ["form"]

ESC = "\x1b"
WORD = Rule("w", words=("bluebird",), replacement="*")
PATTERN = Rule(
    "p", patterns=(r"(?<!\w)bluebird(?!\w)",), normalize=("zero_width",), replacement="*"
)

SEQUENCE = regex.compile(r"(?=.{2,32})(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]|\x1b[\]PX^_\\]", regex.S)


def shown(text: str, *rules: Rule) -> str:
    """What becomes of a text, in any splitting."""
    made = RuleSet(rules)
    whole = play(made.stage(), [text], 256)
    for pieces in (one_by_one(text), random_split(text, Random(text))):
        assert play(made.stage(), pieces, 256) == whole
    return joined(whole)


@pytest.mark.usefixtures("form")
@pytest.mark.parametrize("rule", [WORD, PATTERN], ids=["word", "pattern"])
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"a blue{ESC}[31mbird b", f"a {'*' * 13} b"),
        (f"a {ESC}[31mbluebird{ESC}[0m b", f"a {ESC}[31m{'*' * 8}{ESC}[0m b"),
        (f"x{ESC}[31mbluebird{ESC}[0my", f"x{ESC}[31m{'*' * 8}{ESC}[0my"),
        (f"x{ESC}[31mblue{ESC}[01;32mbird{ESC}[0my", f"x{ESC}[31m{'*' * 16}{ESC}[0my"),
        ("a blue\x9b1mbird", f"a {'*' * 11}"),
        # What a control string carries is text, and it need not end.
        (f"{ESC}]8;;http://x/?bluebird\x07 b", f"{ESC}]8;;http://x/?{'*' * 8}\x07 b"),
        (f"{ESC}]0;a bluebird", f"{ESC}]0;a {'*' * 8}"),
        (f"a blue{ESC}]bird{ESC}\\", f"a {'*' * 10}{ESC}\\"),
        # What is incomplete, or too long, is text.
        (f"a blue{ESC}[31", f"a blue{ESC}[31"),
        (f"a blue{ESC}[31\nbird", f"a blue{ESC}[31\nbird"),
        (f"a blue{ESC}[{'1' * 30}mbird", f"a blue{ESC}[{'1' * 30}mbird"),
        (f"a blue{ESC}[{'1' * 29}mbird", f"a {'*' * 40}"),
        # A browser shows all but the escape.
        (f"a {ESC}[bluebird", f"a {ESC}[{'*' * 8}"),
    ],
)
def test_a_control_function_is_text_and_nothing(rule: Rule, text: str, expected: str) -> None:
    assert shown(text, rule) == expected


@pytest.mark.usefixtures("form")
def test_digits_in_a_control_sequence_are_text() -> None:
    card = Rule("c", patterns=(r"(?<!\d)\d{16}(?!\d)",), normalize=("zero_width",))
    assert shown(f"a {ESC}[4111111111111111m b", card) == f"a {ESC}[[c]m b"


def spans(text: str) -> set[tuple[int, int]]:
    """Where `ab1` stands in any reading of a text."""
    found = set()
    sequences = [match.span() for match in SEQUENCE.finditer(text)]
    for taken in product((True, False), repeat=len(sequences)):
        hidden = {at for at, char in enumerate(text) if char in "\x1b\x9b\0"}
        for (start, end), whole in zip(sequences, taken, strict=True):
            hidden |= set(range(start, end)) if whole else set()
        places = [at for at in range(len(text)) if at not in hidden]
        seen = "".join(text[at] for at in places)
        found |= {(places[m.start()], places[m.end() - 1] + 1) for m in regex.finditer("ab1", seen)}
    return found


@pytest.mark.usefixtures("form")
@pytest.mark.parametrize("seed", range(150))
def test_every_reading_counts(seed: int) -> None:
    random = Random(seed)
    pieces = [
        "a",
        "b",
        "1",
        "ab",
        "b1",
        "ab1",
        f"{ESC}[",
        f"{ESC}[1m",
        "\x9bb",
        ESC,
        "m",
        "\0",
        " ",
    ]
    text = "".join(random.choices(pieces, k=random.randint(3, 9)))
    word = Rule("w", words=("ab1",), whole_word=False)
    pattern = Rule("p", patterns=("ab1",), normalize=("zero_width",))
    for rule in (word, pattern):
        events = play(RuleSet([rule]).stage(), [text], 256)
        shown(text, rule)
        assert {(e.start, e.end) for e in events if isinstance(e, Finding)} == spans(text)
