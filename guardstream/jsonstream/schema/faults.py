"""Finds the faults of a value for one node: the offset in the source, and the keyword."""

from __future__ import annotations

from collections.abc import Collection, Sequence, Sized
from typing import Any, TypeAlias

from guardstream.jsonstream.schema.digits import LONGEST
from guardstream.jsonstream.schema.nodes import Node, among, continues
from guardstream.jsonstream.schema.prefixes import PrefixState

Fault: TypeAlias = tuple[int, str]  # an offset in the source, and the refusing keyword


def part_fault(
    node: Node,
    so_far: str,
    length: int,
    part: str,
    start: int,
    end: int,
    state: PrefixState | None,
) -> Fault | None:
    """Return the first fault in `part`, which is at `start` to `end` and follows `length`
    characters.

    `so_far` is the text before it, which is only read if the node has a list of texts. `state` is
    the state of the node's prefixes before it. An escape is judged at its last character.
    """
    first: int | None = None
    keyword = ""
    if node.prefixes is not None:
        keyword, prefixes = node.prefixes
        _, first = prefixes.step(state, part)
    if node.max_length is not None and length + len(part) > node.max_length:
        over = node.max_length - length
        if first is None or over < first:
            first, keyword = over, "maxLength"
    if node.texts is not None:
        bad = first_bad(node.texts, so_far, part)
        if bad is not None and (first is None or bad < first):
            first, keyword = bad, "enum"
    if first is None:
        return None
    return (start + first if end - start == len(part) else end - 1), keyword


def end_fault(
    node: Node, value: str, start: int, end: int, state: PrefixState | None
) -> Fault | None:
    """Return the first fault in the string's last run, which begins at `start`, or at its quote."""
    long = node.max_length is not None and len(value) > node.max_length
    if long or node.texts is not None or node.prefixes is not None:
        length = len(value) - (end - 1 - start)
        fault = part_fault(node, value[:length], length, value[length:], start, end - 1, state)
        if fault:
            return fault
    if len(value) < node.min_length:
        return end - 1, "minLength"
    if node.texts is not None and not among(node.texts, value):
        return end - 1, "enum"
    for keyword, check in node.text_checks:
        if not check(value):
            return end - 1, keyword
    return None


def first_bad(texts: tuple[str, ...], so_far: str, part: str) -> int | None:
    """Return the index in `part` from which none of the sorted `texts` continues `so_far`."""
    if continues(texts, so_far + part):
        return None
    return next(i for i in range(len(part)) if not continues(texts, so_far + part[: i + 1]))


def name_left(node: Node, used: Collection[Any], so_far: str) -> bool:
    """Return whether a name of `node` that is not used yet begins with `so_far`, if names are
    closed."""
    names = node.beginnings[so_far]
    # Names that come in order leave the last one for long.
    return len(names) > len(used) or any(name not in used for name in reversed(names))


def key_so_far(nodes: Sequence[Node], so_far: str, part: str) -> str:
    """Return the part of a key that `key_part_fault` needs: up to where no name begins like it any
    more."""
    for char in part:
        if so_far and not any(node.beginnings[so_far] for node in nodes):
            break
        so_far += char
    return so_far


def key_state(node: Node, state: PrefixState | None, so_far: str, part: str) -> PrefixState | None:
    """Return the state of `key_prefixes` after a `part`; None while a name begins like the key."""
    if node.key_prefixes is None:
        return None
    if state is not None:
        return node.key_prefixes.follow(state, part)
    text = so_far + part
    return None if node.beginnings[text] else node.key_prefixes.follow(None, text)


def key_part_fault(
    node: Node,
    used: Collection[Any],
    so_far: str,
    part: str,
    start: int,
    end: int,
    duplicates: bool,
    state: PrefixState | None,
) -> Fault | None:
    """Return the offset in `part` of a key from which `node` cannot allow it.

    `used` are the keys before it. A key for which no name is left is refused at its opening quote.
    `state` is that of `key_state` before `part`.
    """
    if not so_far and not duplicates and _full(node.max_properties, used):
        return start - 1, "maxProperties"
    prefixes = node.key_prefixes
    if node.closed is None and prefixes is None:
        return None
    taken: Any = () if duplicates else used
    first = 0
    if state is None and name_left(node, taken, so_far + part):
        return None
    if prefixes is not None:
        text = so_far + part if state is None else part
        _, unmatched = prefixes.step(state, text)
        if unmatched is None:
            return None
        first = unmatched - len(text) + len(part)
    elif not so_far and not name_left(node, taken, ""):
        return start - 1, node.extra_keyword
    if state is None:
        cuts = range(1, len(part) + 1)
        unnamed = next(i for i in cuts if not name_left(node, taken, so_far + part[:i])) - 1
        first = max(first, unnamed)
    return (start + first if end - start == len(part) else end - 1), node.extra_keyword


def key_fault(
    node: Node,
    used: Collection[Any],
    name: str,
    start: int,
    end: int,
    duplicates: bool,
    state: PrefixState | None,
) -> Fault | None:
    """Return the first fault in the last run of a key, which begins at `start`, or at its end."""
    before = len(name) - (end - 1 - start)
    part = name[before:]
    fault = key_part_fault(node, used, name[:before], part, start, end - 1, duplicates, state)
    if fault:
        return fault
    if node.closed is not None and name not in node.beginnings[name]:
        return end - 1, node.extra_keyword
    if node.name_check and not node.name_check(name):
        return end - 1, "propertyNames"
    return None


def comma_fault(node: Node, container: Sized, duplicates: bool) -> str | None:
    """Return the keyword that allows no member or element after those in `container`."""
    if isinstance(container, list):
        if _full(node.max_items, container):
            return "maxItems"
        return None if node.item(len(container)).allows else "items"
    if duplicates:
        return None
    if _full(node.max_properties, container):
        return "maxProperties"
    return (
        node.extra_keyword
        if _full(len(node.closed) if node.closed is not None else None, container)
        else None
    )


def close_fault(node: Node, container: Any) -> str | None:
    """Return the keyword that does not allow `container` to end with its current content."""
    size = len(container)
    if isinstance(container, list):
        return "minItems" if size < node.min_items else None
    if size < node.min_properties:
        return "minProperties"
    for name in node.required:
        if name not in container:
            return "required"
    return None


def digits_fault(node: Node, text: str, start: int) -> Fault | None:
    """Return the first fault in the beginning of a number at `start`."""
    digits, text = node.digits, text[:LONGEST]
    if digits is None or digits.allows(text):
        return None
    size = next(size for size in range(1, len(text) + 1) if not digits.allows(text[:size]))
    return start + size - 1, digits.keyword(text[:size])


def number_fault(node: Node, value: float, text: str, start: int, end: int) -> Fault | None:
    """Return the first fault of a complete number: in `text`, or at the character after it."""
    keyword = next((name for name, check in node.number_checks if not check(value)), None)
    # No beginning of an allowed number is refused, except one too small for a float.
    if keyword is None and value:
        return None
    fault = digits_fault(node, text, start)
    return fault or (None if keyword is None else (end, keyword))


def _full(limit: int | None, container: Sized) -> bool:
    return limit is not None and len(container) >= limit
