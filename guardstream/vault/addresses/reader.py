"""Reads a text as its user will, and knows where a value may not stand.

A reader keeps the brackets and quotes that are open in a block. One of them is *hot* once an
address may be in it, and then only a plain closing ends it. A value may stand where nothing is hot,
and where white space follows the last sign of an address. In `[x](//e.example/ "y") z` the first
parenthesis is hot, and so is the quote in it; nothing is hot at `z`.
"""

from __future__ import annotations

import html
import re

from guardstream.vault.addresses import signs
from guardstream.vault.addresses.opens import QUOTES, STRING, Open, Opens

REACH = 2_048
"""How many code points are read at once at most."""

_BEHIND = 512
"""How many code points before an offset are looked at."""

_HELD = 640
"""How many code points a stand-in may wait for, at most."""

_WORD = "x"  # values are the user's: nothing depends on what is in them

_space = re.compile(r"[ \t\r\n]")
_empty = re.compile(r"(?:\A|\n)[ \t\r>]*\Z")
# Where no token goes on: some tokens have letters and digits after their first character.
_cuts = re.compile(r"[\s\x80-\U0010ffff]|(?<=[a-z0-9]{40})[a-z0-9]", re.IGNORECASE)
_coded = re.compile(r"\\(?:u\{?|x)([0-9a-f]+)", re.IGNORECASE)
_DEVICES = "\x1b\x90\x98\x9d\x9e\x9f"  # begin control strings of terminals, such as hyperlinks
_OPENED_BY = {")": "(", "]": "[", "}": "{", ">": "<"}
_SIGNS = frozenset("/\\:.?#@")
_ESCAPES_OF_JSON = '/"\\'


class Reader:
    """Reads a text, with a word in place of each stand-in that was restored.

    `string` says that the text is all of a string, as of JSON. Offsets that callers give count the
    model's text, and never decrease. What is found does not depend on how the text is cut.
    """

    def __init__(self, *, string: bool = False) -> None:
        self._text = ""  # the end of what was read, and what was not read yet
        self._more: list[str] = []  # what follows
        self._size = 0  # of both together
        self._done = 0  # how much of the text was read
        self._base = 0  # the offset of the text in what the user reads
        self._added = 0  # how many code points words are longer than their stand-ins
        self._cut = REACH  # the offset at which reading must pause next
        self._stand_in = -1  # the place of the next stand-in in the text
        self._opens = Opens()
        if string:
            self._opens.open(Open(STRING, 0, 0, is_value=True))
        self._sign = -1  # the end of the last sign of an address; -1 after white space
        self._start = -1  # where its address begins; -1 if it is the end of a hot bracket
        self._colon = self._slash = -1  # the ends of the last of each
        self._raw = ""  # `style` or `script`, in such an element
        self._odd = False  # some renderer may read another end of it
        self._ticked = False  # a backtick was in this block
        self._forever = False  # hot, whatever follows
        self._block = False  # hot up to the next empty line
        self._element = False  # hot up to the next tag or empty line
        self._line = -1  # hot up to the end of this line: the offset at which that began

    def add(self, text: str) -> None:
        """Take the next characters."""
        settled = self._size - _HELD  # no stand-in before this is still undecided
        self._more.append(text)
        self._size += len(text)
        if self._size > 4 * REACH:
            while self._cut - self._base <= settled:
                self._pause()
            if (drop := self._done - _BEHIND) > 0:
                self._whole()
                self._text = self._text[drop:]
                self._base += drop
                self._done -= drop
                self._size -= drop

    def in_address(self, at: int) -> bool:
        """Return whether a value at an offset could be part of an address."""
        self._whole()
        end = at + self._added - self._base
        while self._cut - self._base <= end:
            self._pause()
        self._stand_in = end
        self._scan(end)
        self._stand_in = -1
        if self._raw or self._block or self._element or self._forever:
            return True
        if self._opens.hot or self._line >= 0:
            return not self._is_spared(end)
        if self._signed(end):
            return True
        before = self._before(end)
        return bool(signs.near.search(before)) or (
            before[-1:] == "=" and bool(signs.attribute.search(before))
        )

    def restored(self, size: int) -> None:
        """Read a word in place of the stand-in of so many code points that comes next."""
        self._whole()
        self._text = f"{self._text[: self._done]}{_WORD}{self._text[self._done + size :]}"
        self._size += len(_WORD) - size
        self._added += len(_WORD) - size
        self._done += len(_WORD)

    # How a text is read in pieces

    def _whole(self) -> None:
        if self._more:
            self._text += "".join(self._more)
            self._more.clear()

    def _pause(self) -> None:
        """Read up to where no token goes on, before the next offset at which reading must pause."""
        self._whole()
        cut = self._cut - self._base
        self._cut += REACH
        if cut <= self._done:
            return
        begin = max(self._done, cut - signs.LONGEST)
        places = [match.start() for match in _cuts.finditer(self._text, begin, cut)]
        self._block = self._block or not places  # a token may be cut
        self._scan(places[-1] if places else cut)
        self._signed(self._done)

    def _scan(self, end: int) -> None:
        self._skip(end)
        for found in signs.token.finditer(self._text, self._done, end):
            self._take(found[0], found.start(), found.end())
        self._done = max(self._done, end)

    def _skip(self, end: int) -> None:
        """Leave out whole blocks without anything that could matter after them."""
        last = self._text.rfind("\n\n", self._done, end)
        if last < 0 or self._raw or self._opens.hot:
            return
        if signs.lasting.search(self._text, self._done, last) is None:
            self._end_block()
            self._done = last + 1

    def _before(self, at: int) -> str:
        return self._text[max(at - signs.LONGEST, 0) : at]

    def _line_before(self, at: int) -> str:
        return signs.line_break.split(self._text[max(at - _BEHIND, 0) : at])[-1]

    def _follows(self, at: int) -> str:
        """Return the character at an offset; a stand-in counts as a word."""
        return _WORD if at == self._stand_in else self._text[at : at + 1] or _WORD

    def _since(self, offset: int, at: int) -> str | None:
        """Return the text from an offset to a place, unless that is too long."""
        start = offset - self._base
        return self._text[start:at] if start >= 0 and at - start <= _BEHIND else None

    def _signed(self, end: int) -> bool:
        """Return whether a sign of an address is before `end`, without white space after it."""
        if self._sign >= 0:
            spaced = _space.search(self._text, max(self._sign - self._base, 0), end)
            self._sign = -1 if spaced else self._base + end
        return self._sign >= 0

    # What tokens do

    def _take(self, token: str, at: int, end: int) -> None:
        first = token[0]
        if signs.control.match(first):
            self._take_control(first, at, end)
        elif self._raw:
            self._take_raw(first, at)
        elif first in "([{<":
            self._open(token if token == "<!--" else first, token, at, end)
        elif first in _OPENED_BY:
            self._close(first, at, end)
        elif first in QUOTES or first == "`":
            self._quote(token, at, end)
        elif first in "&%\\" and len(token) > 1:
            self._decode(token, at, end)
        else:
            self._take_mark(first, at, end)

    def _take_mark(self, mark: str, at: int, end: int) -> None:
        if mark in "/\\":
            self._take_slash(mark, at, end)
        elif mark == ":":
            self._take_colon(at, end)
        elif mark == "=":
            self._take_equals(end)
        else:
            self._mark(mark, at, end)

    def _take_control(self, char: str, at: int, end: int) -> None:
        if char == "\n":
            if self._opens and self._opens[-1].hot and self._opens[-1].mark in QUOTES:
                self._opens.make_odd()
            if not self._raw:
                self._end_line(at)
            return
        if char == "\x1b" and signs.colour.match(self._text, at):
            return
        self._opens.make_odd()
        self._forever = self._forever or char in _DEVICES or bool(self._raw)
        if char not in "\u2028\u2029":
            self._sign = self._base + end
            self._block = self._block or self._opens.hot > 0

    def _take_raw(self, first: str, at: int) -> None:
        self._odd = self._odd or first in "`\\@"
        if first == ">" and self._before(at).rstrip().lower().endswith(f"</{self._raw}"):
            self._raw, self._sign, self._block = "", -1, self._odd

    def _mark(self, mark: str, at: int, end: int) -> None:
        before = self._before(at)
        if mark in "?&" and signs.recipient.search(before):
            self._address(end, "[{")
        elif (mark in "?#" and signs.host.search(before)) or (
            mark in "wW" and not before[-1:].isalnum()
        ):
            self._address(end)
        elif mark in "+$":
            self._block = self._block or self._signed(at)  # AsciiDoc lets spaces pass
        elif mark in "._":
            self._take_markup(at)

    def _take_markup(self, at: int) -> None:
        """Take two dots or underscores, which may begin markup of reStructuredText."""
        if signs.explicit.match(self._text, at):
            begins = signs.defining.fullmatch(self._line_before(at))
            self._block = self._block or bool(begins or signs.named.match(self._text, at))

    def _take_slash(self, mark: str, at: int, end: int) -> None:
        before = self._before(at)
        after_colon = self._colon == self._base + at and bool(signs.any_scheme.search(before))
        doubled = self._slash == self._base + at
        self._slash = self._base + end
        if after_colon or doubled:
            if self._follows(end) != " ":  # browsers leave tabs and line breaks out
                self._address(end, "[{" if after_colon else "[")
        elif mark == "/" and signs.host.search(before):
            self._address(end)

    def _take_colon(self, at: int, end: int) -> None:
        self._colon = self._base + end
        before, following = self._before(end), self._follows(end)
        defines = before[-2:-1] == "]" and self._defines(at)
        if defines or (following == "{" and signs.macro.search(before)):
            self._line = self._colon
        elif following.isdigit() and signs.host.search(before[:-1]):
            self._address(end)
        elif not following.isspace() and signs.scheme.search(before):
            self._address(end, "[{")

    def _defines(self, at: int) -> bool:
        """Return whether the bracket before an offset closes the label of a definition."""
        before, label, _ = self._line_before(at).partition("[")
        return bool(label) and signs.defining.fullmatch(before) is not None

    def _take_equals(self, end: int) -> None:
        before = self._before(end)
        tag = self._opens.last("<")
        if signs.bbcode_value.search(before):
            self._heat("[")
        elif tag and signs.attribute_of_tag.search(before):
            self._opens.heat(tag)

    def _decode(self, token: str, at: int, end: int) -> None:
        """Take an escape or an entity as what it stands for."""
        if token[0] != "\\":
            char = html.unescape(token) if token[0] == "&" else chr(int(token[1:], 16))
            if char[:1] == "&":
                self._mark("&", at, at + 1)
        elif coded := _coded.match(token):
            char = chr(min(int(coded[1], 16), 0x10FFFF))
        else:
            char = ""
            self._escape(token[1], at, end)
        if char in _SIGNS:
            self._address(end, "[{")

    def _escape(self, char: str, at: int, end: int) -> None:
        if char == "\\":
            following = "" if end == self._stand_in else self._text[end : end + 1]
            if self._before(at)[-2:] == "\\\\" or signs.part_of_host.match(following):
                self._address(end)  # a share of a network
        elif char in "/:?#":
            self._take_mark(char, at, end)
        elif self._opens.hot and char not in _ESCAPES_OF_JSON:
            self._block = True  # renderers disagree about what is escaped in an address
            self._opens.make_odd()
        elif char in "([":
            self._push(Open(char, 0, 0, self._signed(at)), at, end)

    def _end_line(self, at: int) -> None:
        if _empty.search(self._text, max(at - 40, 0), at):
            self._end_block()
        elif self._line >= 0:
            begun = self._since(self._line, at)
            continued = begun is not None and (
                begun.rstrip("\r").endswith("\\") or not begun.strip(" \t\r>")
            )
            if not continued and self._follows(at + 1) not in " \t":
                self._line = -1

    def _end_block(self) -> None:
        self._block = self._element = self._ticked = False
        self._line = self._sign = -1
        self._opens.end_block()

    # Brackets and quotes

    def _push(self, each: Open, at: int, end: int) -> None:
        each.start, each.end = self._base + at, self._base + end
        self._block = not self._opens.open(each) or self._block

    def _heat(self, mark: str) -> None:
        if found := self._opens.last(mark):
            self._opens.heat(found)

    def _open(self, mark: str, token: str, at: int, end: int) -> None:
        before, following = self._before(at), self._follows(end)
        hot = self._opens.hot > 0 or self._signed(at)
        if mark == "<":
            self._opens.make_odd()
            self._element = False
            # A phrase of reStructuredText, which may end in an address.
            phrase = self._ticked and before[-1:].isspace() and not following.isspace()
            if not (hot or phrase or len(token) > 1 or following in "/!?&\\" or following == _WORD):
                return
            hot = phrase or (hot and not self._ends_easily(at))
        elif mark == "(":
            hot = hot or bool(signs.function.search(before))
        elif mark == "{" and signs.styled.search(before):
            hot = True
        elif before[-1:] == mark:  # links, images and templates of wikis
            hot = True
            self._heat(mark)
        name = "" if following == ":" else token  # an address in angle brackets, no tag
        self._push(Open(mark, 0, 0, hot, name=name), at, end)
        if signs.element.match(token):
            self._heat("<")

    def _ends_easily(self, at: int) -> bool:
        """Return whether a tag at an offset ends the address before it for every renderer."""
        address = self._since(self._start, at)
        return (
            not self._opens.hot
            and address is not None
            and self._text[self._start - self._base - 1 : self._start - self._base] == ">"
            and signs.easy_address.fullmatch(address) is not None
        )

    def _close(self, mark: str, at: int, end: int) -> None:
        if mark == ">" and self._opens.last("<!--"):
            if self._before(end).endswith("-->"):
                self._end_comment(self._opens.close("<!--"), end)
            return
        closed = self._closed(_OPENED_BY[mark], end)
        if mark == "]" and (found := signs.bbcode.search(self._before(end))):
            if found[1]:
                self._closed("[img]", end)
            else:
                self._push(Open("[img]", 0, 0, hot=True), at, end)
        elif closed is not None and mark == ")" and closed.hot:
            self._block = self._block or closed.odd
        elif closed is not None and mark == ">":
            self._end_tag(closed, end)

    def _closed(self, mark: str, end: int) -> Open | None:
        closed = self._opens.close(mark)
        if closed is not None and closed.hot:
            self._sign, self._start = self._base + end, -1
        return closed

    def _end_comment(self, comment: Open | None, end: int) -> None:
        before = comment.start - self._base - 1 if comment else -1
        if before >= 0 and not self._text[before].isspace():
            self._sign = self._base + end  # some renderers remove a comment

    def _end_tag(self, tag: Open, end: int) -> None:
        self._forever = self._forever or (tag.hot and tag.odd)
        text = self._since(tag.start, end)
        if not self._opens.hot and not tag.glued and text and signs.tag.match(text):
            self._sign = -1
        if found := signs.raw.match(tag.name):
            self._raw, self._odd = found[1].lower(), False

    def _quote(self, mark: str, at: int, end: int) -> None:
        if mark[0] == "`":
            self._ticked = self._ticked or mark == "`"
            self._opens.make_odd()
        if self._closed(mark, end) is not None:
            return
        before = self._before(at)
        if mark in QUOTES and before[-1:].isalnum():
            return  # an apostrophe, or the end of a quotation
        hot = self._opens.hot > 0 or self._signed(at)
        hot = hot or (mark in QUOTES and bool(signs.attribute.search(before)))
        is_value = mark in QUOTES and before.rstrip()[-1:] in tuple("[{(,:=")
        self._push(Open(mark, 0, 0, hot, is_value=is_value), at, end)

    # Addresses

    def _address(self, end: int, heats: str = "") -> None:
        """Take the sign of an address, which ends at `end`, and heat such brackets around it."""
        if not self._signed(end) or self._start < 0:
            found = signs.head.search(self._before(end))
            start = end - (len(found[0]) if found else 0)
            self._start = self._base + start
            self._take_prefix(start)
        self._sign = self._base + end
        self._heat_around(self._start, heats)

    def _take_prefix(self, start: int) -> None:
        """Heat what an address at `start` may go on in, according to what stands before it."""
        line = self._line_before(start)
        if line[-1:] == ">":
            self._element = line[-2:-1] not in ("", " ", "-", "=")
        elif line[-1:] in signs.BEFORE_ADDRESS or signs.directive.search(line):
            self._line = self._base + start

    def _heat_around(self, start: int, marks: str) -> None:
        """Heat what is open around an address that begins at `start`."""
        in_string = False
        for each in reversed(self._opens):
            between = self._since(each.end, start - self._base)
            attached = between is not None and not between.strip()
            if each.mark in (STRING, *QUOTES):
                in_string = in_string or attached or each.is_value
                heats = attached
            elif each.mark == "(":
                heats = attached and self._before(each.start - self._base)[-1:] == "("
            else:
                inside = each.mark in marks and not in_string
                heats = each.mark in ("<", "<!--") or attached or inside
            if heats:
                self._opens.heat(each)

    def _is_spared(self, end: int) -> bool:
        """Return whether a value at `end` is alone or a recipient in the one place that is open."""
        hot = [each for each in self._opens if each.hot]
        near = self._since(hot[0].start if hot else self._line, end)
        if near is None or len(hot) > 3 or (hot and self._line >= 0):
            return False
        if self._signed(end):
            return False
        if not hot:
            return signs.mail.match(near) is not None
        if hot[0].mark == "<":
            return signs.mail_tag.match(near) is not None
        if signs.alone.fullmatch(near):
            if not signs.before_alone.search(self._before(hot[0].start - self._base)):
                return False
            return near[0] == "{" or hot[0].start == 0  # no link of a wiki begins the text so
        if hot[0].mark == "(" and self._before(hot[0].start - self._base)[-1:] != "]":
            return False
        return signs.mail.match(near) is not None
