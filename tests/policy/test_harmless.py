"""What the default pack leaves alone: ordinary answers of ten kinds, and what it finds in them."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from guardstream import Guard


@cache
def chat() -> Guard:
    return Guard.load("guardstream/chat")


SAMPLES = {
    path.stem: path.read_text(encoding="utf-8")
    for path in sorted((Path(__file__).parent / "harmless").iterdir())
}

VALUES = {
    "write to ann.lee@mail.example.com": "ann.lee@mail.example.com",
    "SSN: 123-45-6789": "123-45-6789",
    "call me at 555-123-4567": "555-123-4567",
    "card 4111 1111 1111 1111": "4111 1111 1111",
    "use sk-proj-u8jzPde0IgxLd6GncfBAepfJBd0Kh8oOOL8dKLzdocJ2isAj": "u8jzPde0IgxLd6Gncf",
    'password = "hunter2xy9"': "hunter2xy9",
    "密码：abc12345。": "abc12345",
    "密碼是hk7Qx29Lm": "hk7Qx29Lm",
    "身分證字號 A123456789": "A123456789",
    "手機號碼0912345678": "0912345678",
    "postgres://app:cFHXv6eWMOem3O@db": "cFHXv6eWMOem3O",
    "codice fiscale RSSMRA85T10A562S": "RSSMRA85T10A562S",
}


@pytest.mark.parametrize("kind", SAMPLES)
def test_nothing_is_changed_where_there_is_no_value(kind: str) -> None:
    checked = chat().check(SAMPLES[kind])
    acting = [finding for finding in checked.findings if finding.action != "monitor"]
    assert not acting
    assert checked.text == SAMPLES[kind]


@pytest.mark.parametrize(("text", "value"), VALUES.items())
@pytest.mark.parametrize("kind", ["english", "python", "html"])
def test_a_value_is_found_in_any_of_them(text: str, value: str, kind: str) -> None:
    sample = SAMPLES[kind]
    checked = chat().check(f"{sample}\n{text}\n{sample}")
    assert checked.finish == "stop"
    assert value not in checked.text
    assert checked.text.startswith(sample)
    assert checked.text.endswith(sample)
