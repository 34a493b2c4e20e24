"""Log probabilities: the tokens of a chunk's text, and alternative tokens.

They spell out the text of their chunk, or of another one. They are not part of the answer, so they
are judged by themselves, and removed if the text that they spell out has changed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any

from guardstream.formats.adapter import Piece, Slot
from guardstream.formats.toolkit.fields import BYTES, fields_of, names_in
from guardstream.formats.toolkit.nodes import Path
from guardstream.formats.toolkit.paths import keys
from guardstream.formats.toolkit.readers import Found


def spelled(value: Any) -> list[str]:
    """Return the texts in log probabilities: tokens, then unknown names of fields.

    Tokens are strings and bytes at any depth, and the keys of objects that have only numbers. A
    token may end inside a character, so the text of their bytes follows them if it differs.
    """
    found: list[str] = []
    names: list[str] = []
    _spell(value, found, names)
    chosen = _chosen(value)
    decoded = b"".join([_bytes_of(*each) for each in chosen]).decode(errors="replace")
    text = "".join([token for token, _ in chosen])
    return found + ([decoded] if decoded != text else []) + names


def spelled_whole(value: Any) -> str:
    """Return the joined tokens of log probabilities: those of the text if they are known, otherwise
    all."""
    found: list[str] = []
    _spell(value, found, [])
    return chosen_text(value) or "".join(found)


_NUMBERS = frozenset({int, float})
_SILENT = _NUMBERS | {bool, type(None)}

_SPELLING = frozenset(
    {
        *("token", "tokens", "token_id", "tokenId", "token_ids", "id", "bytes", "text", "special"),
        *("logprob", "logprobs", "top_logprobs", "token_logprobs", "prompt_logprobs"),
        *("text_offset", "content", "refusal", "rank", "decoded_token"),
        *("chosenCandidates", "chosen_candidates", "topCandidates", "top_candidates"),
        *("candidates", "logProbability", "log_probability"),
        *("logProbabilitySum", "log_probability_sum"),
        *(f"{of}_{what}" for of in ("input", "output") for what in ("tokens", "token_ids")),
    }
)
"""The names of fields in log probabilities; any other name could be text."""


def _spell(value: Any, found: list[str], names: list[str]) -> None:
    if isinstance(value, str):
        found += [value] if value else ()
    elif isinstance(value, BYTES):
        found += [str(value, "utf-8", "replace")] if value else ()
    elif isinstance(value, (list, tuple)):
        for item in value:
            if type(item) not in _SILENT:
                _spell(item, found, names)
    elif type(value) not in _SILENT:
        fields = fields_of(value)
        if all(type(each) in _NUMBERS for each in fields.values()):
            found += [name for name in fields if name and isinstance(name, str)]
            return
        named = names_in(value)
        names += [name for name in named if isinstance(name, str) and name not in _SPELLING]
        for each in fields.values():
            if type(each) not in _SILENT:
                _spell(each, found, names)


_CHOSEN = (
    *("tokens", "content", "refusal", "chosenCandidates", "chosen_candidates"),
    "output_tokens",  # Groq
    "text",  # Cohere
)
"""The fields with the tokens of the text, not the alternative ones."""


def chosen_text(value: Any) -> str:
    """Return the text that log probabilities spell out."""
    return "".join([token for token, _ in _chosen(value)])


def _chosen(value: Any) -> list[tuple[str, Any]]:
    """Return the tokens of the text in log probabilities, each with its bytes if it has them."""
    if isinstance(value, str):
        return [(value, None)]
    if isinstance(value, (list, tuple)):
        return [each for item in value for each in _chosen(item)]
    if not value or isinstance(value, (bool, int, float)):
        return []
    fields = fields_of(value)
    token = fields.get("token")
    if type(token) is str:
        return [(token, fields.get("bytes"))]
    return [each for name in _CHOSEN if name in fields for each in _chosen(fields[name])]


def _alternatives(value: Any) -> Mapping[str, Any]:
    """Return the log probabilities of alternative tokens in one place, by token."""
    fields = fields_of(value)
    return fields if all(type(each) in _NUMBERS for each in fields.values()) else {}


def _bytes_of(token: str, own: Any) -> bytes:
    """Return the bytes of a token: its own, if it has them."""
    try:
        return bytes(list(own))
    except (TypeError, ValueError):
        return token.encode(errors="surrogatepass")


def numbered(
    leaves: Sequence[Found], pieces: Sequence[Piece], owners: Sequence[int], scope: int
) -> tuple[list[Piece], list[int]]:
    """Number the tokens of log probabilities that do not spell out their chunk's text.

    They may spell out the text of another chunk. Then they continue the earlier tokens in the same
    field, and their joined text continues the earlier joined text. `owners` are the indices of the
    pieces' leaves, and so is the second result; `scope` is that of the adapter.
    """
    texts: dict[Path, str] = {}
    for owner, piece in zip(owners, pieces, strict=True):
        if piece.kind == "delta":
            choice = leaves[owner].path[:scope]
            texts[choice] = texts.get(choice, "") + piece.text
    found: list[Piece] = []
    places: list[int] = []
    for owner, group in groupby(zip(owners, pieces, strict=True), itemgetter(0)):
        leaf, told = leaves[owner], [piece for _, piece in group]
        if leaf.leaf.kind == "about":
            told = _apart(leaf, told, texts.get(leaf.path[:scope]) or None)
        found += told
        places += [owner] * len(told)
    return found, places


def _apart(leaf: Found, tokens: list[Piece], said: str | None) -> list[Piece]:
    """Return the pieces of one value, numbered if it does not spell out what its chunk `said`."""
    chosen = chosen_text(leaf.value)
    if chosen == said or said in _alternatives(leaf.value):
        return tokens
    choice, channel, field, _, name = tokens[0].slot
    field = f"{field}{keys(leaf.steps)}"
    texts = [chosen or spelled_whole(leaf.value), *[token.text for token in tokens]]
    return [
        Piece(Slot(choice, channel, field, number, name), text, "aside")
        for number, text in enumerate(filter(None, texts), 1)
    ]
