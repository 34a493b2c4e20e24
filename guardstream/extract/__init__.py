"""Typed values from JSON while it streams.

    async for order in extract.items(stream, "orders.item", Order): ...
    async for form in extract.snapshots(stream, Form): ...
    async for text in extract.text(stream, "answer"): ...
    form = await extract.final(stream, Form)

Each has a form for plain streams: `items_sync`, `snapshots_sync`, `text_sync`, `final_sync`.

A stream is an asynchronous or plain iterable: of str, or of a provider's chunks, guarded or not. Of
a provider's chunks the first choice's text is read, or with `tool` the arguments of the first call
of that tool. A model is any type that pydantic knows, or a TypeAdapter. `Reading` lists the options
that all have: `provider`, `text_of`, `fences`, `repair`, `duplicates`, `limits`, `schema`.

Paths are ijson's, keys joined by dots and `item` for each element of an array; or `$.orders[*].id`,
or a JSON Pointer. The stream is read until its document is over, and closed. Text is read once: the
work grows with its length.

Where a call does not say, the section `extract` of the policy does, for streams of its guard.

All raise ExtractError where the text is no JSON or cannot become the model, at the character where
that is certain, and where a guard blocked the stream.
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
