"""A release mode of the JSON stage: of many documents, only the last is released, at the end.

This is not hold-back, because no rule can change the text any more. It has a bound of its own, at
which it fails closed.
"""

from __future__ import annotations

from collections.abc import Iterable

from guardstream.events import Event, Finding, Finish, Severity, Text


class Last:
    """Keeps the text of a document until the next one begins, which drops it, or the stream ends.

    More than `bound` code points block. A block drops what is kept, and so does an end within a
    document, unless `partly` says that an incomplete document may be released. Findings do not
    wait.
    """

    def __init__(self, bound: int, rule: str, severity: Severity, *, partly: bool) -> None:
        self.kept = 0
        self.full = False  # the bound was exceeded
        self._bound = bound
        self._rule = rule
        self._severity = severity
        self._partly = partly
        self._parts: list[str] = []
        self._whole = False

    def begin(self) -> None:
        """Record that another document begins."""
        self._parts = []
        self.kept = 0
        self._whole = False

    def end(self) -> None:
        """Record that the document is complete."""
        self._whole = True

    def take(self, events: Iterable[Event]) -> list[Event]:
        """Return what can be emitted now of a document's events; a Finish only comes last."""
        out: list[Event] = []
        for event in events:
            if isinstance(event, Text):
                self._parts.append(event.text)
                self.kept += len(event.text)
                if self.kept > self._bound:
                    self.full = True
                    found = Finding(self._rule, 0, self._bound + 1, "block", self._severity)
                    return [*out, found, Finish("content_filter")]
            elif isinstance(event, Finish):
                if event.reason != "content_filter" and (self._whole or self._partly) and self.kept:
                    out.append(Text("".join(self._parts)))
                return [*out, event]
            else:
                out.append(event)
        return out
