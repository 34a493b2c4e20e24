"""Distinguishes cumulative text from deltas, in a stream of `str`.

If each chunk repeats all text before it, a match at the end of one chunk would be judged together
with the beginning of the next, and could be missed. So the stream is refused as soon as this is
certain.
"""

from __future__ import annotations

from guardstream.errors import AdapterError

_ENOUGH = 16
"""Code points that growing chunks have repeated by then. Deltas do not do that by chance."""

_TIMES = 2
"""How often a chunk has grown by then."""

_SAME = 128 * 1024
"""After so many chunks that equal the last one, they are deltas.

A cumulative source may repeat its text for each token that the model thinks before it answers, but
models think for fewer tokens than that.
"""

_LOOKED_AT = 256
"""How many code points of a chunk are searched for a text that repeats."""


class Growth:
    """Inspects the beginning of a text; `if_new` is what to pass if none of it is repeated."""

    def __init__(self, if_new: str = "framing='text'") -> None:
        self._if_new = if_new
        self._last = ""
        self._repeated = 0
        self._times = 0
        self._same = 0  # chunks that say the same as the one before

    def may_be_cumulative(self, chunk: str) -> bool:
        """Take the next text; return whether it may still be cumulative. AdapterError if it is
        certain."""
        last, self._last = self._last, chunk
        if chunk == last and chunk:
            self._same += 1
            return self._same < _SAME
        if not chunk.startswith(last):
            return False
        if last and len(chunk) > len(last) and not _repeats_itself(chunk):
            self._times += 1
            self._repeated += len(last)
        if self._times >= _TIMES and self._repeated >= _ENOUGH:
            raise AdapterError(
                "each chunk repeats the text before it: pass provider='cumulative_text'; if all of "
                f"it is new, pass {self._if_new}"
            )
        return True


def _repeats_itself(chunk: str) -> bool:
    """Return whether a chunk is one short text repeated: its deltas seem to be cumulative, too."""
    begin = chunk[:_LOOKED_AT]
    return any(begin.startswith(begin[at:]) for at in range(1, len(begin) // 2 + 1))
