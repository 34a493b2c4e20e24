"""How characters are compared: folding, what is ignored inside words, and where words end.

Folding maps one character to none, one or several; it is applied to the words of a rule and to
the text alike, character by character.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from functools import cache
from itertools import groupby
from typing import Literal, TypeAlias, TypeVar

import regex

from guardstream.scan.pages import SIZE, page_of
from guardstream.scan.unseen import SOLIDUS, SPACES, ZERO_WIDTH, seen, unseen
from guardstream.scan.words.canonical import FIRST_ALIKE, composed, spellings
from guardstream.scan.words.lookalikes import drawn, stroked

Key = TypeVar("Key")
Value = TypeVar("Value")

NAMES = (
    "case", "width", "digits", "zero_width", "canonical", "confusables", "strokes", "separators",
    "spaces", "hyphens", "markdown", "markup", "leet", "repeats", "simplified",
)  # fmt: skip
"""What can be normalised:

- case: full case folding, as `str.casefold` does it
- width: compatibility forms such as full-width letters (NFKD, Unicode Standard Annex 15)
- digits: the decimal digits of every script (Unicode's property Nd) are compared as 0 to 9
- zero_width: characters that clients do not show are passed over inside a match, and are a
  boundary beside it as well (`unseen.UNSEEN`); words are always compared so
- canonical: canonically equivalent spellings are equal, such as é and e with a mark; words are
  always compared so, unless they are exact
- confusables: letters of other scripts that look like Latin ones (Unicode Technical Standard 39),
  small capitals, and letters in boxes
- strokes: letters with a stroke are compared as those without: ø, ł, đ
- separators: up to three punctuation marks or symbols in a row are ignored inside a word, and
  white space after a character of a script without spaces, or between letters that each stand
  alone (`p a s s`)
- spaces: white space, line breaks among it, is compared as one space, however much there is
- hyphens: hyphens and dashes are compared as white space: `blue-bird`, `blue – bird`
- markdown: as spaces, and what Markdown writes at white space is passed over with it: up to three
  marks of emphasis, code and quotation on each side, a backslash that breaks the line, and the
  signs that quote the next line; white space may be escaped, as JSON and code do it (`\\n`, `\\t`)
- markup: as markdown; comments, tags and unseen characters of HTML are passed over inside a word,
  and its letters may be character references (`&#98;`)
- leet: signs for letters, as in `p4$$word`, in words of at least four letters, of which at least
  half stay letters; never in prices, units and hexadecimal numbers
- repeats: a letter may stand any number of times more than the word has it, and what stretches the
  joint of two letters, such as the Arabic tatweel, is ignored
- simplified: Traditional Chinese characters are compared as Simplified

For patterns, which map each character to one, there are width, digits, confusables, strokes and
simplified; canonical; spaces and markdown, for each space in the pattern; and zero_width: each run
of unseen characters is read both as it is and as nothing. Words with markdown, markup or leet are
searched for as patterns (`disguises`).
"""

WORD_NAMES = frozenset(NAMES) - {"markdown", "markup", "leet"}
"""What is normalised for words that are not searched for as patterns."""

CAPITALS = "capitals"
"""Added by `Folding.names_for`: capitals of other scripts are compared as the Latin ones that they
look like, before their case is folded. В looks like B, but its small letter в like no letter."""

PHRASE = "phrase"
"""Added by `Folding.names_for` for a word with spaces: a space in the text counts as the phrase's
own if possible, and otherwise as a separator of letters. Phrases are compared separately from other
words, or `a team` would hide `abc` in `a b c`."""

CANONICAL = "canonical"
"""The name of what words always have, unless their rule is exact."""

EXACT = "exact"
"""Stands among the names of a rule whose words are compared exactly: only by the other names."""

WHITE = "white"
"""Added by `Folding.names_for` for a word with spaces, unless the rule is exact: white space in it
matches white space, see `Between`. `spaces` matches more."""

MAX_WHITE = 8
"""How many characters may stand for white space in a word."""

Between: TypeAlias = Literal["", "space", "break", "sign"]
"""What a character may be between the words of a phrase: white space, a line break, of which there
may be one, and then what quotes the next line or makes it a comment."""

_HYPHENS = frozenset("-\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\ufe63\uff0d")
_BREAKS = frozenset("\n\u2028\u2029")
_SIGNS = frozenset(">#/*;%")

MAX_GAP = 3
"""How many separators in a row may stand inside a word."""

# Scripts that are written without spaces between words: Han, kana, and those of the line-breaking
# class SA, https://www.unicode.org/reports/tr14/#SA, with their like. Korean has spaces, but its
# particles stand at the word without one: a space never follows 비밀번호 in 비밀번호는.
UNSPACED = "".join(
    rf"\p{{Script={script}}}"
    for script in (
        "Han", "Hangul", "Hiragana", "Katakana", "Bopomofo", "Thai", "Lao", "Khmer", "Myanmar",
        "Tai_Le", "New_Tai_Lue", "Tai_Tham", "Tai_Viet", "Ahom", "Tibetan", "Yi", "Javanese",
        "Balinese",
    )
)  # fmt: skip
WRITTEN = r"[\p{L}\p{M}\p{Nd}_]"
JOINS = rf"(?:(?![{UNSPACED}]){WRITTEN})"
"""What continues a word, as a pattern: a letter, mark, digit or underscore of a script that puts
spaces between words."""

_JOINS = regex.compile(JOINS)

JOINING = (1, regex.compile(f"{WRITTEN}+")), (2, regex.compile(f"[{UNSPACED}]+"))
"""The same as two patterns that find runs: a character joins words if only the first finds it."""

_OF_WORDS = rf"(?!.*(?=\p{{L}})[{UNSPACED}])(?=.*\p{{L}})"
"""Stands before a text with letters, all of scripts that put spaces between words."""

_SPACED = regex.compile(rf"(?s){_OF_WORDS}")
_WHOLE = regex.compile(rf"(?s)(?={JOINS}){_OF_WORDS}.*(?<={JOINS})\Z")
_UNSPACED_LETTER = regex.compile(rf"(?=\p{{L}})[{UNSPACED}]")
_STRETCHES = "\u0640\u07fa\u180a"  # Arabic tatweel, N'Ko lajanyalan, Mongolian nirugu
_SEPARATOR = regex.compile(r"[\p{P}\p{S}]")
_READ = regex.compile(r"[\p{L}\p{N}]")
_SPACE = regex.compile(r"(?!\R)\s")


MAX_TABLE = 20_000
"""For how many characters it is remembered what they are compared as."""

_SIMPLE = frozenset(("zero_width", CANONICAL))
_CASE = _SIMPLE | {"case"}
_NO_GAP = False, False


class Folding:
    """A way of comparing characters; `names` are some of `WORD_NAMES`, and of those that
    `names_for` adds."""

    def __init__(self, names: frozenset[str]) -> None:
        self.names = names
        self.repeats = "repeats" in names
        self.spaces = "spaces" in names
        self.white = WHITE in names
        self.hyphens = _HYPHENS if "hyphens" in names else frozenset()
        self.ignores_only_case = "case" in names and names <= _CASE
        self._is_canonical = CANONICAL in names
        self._tables = [
            table()
            for name, table in (
                ("digits", _digits),
                ("confusables", _confusables),
                ("strokes", stroked),
                ("simplified", _simplified),
            )
            if name in names
        ]
        self._capitals = _capitals() if CAPITALS in names else {}
        self._letters: dict[str, str] = {}  # of the characters asked for, as below
        self._gaps: dict[str, tuple[bool, bool]] = {}
        self._table_pages = {code // SIZE for table in self._tables for code in table}

    def letters(self, character: str) -> str:
        """What the character is compared as; empty if it is ignored."""
        if self.ignores_only_case:
            return self._folded_only(character)
        known = self._letters.get(character)
        if known is None:
            known = self._compared(character)
            _keep(self._letters, character, known)
        return known

    def _folded_only(self, character: str) -> str:
        if "zero_width" in self.names and unseen().match(character):
            return ""
        folded = character.casefold()
        return folded if character < FIRST_ALIKE or not self._is_canonical else composed(folded)

    def unseen(self, character: str) -> str:
        """Of an unseen character, the one that is passed over as it is; otherwise empty."""
        if "zero_width" not in self.names or not unseen().match(character):
            return ""
        return character if character in SPACES or character == SOLIDUS else ZERO_WIDTH

    def _compared(self, character: str) -> str:
        if "zero_width" in self.names and unseen().match(character):
            return ""
        if self.repeats and character in _STRETCHES:
            return ""
        if (self.spaces or self.white) and self._is_white(character):
            return " "
        letters = self._mapped(character)
        if len(letters) > 1 and "separators" in self.names:
            return _SEPARATOR.sub("", letters) or letters  # ⒜ as a
        return letters

    def _mapped(self, text: str) -> str:
        """A text with each of its characters as it is compared, if it is not ignored."""
        if self._is_canonical and len(text) == 1:
            text = composed(text)
        if "width" in self.names:
            text = unicodedata.normalize("NFKD", text)
        if "case" in self.names:
            text = text.translate(self._capitals).casefold()
        for table in self._tables:
            text = text.translate(table)
        # A confusable may look like a capital.
        return text.casefold() if "case" in self.names and self._tables else text

    def mapped(self, page: str) -> list[str]:
        """What each character of a page is compared as, if it is not ignored."""
        if "\n" in page:
            return list(map(self._mapped, page))
        # The line feeds keep marks from being moved from one character to another.
        return self._mapped("\n".join(page)).split("\n")

    def page(self, page: str) -> str:
        """The characters of a page as they are compared if only their case is ignored; some may be
        compared as several."""
        folded = page.casefold()
        if page[-1] < FIRST_ALIKE or unicodedata.is_normalized("NFC", folded):
            return folded
        return "".join(map(self.letters, page))

    def keeps(self, page: str) -> bool:
        """Whether no character of a page is compared as another one, as far as can be told at once.

        What is ignored, or compared as several, does not count.
        """
        if "case" in self.names:
            return False
        # NFKC would replace a character whose other form is a single character.
        same = "width" not in self.names or unicodedata.is_normalized("NFKC", page)
        return same and ord(page[0]) // SIZE not in self._table_pages

    def gaps(self, character: str) -> tuple[bool, bool]:
        """Whether the character may separate letters, and whether it may as white space."""
        if "separators" not in self.names:
            return _NO_GAP
        known = self._gaps.get(character)
        if known is None:
            # A sign may be compared as a letter: ⓐ as a, and ℮ as e.
            separates = _SEPARATOR.match(character) and not _READ.search(self.letters(character))
            known = bool(separates), bool(_SPACE.match(character))
            _keep(self._gaps, character, known)
        return known

    def separates(self, character: str, last: str) -> bool:
        """Whether the character may be passed over inside a word, after the letter `last`."""
        separates, spaces = self.gaps(character)
        return separates or bool(spaces and last and _UNSPACED_LETTER.match(last))

    def goes_on(self, letters: str, before: str) -> bool:
        """Whether a character is compared as (`letters`) more of the white space at the end of the
        text before, and so is passed over."""
        return self.spaces and letters == " " and before.endswith(" ")

    def between(self, character: str) -> Between:
        """What the character may be between the words of a phrase."""
        if not self.white:
            return ""
        if self._is_white(character):
            return "break" if character in _BREAKS else "space"
        return "sign" if character in _SIGNS else ""

    def _is_white(self, character: str) -> bool:
        return character.isspace() or character in self.hyphens

    def spells_out(self, character: str) -> bool:
        """Whether the character may stand between letters that each stand alone."""
        return self.gaps(character)[1]

    def names_for(self, word: str) -> frozenset[str]:
        """The names by which a word is compared: these, with `CAPITALS` where they may be added,
        and `PHRASE` and `WHITE` where they must be.

        A word with such a letter of another script has to be found in small letters, too.
        """
        names = self.names
        if {"case", "confusables"} <= names and _small().isdisjoint(word.casefold()):
            names |= {CAPITALS}
        if "separators" in names and not word.isalnum():
            names |= {PHRASE} if any(map(str.isspace, self.word(word))) else set()
        parts = "".join(" " if character in self.hyphens else character for character in word)
        if not {"spaces", EXACT} & names and len(parts.split()) > 1 and parts == parts.strip():
            names |= {WHITE}
        return names - {EXACT}

    def separable(self, word: str) -> bool:
        """Whether separators may be ignored in a word: it must not begin or end in one itself, nor
        have more of them in a row than are passed over."""
        if word.isalnum():
            return True
        last, gap, widest = "", 0, 0
        for character in word:
            if self.separates(character, last):
                gap += 1
                widest = max(widest, gap)
            elif letters := self.letters(character):
                last, gap = letters[-1], 0
        return widest <= MAX_GAP and not (self.gaps(word[0])[0] or self.gaps(word[-1])[0])

    def spellings(self, word: str) -> Iterable[str]:
        """The ways in which a text may write a word of a rule, each as it is compared."""
        if word.isascii() or CANONICAL not in self.names:
            return (self.word(word),)
        return dict.fromkeys(map(self.word, spellings(word)))

    def word(self, word: str) -> str:
        """A word of a rule as it is compared."""
        if "zero_width" in self.names:
            word = seen(word)
        if self.names <= _CASE:
            return word.casefold() if "case" in self.names else word
        folded = ""
        for character in word:
            letters = self.letters(character)
            more = self.white and letters == folded[-1:] == " "
            if not (
                self.separates(character, folded[-1:]) or self.goes_on(letters, folded) or more
            ):
                folded += letters
        return folded


TRANSLATED = frozenset(("width", "digits", "confusables", "strokes", "simplified"))
"""The normalisations that map each character to one."""

PATTERN_NAMES = TRANSLATED | {"zero_width", "canonical", "spaces", "markdown"}
"""What can be normalised for patterns."""

_MARKS = r"""[*_~`"]{0,3}"""


def spacing(names: frozenset[str]) -> str:
    """What a space in a pattern stands for, as a pattern; see `NAMES`."""
    if "markdown" in names:
        return rf"{_MARKS}(?:[^\S\n]*(?:\\\r?)?\n[\s>]*|(?:[^\S\n]|\\[nrt]>?)+){_MARKS}"
    return r"\s+" if "spaces" in names else " "


class Table(dict[int, str]):
    """Translates a text for patterns, each character to one; it is what `str.translate` takes."""

    def __init__(self, names: frozenset[str]) -> None:
        self._folding = Folding(names)
        self._changed: dict[int, dict[int, str]] = {}  # by page
        self._keeps_ascii = self._folding.keeps(_ASCII)

    def translated(self, text: str) -> str:
        """The text as patterns read it."""
        return text if self._keeps_ascii and text.isascii() else text.translate(self)

    def changed(self, character: str) -> Mapping[int, str]:
        """The characters on a character's page that change, in order, and what each is translated
        to."""
        page = ord(character) // SIZE
        changed = self._changed.get(page)
        if changed is None:
            changed = self._changed[page] = self._changed_on(page_of(character))
        return changed

    def __missing__(self, code: int) -> str:
        letter = self._letter(chr(code))
        _keep(self, code, letter)
        return letter

    def _changed_on(self, page: str) -> dict[int, str]:
        if self._folding.keeps(page):  # as most do
            return {}
        compared = zip(page, self._folding.mapped(page), strict=True)
        return {ord(one): other for one, other in compared if len(other) == 1 and other != one}

    def _letter(self, character: str) -> str:
        letters = self._folding.letters(character)
        return letters if len(letters) == 1 else character


_ASCII = "".join(map(chr, range(128)))


def _keep(table: dict[Key, Value], key: Key, value: Value) -> None:
    """Remember a value, for a bounded number of keys."""
    if len(table) > MAX_TABLE:
        table.clear()
    table[key] = value


def runs(word: str) -> tuple[str, tuple[int, ...]]:
    """The letters of a word without their repetitions, and how often each stands in a row."""
    counted = [(letter, len(list(run))) for letter, run in groupby(word)]
    return "".join([letter for letter, _ in counted]), tuple([count for _, count in counted])


@cache
def _digits() -> dict[int, str]:
    """The decimal digits of every script but ASCII's. They stand ten in a row, from 0 to 9 (Unicode
    Character Encoding Stability Policies), so that one in ten code points finds them all."""
    digits: dict[int, str] = {}
    for code in range(0x80, 0x20000, 10):
        if chr(code).isdecimal():
            zero = code - unicodedata.decimal(chr(code))
            digits |= {zero + value: str(value) for value in range(10)}
    return digits


@cache
def _confusables() -> dict[int, str]:
    from guardstream.scan.words.tables import CONFUSABLE, LOOKS_LIKE

    return drawn() | dict(zip(map(ord, CONFUSABLE), LOOKS_LIKE, strict=True))


@cache
def _capitals() -> dict[int, str]:
    """The capitals that look like Latin ones though their small letters do not."""
    table = _confusables()
    return {
        code: looks
        for code, looks in table.items()
        if code > 0x7F
        and "A" <= looks <= "Z"
        and chr(code).casefold().translate(table).casefold() != looks.casefold()
    }


@cache
def _small() -> frozenset[str]:
    return frozenset("".join(map(chr, _capitals())).casefold())


@cache
def _simplified() -> dict[int, str]:
    from guardstream.scan.words.tables import SIMPLIFIED, TRADITIONAL

    return dict(zip(map(ord, TRADITIONAL), SIMPLIFIED, strict=True))


def joins_words(character: str) -> bool:
    """Whether the character continues a word beside it: a letter, mark, digit or underscore of a
    script that puts spaces between words."""
    return _JOINS.match(character) is not None


def boundaries(word: str) -> tuple[bool, bool]:
    """Whether a word begins where words begin, and ends where they end: in a character that
    continues words, if it has letters, all of scripts that put spaces between words."""
    if _SPACED.match(word) is None:
        return False, False
    return joins_words(word[0]), joins_words(word[-1])


def whole_by_default(word: str) -> bool:
    """Whether a word is matched as a whole unless told otherwise.

    It is if it has letters, all of scripts that put spaces between words, and begins and ends in
    a character that continues words: `eval(` has no boundary of its own to ask for.
    """
    return _WHOLE.match(word) is not None
