"""How addresses are spelled where they may contain spaces: their beginnings, and mere recipients.

Strings of HTML, JSON, YAML and JavaScript may write each character as an escape.
"""

from __future__ import annotations

from collections.abc import Callable

import regex

_COLON = r"(?::|&colon;|&#(?:0{0,6}58|x0{0,6}3a);?|\\u003a|\\x3a)"
_SLASH = r"(?:\\?/|&sol;|&#(?:0{0,6}47|x0{0,6}2f);?|\\(?:u00|x)2f)"
_BACKSLASH = r"(?:\\{1,2}|&bsol;|&#(?:0{0,6}92|x0{0,6}5c);?)"

ADDRESS = (
    rf"(?i:(?:{_SLASH}|{_BACKSLASH}){{2}}[\w\-\[\]]{{1,63}}[.:]|https?{_COLON}"
    rf"|data{_COLON}[a-z]{{1,20}}/"
    rf"|[a-z0-9+.\-&#;\\]{{2,52}}?{_COLON}{_SLASH}(?! ))"
)
"""A pattern for the beginning of a complete address: two slashes and a host, or a scheme.

Two backslashes may be one in a string. A page in `data:` may contain further addresses.

No host follows a space after the slash of a scheme (https://url.spec.whatwg.org/#url-parsing). It
ends as early as it can, however much of the text has arrived: the host before the scheme.
"""

SPACED_ADDRESS = rf"\s{{0,8}}{ADDRESS}"
"""The same after white space, which readers of addresses remove."""

RECIPIENT = r"(?i:mailto|tel):"
"""A pattern for the schemes that only name a recipient, and fetch nothing."""

_recipient = regex.compile(rf"\s*{RECIPIENT}[^?&]*\Z")


def recipient_after(quote: str) -> Callable[[str], bool]:
    """Return a test whether a text ends in a recipient without a query, which is text to send.

    The recipient is all that follows the last `quote`.
    """
    return lambda near: _recipient.match(near.rpartition(quote)[2]) is not None
