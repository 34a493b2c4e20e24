"""Stand-ins for values: `[EMAIL_7KQ4TWY]`, a rule's label and an id, or a fake value.

Models change stand-ins a little: case, spaces, escapes, entities, full width, emphasis, lost
brackets. Such a stand-in is still recognised if all its symbols are present and correct. Fakes are
recognised only exactly as they were written.
"""

from __future__ import annotations

import html
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

import regex

from guardstream.vault.fakes import SHAPES
from guardstream.vault.ids import LENGTH, SYMBOLS, Ids, is_id

LONGEST_LABEL = 24

ESCAPED = "TEXT"
"""The label of stand-ins for texts that only looked like a stand-in when they arrived."""


class Name(NamedTuple):
    """A stand-in without its brackets: its label (for a fake, that of its shape) and its id."""

    label: str
    id: str

    def __str__(self) -> str:
        shape = SHAPES.get(self.label)
        return shape.written(self.id) if shape else f"[{self.label}_{self.id}]"


def label_of(rule: str) -> str:
    """Return the label of a rule's stand-ins: its id in capitals, `VALUE` if it has no letters."""
    plain = regex.sub("[^A-Z0-9]+", "_", rule.upper())[:LONGEST_LABEL].strip("_")
    label = plain.lstrip("0123456789_") or "VALUE"
    return "VALUE" if label == ESCAPED else label


# How a stand-in is found, whatever a model has made of it.

_OPENS = r"(?:\[|［|&#0{0,5}91;|&#[xX]0{0,4}5[bB];|&(?:lbrack|lsqb);|%5[bB])"
_CLOSES = r"(?:\\?\]|］|&#0{0,5}93;|&#[xX]0{0,4}5[dD];|&(?:rbrack|rsqb);|%5[dD])"
_UNDERSCORE = r"(?:\\?_|＿|&#0{0,5}95;|&#[xX]0{0,4}5[fF];|&(?:lowbar|UnderBar);|%5[fF])"
_SPACES = " \t\r\n\u00a0\u2009\u200b\u202f\u2060\u3000\ufeff"
_BETWEEN = rf"(?:[{_SPACES}]{{0,2}}[*_`~]{{0,3}}[{_SPACES}]{{0,2}})"
_MARKS = "[*`~]{0,3}"
_JOINT = (
    rf"(?:{_MARKS}[{_SPACES}]{{0,2}}{_UNDERSCORE}[{_SPACES}]{{0,2}}{_MARKS}|[{_SPACES}]{{1,2}}|\-)"
)
_INNER_JOINT = rf"(?:{_UNDERSCORE}|[{_SPACES}\-])"
_JOINED = r"[0-9A-Za-z_０-９Ａ-Ｚａ-ｚ＿]"
# At the bounds of a word, maybe in emphasis by underscores: `__EMAIL_7KQ4TWY__`.
_BEGINS = f"(?:(?<!{_JOINED})|(?<=(?<!{_JOINED})_{{1,3}}))"
_ENDS = f"(?=_{{0,3}}(?!{_JOINED}))"
# With the underscores after it: a search that looks one character ahead settles by itself.
_ENDS_READ = f"_{{0,3}}(?!{_JOINED})"

# What makes a stand-in part of a host's name: two more labels, one and a path, query or port, or a
# domain that renderers link without a scheme. Letters of scripts without spaces between words
# count only after a full stop: elsewhere they are usually the next word, and the stand-in would
# wait for its end. After any other sign that is read as a dot, only letters of ASCII count.
_SPACED = r"0-9\p{Latin}\p{Greek}\p{Cyrillic}\p{Arabic}\p{Hebrew}\p{Mn}\p{So}\p{Cf}_\-"
_CONTROL = r"\x01-\x08\x0e-\x1f\x7f"
# https://www.unicode.org/reports/tr46/#Notation, and as an entity, a percent sign or an escape.
_OTHER_DOT = r"(?:[．。｡]|%2[eE]|&period;|&#0{0,5}46;|&#[xX]0{0,4}2[eE];|\\\.)"
_LABEL = rf"(?:\.[\w\p{{So}}\-]|{_OTHER_DOT}[A-Za-z0-9])[\w\p{{So}}\-]{{0,62}}"
# https://github.com/markdown-it/linkify-it: the domains that it links by default.
_DOMAIN = "(?i:[a-z]{2}|biz|com|edu|gov|net|org|pro|web|xxx|aero|asia|coop|info|museum|name|shop)"
_HOST = (
    rf"(?:[{_SPACED}{_CONTROL}]{{0,63}}{_LABEL}(?:\.(?:[^\W\d_]|\p{{So}})|{_OTHER_DOT}[A-Za-z])"
    rf"|[{_SPACED}.:@%]{{0,63}}{_LABEL}(?:[/?#]|:[0-9])"
    rf"|(?:\.|{_OTHER_DOT}){_DOMAIN}(?![\w\-]))"
)


def _either_width(char: str) -> str:
    """Return the character class of a letter or digit in either case, in half and full width."""
    forms = {char.upper(), char.lower()}
    forms |= {chr(ord(form) + 0xFEE0) for form in forms}
    return "[" + "".join(sorted(forms)) + "]"


_SYMBOL = "[" + "".join(_either_width(symbol)[1:-1] for symbol in SYMBOLS) + "]"
_HASH, _NUMBER = f"{_SYMBOL}{{{LENGTH + 1}}}", "[1-9１-９][0-9０-９]{0,8}"

_UNDERSCORE_SIZE, _GROUP_SIZE = 64, 4_000
"""How many states an underscore in a label takes (any other symbol takes one), and how many the
labels of a pattern may take. A pattern has each label twice; an automaton has at most 10,000."""

LONGEST = 320
"""Code points in a stand-in as it may be written, with a host after it."""


@lru_cache(maxsize=256)
def patterns(labels: frozenset[str], ids: Ids) -> tuple[str, ...]:
    """Return the patterns that find possible stand-ins with these labels, and fakes.

    If the text after a stand-in makes it part of a host's name, the match includes enough of that
    text to show it. A match may also include a backslash before the stand-in and underscores after
    it that do not belong to it: see `alone`.
    """
    return (*(_pattern(group, ids) for group in _groups(labels)), *_fakes(labels))


def _pattern(labels: Sequence[str], ids: Ids) -> str:
    in_brackets, bare = _found(labels, ids)
    inside = f"{_BETWEEN}{in_brackets}{_BETWEEN}"
    forms = rf"\\?{_OPENS}{inside}{_CLOSES}|{_BEGINS}{bare}{_ENDS_READ}"
    return f"(?:{forms}){_HOST}?"


def _groups(labels: Iterable[str]) -> Iterator[list[str]]:
    """Yield the labels, without those of fakes, in groups that fit into one pattern each."""
    group: list[str] = []
    size = 0
    for label in sorted(set(labels) - SHAPES.keys()):
        own = len(label) + _UNDERSCORE_SIZE * label.count("_")
        if group and size + own > _GROUP_SIZE:
            yield group
            group, size = [], 0
        group.append(label)
        size += own
    if group:
        yield group


def _fakes(labels: frozenset[str]) -> tuple[str, ...]:
    return tuple(shape.pattern for label, shape in SHAPES.items() if label in labels)


def _found(labels: Sequence[str], ids: Ids) -> tuple[str, str]:
    """Return the patterns of stand-ins inside brackets, and without brackets."""
    found = _NUMBER if ids == "number" else _HASH
    in_brackets = f"{_any_of(labels, _INNER_JOINT)}{_JOINT}{found}"
    return in_brackets, f"{_any_of(labels, _UNDERSCORE)}{_UNDERSCORE}{found}"


def _any_of(labels: Sequence[str], underscore: str) -> str:
    """Return a pattern for some labels, as a tree of their common beginnings.

    `underscore` is the pattern of an underscore in a label.
    """
    rests: dict[str, list[str]] = {}
    for label in labels:
        if label:
            rests.setdefault(label[0], []).append(label[1:])
    ways = [
        (underscore if char == "_" else _either_width(char)) + _any_of(rest, underscore)
        for char, rest in rests.items()
    ]
    if not ways or (len(ways) == 1 and "" not in labels):
        return "".join(ways)
    return f"(?:{'|'.join(ways)}{'|' if '' in labels else ''})"


@lru_cache(maxsize=64)
def each_in(labels: frozenset[str], ids: Ids) -> regex.Pattern[str]:
    """Return a pattern for each possible stand-in in a text that `patterns` have found."""
    forms: list[str] = []
    if plain := sorted(labels - SHAPES.keys()):
        in_brackets, bare = _found(plain, ids)
        inside = f"{_BETWEEN}{in_brackets}{_BETWEEN}"
        # A backslash before only one of the brackets is not part of the stand-in.
        forms = [rf"\\\[{inside}\\\]|{_OPENS}{inside}{_CLOSES}", f"{_BEGINS}{bare}{_ENDS}"]
    return regex.compile("|".join((*forms, *_fakes(labels))))


def alone(text: str) -> tuple[str, str, str]:
    """Split a text that `patterns` have found: before the stand-in, the stand-in, after it."""
    inner = text.rstrip("_")  # the end of emphasis by underscores
    after = text[len(inner) :]
    if inner.startswith("\\") and not inner.endswith("\\]"):
        return "\\", inner[1:], after  # before only one of the brackets
    return "", inner, after


_encoded = regex.compile("%5([bdf])", regex.IGNORECASE)
_dropped = str.maketrans(dict.fromkeys("\\*`~\u200b\u2060\ufeff") | dict.fromkeys("\t\r\n", " "))


@lru_cache(maxsize=4_096)
def read(text: str, labels: frozenset[str]) -> Name | None:
    """Return the stand-in that `text`, found by `patterns`, spells; None if it is not one."""
    for each in labels & SHAPES.keys():
        if regex.fullmatch(SHAPES[each].pattern, text):
            fake = SHAPES[each].read(text)
            return None if fake is None else Name(each, fake)
    plain = _encoded.sub(lambda match: chr(int(match[0][1:], 16)), html.unescape(text))
    plain = unicodedata.normalize("NFKC", plain).upper().translate(_dropped)
    plain = plain.strip(" []_").replace("-", "_")
    plain = regex.sub(" *_ *| +", "_", plain)
    label, _, found = plain.rpartition("_")
    return Name(label, found) if label in labels and is_id(found) else None


def labels_of(rules: Collection[str], ids: Ids) -> frozenset[str]:
    """Return the labels of some rules' stand-ins, and those of escaped texts and of fakes."""
    return frozenset((ESCAPED, *map(label_of, rules), *(SHAPES if ids == "fake" else ())))


def named(written: str) -> Name:
    """Return the name of a stand-in that is written exactly as it was issued."""
    for label, shape in SHAPES.items():
        if regex.fullmatch(shape.pattern, written):
            return Name(label, shape.read(written) or "")
    label, _, found = written.strip("[]").rpartition("_")
    return Name(label, found)
