"""Encodings of tiktoken with ranks of our own: the published ones would have to be fetched."""

from __future__ import annotations

import pytest
import tiktoken
import tiktoken.registry

PAIRS = ("th", "he", "in", "er", " t", " a", "the", " the", "hell", "hello", " hello")
"""The tokens besides single bytes, in the order in which they are merged."""


def install(monkeypatch: pytest.MonkeyPatch, name: str) -> tiktoken.Encoding:
    """Let `name` be an encoding that splits as GPT-2's does and knows a few merges."""
    ranks = {bytes([byte]): byte for byte in range(256)}
    ranks |= {pair.encode(): 256 + rank for rank, pair in enumerate(PAIRS)}
    made = tiktoken.Encoding(
        name,
        pat_str=r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
        mergeable_ranks=ranks,
        special_tokens={},
    )
    monkeypatch.setitem(tiktoken.registry.ENCODINGS, name, made)
    return made
