"""Parses the `regex` dialect (version 0) into a small tree, and refuses what no stream can bound.

The tree keeps what the automaton needs: single characters as fragments that `regex` itself can
judge, sequence, choice, repetition with its preference, captures and assertions. Constructs that
the automaton over-approximates stay in the tree as such; constructs whose matches cannot be known
while text arrives raise PatternError with the offset in the pattern.

The dialect is documented at https://github.com/mrabarnett/mrab-regex.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache
from itertools import count
from string import hexdigits
from typing import NamedTuple

import regex

from guardstream.errors import PatternError
from guardstream.scan.regex.ast import (
    ANY,
    Alt,
    Anchor,
    Assert,
    Atomic,
    Cat,
    Char,
    Group,
    Look,
    Node,
    Reference,
    Repeat,
    char,
    literal,
    repeated,
)
from guardstream.scan.regex.fragments import code
from guardstream.scan.regex.rewrite import inside
from guardstream.scan.words.canonical import spellings_of


class Flags(NamedTuple):
    """The inline flags that hold at a place in the pattern."""

    ignore_case: bool = False
    multiline: bool = False
    dotall: bool = False
    verbose: bool = False
    ascii: bool | None = None  # None where only the pattern as a whole says it


MAX_COUNT = 10_000
"""The largest counter accepted; `{1000000}` is a mistake or an attack."""

MAX_DEPTH = 100
"""How deep groups may nest."""

MAX_SIZE = 100_000
"""How many parts a pattern may have to be compiled by `regex`, which takes a kilobyte for each."""

UNNAMED = (OverflowError, TypeError)
r"""What `regex` raises for `\p{inf}`, and for a name in `\N{…}` of several characters."""

_FUZZY = re.compile(r"\{[0-9\s<=+,]*[iesd][0-9\s<=+,iesd]*[:}]")
_COUNTER = re.compile(r"\{([0-9]*)(,?)([0-9]*)\}")
BLANK = re.compile(r"[\s#]")
"""What means nothing under `(?x)`, or begins a comment."""

COMMENT = re.compile(r"\(\?#(?:[^)\\]|\\.)*+\)", re.DOTALL)
NAMED_SET = re.compile(r"\[:\^?[A-Za-z0-9 &_.-]*(?:[:=](?! *:)[A-Za-z0-9 &_./-]+)?:\]")
"""A set in a class, such as `[:alpha:]`."""

_BLANKS = re.compile(r"\s+|#[^\n]*\n?")
_SPACED = re.compile(rf"\{{(?:{_BLANKS.pattern}|[0-9<=+,iesd])*+[:}}]")
"""What may be a counter or fuzzy match if blanks in it are ignored."""

_DIGIT_BEYOND = re.compile(rf"(?:{_BLANKS.pattern})++([0-9])")
_CASED_SET = re.compile(r"\[:\^?(?:[^\]]*[:=])?(?:upper|lower|L[ult&])", re.IGNORECASE)
_LOOSE = str.maketrans("", "", " _-")
_VALUE = r"[:=](?! *\})[A-Za-z0-9 &_./-]+"
_PROPERTY = re.compile(rf"\\[pP](?:[CLMNPSZ]|\{{\^?[A-Za-z0-9 &_.-]*(?:{_VALUE})?\}})")
_CHARACTER = re.compile(r"\\N\{[A-Za-z0-9 -]+\}")
_NUMBER = re.compile(r"[0-7]{3}|0[0-7]?|[1-9][0-9]?")
"""The digits after a backslash: of a character, in octal, or of the group that it refers to."""

_CALL = re.compile(r"\(\?(?:R|&|P[&>]|[+-]?[0-9])")
"""How a call to a group begins."""

_SINGLE_ESCAPES = frozenset("dDwWsShHtnrfvaN")
_REFUSED_ESCAPES = {
    "X": r"\X needs all of a grapheme before it can be released",
    "K": r"\K moves the start of a match after the fact; mask a group of the pattern",
    "G": r"\G depends on where the search began; write ^ for the start of the text",
    "L": "named lists are not known here; write the words as a word rule",
    "C": r"\C is not supported",
}
_OTHERWISE = {
    "k": "; write (?P=name) for a reference to a group",
    "e": r"; write \x1b",
    "Q": r"; write \ before each character that would mean something else",
    "E": r"; write \ before each character that would mean something else",
    "c": r"; write the character by its number, as in \x03",
}
"""How constructs of other dialects are written here."""

_RECURSION = "recursion is not supported; write out the levels there may be"

_REFUSED_FLAGS = {
    "b": "BESTMATCH compares matches that are not there yet",
    "e": "ENHANCEMATCH compares matches that are not there yet",
    "f": "full case folding changes lengths; use a word rule for such words",
    "l": "LOCALE makes the answer depend on the machine",
    "p": "POSIX matching compares all matches before it answers",
    "r": "a reverse search needs the end of the text first",
    "w": "WORD changes the boundaries; use lookarounds",
}

_CODE = r"\\(?:u[0-9A-Fa-f]{4}|x[0-9A-Fa-f]{2})"
_ESCAPE = rf"\\[dDwWsSnrtfv]|\\[ -/:-@\[-^`{{-~]|{_CODE}"
_CONTROL = r"\x00-\x1f\x7f"
_BEYOND = r"[^\x00-\x7f]"  # `re` takes a hundred times as long to read what is in it
_RANGE = rf"[0-9]-[0-9]|[a-z]-[a-z]|[A-Z]-[A-Z]|{_BEYOND}-{_BEYOND}|{_CODE}-{_CODE}"
_SET = rf"\[\^?+-?(?:{_RANGE}|[^{_CONTROL}\[\\\]-]|{_ESCAPE})++-?\]"
_TAKES = rf"[^{_CONTROL}$()*+?\[\\\]^{{|}}]|{_ESCAPE}|{_SET}|\)"
_TIMES = r"(?:[*+?]|\{[0-9]{1,4}(?:,[0-9]{0,4})?\})[?+]?"
_OPENS = r"\((?:\?(?:[:=!>]|<[=!]|-?i:|P?<[a-z]{1,20}>))?"
_PLAIN = re.compile(rf"(?:(?:(?:{_TAKES})(?:{_TIMES})?)++|{_OPENS}|\||\^|\$|\\[bBAZ])*+")
"""A pattern of constructs that `regex` never refuses if this parser accepts them, without `(?a)`.
Compiling it by `regex` would take as long as all else here."""

_CLASS = re.compile(r"\[\^?+\]?+(?:[^\[\]\\]|\\(?![xu]\{).)*+\]", re.DOTALL)
"""A class of characters that is read as a whole, since it has no nested classes."""

FLAGS = re.compile(r"\(\?([imsx]{1,4})\)")
"""The flags of a pattern, in front of it."""

_LAID_OUT = re.compile(
    rf"((?:\\.|{_CLASS.pattern}|\(\?[^:=!>)]*+|[^\s#])++)|{_BLANKS.pattern}", re.DOTALL
)
"""What means something under `(?x)`, and what does not."""

_SETS = re.compile(_SET)
_RANGES = re.compile(rf"(?=({_CODE}|[0-9A-Za-z]|{_BEYOND})-({_CODE}|[0-9A-Za-z]|{_BEYOND}))")


_LETTERS = re.compile(r"\w+(?![*+?{]|\(\?#)")
"""Characters that stand for themselves, each once."""

_SINGLE = rf"[^\\()\[]|\\[^1-9gk]|{_CLASS.pattern}"
_BEGIN = r"\(\?(?::|i:|<?[=!])"
_WITHIN = rf"{_BEGIN}(?:{_SINGLE}|{_BEGIN}(?:{_SINGLE})*+\))*+\)"
_PLAIN_LOOK = re.compile(rf"\(\?<?[=!](?:{_SINGLE}|{_WITHIN})*+\)", re.DOTALL)
"""A lookaround without captures and references, which means the same wherever it stands."""

_LOOKS = (("<=", False, False), ("<!", False, True), ("=", True, False), ("!", True, True))
"""How a lookaround begins after `(?`, whether it looks ahead, and whether it is negated."""

_REPEATS = ("*", "+", "?", "{")
"""What a repetition begins with."""

_BOUNDS: dict[str, tuple[int, int | None]] = {"*": (0, None), "+": (1, None), "?": (0, 1)}


def is_plain(pattern: str) -> bool:
    """Whether `regex` need not be asked about a pattern that this parser has read.

    It refers to no group, and has no flags but those of all of it, in front.
    """
    flags = FLAGS.match(pattern)
    if flags:
        pattern = pattern[flags.end() :]
        if "x" in flags[1]:
            pattern = _LAID_OUT.sub(r"\1", pattern)
    if _PLAIN.fullmatch(pattern) is None:
        return False
    return all(map(_is_in_order, _SETS.findall(pattern)))


@lru_cache(4_096)
def _is_in_order(characters: str) -> bool:
    """Whether no range of a set ends before it begins."""
    return all(code(low) <= code(high) for low, high in _RANGES.findall(characters))


_REASONS = {"expected }": r"a brace begins a counter or a fuzzy match; write \{ for the character"}
"""Messages of `regex` that do not say how to mend the pattern, and better ones."""


@dataclass(frozen=True, slots=True)
class Parsed:
    """A pattern as a tree, with its number of groups, their numbers by name, the numbers of those
    that back-references name, the lookarounds that are one object for all patterns, and whether
    these are `all_looks`: there is no other, nor any assertion."""

    tree: Node
    groups: int
    names: dict[str, int]
    referred: frozenset[int]
    looks: Sequence[Look] = field(compare=False)
    all_looks: bool = field(compare=False)


def parse(pattern: str, space: str = " ", *, canonical: bool = False) -> Parsed:
    """Parse `pattern`; raises PatternError where it is malformed or cannot be bounded.

    `space` is a pattern without groups. It takes the place of each space that is neither in a class
    nor escaped by a backslash. `canonical`: letters with marks, also those of sets, are found in
    all canonically equivalent spellings.
    """
    parser = _Parser(pattern, space, canonical=canonical)
    try:
        tree = parser.alternatives(Flags(), 0)
        if parser.at < len(pattern):
            raise PatternError("unbalanced parenthesis", parser.at)
        # A pattern that `regex` refuses is refused with its reason.
        flags = 0 if is_plain(pattern) else _flags(pattern, tree)
    except regex.error as error:
        raise PatternError(_REASONS.get(error.msg, error.msg), error.pos) from error
    except ValueError as error:
        # Flags of the whole pattern that contradict each other.
        raise PatternError(str(error)) from error
    except UNNAMED as error:
        raise PatternError(r"unknown property or character in \p{…}, [:…:] or \N{…}") from error
    if flags & regex.ASCII and not parser.ascii:
        # Only the compiled pattern tells whether `(?a)` holds for all of it, before and after.
        parser = _Parser(pattern, space, ascii_pattern=True, canonical=canonical)
        tree = parser.alternatives(Flags(), 0)
    return Parsed(
        tree,
        parser.groups,
        parser.names,
        frozenset(parser.referred),
        parser.looks,
        parser.all_looks,
    )


def _flags(pattern: str, tree: Node) -> int:
    """The flags of a pattern, as `regex` compiles it, which writes counters out."""
    if _size(tree) > MAX_SIZE:
        raise PatternError("counters within counters are too large; lower them")
    flags: int = regex.compile(pattern, regex.V0).flags
    return flags


def _size(node: Node) -> int:
    """How many parts a node has, with the rounds written out that its counters want."""
    if isinstance(node, Char):
        return 1
    times = max(node.low, 1) if isinstance(node, Repeat) else 1
    return times * (1 + sum(map(_size, inside(node))))


class _Parser:
    """A recursive descent over the pattern; `at` is the offset of the next character, and `behind`
    how many lookbehinds it is in."""

    def __init__(
        self,
        pattern: str,
        space: str = " ",
        *,
        ascii_pattern: bool = False,
        canonical: bool = False,
    ) -> None:
        self.pattern = pattern
        self.space = space
        self.ascii = ascii_pattern
        self.canonical = canonical
        self.at = 0
        self.behind = 0
        self.groups = 0
        self.names: dict[str, int] = {}
        self.open: set[int] = set()  # the groups that this is in
        self.referred: set[int] = set()  # the groups that back-references name
        self.looks: list[Look] = []  # those that all patterns share
        self.all_looks = True

    # Reading

    def peek(self, length: int = 1) -> str:
        return self.pattern[self.at : self.at + length]

    def take(self, token: str) -> bool:
        if self.pattern.startswith(token, self.at):
            self.at += len(token)
            return True
        return False

    def until(self, closer: str) -> str:
        end = self.pattern.find(closer, self.at)
        if end < 0:
            raise PatternError(f"missing {closer!r}", self.at)
        text = self.pattern[self.at : end]
        self.at = end + len(closer)
        return text

    # Structure

    def alternatives(self, flags: Flags, depth: int) -> Node:
        if depth > MAX_DEPTH:
            raise PatternError(f"groups nest deeper than {MAX_DEPTH}", self.at)
        branches = []
        while True:
            branch, flags = self.sequence(flags, depth)
            branches.append(branch)
            if not self.take("|"):
                return branches[0] if len(branches) == 1 else Alt(tuple(branches))

    def sequence(self, flags: Flags, depth: int) -> tuple[Node, Flags]:
        items: list[Node] = []
        pattern, length = self.pattern, len(self.pattern)
        while self.at < length and (begin := pattern[self.at]) not in "|)":
            if flags.verbose:
                if self._skip_blank(flags):
                    continue
            elif letters := _LETTERS.match(pattern, self.at):
                items += self._run(letters.group(), flags)
                self.at = letters.end()
                continue
            switched = self._global_flags(flags) if begin == "(" else None
            item = self.atom(flags, depth) if switched is None else None
            if item is None:
                flags = switched or flags
                self._check_unrepeated(flags)
                continue
            if flags.verbose or pattern.startswith("(?#", self.at):
                # A quantifier applies to the item before comments and blanks.
                while self._skip_comment() or self._skip_blank(flags):
                    pass
                self._check_blanks(flags)
            if pattern[self.at : self.at + 1] in _REPEATS:
                item = self._quantified(item, flags)
            items.append(item)
        return (items[0] if len(items) == 1 else Cat(tuple(items))), flags

    def _run(self, letters: str, flags: Flags) -> Iterable[Node]:
        """Letters in a row, each as a node."""
        if self.canonical and not letters.isascii():
            return [self._letters(letter, flags) for letter in letters]
        before, after = _scope(flags, self.ascii)
        if before:
            return [char(before + letter + after) for letter in letters]
        return map(char, letters)

    def _check_unrepeated(self, flags: Flags) -> None:
        while self._skip_blank(flags):
            pass
        start = self.at
        self._check_blanks(flags)
        if self._bounds() is not None:
            raise PatternError("a repetition cannot follow a comment or flags", start)

    def _skip_blank(self, flags: Flags) -> bool:
        if not flags.verbose:
            return False
        if self.peek() == "#":
            end = self.pattern.find("\n", self.at)
            self.at = len(self.pattern) if end < 0 else end + 1
            return True
        if self.peek().isspace():
            self.at += 1
            return True
        return False

    def _check_blanks(self, flags: Flags) -> None:
        """Refuse a counter that `regex` reads only where blanks do not count."""
        if not flags.verbose or self.peek() != "{":
            return
        spaced = _SPACED.match(self.pattern, self.at)
        if not spaced or not BLANK.search(spaced.group()):
            return
        without = _BLANKS.sub("", spaced.group())
        if _COUNTER.fullmatch(without) or _FUZZY.fullmatch(without):
            raise PatternError("write the counter without blanks", self.at)

    def _skip_comment(self) -> bool:
        if self.peek(3) != "(?#":
            return False
        comment = COMMENT.match(self.pattern, self.at)
        if comment is None:
            raise PatternError("missing ')'", self.at)
        self.at = comment.end()
        return True

    def atom(self, flags: Flags, depth: int) -> Node | None:
        character = self.peek()
        if character == "(":
            return self._parenthesis(flags, depth)
        if character == "[":
            return self._letters(self._class(), flags)
        if character == "\\":
            return self._escape(flags)
        if character in "*+?":
            raise PatternError("nothing to repeat", self.at)
        self.at += 1
        if character == ".":
            return ANY if flags.dotall else char(r"[^\n]")
        if character == "^":
            return self._assert("line_start" if flags.multiline else "start")
        if character == "$":
            # Without (?m) it means the end of the text, never the place before a last line end.
            return self._assert("line_end" if flags.multiline else "end")
        if character == " " != self.space:
            if self.behind:
                message = "a lookbehind needs a bound, and a space stands for any white space"
                raise PatternError(f"{message}: write [ ]", self.at - 1)
            self.all_looks = False
            return _spacing(self.space, flags, self.ascii)
        return self._letters(literal(character), flags)

    def _letters(self, fragment: str, flags: Flags) -> Node:
        """A character, and if asked for, the other spellings of letters in it."""
        one = self._char(fragment, flags)
        if not self.canonical or fragment.startswith("[^"):
            return one
        ways = [Cat(tuple(map(_any_of, sets))) for sets in _spelled(one.fragment)]
        return Alt((one, *ways)) if ways else one

    def _assert(self, kind: Anchor, word: str = r"\w") -> Assert:
        self.all_looks = False
        return Assert(kind, word)

    def _char(self, fragment: str, flags: Flags) -> Char:
        if (flags.ascii or (self.ascii and flags.ascii is None)) and "\\p" in fragment.lower():
            raise PatternError(r"\p has no clear meaning under (?a)", self.at)
        if self.ascii and flags.ignore_case and _CASED_SET.search(fragment.translate(_LOOSE)):
            message = "[:upper:] and [:lower:] have no clear meaning under (?a) and (?i)"
            raise PatternError(f"{message}; write [A-Za-z]", self.at)
        return char(self._judged(fragment, flags))

    def _judged(self, fragment: str, flags: Flags) -> str:
        """The fragment so that `regex` judges it alone as it would in the pattern."""
        before, after = _scope(flags, self.ascii)
        return before + fragment + after

    # Quantifiers

    def _quantified(self, item: Node, flags: Flags) -> Node:
        bounds = self._bounds()
        if bounds is None:
            return item
        while self._skip_blank(flags):
            pass
        low, high = bounds
        if isinstance(item, Assert | Look):
            # Where it holds, another round changes nothing.
            low, high = min(low, 1), 1 if high is None else min(high, 1)
        lazy = self.take("?")
        possessive = not lazy and self.take("+")
        if (again := self.peek()) in _REPEATS and (again != "{" or self._bounds() is not None):
            raise PatternError("multiple repeat", self.at)
        if low == high == 1:
            return item  # even where it is possessive
        if isinstance(item, Char):
            repeat = repeated(item, low, high, lazy)
        else:
            repeat = Repeat(item, low, high, lazy)
        return Atomic(repeat) if possessive else repeat

    def _bounds(self) -> tuple[int, int | None] | None:
        token = self.peek()
        if token in _BOUNDS:
            self.at += 1
            return _BOUNDS[token]
        if token != "{":
            return None
        counter = _COUNTER.match(self.pattern, self.at)
        if counter and counter.group() != "{}":
            self.at = counter.end()
            low, comma, high = counter.groups()
            most = (int(high) if high else None) if comma else int(low)
            return self._checked(int(low or 0), most)
        if _FUZZY.match(self.pattern, self.at):
            message = "fuzzy matching cannot be decided while text arrives"
            raise PatternError(f"{message}; write out the possible spellings", self.at)
        return None

    def _checked(self, low: int, high: int | None) -> tuple[int, int | None]:
        if max(low, high or 0) > MAX_COUNT:
            raise PatternError(f"a counter is larger than {MAX_COUNT}", self.at)
        if high is not None and low > high:
            raise PatternError("a counter's minimum is larger than its maximum", self.at)
        return low, high

    # Groups

    def _global_flags(self, flags: Flags) -> Flags | None:
        """`(?i)`: read the flags that hold from here to the end of the group."""
        begin = self.peek(3)
        if begin[:2] != "(?" or not (begin[2:].isalnum() or begin[2:] == "-"):
            return None
        if _CALL.match(self.pattern, self.at):
            return None
        end = self.at + 2
        while end < len(self.pattern) and (self.pattern[end].isalnum() or self.pattern[end] == "-"):
            end += 1
        letters = self.pattern[self.at + 2 : end]
        if self.pattern[end : end + 1] != ")" or letters in ("", "P"):
            return None
        changed = self._changed(flags, letters)
        self.at = end + 1
        return changed

    def _changed(self, flags: Flags, letters: str) -> Flags:
        on, _, off = letters.partition("-")
        if "V1" in on:
            raise PatternError("version 1 behaviour is not supported; remove (?V1)", self.at)
        for letter in (on + off).replace("V0", "").lower():
            if letter in _REFUSED_FLAGS:
                raise PatternError(_REFUSED_FLAGS[letter], self.at)
            if letter not in "aimsux":
                raise PatternError(f"unknown flag {letter!r}", self.at)
        names = {"i": "ignore_case", "m": "multiline", "s": "dotall", "x": "verbose"}
        values = {names[letter]: True for letter in on if letter in names}
        values |= {names[letter]: False for letter in off if letter in names}
        return flags._replace(**values, ascii=_ascii(flags.ascii, on, off))

    def _parenthesis(self, flags: Flags, depth: int) -> Node | None:  # noqa: C901 - a list of kinds
        start = self.at
        if self.take("(?:"):  # as most are
            within = flags if flags.ascii is None else flags._replace(ascii=None)
            return self._closed(within, depth, start)
        if self.peek(2) == "(*":
            raise PatternError("verbs such as (*PRUNE) are not supported; leave them out", start)
        if self._skip_comment():
            return None
        if known := self._known_look(flags, depth):
            return known
        if not self.take("(?"):
            self.at += 1
            return self._capture(None, flags, depth, start)
        if look := self.look(flags, depth, start):
            return look
        if self.take(">"):
            return Atomic(self._closed(flags, depth, start))
        if self.take("|"):
            return self._branch_reset(flags, depth, start)
        if self.take("P="):
            return self._named(self.until(")"), flags, start)
        if self.take("P<") or self.take("<"):
            return self._capture(self.until(">"), flags, depth, start)
        if self.take("("):
            message = "a conditional cannot be decided while text arrives"
            raise PatternError(f"{message}; write both ways out, as a choice", start)
        return self._flagged(flags, depth, start)

    def look(self, flags: Flags, depth: int, start: int) -> Look | None:
        """Read a lookaround of which `(?` has been read; None if it is something else."""
        for token, ahead, negate in _LOOKS:
            if self.take(token):
                self.all_looks = False
                self.behind += not ahead
                item = self._closed(flags, depth, start)
                self.behind -= not ahead
                return Look(item, ahead, negate)
        return None

    def _known_look(self, flags: Flags, depth: int) -> Look | None:
        """A lookaround that is the same for all patterns; None if it must be read here."""
        if depth >= MAX_DEPTH - 2 or (self.behind and self.space != " "):
            return None
        plain = _PLAIN_LOOK.match(self.pattern, self.at)
        if not plain or (flags.verbose and BLANK.search(plain.group())):
            return None
        flags = flags._replace(verbose=False)
        look = _look(plain.group(), self.space, flags, self.ascii, self.canonical)
        if look:
            self.at = plain.end()
            self.looks.append(look)
        return look

    def _flagged(self, flags: Flags, depth: int, start: int) -> Node:
        end = self.at
        while end < len(self.pattern) and (self.pattern[end].isalnum() or self.pattern[end] == "-"):
            end += 1
        letters = self.pattern[self.at : end]
        if _CALL.match(self.pattern, start):
            raise PatternError(_RECURSION, start)
        if self.pattern[end : end + 1] != ":":
            hint = "; write a group's name as in (?<name>a)" if self.peek() == "'" else ""
            raise PatternError(f"unknown extension{hint}", start)
        # As in `regex`, `(?a:` does not reach into `(?:`, nor into groups with flags of their own.
        changed = self._changed(flags._replace(ascii=None), letters)
        self.at = end + 1
        return self._closed(changed, depth, start)

    def _closed(self, flags: Flags, depth: int, start: int) -> Node:
        item = self.alternatives(flags, depth + 1)
        if not self.take(")"):
            raise PatternError("missing ')'", start)
        return item

    def _capture(self, name: str | None, flags: Flags, depth: int, start: int) -> Node:
        if name is None:
            self.groups += 1
            number = self.groups
        else:
            number = self._number_of(name, start)
        within, self.open = self.open, self.open | {number}
        item = self._closed(flags, depth, start)
        self.open = within
        return Group(item, number)

    def _number_of(self, name: str, start: int) -> int:
        """The number of a named group, which groups of the same name share, and no other named
        group has."""
        if not name.isidentifier():
            message = f"{name!r} is not a name for a group; write letters, digits and _"
            raise PatternError(message, start)
        if name not in self.names:
            taken = self.names.values()
            self.groups = next(n for n in count(self.groups + 1) if n not in taken)
            self.names[name] = self.groups
        return self.names[name]

    def _branch_reset(self, flags: Flags, depth: int, start: int) -> Node:
        first, most, branches = self.groups, self.groups, []
        while True:
            self.groups = first
            branch, switched = self.sequence(flags, depth + 1)
            if switched != flags:
                raise PatternError("flags in (?|…) would hold after it: write (?i:…)", start)
            branches.append(branch)
            most = max(most, self.groups)
            if not self.take("|"):
                break
        self.groups = most
        if not self.take(")"):
            raise PatternError("missing ')'", start)
        return Alt(tuple(branches))

    # Single characters

    def _class(self) -> str:
        """Read `[...]` whole; `regex` judges what is in it."""
        start = self.at
        if plain := _CLASS.match(self.pattern, start):
            self.at = plain.end()
            return plain.group()
        self.at += 1
        self.take("^")
        self.take("]")
        while not self.take("]"):
            if self.at >= len(self.pattern):
                raise PatternError("missing ']'", start)
            named = NAMED_SET.match(self.pattern, self.at)
            if named is not None:
                self.at = named.end()
            elif self.peek() == "\\":
                self._check_number(self.at)
                self.at += 2
            else:
                self.at += 1
        return self.pattern[start : self.at]

    def _escape(self, flags: Flags) -> Node:
        start = self.at
        letter = self.pattern[start + 1 : start + 2]
        self.at += 2
        if letter in _REFUSED_ESCAPES:
            raise PatternError(_REFUSED_ESCAPES[letter], start)
        if letter == "A":
            return self._assert("start")
        if letter in ("Z", "z"):
            return self._assert("end")
        if letter in ("b", "B"):
            word = self._judged(r"\w", flags._replace(ignore_case=False))
            return self._assert("word" if letter == "b" else "not_word", word)
        if letter in ("m", "M"):
            # Here `(?a)` counts only where it holds for all of the pattern.
            word = self._judged(r"\w", flags._replace(ignore_case=False, ascii=None))
            edge = Look(Char(word), ahead=letter == "m", negate=False)
            return Cat((self._assert("word", word), edge))
        if letter == "R":
            single = Char(r"[\n\x0b\f\r\x85\u2028\u2029]")
            return Atomic(Alt((Cat((Char(r"\r"), Char(r"\n"))), single)))
        if letter == "g":
            return self._reference(flags, start)
        if number := _NUMBER.match(self.pattern, start + 1):
            return self._numbered(number, flags, start)
        return self._letters(self._single_escape(letter, start), flags)

    def _check_number(self, start: int) -> None:
        if self.pattern[start + 1 : start + 3] in ("x{", "u{"):
            raise PatternError(r"write the character as \xHH, \uHHHH or \UHHHHHHHH", start)

    def _reference(self, flags: Flags, start: int) -> Node:
        if self.take("<"):
            return self._named(self.until(">"), flags, start)
        raise PatternError(r"unknown escape \g; write \1 or (?P=name)", start)

    def _named(self, name: str, flags: Flags, start: int) -> Node:
        if not name.isdecimal() and name not in self.names:
            message = f"there is no group {name!r} before this; a reference comes after its group"
            raise PatternError(message, start)
        number = int(name) if name.isdecimal() else self.names[name]
        if number in self.open:
            raise PatternError(f"the group {name!r} cannot refer to itself", start)
        return self._reference_to(number, flags)

    def _numbered(self, number: re.Match[str], flags: Flags, start: int) -> Node:
        digits, self.at = number.group(), number.end()
        if flags.verbose and (beyond := _DIGIT_BEYOND.match(self.pattern, self.at)):
            longer = _NUMBER.match(digits + beyond[1])
            if longer and longer.end() > len(digits):
                # Blanks do not end the number.
                at = beyond.start(1)
                raise PatternError(f"write a digit after \\{digits} as [{beyond[1]}]", at)
        if digits[0] != "0" and len(digits) < 3:
            return self._reference_to(int(digits), flags)
        if int(digits, 8) > 0xFF:
            # Under `(?a)` it is cut to eight bits.
            raise PatternError(r"write the character as \uHHHH", start)
        return self._char(f"\\{digits}", flags)

    def _reference_to(self, number: int, flags: Flags) -> Node:
        self.referred.add(number)
        return Reference(number, flags.ignore_case, self.ascii)

    def _skip_digits(self, letter: str, width: int, start: int) -> None:
        digits = self.peek(width)
        if len(digits) < width or not set(digits).issubset(hexdigits):
            raise PatternError(rf"\{letter} needs {width} hexadecimal digits", start)
        self.at += width

    def _single_escape(self, letter: str, start: int) -> str:
        widths = {"x": 2, "u": 4, "U": 8}
        if not letter:
            raise PatternError("a pattern cannot end in a backslash", start)
        if letter in widths:
            self._check_number(start)
            self._skip_digits(letter, widths[letter], start)
        elif letter in "pP":
            named = _PROPERTY.match(self.pattern, start)
            if named is None:
                raise PatternError(rf"\{letter} needs a property: write \{letter}{{Name}}", start)
            self.at = named.end()
        elif letter == "N" and self.take("{"):
            named = _CHARACTER.match(self.pattern, start)
            if named is None:
                raise PatternError(r"\N needs a name: write \N{NAME OF THE CHARACTER}", start)
            self.at = named.end()
        elif letter.isascii() and letter.isalnum() and letter not in _SINGLE_ESCAPES:
            hint = _OTHERWISE.get(letter, "")
            raise PatternError(f"unknown escape \\{letter}{hint}", start)
        return self.pattern[start : self.at]


def _ascii(holds: bool | None, on: str, off: str) -> bool | None:
    """Whether `(?a)`, or `(?u)`, holds once flags have been turned on and off."""
    if "a" in on:
        return True
    if holds is not None and ("a" if holds else "u") in off:
        holds = None
    # Where both hold, `(?a)` does.
    return holds or (False if "u" in on else holds)


@cache
def _scope(flags: Flags, ascii_pattern: bool) -> tuple[str, str]:
    """The text before and after a fragment that sets its flags. Whether `(?a)` holds for all of a
    pattern decides how case is compared, even in a group such as `(?u:…)`."""
    letters = ("i" if flags.ignore_case else "") + {None: "", True: "a", False: "u"}[flags.ascii]
    begin = f"(?{letters}:" if letters else ""
    return "(?a)" * ascii_pattern + begin, ")" if letters else ""


@cache
def _spacing(space: str, flags: Flags, ascii_pattern: bool) -> Node:
    """What a space stands for, under the flags that hold where it is."""
    return _Parser(space, ascii_pattern=ascii_pattern).alternatives(flags, 0)


_BEYOND_ASCII = re.compile(r"\\[pPwWSDuUxN]|\[:")
"""By which a set in ASCII has other characters."""


@lru_cache(4_096)
def _spelled(fragment: str) -> Sequence[Sequence[str]]:
    """The canonically equivalent spellings of all letters in a set, as sequences of sets."""
    if fragment.isascii() and _BEYOND_ASCII.search(fragment) is None:
        return ()  # of letters with marks it has none, or İ by its case alone
    return spellings_of(fragment)


def _any_of(characters: str) -> Char:
    return char(f"[{''.join(map(literal, characters))}]")


@lru_cache(maxsize=4_096)
def _look(text: str, space: str, flags: Flags, ascii_pattern: bool, canonical: bool) -> Look | None:
    """A lookaround, as one object for all patterns that have it: many share the same few. None if
    it is refused; then the pattern's own parser says why."""
    parser = _Parser(text, space, ascii_pattern=ascii_pattern, canonical=canonical)
    parser.at = 2
    try:
        look = parser.look(flags, 0, 0)
    except PatternError:
        return None
    return look if parser.at == len(text) else None
