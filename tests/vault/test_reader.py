"""What is found in a text does not depend on how it is cut, nor does the work grow with it."""

from __future__ import annotations

import random

import pytest

from guardstream import Guard
from guardstream.policy import Policy
from guardstream.vault import Vault
from guardstream.vault.addresses.reader import Reader
from tests.vault.rendered.writing import HERE, Writer

GUARD = Guard(Policy.parse("rules: []"))

CUT = {
    "overlapping openings": "{" * 200 + "https://e.example/ a",
    "many openings": "([<" * 500 + "https://e.example/ a",
    "a long opening": f"[url={'a' * 60}]{' ' * 8}&#x0000002f;&#x0000002f;{'a' * 63}. b",
    "an address that could be longer": "[img]&#x2f;&#47;e.example&lt;a:/",
    "a tag where a target could be": "[1]: <image a",
    "a directive that could be a macro": ".. image::https://e.example[] a",
    "entities without white space": "[x](" + "&#47;" * 1_000 + " a",
    "letters without white space": "<https://e.example/" + "a" * 9_000 + " b",
    "letters of another script": "请联系" * 2_000 + "//e.example/",
}


def found(text: str, chunks: list[str]) -> list[bool]:
    """What a reader says at some places of a text."""
    reader, read, places = Reader(), 0, range(700, len(text), 1_300)
    said = []
    for chunk in chunks:
        reader.add(chunk)
        read += len(chunk)
        said += [reader.in_address(at) for at in places if read - len(chunk) < at <= read]
    return [*said, reader.in_address(len(text))]


@pytest.mark.parametrize("text", CUT.values(), ids=CUT)
def test_the_places_of_values_do_not_depend_on_chunks(text: str) -> None:
    whole = found(text, [text])
    for size in (1, 7, 640, 3_000):
        assert found(text, [text[at : at + size] for at in range(0, len(text), size)]) == whole


@pytest.mark.generated
def test_generated_texts_are_read_alike_in_all_chunkings() -> None:
    vault = Vault(b"k" * 16, "cuts")
    mark = vault.issue("name", "wolfsohn")
    for seed in range(150):
        text = "\n\n".join(Writer(seed * 3 + each).text() for each in range(3))
        text = text.replace(HERE, mark) * random.Random(seed).choice((1, 1, 30))
        whole = GUARD.wrap_sync([text], vault=vault, framing="text").text()
        for size in (1, 5, 777):
            chunks = [text[at : at + size] for at in range(0, len(text), size)]
            said = GUARD.wrap_sync(chunks, vault=vault, framing="text").text()
            assert said == whole, (seed, size)


@pytest.mark.parametrize(
    "around", ["{} ", "{}", "[{}](", "<a b={} ", "(({} ", "//{} ", "`{}` ", "x{}\n"]
)
def test_many_values_in_a_block_take_linear_work(around: str) -> None:
    from time import process_time

    vault = Vault(b"k" * 16, "many")
    mark = vault.issue("name", "wolfsohn")

    def seconds(count: int) -> float:
        text = around.replace("{}", mark) * count
        chunks = [text[at : at + 40] for at in range(0, len(text), 40)]
        begun = process_time()
        GUARD.wrap_sync(chunks, vault=vault, framing="text").text()
        return process_time() - begun

    seconds(100)
    assert min(seconds(10_000), seconds(10_000)) < 40 * max(seconds(1_000), 0.01)
