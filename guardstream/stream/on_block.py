"""How an answer that a rule blocks ends, and the message of its error."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TypeAlias

OnBlock: TypeAlias = Literal["finish", "error"]
"""With a finish reason, or with an error of the API."""

ON_BLOCK: tuple[OnBlock, ...] = ("finish", "error")

BlockError: TypeAlias = Callable[[str | None], str]
"""Returns the message of the error that ends a blocked stream, given the rule that blocked it."""


def blocked_message(rule: str | None, message: str = "") -> str:
    """Return the message of a blocked answer's error; it ends with the policy's own `message`."""
    by = "the policy" if rule is None else f"rule {rule!r}"
    text = f"the answer was blocked by {by}"
    return f"{text}: {message}" if message else text
