"""Almost-JSON is mended while it arrives: what comes out is JSON, however it is cut."""

from __future__ import annotations

import json
import random
import re
from itertools import accumulate

import pytest

from guardstream.events import Finding, Finish, Text
from guardstream.jsonstream.lexer.lexer import Lexer
from guardstream.jsonstream.repair import KINDS, USUAL
from guardstream.stages.json.structure import Settings, Structure
from tests.jsonstream.corpora import cut, cuttings, needs_corpus, parsing_cases
from tests.jsonstream.test_cuts import Writer, run

PIECES = [
    "'", "'a'", "'it's'", "’", "“a”", "`", "// a\n", "//", "/", "/*", "*/", "/* a, */", "# a\n",
    "#", "True", "None", "False", "Fal", "N", "a:", "a", "$b: ", "\\'", "\n", "\r\n", "\t", ",", ",,",
    ", \n", "]", "}", "\\u00", "\\ud83d\\ud", "tru", "-", "0x1", "...", "(1, ", ")", "{'a', ", "\\d", "1_0",
    "New York", ".5", "+", '"', '" ', "null",
]  # fmt: skip


class Almost(Writer):
    """Writes what models write instead of JSON."""

    def text(self) -> str:
        """A document with the usual mistakes, some of them cut or with worse ones."""
        rng = self.rng
        text = super().text() if rng.random() < 0.3 else self._said(self.value())
        for _ in range(rng.choice([0, 0, 0, 1, 2])):
            at = rng.randrange(len(text) + 1)
            text = text[:at] + rng.choice(PIECES) + text[at + rng.randrange(2) :]
        return text[: rng.randrange(len(text) + 1)] if rng.random() < 0.3 else text

    def settings(self) -> Settings:
        """Any settings, with some kinds of repair."""
        rng = self.rng
        some = frozenset(rng.sample(sorted(KINDS), rng.randrange(1, len(KINDS))))
        made = super().settings()
        fields = {name: getattr(made, name) for name in made.__slots__}
        if fields["on_violation"] == "text":
            fields["on_violation"] = "block"
        return Settings(**fields | {"repair": rng.choice([USUAL, KINDS, some])})

    def _said(self, value) -> str:
        rng = self.rng
        if isinstance(value, str):
            quote = rng.choice("\"\"'`")
            inside = json.dumps(value, ensure_ascii=rng.random() < 0.5)[1:-1]
            inside = inside.replace("\\n", rng.choice(["\\n", "\n"]))
            return quote + (inside if quote == '"' else inside.replace(quote, "\\" + quote)) + quote
        if value is None or isinstance(value, bool):
            return str(value) if rng.random() < 0.5 else json.dumps(value)
        if not isinstance(value, list | dict):
            return json.dumps(value)
        inner = [self._said(each) for each in value]
        if isinstance(value, dict):
            keys = [key if rng.random() < 0.4 else self._said(key) for key in value]
            inner = [f"{key}:{self._gap()}{each}" for key, each in zip(keys, inner, strict=True)]
        text = "".join(each + "," + self._gap() for each in inner)
        if rng.random() < 0.6:
            text = text.rstrip().removesuffix(",")
        return ("{%s}" if isinstance(value, dict) else "[%s]") % (self._gap() + text)

    def _gap(self) -> str:
        return self.rng.choice(["", " ", "\n", " // a, b\n", "/* ] */", " # it's\n"])


@pytest.mark.parametrize("seed", range(8))
def test_how_almost_json_is_cut_never_matters(seed):
    writer = Almost(seed)
    for _ in range(400):
        text, settings = writer.text(), writer.settings()
        whole = run(settings, [text])
        assert isinstance(whole[1][-1][1], Finish)
        for chunks in (list(text), cut(text, writer.rng) if text else [""]):
            assert run(settings, chunks) == whole, (text, chunks, settings)
