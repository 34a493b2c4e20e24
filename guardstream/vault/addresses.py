"""Where a stand-in stays as it is: a URL with a value in it carries the value to whom it names.

Whoever can make a model write a link or an image could have a value fetched from a server of
theirs. `mailto:` and `tel:` name whom a person is to write to or call, and fetch nothing.
"""

from __future__ import annotations

from typing import NamedTuple

import regex

REACH = 2_048
"""How many code points before a stand-in are looked at for an address without spaces."""

# In a text without spaces and quotes: a scheme, or one of those that need no slashes; `www.`; a
# host before a path; `//host`; the target of a link or an image in Markdown, or of CSS.
_address = regex.compile(
    r"[a-z0-9+.\-]:[/\\]|(?:data|javascript|vbscript|blob|about):"
    r"|(?<![\w.])www\.|[\w\-]\.[\w\-]+/|(?<![\w:/])//[\w.\-]"
    r"|(?:\]\(|url\()(?!mailto:|tel:)",
    regex.IGNORECASE,
)
_begun = regex.compile(r"(?:\]\(|url\()\s{0,3}\Z", regex.IGNORECASE)
_mail = regex.compile(r"(?:mailto|tel):", regex.IGNORECASE)
_DELIMITERS = " \n\t\r\f\v<>\"'\u3000\u00a0"

# What may hold an address with spaces in it: tags of HTML that name one (the elements with URL
# attributes, https://html.spec.whatwg.org/multipage/indices.html), and targets in `<>` in Markdown.
_TAGS = (
    "a|area|audio|base|blockquote|body|button|del|embed|form|frame|iframe|image|img|input|ins|link"
    "|meta|object|q|script|source|svg|table|td|track|use|video"
)
_opens = regex.compile(rf"<(?:{_TAGS})(?=[\s/])|\]\(\s{{0,3}}<", regex.IGNORECASE)
_goes_on = regex.compile("[\"'>]")
_harmless = regex.compile(
    r"(?:=\s{0,3}[\"']?|\]\(\s{0,3}<)\s{0,3}(?:mailto|tel):[^\"'<>]*\Z", regex.I
)

_LONGEST_OPENING = 16  # code points, of `<blockquote ` and the like

OUTSIDE = ""
INSIDE = "<"


def within(state: str, text: str) -> str:
    """The state after `text`: OUTSIDE of tags, INSIDE one, or the quote of its open value."""
    at = 0
    while at < len(text):
        if state == OUTSIDE:
            match = _opens.search(text, at)
            if match is None:
                break
            state, at = INSIDE, match.end()
        elif state == INSIDE:
            match = _goes_on.search(text, at)
            if match is None:
                break
            state, at = OUTSIDE if match[0] == ">" else match[0], match.end()
        else:
            end = text.find(state, at)
            if end < 0:
                break
            state, at = INSIDE, end + 1
    return state


def divided(text: str, at: int) -> int:
    """Where to divide `text`, at `at` or a little before, so that no opening is cut."""
    first = max(at - _LONGEST_OPENING, 0)
    cut = max(text.rfind("<", first, at), text.rfind("](", first, at))
    return at if cut < 0 else cut


class Before(NamedTuple):
    """What is before a stand-in: some text, and the state (see `within`) where that begins."""

    text: str
    state: str = OUTSIDE


def in_address(before: Before) -> bool:
    """Whether what follows is part of a URL, other than of `mailto:` and `tel:`.

    In more than REACH code points without any space an address may have begun before them.
    """
    text = before.text
    near = text[-REACH:]
    if within(before.state, text) != OUTSIDE and not _harmless.search(near):
        return True
    end = max(map(near.rfind, _DELIMITERS)) + 1
    run = near[end:]
    if _address.search(run) or (end == 0 and len(near) >= REACH):
        return True
    return bool(_begun.search(near[max(end - 8, 0) : end])) and not _mail.match(run)
