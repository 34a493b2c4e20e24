"""Decides where a stand-in stays as it is: a URL with a value in it sends the value to its host.

Whoever can make a model write a link or an image could have a value fetched from a server of
theirs. `mailto:` and `tel:` name whom a person is to write to or call, and fetch nothing.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

import regex

REACH = 2_048
"""How many code points before a stand-in are looked at for an address without spaces."""

STRING = "\x02"
"""Stands before a text that is all of a string."""

# In a text without spaces: a scheme, though not what ends in a line feed of JSON, or one of those
# that need no slashes; `www.`; a host before a path, a port, a query or a fragment; `//host` and
# `\\host`; the target of a link or an image in Markdown, or of CSS; more than whom to write to.
_address = regex.compile(
    r"[a-z0-9+.\-]{2}:(?:/|\\(?![nrt]))|%3a(?:/|%2f)"
    r"|(?<![a-z0-9])(?:data|javascript|vbscript|blob|about|https?|wss?|ftps?|file|sms|smsto|mms|sips?"
    r"|xmpp|geo|intent|market|magnet|whatsapp|skype|facetime|tg|bitcoin|view-source|urn|cid):"
    r"|(?<![^\W_])www\.|[\w\-\p{So}][.．][\w\-\p{So}]+(?::[0-9]{1,5})?[/?#]"
    r"|(?<![^\W_])localhost(?::[0-9]+)?/"
    r"|(?<![\w:/])//(?:[\w.\-]|\Z)|(?<!\\)\\\\[\w.\-]"
    r"|(?:\]\(|url\()(?!<?(?:mailto|tel):)"
    r"|(?:mailto|tel):[^?&]*[?&]",
    regex.IGNORECASE,
)
_begun = regex.compile(r"(?:\]\(|url\()\Z", regex.IGNORECASE)
# linkify-it reads what precedes a mail address as the user of its host (RFC 3986, 3.2.1), brackets
# and quotes too; a browser reads it as the query of another host.
_as_user = regex.compile(r"//[^\s@/\[\]()?#\\]*[?#\\][^\s@/\[\]()]*\Z")
_mail = regex.compile(r"(?:mailto|tel):", regex.IGNORECASE)
_SPACES = " \n\t\r\f\v"
# A quote ends an address that is all of a string, in what looks like JSON. Elsewhere renderers
# take it for a part of the address, with what follows.
_quoted = regex.compile(r"""(?:\A|(?<=[\[{(,:]))(?:"[^"]*"|'[^']*')(?=[,:}\])])""")

# https://spec.commonmark.org/0.31.2/#backslash-escapes: in targets, too
_escaped = regex.compile(r"\\([!-/:-@\[-`{-~])")
# In strings of JSON, YAML and JavaScript.
_numbered = re.compile(r"\\(?:u\{?([0-9a-f]{4})\}?|x([0-9a-f]{2}))", re.IGNORECASE)

# https://spec.commonmark.org/0.31.2/#raw-html and #autolinks: what is not written like it is text.
# Without quotes, micromark reads an address in an attribute as text, too.
_open_tag = regex.compile(
    r"<[a-z][a-z0-9\-]*+(?:\s++[a-z_:][a-z0-9_.:\-]*+"
    r"(?:\s*+=\s*+(?:[^\s\"'=<>`:/.]++|'[^']*+'|\"[^\"]*+\"))?)*+\s*+/?>",
    regex.IGNORECASE,
)
_markup = regex.compile(
    _open_tag.pattern + r"|</[a-z][a-z0-9\-]*+>|<[a-z][a-z0-9+.\-]{1,31}+:[^\s<>]*+>"
    r"|<[^\s<>@]++@[^\s<>]++>",
    regex.IGNORECASE,
)

# In an address linkify-it reads what is in brackets or quotes as a part of it, tags too.
_CLOSES = {"(": ")", "[": "]", "{": "}", '"': '"', "'": "'"}
_markup_or_bracket = regex.compile(
    rf"(?P<markup>{_markup.pattern})|[()\[\]{{}}\"']", regex.IGNORECASE
)

_code = re.compile("`+|</?code\\b", re.IGNORECASE)

# What may hold an address with spaces in it: tags of HTML that name one (the elements with URL
# attributes, https://html.spec.whatwg.org/multipage/indices.html), attributes of any other that
# do, strings of CSS, and targets and addresses in `<>` in Markdown, as Python-Markdown reads them.
_TAGS = (
    "a|area|audio|base|blockquote|body|button|del|embed|form|frame|iframe|image|img|input|ins|link"
    "|math|meta|object|q|script|source|svg|track|use|video"
    # `background`: https://html.spec.whatwg.org/multipage/rendering.html#tables-2
    "|table|thead|tbody|tfoot|colgroup|col|tr|th|td|caption"
    # `fill`, `mask`, `filter` and others: https://www.w3.org/TR/SVG2/styling.html, and animations
    "|circle|clippath|defs|ellipse|filter|foreignobject|g|line|lineargradient|marker|mask|path"
    "|pattern|polygon|polyline|radialgradient|rect|stop|switch|symbol|text|textpath|tspan|view"
    "|fe[a-z]{4,16}|animate[a-z]{0,9}|set"
)
# In it an address needs no string: `url(//host/\20 …)`; and names may be escaped: `u\72l("…`.
_style = re.compile(r"<style(?=[\s/>])", re.IGNORECASE)
_style_end = re.compile(r"</style(?=[\s/>])", re.IGNORECASE)
_IN_STYLE = frozenset("ABCFXYZ")  # the states in an element `style` that may end
_ENDED = str.maketrans("", "", "CZ")
_autolink = re.compile(r"<(?:(?:https?|ftps?):)?//", re.IGNORECASE)
# An address with its scheme, or two slashes and a host, as strings of HTML, JSON, YAML and
# JavaScript may spell them.
_COLON = r"(?::|&colon;|&#(?:0{0,6}58|x0{0,6}3a);?|\\u003a|\\x3a)"
_SLASH = r"(?:\\?/|&sol;|&#(?:0{0,6}47|x0{0,6}2f);?|\\(?:u00|x)2f)"
_BACKSLASH = r"(?:\\|&bsol;|&#(?:0{0,6}92|x0{0,6}5c);?)"
_FULL = (
    rf"(?:[a-z0-9+.\-&#;\\]{{2,52}}?{_COLON}{_SLASH}|https?{_COLON}"
    rf"|(?:{_SLASH}|{_BACKSLASH}){{2}}[\w\-\[\]]{{1,63}}[.:])"
)
# A string that begins with one is one, whatever reads it: Vega-Lite, Mermaid, reveal.js.
_quoted_address = re.compile(rf"[\"']\s{{0,8}}{_FULL}", re.IGNORECASE)
_BEFORE_QUOTE = frozenset(("", *" \t\r\n\f\v=:([{,"))
# Org; DokuWiki; BBCode.
_bracketed_address = re.compile(
    r"(?:(?P<O>\[(?:\[|[a-z]{1,10}=))|(?P<W>\{\{)|(?P<G>\[(?:img|url)(?:[ =][^\[\]\n]{0,60})?\]))"
    rf"\s{{0,8}}{_FULL}",
    re.IGNORECASE,
)
_string_address = re.compile(rf"{STRING}\s{{0,8}}{_FULL}", re.IGNORECASE)
# https://docutils.sourceforge.io/docs/ref/rst/directives.html#images, whose addresses lose their
# spaces.
_directive = re.compile(r"(?:\.\.|\|)[ ]{1,60}(?:image|figure|video|audio)[ ]?\Z", re.IGNORECASE)
_LONGEST_DIRECTIVE = 80
# Each opening has one of these characters, at its beginning or end. A group is all of an opening,
# and named as what it opens.
_anchor = re.compile(
    rf"[<\"'{STRING}\[\]({{\\@:.](?:(?<=[<\"'{STRING}\[])|(?P<o>(?<=\])\()"
    # The first group of these is an address or CSS, spaces too, for KaTeX and MathJax, and so are
    # the options of bbox (https://katex.org/docs/supported.html#html, https://docs.mathjax.org).
    r"|(?P<c>(?<=\\)(?:href|url|includegraphics|style|htmlStyle)(?![A-Za-z]))"
    r"|(?P<_>(?<=\\)bbox(?![A-Za-z]))"
    # CSS outside a style, as in themes of Mermaid and slides of Marp; its names may be escaped.
    rf"|(?P<y>(?<=[a-zA-Z0-9]\()\s{{0,8}}(?i:{_FULL}))"
    r"|(?P<K>(?<=\w@)\{)"  # https://mermaid.js.org/syntax/flowchart.html
    # MyST, and https://docutils.sourceforge.io/docs/ref/rst/restructuredtext.html#hyperlink-targets
    r"|(?P<P>(?<=[`:~]\{)(?i:image|figure)(?:-md)?\}|(?<=\.)\.[ ]_)"
    # https://docs.asciidoctor.org/asciidoc/latest/macros/images
    rf"|(?P<I>(?:(?<=image:)|(?<=video:)|(?<=audio:))(?<![\w\-].....:):?(?:\{{|(?i:{_FULL})))"
    r"|(?<=\{)\{|(?<=:):)"
)
_tag = re.compile(rf"<(?:{_TAGS})(?=[\s/])", re.IGNORECASE)
_string = re.compile(
    r"(?:(?:url|image-set)\(|@import|[\s\"'/{:](?:style|src|background|(?:xlink:)?href)\s{0,8}=)\Z",
    re.IGNORECASE,
)
_mark = regex.compile(
    r"(?P<blank>(?<=\n[ \t\r]{0,32})\n)|[<>\"'=/\\()\[\]{}:&@%]|\n|[^\S\n]+"
    r"|[^<>\"'=/\\()\[\]{}:&@%\s]+"
)
_harmless_target = regex.compile(r"\](?:\(|:)\s{0,32}<(?:mailto|tel):[^?&<>]*\Z", regex.IGNORECASE)
_harmless_link = regex.compile(r"\]\(\s*<?(?:mailto|tel):[^?&()]*\Z", regex.IGNORECASE)
_harmless_group = regex.compile(r"\{\s*(?:(?:mailto|tel):[^?&{}]*)?\Z", regex.IGNORECASE)
_harmless_value = regex.compile(r"\s*(?:mailto|tel):[^?&]*\Z", regex.IGNORECASE)

# markdown2 reads all of the line as the address.
_definition = regex.compile(
    r"(?:\A|\n)[ ]{0,3}\[(?:(?!\]:)[^\n])++\]:[ \t]*+(?:\n[ \t]*+)?<?(\S++)[ \t][^\n]*+\Z"
)

LONGEST_OPENING = 160
"""Code points of what opens a tag, a string or a target, at most."""

_LONGEST_BEFORE = 40  # of them before the quote of a string, or before the bracket of a target

OUTSIDE = ""
"""Not in a tag, a string or a target. Else a letter for each one that may be open; a page may have
less in it than what looks like a tag, so each is followed as if it were the only one:

`b` in a tag before an attribute, `n` in its name, `e` after its `=`, `u` in its value, `d` and `s`
in its value in double and in single quotes (as https://html.spec.whatwg.org/#tokenization says);
`D` and `S` in other strings; `m` in a target in angle brackets, `x` after a backslash in one; `l`
and `k` likewise in an address in them, which ends with its paragraph.

In a target in parentheses, which for Python-Markdown may have spaces in it, and ends with its
paragraph: `o` while it is relative, `z` after a slash; and if it may name a host, `p`, `q` and `r`
in one, two and more parentheses, `v` and `w` after a backslash in one and two, `t` after a quote,
and `T` after a second one, because only in front of a parenthesis is that the end of a title.

`A` in an element `style`, `B` after a `<` in it, `C` after `</`, which may be its end, and `E`
after any other `<`, because in SVG a comment may be there, with what only looks like its end. CSS
has addresses only in parentheses and after an `@`: `F` in the former, back in `A` after them if
they are as simple as in prose; otherwise `X`, `Y`, `Z` and `M`, which follow each other like `A`,
`B`, `C` and `E`.

In TeX: `c` after a command with an address, `1` in its options, `0` after a comment, an escape of
JSON, or options that are not simple, `f` in its group, `g` and `h` in two groups and more, `i` and
`j` after a backslash in one and two; `_` after a command with CSS in its options, `2` in these, `h`
where `0` would be.

In a string that begins with an address: `Q` in double quotes, `R` in single ones, `U` and `V` after
a backslash in these, `H` where all of the text is the string. In a link in brackets `O`, after a
backslash in it `N`, in braces `W`, and between tags of BBCode `G`, `J` after a bracket there. In a
directive of reStructuredText or AsciiDoc `P`, which ends with its paragraph; in an image in a line
`I`; in the properties of a shape of Mermaid `K`, in a string there `L`. In an address in the
parentheses of CSS `y`, after a backslash in it `a`.
"""

_STEPS: dict[str, dict[str, str]] = {
    "b": {" ": "b", "/": "b", ">": "", "": "n"},
    "n": {"=": "e", "/": "b", ">": "", "": "n"},
    "e": {" ": "e", '"': "d", "'": "s", ">": "", "": "u"},
    "u": {" ": "b", ">": "", "": "u"},
    "d": {'"': "b", "": "d"},
    "s": {"'": "b", "": "s"},
    "D": {'"': "", "": "D"},
    "S": {"'": "", "": "S"},
    "m": {">": "", "\\": "x", "": "m"},
    "x": {"": "m"},
    "l": {"<": "", ">": "", "\n": "", "\\": "k", "": "l"},
    "k": {"\n": "", "": "l"},
    "o": {":": "p", "&": "p", "/": "z", "\\": "z", ")": "", "\n": "", "": "o"},
    "z": {":": "p", "&": "p", "/": "p", "\\": "p", ")": "", "\n": "", " ": "z", "": "o"},
    "p": {"(": "q", ")": "", "\\": "v", '"': "t", "'": "t", "\n": "", "": "p"},
    "q": {"(": "r", ")": "p", "\\": "w", '"': "t", "'": "t", "\n": "", "": "q"},
    "r": {'"': "t", "'": "t", "\n": "", "": "r"},
    "v": {"\n": "", "": "p"},
    "w": {"\n": "", "": "q"},
    "t": {'"': "T", "'": "T", "\n": "", "": "t"},
    "T": {")": "", '"': "T", "'": "T", "\n": "", "": "t"},
    "A": {"<": "B", "(": "F", "@": "X", "&": "X", "": "A"},
    "B": {"/": "C", "(": "M", "@": "M", "&": "M", "": "E"},
    "C": {"a": "C", "(": "M", "@": "M", "&": "M", "": "E"},
    "E": {"(": "M", "@": "M", "&": "M", "": "E"},
    "F": {")": "A", "<": "Y", **dict.fromkeys("(@&/\\\"'", "X"), "": "F"},
    "X": {"<": "Y", "": "X"},
    "Y": {"/": "Z", "": "M"},
    "Z": {"a": "Z", "": "M"},
    "M": {"": "M"},
    "c": {"{": "f", "[": "1", "%": "0", "\\": "0", " ": "c", "": ""},
    "1": {"]": "c", **dict.fromkeys("[{\\%", "0"), "": "1"},
    "0": {"{": "f", "": "0"},
    "_": {"[": "2", "%": "h", "\\": "h", " ": "_", "": ""},
    "2": {"]": "", **dict.fromkeys("[{\\%", "h"), "": "2"},
    "f": {"{": "g", "}": "", "\\": "i", "": "f"},
    "g": {"{": "h", "}": "f", "\\": "j", "": "g"},
    "h": {"": "h"},
    "i": {"": "f"},
    "j": {"": "g"},
    "Q": {'"': "", "\\": "U", "": "Q"},
    "R": {"'": "", "\\": "V", "": "R"},
    "H": {"": "H"},
    "U": {"": "Q"},
    "V": {"": "R"},
    "O": {"]": "", "\\": "N", "\n": "", "": "O"},
    "N": {"\n": "", "": "O"},
    "W": {"}": "", "\n": "", "": "W"},
    "G": {"[": "J", "": "G"},
    "J": {"/": "", "[": "J", "": "G"},
    "P": {"\n": "", "": "P"},
    "I": {"[": "", "\n": "", "": "I"},
    "K": {"}": "", '"': "L", "": "K"},
    "L": {'"': "K", "": "L"},
    "y": {")": "", "\\": "a", "\n": "", "": "y"},
    "a": {"\n": "", "": "y"},
}
"""The next letter by the mark that comes: a space, a line feed for the end of a paragraph, one of
`<>"'=/\\()[]{}:&@%`, an `a` for a word, or anything else."""


@lru_cache(maxsize=4_096)
def _step(state: str, mark: str) -> str:
    return "".join(sorted({_next(_STEPS[each], mark) for each in state}))


def _next(steps: dict[str, str], mark: str) -> str:
    if mark == "\n" and mark not in steps:
        mark = " "
    return steps.get(mark, steps[""])


def within(state: str, text: str, start: int, end: int) -> str:
    """Return the state (see OUTSIDE) at `end` of `text`, given the `state` at `start`.

    An opening that ends after `start` may begin before it.
    """
    opened = _openings(text, start, end)
    in_style = not _IN_STYLE.isdisjoint((*state, *"".join(opened.values())))
    ended = _ends_of_style(text, start, end) if in_style else set[int]()
    at = start
    for place in (*sorted(opened), end):
        state = _through(state, text, at, place, ended)
        state = "".join(sorted({*state, *opened.get(place, "")}))
        at = place
    return state


def _through(state: str, text: str, start: int, end: int, ended: set[int]) -> str:
    """Return the state at `end`, if nothing opens after `start`."""
    if not state:
        return OUTSIDE
    for match in _mark.finditer(text, start, end):
        state = _step(state, _kind_of(match))
        if match.end() in ended:
            state = state.translate(_ENDED)
        if not state:
            break
    return state


def _kind_of(mark: regex.Match[str]) -> str:
    """Return a mark as `_STEPS` has it."""
    if mark[0].isspace():
        return "\n" if mark["blank"] else " "
    return mark[0] if mark[0] in "<>\"'=/\\()[]{}:&@%" else "a"


def _ends_of_style(text: str, start: int, end: int) -> set[int]:
    """Return where the names of what may end an element `style` end, after `start`, up to `end`."""
    first, last = max(start - LONGEST_OPENING, 0), min(end + 1, len(text))
    return {found.end() for found in _style_end.finditer(text, first, last)}


def _openings(text: str, start: int, end: int) -> dict[int, str]:
    """Return what opens in a text after `start`, up to `end`, by where its opening ends."""
    last = min(end + 1, len(text))
    opened: dict[int, str] = {}
    for anchor in _anchor.finditer(text, max(start - LONGEST_OPENING, 0), last):
        for at, kind in _opening(text, anchor, last):
            if start < at <= end:
                opened[at] = opened.get(at, "") + kind
    return opened


def _opening(text: str, anchor: re.Match[str], last: int) -> Iterator[tuple[int, str]]:
    """Yield where openings end that an anchor belongs to, and what they open."""
    if anchor.lastgroup:
        yield anchor.end(), anchor.lastgroup
    elif anchor[0] == "::":
        if _directive.search(text[max(anchor.start() - _LONGEST_DIRECTIVE, 0) : anchor.start()]):
            yield anchor.end(), "P"
    elif anchor[0] in "[{{":
        if link := _bracketed_address.match(text, anchor.start(), last):
            yield link.end(), str(link.lastgroup)
    elif anchor[0] == STRING:
        if address := _string_address.match(text, anchor.start(), last):
            yield address.end(), "H"
    elif anchor[0] == "<":
        yield from _opening_angle(text, anchor.start(), last)
    else:
        yield from _opening_quote(text, anchor.start(), last)


def _opening_angle(text: str, at: int, last: int) -> Iterator[tuple[int, str]]:
    if style := _style.match(text, at, last):
        yield style.end(), "A"
    elif tag := _tag.match(text, at, last):
        yield tag.end(), "b"
    else:
        if link := _autolink.match(text, at, last):
            yield link.end(), "l"
        if text[max(at - _LONGEST_BEFORE, 0) : at].rstrip().endswith(("](", "]:")):
            yield at + 1, "m"


def _opening_quote(text: str, at: int, last: int) -> Iterator[tuple[int, str]]:
    before = text[max(at - _LONGEST_BEFORE, 0) : at]
    if (near := before.rstrip()).endswith(("(", "=", "t", "T")) and _string.search(near):
        yield at + 1, "D" if text[at] == '"' else "S"
    if before[-1:] in _BEFORE_QUOTE and (address := _quoted_address.match(text, at, last)):
        yield address.end(), "Q" if text[at] == '"' else "R"


class Around(NamedTuple):
    """The surroundings of a stand-in: the text before it, the state (see OUTSIDE) at its start, and
    whether the text after it makes it part of a host's name."""

    before: str
    state: str = OUTSIDE
    in_host: bool = False


def in_address(around: Around) -> bool:
    """Return whether a stand-in is part of a URL, except for the recipient of `mailto:` and `tel:`.

    In more than REACH code points without any space an address may have begun before them.
    """
    if around.in_host:
        return True
    near = around.before[-REACH:]
    if ("`" in near or "<" in near) and _in_code_of_address(near):
        return True
    if "]:" in near and _in_definition(near):
        return True
    if not around.state and near[-1:] in _SPACES and near.rstrip()[-1:] != "(":
        return False  # nearly always a space is before it, and nothing is open
    if not all(_harmless(state, near) for state in around.state):
        return True
    end = _run_start(near)
    if (end == 0 and len(near) >= REACH) or _as_user.search(near):
        return True
    run = _quoted.sub("", near[end:])
    if _address.search(run) or ((read := _as_read(run)) != run and _address.search(read)):
        return True
    return bool(_begun.search(near[:end].rstrip())) and not _mail.match(run)


def _run_start(text: str) -> int:
    """Return where the text without spaces at the end of `text` begins.

    The end of a tag or of an address in `<>` ends it, too, unless that is escaped, or in a bracket
    or a quote that an address has open. No other `<` or `>` does: it may be part of an address
    (https://github.github.com/gfm/#extended-url-autolink; linkifyjs, showdown).
    """
    start = max(map(text.rfind, _SPACES)) + 1
    if (opens := text.rfind("<")) < 0:
        return start
    if opens >= start:
        opens = text.rfind("<", 0, start)
    if opens >= 0 and (tag := _open_tag.match(text, opens)):
        start = max(start, tag.end())
    addresses = _Addresses(text)
    closes = ""
    for found in _markup_or_bracket.finditer(text, start):
        at = found.start()
        if found["markup"]:
            if not closes and text[at - 1 : at] != "\\":
                start = found.end()
        elif closes:
            closes = "" if found[0] == closes else closes
        elif addresses.begun(start, at):
            closes = _CLOSES.get(found[0], "")
    return start


class _Addresses:
    """The addresses in a text, searched only once."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._start, self._end = -1, -1  # of the first that is not before those asked for

    def begun(self, start: int, end: int) -> bool:
        """Return whether an address begins after `start`, and its beginning is before `end`.

        Both never decrease.
        """
        if self._start < start:
            found = _address.search(self._text, start)
            size = len(self._text)
            self._start, self._end = found.span() if found else (size, size + 1)
        return self._end <= end


def _in_code_of_address(text: str) -> bool:
    """Return whether an address at the end of `text` contains code, which may be open there.

    Showdown takes code, with its spaces, for a part of the address in which it begins.
    """
    start = text.rfind("\n\n") + 1
    addresses = _Addresses(text)
    end = -1  # of the last code in an address
    for at, after in _code_in(text, start):
        begin = max(start, *(text.rfind(space, start, at) + 1 for space in _SPACES))
        if begin <= end or (begin < at and addresses.begun(begin, at)):
            if after is None:
                return True
            end = after
    return end >= 0 and not any(space in text[end:] for space in _SPACES)


def _in_definition(text: str) -> bool:
    """Return whether the line that ends `text` defines a link, after whose address it goes on."""
    line = text.rfind("\n", 0, max(text.rfind("\n"), 0))  # and the one before
    defined = _definition.search(text, max(line, 0))
    return defined is not None and _address.search(defined[1]) is not None


def _code_in(text: str, start: int) -> Iterator[tuple[int, int | None]]:
    """Yield where code begins and ends; None if nothing ends it, so that it may be text, too."""
    marks = [(match.span(), match[0].lower()) for match in _code.finditer(text, start)]
    following: dict[str, int] = {}  # the number of the next mark of each kind
    closing: list[int | None] = [None] * len(marks)
    for number in range(len(marks) - 1, -1, -1):
        mark = marks[number][1]
        closing[number] = following.get(mark.replace("<", "</"))
        following[mark] = number
    number = 0
    while number < len(marks):
        (at, _), mark = marks[number]
        closes = closing[number]
        if closes is not None:
            yield at, marks[closes][0][1]
            number = closes
        elif mark != "</code":
            yield at, None
        number += 1


def _as_read(run: str) -> str:
    """Return a text without spaces as Markdown reads it in a link's target, or JSON in a string."""
    if "\\" in run:
        run = _numbered.sub(lambda found: chr(int(found[1] or found[2], 16)), run)
        run = _escaped.sub(r"\1", run)
    return html.unescape(run) if "&" in run else run


def _harmless(state: str, near: str) -> bool:
    """Return whether the open value that ends `near` is only the recipient of a mail or a call."""
    if state in "ocz01_ABCE":
        return True
    if state == "f":
        return bool(_harmless_group.search(near))
    if state == "p":
        return bool(_harmless_link.search(near))
    if state == "m":
        return bool(_harmless_target.search(near))
    if state == "u":
        value = regex.split(r"\s", near)[-1].partition("=")[2]
    elif state in "dDsS":
        value = near.rpartition('"' if state in "dD" else "'")[2]
    else:
        return False
    return bool(_harmless_value.match(value))
