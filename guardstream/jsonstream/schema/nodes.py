"""The nodes of a schema, which decide what a walker asks about a value.

A node only decides what can be decided while the value arrives. What needs the whole value is left
to its `judge`. So until then a node may allow too much, but never too little.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import reduce
from math import inf
from operator import or_
from typing import Any, TypeAlias

from guardstream.jsonstream.schema.digits import NamedCheck, digits_of
from guardstream.jsonstream.schema.numbers import Alternatives, Beginning, Together
from guardstream.jsonstream.schema.prefixes import Early, of_patterns

Judge: TypeAlias = Callable[[Any, Callable[[], str], dict[Any, Any]], str | None]
"""Called with the value, its source text, and earlier results about the document. Returns the
keyword that refuses the value, or None."""


OBJECT, ARRAY, STRING, NUMBER, TRUE, FALSE, NULL = 0, 1, 2, 3, 4, 5, 6
ANYTHING = 0b1111111
_KEPT = 256  # cached beginnings, and the code points of each
FIRST = {"{": OBJECT, "[": ARRAY, "t": TRUE, "f": FALSE, "n": NULL}


class Beginnings(dict[str, tuple[str, ...]]):
    """Sorted names by their beginnings, each looked up when it is first needed."""

    __slots__ = ("_names",)

    def __init__(self, names: tuple[str, ...]) -> None:
        super().__init__()
        self._names = names

    def __missing__(self, text: str) -> tuple[str, ...]:
        names, size = self._names, len(text)
        first = bisect_left(names, text)
        last = bisect_right(names, text, first, key=lambda name: name[:size])
        found = names[first:last]
        if found and size <= _KEPT:
            if len(self) >= _KEPT:
                self.clear()  # recent beginnings are needed again, unlike the first
            self[text] = found
        return found


@dataclass(slots=True, eq=False)
class Choice:
    """Alternatives, one of which must hold; exactly one, if it is `exclusive`."""

    branches: tuple[Node, ...]
    keyword: str = "anyOf"
    exclusive: bool = False


@dataclass(slots=True, eq=False)
class Node:
    """One schema. `mask` has a bit for each kind of value that it allows.

    Lengths count code points of decoded text. None means no constraint. `late` has a bit for each
    kind of value that `judge` must see whole. `all_of` and `choices` apply to the same value.
    """

    mask: int = ANYTHING
    #: The schema that it was compiled from; None if there is no single one.
    schema: Any = None
    #: The kinds of `mask` that `all_of` and `choices` allow, too.
    allows: int = ANYTHING
    texts: tuple[str, ...] | None = None
    max_length: int | None = None
    min_length: int = 0
    text_checks: tuple[tuple[str, Callable[[str], bool]], ...] = ()
    #: What refuses a string by its beginning, for a pattern or format, with the keyword.
    prefixes: tuple[str, Early] | None = None
    number_checks: tuple[NamedCheck, ...] = ()
    #: What refuses a number by its beginning.
    digits: Beginning | None = None
    #: The bounds of the ints that pass all `number_checks`; None if bounds do not decide.
    whole: tuple[float, float] | None = None
    names: dict[str, Node] = field(default_factory=dict)
    patterns: tuple[tuple[Callable[[str], bool], Node], ...] = ()
    #: The sources of these patterns.
    written: tuple[str, ...] = ()
    extra: Node | None = None
    #: The keyword that `extra` comes from.
    extra_keyword: str = "additionalProperties"
    name_check: Callable[[str], bool] | None = None
    required: tuple[str, ...] = ()
    max_properties: int | None = None
    min_properties: int = 0
    prefix: tuple[Node, ...] = ()
    items: Node | None = None
    max_items: int | None = None
    min_items: int = 0
    unique: bool = False
    item_judge: Judge | None = None
    all_of: tuple[Node, ...] = ()
    choices: tuple[Choice, ...] = ()
    late: int = 0
    judge: Judge | None = None
    #: The names left to an object that allows no others, sorted; None if any may follow.
    closed: tuple[str, ...] | None = None
    #: What refuses the beginning of a name that neither `names` nor `patterns` allow, if no others
    #: may follow.
    key_prefixes: Early | None = None
    #: The names by their beginnings, if no others are allowed.
    beginnings: Beginnings = field(default_factory=lambda: Beginnings(()))
    #: The nodes of names to which no other keyword applies.
    known: dict[str, Node] = field(default_factory=dict)
    #: The maximum number of members; None if there is none.
    most_members: int | None = None
    #: Whether it constrains a string while it arrives, and a complete one.
    watches_text: bool = True
    checks_text: bool = True
    only_length: bool = False
    #: Whether every int from 0 on is allowed.
    rises: bool = False
    #: What `enter` has returned for each kind; False if it was not called yet.
    entered: list[Node | bool | None] = field(default_factory=lambda: [False] * 7)
    #: The same, if it is a single node that allows such a value; otherwise None.
    ready: list[Node | None] = field(default_factory=lambda: [None] * 7)

    def seal(self) -> None:
        """Compute what depends on other fields, once all are set."""
        if self.extra is not None and self.extra.allows == 0:
            allowed = tuple(sorted(name for name, node in self.names.items() if node.allows))
            if self.patterns:
                self.key_prefixes = of_patterns(self.written)
            else:
                self.closed = allowed
            if self.closed is not None or self.key_prefixes is not None:
                self.beginnings = Beginnings(allowed)
        # A comma reveals too many members, except for the first one.
        if not self.patterns and not self.name_check and self.max_properties != 0:
            self.known = self.names
        sizes = [self.max_properties, None if self.closed is None else len(self.closed)]
        self.watches_text = (
            self.max_length is not None or self.texts is not None or self.prefixes is not None
        )
        more = bool(self.min_length or self.text_checks or self.late)
        self.checks_text = self.watches_text or more
        self.only_length = not (more or self.texts is not None or self.prefixes is not None)
        self.rises = self.whole is not None and self.whole[0] <= 0 and self.whole[1] == inf
        self.most_members = min((size for size in sizes if size is not None), default=None)

    def allowed(self) -> int:
        """Return the kinds that remain once `all_of` and `choices` are taken into account, as far
        as they are known."""
        found = self.mask
        for each in self.all_of:
            found &= each.allows
        for choice in self.choices:
            found &= reduce(or_, (each.allows for each in choice.branches), 0)
        return found

    def member(self, name: str) -> Node:
        """Return the node for the value of the member `name`."""
        known = self.names.get(name)
        if not self.patterns:
            return known or self.extra or ANY
        matching = [node for check, node in self.patterns if check(name)]
        if known:
            matching.append(known)
        if len(matching) > 1:
            both = Node(all_of=tuple(matching))
            both.allows = both.allowed()
            return both
        return matching[0] if matching else self.extra or ANY

    def refusing(self, name: str) -> str:
        """Return the keyword that does not allow the member `name`, if names are closed."""
        if name in self.names:
            return "properties"
        named = any(check(name) for check, _ in self.patterns)
        return "patternProperties" if named else self.extra_keyword

    def item(self, index: int) -> Node:
        """Return the node for an array's element `index`."""
        if index < len(self.prefix):
            return self.prefix[index]
        return self.items or ANY

    def enter(self, kind: int) -> Node | None:
        """Return the single node that a value of `kind` must follow, or None if there are
        several."""
        known = self.entered[kind]
        if known is False:
            known = self.entered[kind] = _resolve(self, kind)
            if known and known.mask >> kind & 1:
                self.ready[kind] = known
        return known  # type: ignore[return-value]  # False was replaced

    def constrains(self, kind: int) -> bool:
        """Return whether this node, apart from `all_of` and `choices`, constrains that kind."""
        if not self.mask >> kind & 1 or self.late >> kind & 1:
            return True
        if kind == OBJECT:
            return bool(
                self.names or self.patterns or self.extra or self.name_check or self.required
                or self.max_properties is not None or self.min_properties
            )  # fmt: skip
        if kind == ARRAY:
            bounded = self.max_items is not None or self.min_items or self.unique
            return bool(self.prefix or self.items or bounded)
        if kind == STRING:
            bounded = self.max_length is not None or self.min_length
            return self.texts is not None or bool(bounded or self.text_checks)
        return kind == NUMBER and bool(self.number_checks)


ANY = Node()
ANY.seal()
NEVER = Node(mask=0, allows=0)


class _Several(Exception):  # noqa: N818  # no error: more than one node applies
    pass


def _resolve(node: Node, kind: int) -> Node | None:
    if not node.allows >> kind & 1:
        return NEVER
    try:
        found = dict.fromkeys(_asking(node, kind))
        if len(found) < 2:
            return next(iter(found), ANY)
    except _Several:
        pass
    return _number(node) if kind == NUMBER else None


_MOST_NUMBERS, _DEEPEST = 512, 32
"""How many schemas a number may have, and how deep; otherwise, or in a cycle, each is followed."""


def _number(root: Node) -> Node | None:
    """Return one node for the numbers that several allow; None if there are judges, or too many
    nodes."""
    left = _MOST_NUMBERS

    def together(node: Node, depth: int = 0) -> Together:
        nonlocal left
        left -= 1
        if not left or depth > _DEEPEST or node.late >> NUMBER & 1:
            raise _Several
        inner: list[Together] = [together(each, depth + 1) for each in node.all_of]
        checks = [*node.number_checks, *(check for each in inner for check in each.checks)]
        parts: list[Beginning] = [] if node.digits is None else [node.digits]
        for choice in node.choices:
            branches = [each for each in choice.branches if each.allows >> NUMBER & 1]
            within = [together(each, depth + 1) for each in branches]
            made = Alternatives(within, choice.keyword, exclusive=choice.exclusive)
            inner.append(made)
            checks.append((made.name, made.holds))
        return Together(checks, [*parts, *inner])

    try:
        whole = together(root)
    except _Several:
        return None
    node = Node(mask=1 << NUMBER, allows=1 << NUMBER, number_checks=whole.checks, digits=whole)
    node.seal()
    return node


def _asking(root: Node, kind: int) -> Iterator[Node]:
    """Yield the nodes that constrain `kind`, if no choice is open among them."""
    seen: set[int] = set()
    todo = [root]
    while todo:
        node = todo.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if node.constrains(kind):
            yield node
        todo += node.all_of
        for choice in node.choices:
            branches = [each for each in choice.branches if each.allows >> kind & 1]
            if len(branches) > 1:
                raise _Several
            todo += branches


def settle(nodes: Iterable[Node]) -> None:
    """Compute the kinds that each node allows together with what else applies to the same value.

    Kinds are removed until nothing changes: a node that refers to itself allows what nothing else
    refuses.
    """
    users: dict[int, list[Node]] = {}
    todo = list(nodes)
    for node in todo:
        node.allows = node.mask
        for other in (*node.all_of, *(each for choice in node.choices for each in choice.branches)):
            users.setdefault(id(other), []).append(node)
    while todo:
        node = todo.pop()
        allows = node.allowed()
        if allows != node.allows:
            node.allows = allows
            todo += users.get(id(node), ())


def constant(value: Any) -> Node:
    """Return the node that allows only `value`; numbers are compared as in JSON Schema."""
    kind = kind_of(value)
    node = Node(mask=1 << kind, allows=1 << kind)
    if kind == STRING:
        node.texts = (value,)
    elif kind == NUMBER:
        node.number_checks = (("const", [value].__contains__),)
        node.digits = digits_of(node.number_checks, (-inf, inf, False, False), values=[value])
    elif kind == OBJECT:
        node.names = {name: constant(each) for name, each in value.items()}
        node.required = tuple(value)
        node.extra = NEVER
    elif kind == ARRAY:
        node.prefix = tuple(constant(each) for each in value)
        node.items = NEVER
        node.min_items = node.max_items = len(value)
    node.seal()
    return node


def kind_of(value: Any) -> int:
    """Return the kind of a JSON value in Python."""
    if isinstance(value, bool):
        return TRUE if value else FALSE
    if isinstance(value, str):
        return STRING
    if value is None:
        return NULL
    if isinstance(value, dict):
        return OBJECT
    return ARRAY if isinstance(value, list) else NUMBER


def canonical(value: Any) -> Any:
    """Return a hashable key for `value`: equal for values that JSON Schema considers equal."""
    if isinstance(value, dict):
        return "o", frozenset((key, canonical(each)) for key, each in value.items())
    if isinstance(value, list):
        return "a", tuple(canonical(each) for each in value)
    return ("b", value) if isinstance(value, bool) else value


def among(texts: tuple[str, ...], text: str) -> bool:
    """Return whether `text` is one of the sorted `texts`."""
    at = bisect_left(texts, text)
    return at < len(texts) and texts[at] == text


def continues(texts: tuple[str, ...], so_far: str) -> bool:
    """Return whether one of the sorted `texts` begins with `so_far`."""
    at = bisect_left(texts, so_far)
    return at < len(texts) and texts[at].startswith(so_far)
