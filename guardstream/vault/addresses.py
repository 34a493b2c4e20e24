"""Decides whether a stand-in is part of a URL, where it is not restored.

A URL sends the values in it to its host: whoever makes a model write a link or an image could read
them on a server of theirs. `mailto:` and `tel:` only name a recipient, and fetch nothing.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

import regex

REACH = 2_048
"""How many code points before a stand-in are searched for an address without spaces."""

STRING = "\x02"
"""Written before a text that is all of a string."""

# How an address begins in a text without spaces, in this order: a scheme and a slash (but not
# the `\n`, `\r` or `\t` of a string of JSON); a scheme that needs no slash; `www.`, or a host
# before a path, a port, a query or a fragment; `localhost/`; `//host` or `\\host`; a target in
# Markdown or CSS, except a mere recipient; a recipient with a query.
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
# linkify-it reads the text before a mail address, brackets and quotes included, as the user of its
# host (RFC 3986, 3.2.1). A browser reads the same text as the query of another host.
_as_user = regex.compile(r"//[^\s@/\[\]()?#\\]*[?#\\][^\s@/\[\]()]*\Z")
_mail = regex.compile(r"(?:mailto|tel):", regex.IGNORECASE)
_SPACES = " \n\t\r\f\v"
# In text that looks like JSON, a quote ends an address that is all of a string. Elsewhere,
# renderers read the quote and the text after it as part of the address.
_quoted = regex.compile(r"""(?:\A|(?<=[\[{(,:]))(?:"[^"]*"|'[^']*')(?=[,:}\])])""")

# https://spec.commonmark.org/0.31.2/#backslash-escapes, which targets may contain
_escaped = regex.compile(r"\\([!-/:-@\[-`{-~])")
# In strings of JSON, YAML and JavaScript.
_numbered = re.compile(r"\\(?:u\{?([0-9a-f]{4})\}?|x([0-9a-f]{2}))", re.IGNORECASE)

# https://spec.commonmark.org/0.31.2/#raw-html and #autolinks: any other form is text.
# micromark also reads a tag as text if an attribute has an address without quotes.
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

# linkify-it reads brackets and quotes in an address as part of it, with tags in them.
_CLOSES = {"(": ")", "[": "]", "{": "}", '"': '"', "'": "'"}
_markup_or_bracket = regex.compile(
    rf"(?P<markup>{_markup.pattern})|[()\[\]{{}}\"']", regex.IGNORECASE
)

_code = re.compile("`+|</?code\\b", re.IGNORECASE)

# An address may contain spaces in tags of HTML (the elements with URL attributes,
# https://html.spec.whatwg.org/multipage/indices.html), in attributes for URLs of any other tag, in
# strings of CSS, and, as Python-Markdown reads them, in targets and `<>` in Markdown.
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
# CSS in it needs no quotes around addresses, `url(//host/\20 …)`, and may escape names, `u\72l("…`.
_style = re.compile(r"<style(?=[\s/>])", re.IGNORECASE)
_style_end = re.compile(r"</style(?=[\s/>])", re.IGNORECASE)
_IN_STYLE = frozenset("ABCFXYZ")  # in an element `style` that `</style` may end
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
# A string that begins with an address is one, whatever reads it: Vega-Lite, Mermaid, reveal.js.
_quoted_address = re.compile(rf"[\"']\s{{0,8}}{_FULL}", re.IGNORECASE)
_BEFORE_QUOTE = frozenset(("", *" \t\r\n\f\v=:([{,"))
# Org; DokuWiki; BBCode.
_bracketed_address = re.compile(
    r"(?:(?P<O>\[(?:\[|[a-z]{1,10}=))|(?P<W>\{\{)|(?P<G>\[(?:img|url)(?:[ =][^\[\]\n]{0,60})?\]))"
    rf"\s{{0,8}}{_FULL}",
    re.IGNORECASE,
)
_string_address = re.compile(rf"{STRING}\s{{0,8}}{_FULL}", re.IGNORECASE)
# https://docutils.sourceforge.io/docs/ref/rst/directives.html#images, which removes the
# spaces in their addresses.
_directive = re.compile(r"(?:\.\.|\|)[ ]{1,60}(?:image|figure|video|audio)[ ]?\Z", re.IGNORECASE)
_LONGEST_DIRECTIVE = 80
# Where a construct may open: one character, and then what must follow it. A named group is a
# complete opening, and its name is the letter of the state that it opens (see OUTSIDE); at other
# matches, `_opening` looks closer. What follows is not consumed, because openings may overlap: `{{{`.
_anchor = re.compile(
    rf"[<\"'{STRING}\[\]({{\\@:.](?:(?<=[<\"'{STRING}\[])|(?=(?P<o>(?<=\])\()"
    # In KaTeX and MathJax, the first group of these is an address or CSS, even with spaces, and the
    # options of bbox are CSS (https://katex.org/docs/supported.html#html, https://docs.mathjax.org).
    r"|(?P<c>(?<=\\)(?:href|url|includegraphics|style|htmlStyle)(?![A-Za-z]))"
    r"|(?P<_>(?<=\\)bbox(?![A-Za-z]))"
    # CSS outside of a `style`, as in Mermaid themes and Marp slides; its names may be escaped.
    rf"|(?P<y>(?<=[a-zA-Z0-9]\()\s{{0,8}}(?i:{_FULL}))"
    r"|(?P<K>(?<=\w@)\{)"  # https://mermaid.js.org/syntax/flowchart.html
    # MyST, and https://docutils.sourceforge.io/docs/ref/rst/restructuredtext.html#hyperlink-targets
    r"|(?P<P>(?<=[`:~]\{)(?i:image|figure)(?:-md)?\}|(?<=\.)\.[ ]_)"
    # https://docs.asciidoctor.org/asciidoc/latest/macros/images
    rf"|(?P<I>(?:(?<=image:)|(?<=video:)|(?<=audio:))(?<![\w\-].....:):?(?:\{{|(?i:{_FULL})))"
    r"|(?<=\{)\{|(?<=:):))"
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

# markdown2 reads all of the rest of the line as the address.
_definition = regex.compile(
    r"(?:\A|\n)[ ]{0,3}\[(?:(?!\]:)[^\n])++\]:[ \t]*+(?:\n[ \t]*+)?<?(\S++)[ \t][^\n]*+\Z"
)

LONGEST_OPENING = 176
"""The longest opening of a tag, a string or a target, in code points."""

_LONGEST_BEFORE = 40  # code points of it before a quote or a bracket

OUTSIDE = ""
"""The state in which nothing is open. Any other state is a string of letters, one for each
construct that may be open. What looks like a tag may be plain text to a reader of the page, so each
construct is followed as if it were the only one.

Tags (https://html.spec.whatwg.org/#tokenization):
- `b` before an attribute, `n` in its name, `e` after its `=`
- `u`, `d`, `s`: in its value without quotes, in double quotes, in single quotes

Strings outside of tags:
- `D`, `S`: in double quotes, in single quotes

Angle brackets in Markdown:
- `m` in a target, `x` after a backslash in it
- `l` in an address, which ends with its paragraph, `k` after a backslash in it

Targets in parentheses; they may contain spaces, as in Python-Markdown, and end with the paragraph:
- `o` in a relative one, `z` after a slash in it
- `p`, `q`, `r`: in one that may name a host, in one, two and more parentheses
- `v`, `w`: after a backslash in `p`, in `q`
- `t` after a quote, `T` after a later one: it ends a title only directly before a parenthesis

Elements `style`, where CSS has addresses only in parentheses and after an `@`:
- `A` in the element, `B` after a `<`, `C` after `</`, which may be its end
- `E` after any other `<`: in SVG it may begin a comment, in which `</style` ends nothing
- `F` in parentheses, until they close, if their content is as simple as in prose
- `X`, `Y`, `Z`, `M`: as `A`, `B`, `C`, `E`, once an address may have begun

TeX:
- `c` after a command with an address, `1` in its options
- `0` after a comment, an escape of JSON, or options that are not simple
- `f`, `g`, `h`: in the command's group, in a group in it, and deeper
- `i`, `j`: after a backslash in `f`, in `g`
- `_` after a command with CSS in its options, `2` in these; `h` instead of `0`

Strings that begin with an address:
- `Q`, `R`, `H`: in double quotes, in single quotes, as all of a text
- `U`, `V`: after a backslash in `Q`, in `R`

Other markup:
- `O` in a link in brackets, `N` after a backslash in it
- `W` in a link in double braces
- `G` between tags of BBCode, `J` after a bracket there
- `P` in a directive or target of reStructuredText or MyST, which ends with its paragraph
- `I` in an image of AsciiDoc
- `K` in the properties of a shape of Mermaid, `L` in a string there
- `y` in parentheses of CSS outside of a `style`, `a` after a backslash in it
"""

_STEPS: dict[str, dict[str, str]] = {
    # Tags
    "b": {" ": "b", "/": "b", ">": "", "": "n"},
    "n": {"=": "e", "/": "b", ">": "", "": "n"},
    "e": {" ": "e", '"': "d", "'": "s", ">": "", "": "u"},
    "u": {" ": "b", ">": "", "": "u"},
    "d": {'"': "b", "": "d"},
    "s": {"'": "b", "": "s"},
    # Strings
    "D": {'"': "", "": "D"},
    "S": {"'": "", "": "S"},
    # Angle brackets in Markdown
    "m": {">": "", "\\": "x", "": "m"},
    "x": {"": "m"},
    "l": {"<": "", ">": "", "\n": "", "\\": "k", "": "l"},
    "k": {"\n": "", "": "l"},
    # Targets in parentheses
    "o": {":": "p", "&": "p", "/": "z", "\\": "z", ")": "", "\n": "", "": "o"},
    "z": {":": "p", "&": "p", "/": "p", "\\": "p", ")": "", "\n": "", " ": "z", "": "o"},
    "p": {"(": "q", ")": "", "\\": "v", '"': "t", "'": "t", "\n": "", "": "p"},
    "q": {"(": "r", ")": "p", "\\": "w", '"': "t", "'": "t", "\n": "", "": "q"},
    "r": {'"': "t", "'": "t", "\n": "", "": "r"},
    "v": {"\n": "", "": "p"},
    "w": {"\n": "", "": "q"},
    "t": {'"': "T", "'": "T", "\n": "", "": "t"},
    "T": {")": "", '"': "T", "'": "T", "\n": "", "": "t"},
    # Elements `style`
    "A": {"<": "B", "(": "F", "@": "X", "&": "X", "": "A"},
    "B": {"/": "C", "(": "M", "@": "M", "&": "M", "": "E"},
    "C": {"a": "C", "(": "M", "@": "M", "&": "M", "": "E"},
    "E": {"(": "M", "@": "M", "&": "M", "": "E"},
    "F": {")": "A", "<": "Y", **dict.fromkeys("(@&/\\\"'", "X"), "": "F"},
    "X": {"<": "Y", "": "X"},
    "Y": {"/": "Z", "": "M"},
    "Z": {"a": "Z", "": "M"},
    "M": {"": "M"},
    # TeX
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
    # Strings that begin with an address
    "Q": {'"': "", "\\": "U", "": "Q"},
    "R": {"'": "", "\\": "V", "": "R"},
    "H": {"": "H"},
    "U": {"": "Q"},
    "V": {"": "R"},
    # Other markup
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
"""The next letter, by the current letter and the next mark (see `_kind_of`); `""` as a mark is any
other one, `""` as a letter closes the construct."""


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
    """Return the state at `end`, if nothing opens between `start` and it.

    `ended` are the ends of the names in `</style`.
    """
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
    """Return a mark as a key of `_STEPS`: a line feed for the end of a paragraph, a space for other
    white space, the punctuation mark itself, or `a` for a word."""
    if mark[0].isspace():
        return "\n" if mark["blank"] else " "
    return mark[0] if mark[0] in "<>\"'=/\\()[]{}:&@%" else "a"


def _ends_of_style(text: str, start: int, end: int) -> set[int]:
    """Return the offsets after each `</style` that ends after `start`, as far as `end`."""
    first, last = max(start - LONGEST_OPENING, 0), min(end + 1, len(text))
    return {found.end() for found in _style_end.finditer(text, first, last)}


def _openings(text: str, start: int, end: int) -> dict[int, str]:
    """Return the letters that open after `start`, up to `end`, by the offset after each opening."""
    last = min(end + 1, len(text))
    opened: dict[int, str] = {}
    for anchor in _anchor.finditer(text, max(start - LONGEST_OPENING, 0), last):
        for at, kind in _opening(text, anchor, last):
            if start < at <= end:
                opened[at] = opened.get(at, "") + kind
    return opened


def _opening(text: str, anchor: re.Match[str], last: int) -> Iterator[tuple[int, str]]:
    """Yield the openings at an anchor: the offset after each, and the letter that it opens."""
    if anchor.lastgroup:
        yield anchor.end(anchor.lastgroup), anchor.lastgroup
    elif anchor[0] == ":":
        if _directive.search(text[max(anchor.start() - _LONGEST_DIRECTIVE, 0) : anchor.start()]):
            yield anchor.end() + 1, "P"
    elif anchor[0] in "[{":
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

    If the last REACH code points have no space, an address may have begun before them.
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

    It also begins after a tag or an address in `<>`, unless this is escaped, or in brackets or
    quotes within an address. Any other `<` or `>` may be part of an address
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
        self._start, self._end = -1, -1  # of the first address after the last `start`

    def begun(self, start: int, end: int) -> bool:
        """Return whether an address begins between `start` and `end`, as far as `_address` shows.

        Neither may be less than in an earlier call.
        """
        if self._start < start:
            found = _address.search(self._text, start)
            size = len(self._text)
            self._start, self._end = found.span() if found else (size, size + 1)
        return self._end <= end


def _in_code_of_address(text: str) -> bool:
    """Return whether `text` ends in an address that contains code, complete or still open.

    In Showdown, code that begins in an address is part of it, with its spaces.
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
    """Return whether `text` ends in a link's definition, after its address on the same line."""
    line = text.rfind("\n", 0, max(text.rfind("\n"), 0))  # the start of the line before
    defined = _definition.search(text, max(line, 0))
    return defined is not None and _address.search(defined[1]) is not None


def _code_in(text: str, start: int) -> Iterator[tuple[int, int | None]]:
    """Yield where code begins and ends: None if nothing ends it, and it may be plain text."""
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
    """Return a text without its escapes: those of Markdown, of strings in JSON, and of HTML."""
    if "\\" in run:
        run = _numbered.sub(lambda found: chr(int(found[1] or found[2], 16)), run)
        run = _escaped.sub(r"\1", run)
    return html.unescape(run) if "&" in run else run


def _harmless(state: str, near: str) -> bool:
    """Return whether what is open has no address yet, or only the recipient of a mail or a call.

    `state` is its letter, `near` the text before the stand-in.
    """
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
