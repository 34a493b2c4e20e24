"""Turns almost-JSON into JSON, character by character, so that the lexer after it can be strict.

Models write commas before a bracket, comments, other kinds of quotes, Python's literals, raw line
breaks in strings and keys without quotes, and stop in the middle. `Repairer` takes such text and
returns JSON for it as it arrives, with a map from each character to its source. It never changes
valid JSON, and passes on unchanged what it cannot repair, so that the lexer refuses it. A repair
never invents a member, a value or a key: what readers of almost-JSON read in different ways is left
to be refused.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from guardstream.jsonstream.origins import Origins
from guardstream.jsonstream.strings import begins_escape

Kind: TypeAlias = Literal[
    "trailing_commas",
    "comments",
    "single_quotes",
    "python_literals",
    "raw_newlines",
    "unquoted_keys",
    "unquoted_values",
    "inner_quotes",
    "bad_escapes",
    "missing_commas",
    "missing_values",
    "brackets",
    "full_width",
    "odd_spaces",
    "truncated",
]

KINDS: frozenset[Kind] = frozenset(get_args(Kind))
USUAL: frozenset[Kind] = KINDS - {"truncated"}
"""The default repairs, without closing a truncated document, which is incomplete."""


def kinds_named(names: Iterable[str]) -> frozenset[Kind]:
    """Return the kinds of those names. ValueError for an unknown one."""
    asked = frozenset(names)
    unknown = sorted(asked - KINDS)
    if unknown:
        known = ", ".join(sorted(KINDS))
        raise ValueError(f"no kind of repair is called {unknown[0]!r}: there are {known}")
    return KINDS & asked


_LONGEST = 256
"""How many code points are held to decide what a comma, a key or a word is."""

_MOST = 8
"""The maximum number of comments, escapes in them, and commas in held text, which is read again
with each chunk."""

_QUOTES = {"'": "'", "`": "`", "‘": "’", "“": "”"}
_LITERALS = {"true": "true", "false": "false", "none": "null", "null": "null"}
_ENDS = frozenset(",}]")
_ODD = "\u00a0\u2000-\u200b\u202f\u205f\u2060\u3000\ufeff"
_SPACE = re.compile(rf"[ \t\n\r{_ODD}]").match
_WIDE = {"：": ":", "，": ",", "｛": "{", "｝": "}", "［": "[", "］": "]"}
_COMMENTS = frozenset("/#")
_CLOSERS = {"{": "}", "[": "]", "(": "]", "s": "]", "g": ""}
"""The closing bracket of each open one: also Python's tuples and sets (`s`), and mere groups
(`g`)."""

_CLOSING = {"}": "{s", "]": "[", ")": "(g"}

_space = re.compile(rf"[ \t\n\r{_ODD}]*").match
_BLANK = " \t\u00a0\u200b\u2060\u3000\ufeff" + "".join(map(chr, range(0x2000, 0x200B)))
_odd = re.compile(f"[{_ODD}]")
_run = {
    quote: re.compile(rf'[^"\\\x00-\x1f{closing}]*').match
    for quote, closing in {'"': "", **_QUOTES}.items()
}
"""For each opening quote, matches the characters of its string that are the same in JSON."""

_escape = re.compile(
    r"\\(?:[^u]|u(?![dD][89a-fA-F])[0-9a-fA-F]{4}"
    r"|u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})"
).match
"""A complete escape; both escapes of a surrogate pair."""

_half_pair = re.compile(r"\\u[dD][89a-fA-F][0-9a-fA-F]{2}").match
"""One escape of a surrogate pair."""

_scalar = re.compile(r"[-+.0-9a-zA-Z_]*").match
_words = re.compile(r"""(?:(?!\s(?://|/\*|\#))[^,\[\]{}()"\n\r])*""").match
"""A value without quotes: up to a comma, a bracket, a line end, or a comment after a space."""

_opening = re.compile(r"//|/\*").search
"""The beginning of a comment; `#` only begins one after a space."""

_set = re.compile(
    r"\{[ \t\n\r]*(?:(')(?:[^'\\]|\\.)*'|[-+]?\.?[0-9][-+.0-9a-zA-Z_]*+)[ \t\n\r]*+(.)", re.DOTALL
).match
"""The beginning of a Python set: a brace, a string or a number, and the character after it."""

_set_begun = re.compile(
    r"\{[ \t\n\r]*(?:'(?:[^'\\]|\\.)*(?:\\|'[ \t\n\r]*)?"
    r"|[-+]?\.?(?:[0-9][-+.0-9a-zA-Z_]*[ \t\n\r]*)?)?",
    re.DOTALL,
).fullmatch
"""The beginning of a Python set, as far as it has come."""

_group = re.compile(
    r"""\([ \t\n\r]*(?:"[^"\\]*"|'[^'\\]*'|[^ \t\n\r,()\[\]{}"']+)[ \t\n\r]*\)"""
).match
"""A single value in round brackets, which only group it and are not a tuple."""

_item = re.compile(r"[,()\[\]{}]").search
_OPENS = frozenset(("", *"{[(,:"))
_DOTS = frozenset(".…")
_ellipsis = re.compile(r"(\.\.\.|…)[ \t\n\r]*,?").match
_json_scalar = re.compile(
    r"(?:-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?|true|false|null)"
).fullmatch
_python_number = re.compile(r"([-+]?)([0-9][0-9_]*)?(?:(\.)([0-9_]*))?([eE][-+]?[0-9]+)?").fullmatch
_name = re.compile(rf"[^\s\x00-\x1f\"'`‘’“”:,{{}}\[\]()/#\\：，｛｝［］{_ODD}]*").match
_wide_end = re.compile("[，｝］]").search
_meant = re.compile(
    r"(?!(?:undefined|NaN|Infinity)\Z|(?:true|false|null|none)\b.)"
    r"(?:[^\W\d_²³¹¼-¾⅐-↉][^\\/+'`‘’“”]*|[a-z]+://[^\\+'`‘’“”]*|(?![0-9.]+e?\Z)[0-9]+[-.\w]*|[0-9]+(?:[.][0-9]+){2,})(?<![：，；])",
    re.DOTALL | re.IGNORECASE,
).fullmatch
"""A word that can only be meant as a string. What begins like a number or a literal and goes on as
text may as well be several values, and signs may be code."""


@dataclass(frozen=True, slots=True)
class Repair:
    """A repair, and its place in the source: code points, end exclusive."""

    kind: Kind
    start: int
    end: int


class Repairer:
    """The text of one document: `read` takes what can be decided and returns JSON for it.

    `offset` is how much of the source was taken, `done` whether the document is complete, `repairs`
    what the last `read` repaired. A repair ends a `read`, so that it is reported in the order of
    the text.

    What cannot be decided yet is not taken, for at most 256 code points: the caller passes it
    again, with more text. The steps advance tentatively from `_mark`; if the text ends before they
    are certain, the state returns to the mark. So `{a: [1, // one` becomes `{"a": [1`. If the next
    line has a bracket, the comma is dropped, and the text after it is read again, the comment as a
    comment.
    """

    def __init__(self, kinds: frozenset[Kind], offset: int) -> None:
        self.offset = offset
        self.done = False
        self.repairs: list[Repair] = []
        self.origins = Origins(offset, offset)
        self.begun: int | None = None  # the offset of the document's first character
        self._kinds = kinds
        self._holds = "truncated" in kinds
        self._made = offset  # the end of the JSON so far
        self._out: list[str] = []
        self._path: list[str] = []  # the open brackets
        self._step: _Step = self._value
        self._next: _Step = self._value  # after a comment
        self._quote = ""  # of the open string
        self._is_key = False
        self._in_word = False  # the string's last character is a letter or digit
        self._opened = False  # a quote in the open string has no partner yet
        self._sign = ""  # the last character of the open string that is not white space
        self._start = 0  # the start of the open comment or name
        self._was_colon = False  # a value must follow
        self._comma = False  # a comma that may have to be dropped
        self._unsure = False
        self._was_cut = False
        self._base = 0  # the source offset of the text's first character
        self._mark = 0
        self._work = 0  # comments, escapes and commas since the mark
        self._back_at = self._state()

    def read(self, text: str, index: int, *, final: bool) -> str:
        """Read the source from `index` up to its next repair; `final` if no more text follows."""
        self._base = self.offset - index
        self.repairs, self._out = [], []
        self._settle(index)
        size = len(text)
        while index < size and not self.done:
            after = self._step(text, index, final)
            if after is None:
                self._leave(text, final, wants_more=True)
                break
            index = after
            if not self._unsure or index - self._mark >= _LONGEST or self._work > _MOST:
                self._unsure = self._comma = False
                self._settle(index)
                if self.repairs:
                    break
        else:
            if index > self._mark:
                self._leave(text, final, wants_more=False)
        return "".join(self._out)

    def finish(self) -> str:
        """Take the source's end; return what closes the document, if it is to be closed."""
        self.repairs = []
        if self._step in (self._line_comment, self._block_comment):
            self.repairs.append(Repair("comments", self._start, self.offset))
        if not self._holds or self.done or not (self._path or self._quote):
            return ""
        if not self._was_cut:
            self.repairs.append(Repair("truncated", self.offset, self.offset))
        closers = [_CLOSERS[each] for each in reversed(self._path)]
        return "".join(['"' if self._quote else "", *closers])

    # Advancing and backtracking

    def _state(self) -> _State:
        return (
            self._step, self._next, self._quote, self._is_key, self._in_word, self._opened,
            self._sign, self._was_colon, self._start, self._made, len(self._out),
            self.origins.count, len(self.repairs),
        )  # fmt: skip

    def _settle(self, index: int) -> None:
        """Mark what was read up to `index` as decided."""
        self._mark = index
        self._work = 0
        self.offset = self._base + index
        self._back_at = self._state()

    def _back(self) -> None:
        """Return to the mark."""
        (
            self._step, self._next, self._quote, self._is_key, self._in_word, self._opened,
            self._sign, self._was_colon, self._start, self._made, out, edits, repairs,
        ) = self._back_at  # fmt: skip
        del self._out[out:], self.repairs[repairs:]
        self.origins.forget(edits)
        self._unsure = self._comma = False
        self._work = 0

    def _leave(self, text: str, final: bool, *, wants_more: bool) -> None:
        """Handle text that ends undecided: it waits, is truncated, or passes unchanged."""
        size = len(text)
        if not final:
            self._back()
        elif self._holds:
            self._back()
            self.repairs.append(Repair("truncated", self.offset, self._base + size))
            self._was_cut = True
            self._settle(size)
        elif wants_more:
            self._back()
            self._settle(self._as_it_is(text, self._mark, final))
        else:
            self._unsure = self._comma = False
            self._settle(size)

    # Output

    def _put(self, text: str, start: int, end: int) -> int:
        """Emit `text` for the source between two indices."""
        self._out.append(text)
        made, self._made = self._made, self._made + len(text)
        if len(text) != end - start:
            self.origins.add((made, self._made), (self._base + start, self._base + end))
        return end

    def _record(self, kind: Kind, start: int, end: int) -> None:
        self.repairs.append(Repair(kind, self._base + start, self._base + end))

    # The steps: each takes some of the text from an index on and returns the next index, or None if
    # more text is needed.

    def _as_it_is(self, text: str, index: int, final: bool) -> int:
        """Pass on what cannot be repaired; the lexer refuses it."""
        del final
        if self.begun is None:
            self.begun = self._base + index
        self._refuse()
        return self._put(text[index:], index, len(text))

    def _refuse(self) -> None:
        """Repair nothing from here on, and report no repair of what is refused with it."""
        self.repairs.clear()
        self._step = self._as_it_is
        self._unsure = False

    def _value(self, text: str, index: int, final: bool) -> int | None:
        beside = self._beside(text, index, final)
        if beside != index:
            return beside
        char = self._plain(text[index])
        if char in _CLOSING:
            return self._close(text, index, final)
        if char == "," and self._path and not self._was_colon and "missing_values" in self._kinds:
            return self._drop_comma(index)
        self._sure()
        if self.begun is None:
            self.begun = self._base + index
        if char in "{[(":
            return self._open(text, index, final)
        if self._is_quote(char):
            return self._begin_string(text, index, is_key=False)
        if not self._path:
            self._step = self._scalar
            self._unsure = self._holds
            return index
        return self._word(text, index, final)

    def _open(self, text: str, index: int, final: bool) -> int | None:
        char = opened = self._plain(text[index])
        python = "python_literals" in self._kinds
        if char == "{" and python:
            ahead = text[index : index + _LONGEST]
            found = _set(ahead)
            if not found and not final and len(ahead) < _LONGEST and _set_begun(ahead):
                return None
            if found and found[2] in ",}" and (not found[1] or "single_quotes" in self._kinds):
                opened = "s"
        elif char == "(" and python:
            ahead = text[index : index + _LONGEST]
            if not final and len(ahead) < _LONGEST and not _item(ahead, 1):
                return None
            opened = "g" if _group(ahead) else char
        elif char == "(":
            return self._as_it_is(text, index, final)
        self._path.append(opened)
        self._step = self._key if opened == "{" else self._value
        self._unsure = self._was_colon = False
        if opened not in "{[":
            self._record("python_literals", index, index + 1)
        self._note_wide(text, index)
        return self._put({"{": "{", "g": ""}.get(opened, "["), index, index + 1)

    def _beside(self, text: str, index: int, final: bool) -> int | None:
        """Take white space, or the beginning of a comment; return `index` if there is neither."""
        char = text[index]
        if _SPACE(char):
            return self._spaces(text, index)
        if self._begins_comment(char):
            return self._comment(text, index, final)
        if "comments" in self._kinds and char in _DOTS:
            return self._dots(text, index, final)
        return index

    def _dots(self, text: str, index: int, final: bool) -> int | None:
        """Take dots in place of values or members as a comment; return `index` if there are
        none."""
        if self._was_colon or not self._path:
            return index
        found = _ellipsis(text, index, index + _LONGEST)
        if not found:
            return None if "...".startswith(text[index:]) and not final else index
        end = found.end()
        if self._step == self._after:
            end = index + len(found[1])
        elif end == len(text) and text[-1] != "," and not final:
            return None
        self._work += 1
        self._record("comments", index, end)
        return self._put("", index, end)

    def _key(self, text: str, index: int, final: bool) -> int | None:
        beside = self._beside(text, index, final)
        if beside != index:
            return beside
        char = self._plain(text[index])
        if char in _CLOSING:
            return self._close(text, index, final)
        if char == "," and "missing_values" in self._kinds:
            return self._drop_comma(index)
        self._sure()
        self._unsure = self._holds
        if self._is_quote(char):
            return self._begin_string(text, index, is_key=True)
        if "unquoted_keys" in self._kinds:
            return self._named(text, index, final)
        return self._as_it_is(text, index, final)

    def _named(self, text: str, index: int, final: bool) -> int | None:
        """Take a key without quotes, which is one only if its colon follows."""
        most = index + _LONGEST
        end = found = _name(text, index, most).end()  # type: ignore[union-attr]
        end += text[end : end + 1] == '"'  # a quote that was never opened
        after = _first(text, end, most, final and not self._holds)
        if after is None and found < most:
            return None
        if found == index or not after or not (after == ":" or self._begins_comment(after)):
            return self._as_it_is(text, index, final)
        self._record("unquoted_keys", index, end)
        self._step = self._colon
        self._put('"', index, index)
        self._put(text[index:found], index, found)
        return self._put('"', found, end)

    def _colon(self, text: str, index: int, final: bool) -> int | None:
        char = self._plain(text[index])
        if _SPACE(char):
            return self._spaces(text, index)
        if char == ":":
            self._step = self._value
            self._was_colon = True
            self._note_wide(text, index)
            return self._put(char, index, index + 1)
        if self._begins_comment(char):
            return self._comment(text, index, final)
        return self._as_it_is(text, index, final)

    def _after(self, text: str, index: int, final: bool) -> int | None:
        beside = self._beside(text, index, final)
        if beside != index:
            return beside
        char = self._plain(text[index])
        if char == ",":
            self._note_wide(text, index)
            self._comma = "trailing_commas" in self._kinds
            self._unsure = self._comma or self._holds
            self._step = self._key if self._path[-1] == "{" else self._value
            return self._put(char, index, index + 1)
        if char in _CLOSING:
            return self._close(text, index, final)
        if "missing_commas" in self._kinds and self._begins(char):
            self._record("missing_commas", index, index)
            self._step = self._key if self._path[-1] == "{" else self._value
            return self._put(",", index, index)
        return self._as_it_is(text, index, final)

    def _begins(self, char: str) -> bool:
        """Return whether a value or key may begin like this, so that a comma is missing before
        it."""
        outside_object = self._path[-1] != "{"
        return self._is_quote(char) or (outside_object and (char in "{[-" or char.isalnum()))

    def _is_quote(self, char: str) -> bool:
        return char == '"' or (char in _QUOTES and "single_quotes" in self._kinds)

    def _begins_comment(self, char: str) -> bool:
        return char in _COMMENTS and "comments" in self._kinds

    def _plain(self, char: str) -> str:
        """Return the punctuation that a full-width character stands for."""
        return _WIDE.get(char, char) if "full_width" in self._kinds else char

    def _note_wide(self, text: str, index: int) -> None:
        if text[index] in _WIDE:
            self._record("full_width", index, index + 1)

    def _spaces(self, text: str, index: int) -> int:
        """Take white space; JSON has none but four characters."""
        end = _space(text, index, self._bound(text)).end()  # type: ignore[union-attr]
        plain = _odd.sub("", text[index:end])
        if len(plain) < end - index:
            if "odd_spaces" not in self._kinds:
                return self._as_it_is(text, index, False)
            self._record("odd_spaces", index, end)
        return self._put(plain, index, end)

    def _bound(self, text: str) -> int:
        """Return up to which index a step may read: how much is held depends on the text alone."""
        return self._mark + _LONGEST if self._unsure else len(text)

    def _sure(self) -> None:
        """Confirm that something follows the comma."""
        self._comma = False
        self._unsure &= self._holds

    def _close(self, text: str, index: int, final: bool) -> int:
        char = self._plain(text[index])
        if self._comma:
            self._back()
            comma = self._mark
            self._record("trailing_commas", comma, comma + 1)
            return self._put("", comma, comma + 1)
        opened = _CLOSING[char]
        if not self._path or self._was_colon:
            return self._as_it_is(text, index, final)
        self._unsure = False
        if self._path[-1] not in opened:
            if "brackets" not in self._kinds:
                return self._as_it_is(text, index, final)
            self._record("brackets", index, index + 1)
            if not any(each in opened for each in self._path):
                return self._put("", index, index + 1)
            # The inner bracket is closed first; this one is then read again.
            inner = self._path.pop()
            self._step = self._after
            return self._put(_CLOSERS[inner], index, index)
        closing = _CLOSERS[self._path.pop()]
        self._note_wide(text, index)
        self._end_value()
        return self._put(closing, index, index + 1)

    def _drop_comma(self, index: int) -> int:
        """Drop a comma with nothing before it; a value must still follow an earlier one."""
        self._work += 1
        self._record("missing_values", index, index + 1)
        return self._put("", index, index + 1)

    def _end_value(self) -> None:
        self._step = self._after
        self._was_colon = False
        self.done = not self._path

    # Strings and names

    def _begin_string(self, text: str, index: int, *, is_key: bool) -> int:
        self._quote = text[index]
        self._is_key = is_key
        self._in_word = self._opened = False
        self._sign = ""
        self._step = self._string
        self._unsure = is_key and self._holds
        if self._quote != '"':
            self._record("single_quotes", index, index + 1)
        return self._put('"', index, index + 1)

    def _string(self, text: str, index: int, final: bool) -> int | None:
        end = _run[self._quote](text, index, self._bound(text)).end()  # type: ignore[union-attr]
        if end > index:
            self._in_word = text[end - 1].isalnum()
            self._sign = text[index:end].rstrip()[-1:] or self._sign
            return self._put(text[index:end], index, end)
        char = text[index]
        if char == _QUOTES.get(self._quote, self._quote):
            return self._end_string(text, index, final)
        if char == "\\":
            return self._backslash(text, index)
        self._in_word = False
        self._work += 1
        if char == '"':
            return self._put('\\"', index, index + 1)
        if "raw_newlines" in self._kinds:
            self._record("raw_newlines", index, index + 1)
            return self._put(json.dumps(char)[1:-1], index, index + 1)
        return self._as_it_is(text, index, final)

    def _end_string(self, text: str, index: int, final: bool) -> int | None:
        ends = self._ends_string(text, index, final)
        if ends is None:
            return None
        if ends == "unclear":  # ends the string, which the lexer refuses before what follows
            self._refuse()
            return self._put('"', index, index + 1)
        if not ends:
            self._in_word = False
            self._opened = not self._opened
            self._sign = text[index]
            if self._quote != '"':
                return self._put(text[index], index, index + 1)
            self._record("inner_quotes", index, index + 1)
            return self._put('\\"', index, index + 1)
        self._quote = ""
        if self._is_key:
            self._step = self._colon
        else:
            self._end_value()
        return self._put('"', index, index + 1)

    def _ends_string(self, text: str, index: int, final: bool) -> bool | Literal["unclear"] | None:
        """Return whether a quote of the string's kind ends it; None if that is not known yet."""
        if "inner_quotes" in self._kinds and self._path:
            return self._ends_or_quotes(text, index, final)
        if self._quote != '"' and self._in_word:
            # An apostrophe between letters does not end a string.
            if index + 1 == len(text) and not final:
                return None
            return not text[index + 1 : index + 2].isalnum()
        return True

    def _ends_or_quotes(
        self, text: str, index: int, final: bool
    ) -> bool | Literal["unclear"] | None:
        """Return the same where a string may have quotes.

        It is unclear for a quote too many, and for one that may as well begin a string of code, of
        JSON, or of the next member: at the beginning, after `{`, `[`, `(`, `,`, `:`, before `:`,
        `+`, or within a word.
        """
        most = index + _LONGEST
        after = _first(text, index + 1, most, final)
        if not after:
            return None if after is None else True
        if self._is_key:
            return after == ":" or self._begins_comment(after) or "unclear"
        if after in ",}])" or self._begins_comment(after):
            return True
        if text[index + 1] == text[index]:
            # In `"say "hi""`, the second of the last two ends the string.
            after_both = _first(text, index + 2, most, final)
            if after_both is None:
                return None
            if after_both in ",}])":
                return False if self._opened else "unclear"
        if "missing_commas" in self._kinds and self._begins(after) and not after.isalnum():
            return True
        within = self._in_word and text[index + 1 : index + 2].isalnum() and self._quote == '"'
        return "unclear" if within or after in ":+" or self._sign in _OPENS else False

    def _backslash(self, text: str, index: int) -> int | None:
        rest = text[index : index + 12]
        repairs = "bad_escapes" in self._kinds
        whole = self._holds or repairs
        if rest == "\\" or (whole and begins_escape(rest)):
            return None
        self._in_word = False
        self._sign = "\\"
        self._work += 1
        char = rest[1]
        if (char in _QUOTES or char in _QUOTES.values()) and "single_quotes" in self._kinds:
            if self._quote == '"':
                self._record("single_quotes", index, index + 2)
            return self._put(char, index, index + 2)
        escape = _escape(rest)
        if repairs and (escape is None or char not in '"\\/bfnrtu'):
            return self._repair_escape(rest, index)
        end = index + (escape.end() if escape and whole else 2)
        return self._put(text[index:end], index, end)

    def _repair_escape(self, rest: str, index: int) -> int:
        """Replace half of a surrogate pair; take any other wrong backslash as a character, but
        that of Markdown before an underscore."""
        if rest[1] == "_":
            self._record("bad_escapes", index, index + 2)
            return self._put("_", index, index + 2)
        half = _half_pair(rest)
        end = index + (half.end() if half else 1)
        self._record("bad_escapes", index, end)
        return self._put("\\ufffd" if half else "\\\\", index, end)

    # Numbers and literals

    def _scalar(self, text: str, index: int, final: bool) -> int:
        end = _scalar(text, index, self._bound(text)).end()  # type: ignore[union-attr]
        if end > index:
            # At the top level, the end of the text ends it, too.
            self._unsure &= not (final and not self._path and end == len(text))
            return self._put(text[index:end], index, end)
        self._unsure = False
        self._end_value()
        return index

    def _word(self, text: str, index: int, final: bool) -> int | None:
        """Take a number, a literal, or what replaces one; it is held until it ends."""
        loose = "unquoted_values" in self._kinds
        if not loose and "python_literals" not in self._kinds:
            self._step = self._scalar
            self._unsure = self._holds
            return index
        end = (_words if loose else _scalar)(text, index, index + _LONGEST).end()  # type: ignore[union-attr]
        end = self._before_comment(text, index, end)
        if end == index + _LONGEST:
            self._step = self._scalar
            return index
        if end == len(text) and (self._holds or not final):
            return None
        word = text[index : self._before_wide(text, index, end)].rstrip(_BLANK)
        end = index + len(word)
        if loose and text[end : end + 1] == '"' and self._path[-1] == "{":
            # A quote that was never opened, unless it begins the next value.
            after = _first(text, end + 1, end + _LONGEST, final)
            if after is None:
                return None
            if after in _ENDS and self._as_json(word)[1] != "unquoted_values":
                return self._as_it_is(text, index, final)
            end += after in _ENDS
        made, kind = self._as_json(word)
        if not made:
            return self._as_it_is(text, index, final)
        if kind:
            self._record(kind, index, end)
        elif end > index + len(word):
            self._record("unquoted_values", index, end)
        self._unsure = False
        self._end_value()
        return self._put(made, index, end)

    def _before_wide(self, text: str, index: int, end: int) -> int:
        """Return where the full-width punctuation begins that follows a number or a literal."""
        found = _wide_end(text, index, end) if "full_width" in self._kinds else None
        made, kind = (
            self._as_json(text[index : found.start()].rstrip(_BLANK)) if found else ("", None)
        )
        return found.start() if found and made and kind != "unquoted_values" else end

    def _before_comment(self, text: str, index: int, end: int) -> int:
        """Return where the comment begins that directly follows a number or a literal; `end` if
        there is none."""
        found = _opening(text, index, end) if "comments" in self._kinds else None
        made, kind = self._as_json(text[index : found.start()]) if found else ("", None)
        return found.start() if found and made and kind != "unquoted_values" else end

    def _as_json(self, word: str) -> tuple[str, Kind | None]:
        """Return the JSON for `word`, and the kind of repair; "" if there is none."""
        if _json_scalar(word):
            return word, None
        if "python_literals" in self._kinds:
            made = _LITERALS.get(word.lower()) or _python(word)
            if made:
                return made, "python_literals"
        loose = "unquoted_values" in self._kinds and _meant(word)
        return (json.dumps(word, ensure_ascii=False), "unquoted_values") if loose else ("", None)

    # Comments

    def _comment(self, text: str, index: int, final: bool) -> int | None:
        opening = text[index : index + 2]
        if opening == "/" and not final:
            return None
        if opening[0] != "#" and opening not in ("//", "/*"):
            return self._as_it_is(text, index, final)
        self._work += 1
        self._start = self._base + index
        self._next = self._step
        if opening == "/*":
            self._step = self._block_comment
            return self._put(" ", index, index + 2)
        self._step = self._line_comment
        return self._put("", index, index + 1)

    def _line_comment(self, text: str, index: int, final: bool) -> int:
        del final
        found = text.find("\n", index)
        return self._skip(index, found if found >= 0 else len(text), ended=found >= 0)

    def _block_comment(self, text: str, index: int, final: bool) -> int | None:
        found = text.find("*/", index)
        if found >= 0:
            return self._skip(index, found + 2, ended=True)
        if text[index:] == "*" and not final:
            return None
        keep = text[-1] == "*" and not final
        return self._skip(index, len(text) - keep, ended=False)

    def _skip(self, index: int, end: int, *, ended: bool) -> int:
        ahead = self._mark + _LONGEST
        if self._unsure and end > ahead:
            end, ended = ahead, False
        if ended:
            self._step = self._next
            self.repairs.append(Repair("comments", self._start, self._base + end))
        return self._put("", index, end) if end > index else end


def _first(text: str, index: int, most: int, final: bool) -> str | None:
    """Return the first character from `index` to `most` that is not white space; None if more text
    is needed."""
    end = _space(text, index, most).end()  # type: ignore[union-attr]
    if end == len(text) and not final:
        return None
    char = text[end:most][:1]
    return _WIDE.get(char, char)


def _python(word: str) -> str:
    """Return the JSON for a number in the syntax of Python or JSON5; "" if it is not one."""
    found = _python_number(word)
    if not found or not (found[2] or found[4]) or "__" in word or word[-1] == "_":
        return ""
    sign = "-" if found[1] == "-" else ""
    whole = (found[2] or "0").replace("_", "")
    if len(whole) > 1 and whole[0] == "0":
        return ""
    fraction = "." + ((found[4] or "0").replace("_", "")) if found[3] else ""
    return sign + whole + fraction + (found[5] or "")


_Step: TypeAlias = Callable[[str, int, bool], int | None]
_State: TypeAlias = tuple[_Step, _Step, str, bool, bool, bool, str, bool, int, int, int, int, int]
