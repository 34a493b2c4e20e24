"""Words as patterns, for disguises that are more than other characters for the same letter: signs
for letters (`leet`), and what Markdown and HTML write inside a word (`markdown`, `markup`).

The exact search for patterns then holds, finds and masks them, as it does any pattern.
"""

from __future__ import annotations

from collections.abc import Sequence

import regex

from guardstream.scan.words.normalize import (
    MAX_GAP,
    TRANSLATED,
    UNSPACED,
    WRITTEN,
    Table,
    boundaries,
    spacing,
)

DISGUISES = frozenset(("leet", "markdown", "markup"))
"""The normalisations for which words are searched for as patterns."""

LEET = {
    "a": "4@", "b": "8", "e": "3", "g": "9", "i": "1!|", "l": "1|", "o": "0", "s": "5$", "t": "7+",
    "z": "2",
}  # fmt: skip
"""The signs that stand for a letter."""

_SIGNS = frozenset("".join(LEET.values()))

LEAST = 4
"""How many letters a word has at least that may be written with signs: `455` is no word."""

_GAP = rf"[\p{{P}}\p{{S}}]{{0,{MAX_GAP}}}"
_ALONE = rf"[^\S\n]{{1,{MAX_GAP}}}"
_EMPHASIS = "[*~`]{1,3}"
"""What Markdown writes inside a word; underscores are no emphasis there."""

_MARKUP = (
    r"<!--[^<>]{0,48}-->|</?[a-zA-Z][^<>]{0,48}>"
    r"|&(?:shy|zwj|zwnj|lrm|rlm|NoBreak|ZeroWidthSpace|InvisibleTimes|#0?173|#820[3-7]);"
)
"""Comments, tags, and references to characters that are not shown. They are short, because all of
it is held."""

_BLANK = r"&(?:nbsp|ensp|emsp|thinsp|Tab|NewLine|#0?160|#0?32|#[xX]0?[aA]0|#[xX]20);|<[bB][rR] ?/?>"
"""How HTML writes white space."""

_WHITE = r"(?:[^\S\n]{1,8}|[^\S\n]{0,4}\n(?:[^\S\n]|[>#/*;%]){0,6})"
"""White space in a word: at most one line break, and what quotes the next line."""

_HYPHENS = r"[\s\p{Pd}\u2212]"

_APART = WRITTEN.replace("[", "[^", 1)
"""What continues no word."""

_HEX = regex.compile(r"[0-9a-fA-F]+")
_AMOUNT = regex.compile(r"(?i)[$€£¥]?[0-9][0-9.,]*(?:\p{L}{0,2}|min|sec|hrs|kwh|[kmg]hz|mph|pcs)")


def pattern_of(word: str, names: frozenset[str], *, whole: bool, exact: bool) -> str:
    """A word as a pattern. `names` are its normalisations, `whole` says whether it must not be a
    part of a longer word, `exact` whether white space is compared as it is."""
    between = _between(names)
    parts: list[str] = []
    for number, run in enumerate(regex.split(r"(\s+)", word)):
        if number % 2:
            parts.append(regex.escape(run, literal_spaces=False) if exact else _white(names))
        else:
            letters = [_letter(each, word, names) for each in run]
            ways = [between.join(letters)]
            if "separators" in names and len(letters) > 1:  # each letter stands alone
                ways.append(_ALONE.join(letters))
            parts.append(_one_of(ways))
    body = "".join(parts)
    begins, ends = boundaries(word) if whole else (False, False)
    before, after = (
        [f"(?<!{WRITTEN})", f"(?<=[{UNSPACED}])"],
        [f"(?!{WRITTEN})", f"(?=[{UNSPACED}])"],
    )
    if names & {"markdown", "markup"}:  # emphasis around the word may be underscores
        before.append(rf"(?<=(?:\A|{_APART})_{{1,3}})")
        after.append(rf"(?=_{{1,3}}(?:\Z|{_APART}))")
    edges = _one_of(before) if begins else "", _one_of(after) if ends else ""
    return f"{'(?i)' if 'case' in names else ''}{body.join(edges)}"


def _between(names: frozenset[str]) -> str:
    """What may stand between two letters."""
    ways = []
    if "markup" in names:
        ways.append(_MARKUP)
    if names & {"markdown", "markup"}:
        ways.append(_EMPHASIS)
    inside = f"{_one_of(ways)}{{0,2}}" if ways else ""
    return inside + (_GAP if "separators" in names else "")


def _one_of(ways: Sequence[str]) -> str:
    return f"(?:{'|'.join(ways)})"


def _white(names: frozenset[str]) -> str:
    if "hyphens" in names:
        return rf"(?:{_EMPHASIS})?{_HYPHENS}{{1,8}}(?:{_EMPHASIS})?"
    if "markup" in names:
        tags, white = f"(?:{_MARKUP}){{0,2}}", spacing(frozenset(("markdown",)))
        return f"{tags}(?:{white}|{_BLANK}){tags}"
    if "markdown" in names:
        return spacing(names)
    return spacing(names) if "spaces" in names else _WHITE


def _letter(letter: str, word: str, names: frozenset[str]) -> str:
    """One letter of a word, in all ways in which it may be written."""
    ways = [letter]
    if "leet" in names and len(word) >= LEAST:
        table = Table(frozenset(names & TRANSLATED))
        ways += (table.translated(sign) for sign in LEET.get(letter.casefold(), ""))
    written = regex.escape(letter) if len(ways) == 1 else f"[{''.join(map(regex.escape, ways))}]"
    if "markup" in names:
        codes = sorted({ord(each) for each in (letter, letter.lower(), letter.upper())})
        references = "|".join(f"#0{{0,4}}{code}|#[xX]0{{0,4}}{code:x}" for code in codes)
        written = f"(?:{written}|&(?:{references});)"
    return f"{written}+" if "repeats" in names else written


def reads_as_letters(text: str) -> bool:
    """Whether a match that may have signs for letters is read as a word: at least half of it are
    letters, and it is no price, unit or hexadecimal number."""
    letters = sum(map(str.isalpha, text))
    if letters == len(text):
        return True
    shown = sum(each.isalnum() or each in _SIGNS for each in text)
    return 2 * letters >= shown and not _HEX.fullmatch(text) and not _AMOUNT.fullmatch(text)
