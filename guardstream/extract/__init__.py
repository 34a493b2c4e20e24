"""Typed values from JSON while it streams.

    async for order in extract.items(stream, "orders.item", Order): ...
    async for form in extract.snapshots(stream, Form): ...
    async for text in extract.text(stream, "answer"): ...
    form = await extract.final(stream, Form)

For plain iterables there are `items_sync`, `snapshots_sync`, `text_sync` and `final_sync`.

A stream is an asynchronous or plain iterable of str, or of a provider's chunks, guarded or not. Of
a provider's chunks, the text of the first choice is read; with `tool`, the arguments of the first
call of that tool. A model is any type that pydantic knows, or a TypeAdapter. `Reading` lists the
options that all functions have: `format`, `text_of`, `fences`, `repair`, `duplicates`, `limits`,
`schema`. For streams of a guard, the section `extract` of its policy has the defaults.

Paths are those of ijson: keys joined by dots, and `item` for each element of an array. JSONPath
(`$.orders[*].id`) and JSON Pointers work too. The stream is read to the end of its document, and
closed. Text is read once, so that the work grows only with its length.

All raise ExtractError if the text is not JSON or cannot become the model, at the first character
where that is certain, and if a guard has blocked the stream.
"""

from guardstream.extract._errors import MISSING, ExtractError
from guardstream.extract._functions import (
    final,
    final_sync,
    items,
    items_sync,
    snapshots,
    snapshots_sync,
    text,
    text_sync,
)
from guardstream.extract._reader import Reading

__all__ = [
    "MISSING",
    "ExtractError",
    "Reading",
    "final",
    "final_sync",
    "items",
    "items_sync",
    "snapshots",
    "snapshots_sync",
    "text",
    "text_sync",
]
