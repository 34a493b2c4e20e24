"""Typed values out of a stream of JSON while it arrives.

    async for order in extract.items(stream, "orders.item", Order): ...
    async for form in extract.snapshots(stream, Form): ...
    async for text in extract.text(stream, "answer"): ...
    form = await extract.final(stream, Form)

A stream is an asynchronous or plain iterable: of str, or of a provider's chunks, guarded or not. Of
a provider's chunks the first choice's text is read, or with `tool` the arguments of the first call
of that tool. `provider` names the adapter, as in `Guard.wrap`; `text_of` gives the text of chunks
that no adapter knows; `fences` says what becomes of Markdown fences around the JSON, as a policy
does. Paths are ijson's: keys joined by dots, `item` for each element of an array. The stream is
read until its document is over, and closed. Text is read once: the work grows with its length.

All raise ExtractError where the text is no JSON or cannot become the model, at the character where
that is certain, and where a guard blocked the stream.
"""

from guardstream.extract._errors import ExtractError
from guardstream.extract._functions import final, items, snapshots, text

__all__ = ["ExtractError", "final", "items", "snapshots", "text"]
