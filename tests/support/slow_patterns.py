"""Patterns that take long."""

from __future__ import annotations

SLOW = {
    "policy": "version: 1\nrules:\n"
    + "".join(
        f"  - {{id: r{n}, pattern: '[a-z]{{1,200}}[a-y]{{1,200}}[a-x]{{1,{n + 90}}}!'}}\n"
        for n in range(120)
    ),
    "text": "abcdefgh" * 1_250,
    "size": 10_000,
}


"""A stream that its rules take many seconds for: each of them follows the text in many ways."""
