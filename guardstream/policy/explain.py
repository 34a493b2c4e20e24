"""Explains a finding: where its rule is, why the rule exists, what the match had to pass."""

from __future__ import annotations

from collections.abc import Iterator

from guardstream.events import Finding
from guardstream.policy import build, checks
from guardstream.policy.build import CompiledPolicy
from guardstream.policy.files import read_text
from guardstream.policy.model import WordFile
from guardstream.policy.sources import PlacedRule


def explanation(built: CompiledPolicy, finding: Finding, matched: str) -> Iterator[str]:
    """Yield lines that explain why a policy's rule found `matched`; none for an unknown rule.

    Of the match itself they contain at most code points that are not ASCII letters.
    """
    if finding.kind != "match":
        yield f"{finding.kind.replace('_', ' ')}: not a match that was confirmed"
    placed = next((placed for placed in built.placed if placed.rule.id == finding.rule), None)
    if placed is None:
        section = finding.rule.partition(".")[0]
        if section in _SECTIONS:
            yield f"why: {_SECTIONS[section]}"
        return
    origin = placed.origin
    yield f"rule: {origin.source.name}:{origin.mark().line}, severity {finding.severity}"
    if placed.rule.description:
        yield f"why: {placed.rule.description}"
    yield from _conditions(placed, matched)


_SECTIONS = {
    "json": (
        "from there on the text cannot become JSON that the section 'json' allows; "
        "'guardstream json --schema SCHEMA FILE' says what is wrong"
    ),
    "limits": "the section 'limits' of the policy ends the text there",
}
"""What findings mean that no rule reported, by the section of the policy they come from."""


def _conditions(placed: PlacedRule, matched: str) -> Iterator[str]:
    """Yield what the match had to pass, and which differences were ignored."""
    rule = placed.rule
    for check in rule.validate_ or ():
        yield f"validated: {checks.spelled(check)}"
    if rule.keywords:
        yield "keyword: found before the match"
    if rule.normalize:
        yield f"normalised: {', '.join(rule.normalize)}"
    words = _plain_words(placed)
    if words and matched.casefold() not in words:
        yield f"not written as in the list: {_characters(matched)}"


def _plain_words(placed: PlacedRule) -> set[str]:
    words = placed.rule.words
    if isinstance(words, list):
        return {word.casefold() for word in words}
    if not isinstance(words, WordFile):
        return set()
    path = placed.origin.source.folder / words.file
    return {word.casefold() for word in build.words_in(read_text(path))}


def _characters(matched: str) -> str:
    """Return the characters of a match that are not ASCII letters, as code points."""
    odd = dict.fromkeys(c for c in matched if not (c.isascii() and c.isalpha()))
    return " ".join(f"U+{ord(c):04X}" for c in odd) or "other letters"
