"""Plain addresses, without spaces, as the text directly before a stand-in shows them.

They count as renderers link them (GFM, linkify-it, linkifyjs, Showdown), and as browsers read them.
"""

from __future__ import annotations

import html
import re

import regex

from guardstream.vault.addresses.spelling import RECIPIENT

REACH = 2_048
"""How many code points before a stand-in are searched for an address without spaces."""

SPACES = " \n\t\r\f\v"

_beginning = regex.compile(
    "|".join(
        (
            # A scheme and a slash, but not the `\n`, `\r` or `\t` of a string of JSON.
            r"[a-z0-9+.\-]{2}:(?:/|\\(?![nrt]))|%3a(?:/|%2f)",
            # A scheme that needs no slash.
            r"(?<![a-z0-9])(?:data|javascript|vbscript|blob|about|https?|wss?|ftps?|file|sms|smsto"
            r"|mms|sips?|xmpp|geo|intent|market|magnet|whatsapp|skype|facetime|tg|bitcoin"
            r"|view-source|urn|cid):",
            # A host: after `www.`, or before a path, a port, a query or a fragment.
            r"(?<![^\W_])www\.|[\w\-\p{So}][.．][\w\-\p{So}]+(?::[0-9]{1,5})?[/?#]",
            r"(?<![^\W_])localhost(?::[0-9]+)?/",
            # `//host`, `//user@host`, `//[::1]`, `\\host`; `"text"://host` is a link of Textile.
            r"(?<![\w/])(?<![^\"]:)//(?:[\w.\-~%!$&'()*+,;=:@\[]|\Z)|(?<!\\)\\\\[\w.\-]",
            # A target in Markdown or CSS, unless it is a mere recipient; a recipient with a query.
            rf"(?:\]\(|url\()(?!<?{RECIPIENT})",
            rf"{RECIPIENT}[^?&]*[?&]",
        )
    ),
    regex.IGNORECASE,
)
# In definitions of Markdown; in links, images and aliases of Textile.
_BEFORE_ADDRESS = ("]:", '":', "!:", "]http", "]//")
_BEFORE_DESTINATION = SPACES + ">"  # of a definition: a line may begin with a block quote's mark
_target = regex.compile(r"(?:\]\(|url\()\Z", regex.IGNORECASE)
_recipient = regex.compile(RECIPIENT)
# linkify-it reads the text before a mail address, brackets and quotes included, as the user of its
# host (RFC 3986, 3.2.1). A browser reads the same text as the query of another host.
_as_user = regex.compile(r"//[^\s@/\[\]()?#\\]*[?#\\][^\s@/\[\]()]*\Z")
# In text that looks like JSON, a quote ends an address that is all of a string. Elsewhere,
# renderers read the quote and the text after it as part of the address.
_quoted = regex.compile(r"""(?:\A|(?<=[\[{(,:]))(?:"[^"]*"|'[^']*')(?=[,:}\])])""")

# https://spec.commonmark.org/0.31.2/#backslash-escapes, which targets may contain
_escaped = regex.compile(r"\\([!-/:-@\[-`{-~])")
# In strings of JSON, YAML and JavaScript.
_numbered = re.compile(r"\\(?:u\{?([0-9a-f]{4})\}?|x([0-9a-f]{2}))", re.IGNORECASE)

# https://spec.commonmark.org/0.31.2/#raw-html and #autolinks: any other form is text.
# micromark also reads a tag as text if an attribute has an address without quotes.
_OPEN_TAG = (
    r"<[a-z][a-z0-9\-]*+(?:\s++[a-z_:][a-z0-9_.:\-]*+"
    r"(?:\s*+=\s*+(?:[^\s\"'=<>`:/.]++|'[^']*+'|\"[^\"]*+\"))?)*+\s*+/?>"
)
_open_tag = regex.compile(_OPEN_TAG, regex.IGNORECASE)
# linkify-it reads brackets and quotes in an address as part of it, with tags in them.
_CLOSES = {"(": ")", "[": "]", "{": "}", '"': '"', "'": "'"}
_markup_or_bracket = regex.compile(
    rf"(?P<markup>{_OPEN_TAG}|</[a-z][a-z0-9\-]*+>|<[a-z][a-z0-9+.\-]{{1,31}}+:[^\s<>]*+>"
    r"|<[^\s<>@]++@[^\s<>]++>)|[()\[\]{}\"']",
    regex.IGNORECASE,
)


def begins_target(text: str) -> bool:
    """Return whether a target of Markdown or CSS begins at the end of `text`, or after spaces."""
    return text.rstrip()[-1:] == "("


def ends_in_address(near: str) -> bool:
    """Return whether a text ends in an address without spaces.

    If its last REACH code points have no space, an address may have begun before them.
    """
    start = _run_start(near)
    if (start == 0 and len(near) >= REACH) or _as_user.search(near):
        return True
    run = _quoted.sub("", near[start:])
    if has_beginning(run):
        return True
    return bool(_target.search(near[:start].rstrip())) and not _recipient.match(run)


def has_beginning(text: str) -> bool:
    """Return whether an address begins in a text, as it is or without its escapes."""
    if _beginning.search(text):
        return True
    read = _as_read(text)
    return read != text and _beginning.search(read) is not None


class Beginnings:
    """The beginnings of addresses in a text, searched only once."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._start, self._end = -1, -1  # of the first beginning after the last `start`

    def between(self, start: int, end: int) -> bool:
        """Return whether one is between `start` and `end`.

        Neither may be less than in an earlier call.
        """
        if self._start < start:
            found = _beginning.search(self._text, start)
            size = len(self._text)
            self._start, self._end = found.span() if found else (size, size + 1)
        return self._end <= end


def _run_start(text: str) -> int:
    """Return where the text without spaces at the end of `text` begins.

    It also begins after a tag or an address in `<>`, unless this is escaped, or in brackets or
    quotes within an address, or in a link's definition
    (https://spec.commonmark.org/0.31.2/#link-destination) or a link of Textile
    (https://textile-lang.com/doc/links). Any other `<` or `>` may be part of an address
    (https://github.github.com/gfm/#extended-url-autolink; linkifyjs, showdown).
    """
    start = max(map(text.rfind, SPACES)) + 1
    if (opens := text.rfind("<")) < 0:
        return start
    run, before = text[start:], text[:start].rstrip(_BEFORE_DESTINATION)
    if any(sign in run for sign in _BEFORE_ADDRESS) or before.endswith("]:"):
        return start
    if opens >= start:
        opens = text.rfind("<", 0, start)
    if opens >= 0 and (tag := _open_tag.match(text, opens)):
        start = max(start, tag.end())
    addresses = Beginnings(text)
    closes = ""
    for found in _markup_or_bracket.finditer(text, start):
        at = found.start()
        if found["markup"]:
            if not closes and text[at - 1 : at] != "\\":
                start = found.end()
        elif closes:
            closes = "" if found[0] == closes else closes
        elif addresses.between(start, at):
            closes = _CLOSES.get(found[0], "")
    return start


def _as_read(run: str) -> str:
    """Return a text without its escapes: those of Markdown, of strings in JSON, and of HTML."""
    if "\\" in run:
        run = _numbered.sub(lambda found: chr(int(found[1] or found[2], 16)), run)
        run = _escaped.sub(r"\1", run)
    return html.unescape(run) if "&" in run else run
