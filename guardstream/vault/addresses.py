"""Where a stand-in stays as it is: a URL with a value in it carries the value to whom it names.

Whoever can make a model write a link or an image could have a value fetched from a server of
theirs. `mailto:` and `tel:` name whom a person is to write to or call, and fetch nothing.
"""

from __future__ import annotations

import regex

REACH = 2_048
"""How many code points before a stand-in tell whether it stands in an address."""

_HARMLESS = r"(?!mailto:|tel:)"
_ATTRIBUTES = "href|src|srcset|action|formaction|poster|background|data|cite|ping"

_address = regex.compile(
    "|".join(
        (
            # with a scheme, or one of those that need no slashes
            r"(?:[a-z][a-z0-9+.\-]{0,30}:[/\\]{1,3}|(?:data|javascript|vbscript|blob|about):)[^\s<>\"']*",
            # without: `www.`, a host before a path, `//host`
            r"(?<![\w.])www\.[^\s<>\"']*",
            r"(?<![\w.\-])(?:[\w\-]+\.)+[\w\-]+/[^\s<>\"']*",
            r"(?<![\w:/])//[\w.\-][^\s<>\"']*",
            # the target of a link or an image in Markdown, in HTML and in CSS
            rf"\]\(\s{{0,3}}(?:<{_HARMLESS}[^>\n]*|(?!<){_HARMLESS}[^\s)]*)",
            rf"<[a-z][^<>]{{0,1000}}?\s(?:{_ATTRIBUTES})\s{{0,3}}=\s{{0,3}}"
            rf"(?:\"\s{{0,3}}{_HARMLESS}[^\"]*|'\s{{0,3}}{_HARMLESS}[^']*|{_HARMLESS}[^\s\"'>]*)",
            rf"url\(\s{{0,3}}[\"']?{_HARMLESS}[^\s)]*",
        )
    )
    .join(("(?:", r")\Z")),
    regex.IGNORECASE,
)


def in_address(before: str) -> bool:
    """Whether what follows `before` is part of a URL, other than of `mailto:` and `tel:`.

    `before` is at most REACH code points long: in a longer text without any space anything may
    have begun.
    """
    if _address.search(before):
        return True
    return len(before) >= REACH and not any(char in before for char in " \n\t<>\"'")
