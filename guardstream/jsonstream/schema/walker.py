"""Walks the tokens of one document along a schema, and builds the value on the way.

It refuses at the first character from which no value that the schema allows can follow, if the
nodes can tell; otherwise their judges decide when the value closes. While several
nodes apply to one value, a `Parallel` follows them all.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from guardstream.jsonstream.lexer.tokens import (
    CLOSE_ARRAY,
    CLOSE_OBJECT,
    COMMA,
    INTEGER,
    KEY,
    KEY_PART,
    LITERAL,
    OPEN_ARRAY,
    OPEN_OBJECT,
    SCALAR_PART,
    STRING,
    STRING_PART,
    Token,
)
from guardstream.jsonstream.schema import faults
from guardstream.jsonstream.schema import nodes as n
from guardstream.jsonstream.schema.nodes import ANY, FIRST, Node
from guardstream.jsonstream.schema.parallel import Parallel
from guardstream.jsonstream.schema.prefixes import PrefixState
from guardstream.jsonstream.schema.refused import Budget, Refused

_FULL = Node(mask=0, allows=0)  # of an array that may have no more elements
_BETWEEN = (KEY, KEY_PART, COMMA)
_LITERAL_KINDS = {True: n.TRUE, False: n.FALSE, None: n.NULL}


class Walker:
    """One document's path through a schema.

    `source` returns the document's text between two offsets. `take` raises Refused with the offset;
    `value` is what has been built so far, and complete when the document is: objects as dict,
    numbers as int or float.
    """

    def __init__(
        self,
        root: Node,
        source: Callable[[int, int], str],
        offset: int = 0,
        *,
        duplicates: bool = False,
    ) -> None:
        self.value: Any = None
        self._source = source
        self._budget = Budget(offset)
        self._duplicates = duplicates
        self._child = root  # the node of the next value
        self._node = root  # the node of the open container, or of the current scalar
        self._container: Any = None
        self._key: str | None = None
        self._begun = False
        self._text = ""
        self._length = 0
        self._prefix: PrefixState | None = None  # of the open string
        self._stack: list[tuple[Any, Node, str | None, int]] = []
        self._opened = offset
        self._seen: list[set[Any]] = []  # the elements of each open array with `uniqueItems`
        self._scalar = ANY
        self._last: Any = None  # the last complete value
        self._parallel: Parallel | None = None

    @property
    def complete(self) -> bool:
        """Whether everything that the nodes require has been decided so far."""
        return self._budget.complete and not self._duplicates

    def take(self, tokens: list[Token]) -> None:  # noqa: C901  # the hot loop
        """Follow the next tokens. Raises Refused."""
        kind = COMMA
        try:
            for token in tokens:
                kind, value, start, end = token
                if kind == STRING_PART:
                    node = self._scalar
                    if not self._begun:
                        self._string_part(value, start, end)
                    elif node.watches_text:
                        length = self._length + len(value)
                        most_text = node.max_length
                        if (
                            node.texts is None and node.prefixes is None and length <= most_text  # type: ignore[operator]  # it watches
                        ):
                            self._length = length
                        else:
                            self._string_part(value, start, end)
                elif kind == KEY:
                    child = self._node.known.get(value)
                    # A known name that comes once needs no closer look.
                    if child is None or not child.allows or value in self._container:
                        self._member(value, start, end)
                    else:
                        self._begun = False
                        self._child = child
                        self._key = value
                elif kind == KEY_PART:
                    node = self._node
                    most = node.most_members
                    if most is not None or node.key_prefixes is not None:
                        text = self._text + value if self._begun else value
                        names = node.beginnings[text]
                        used = self._container
                        if names and names[0] not in used and (most is None or len(used) < most):
                            self._begun = True
                            self._text = text
                            self._prefix = None
                        else:
                            self._key_part(value, start, end)
                elif kind == COMMA:
                    node = self._node
                    if node is not ANY:
                        most = node.most_members
                        if type(self._container) is list or (
                            most is not None and len(self._container) >= most
                        ):
                            self._comma(start)
                        self._key = None
                elif kind == STRING:
                    self._string(value, start, end)
                    continue
                elif kind <= LITERAL:
                    self._end_scalar(kind, value, start, end)
                    continue
                elif kind == SCALAR_PART:
                    if not self._begun:
                        first = FIRST.get(value, n.NUMBER)
                        self._scalar = self._child.ready[first] or self._enter(first, start)
                        self._begun = True
                    node = self._scalar
                    if node.digits is not None and not (node.rises and value.isdecimal()):
                        self._digits(node, value, start)
                elif kind in (OPEN_OBJECT, OPEN_ARRAY):
                    self._open(kind, start)
                else:
                    self._close(kind, start)
                if self._parallel:
                    self._follow(token)
        except Refused as refused:
            if refused.path is None:
                refused.path = self._path(kind, added=False)
            raise

    def _path(self, kind: int, *, added: bool) -> list[str | int]:
        """Return the path to the value that a token of `kind` is about; `added` if it has been
        taken."""
        inside = [
            len(container) - 1 if type(container) is list else str(key)
            for container, _, key, _ in self._stack[1:]
        ]
        begins = kind in (OPEN_OBJECT, OPEN_ARRAY)
        ends = kind in (CLOSE_OBJECT, CLOSE_ARRAY)
        if kind in _BETWEEN or (begins and added) or (ends and not added):
            return inside
        if self._container is None:
            return []
        if type(self._container) is list:
            over = added and kind not in (STRING_PART, SCALAR_PART)
            return [*inside, len(self._container) - over]
        return [*inside, str(self._key)]

    # Scalars

    def _enter(self, kind: int, offset: int) -> Node:
        """Return the node that a value beginning at `offset` follows; ANY if a Parallel does."""
        child = self._child
        node = child.entered[kind]
        if node is False:
            node = child.enter(kind)
        if node is None:
            self._parallel = Parallel(child, self._budget, self._source, self._duplicates)
            return ANY
        if not node.mask >> kind & 1:  # type: ignore[union-attr]  # False was replaced
            raise Refused(offset, "maxItems" if child is _FULL else "type")
        return node  # type: ignore[return-value]

    def _string_part(self, part: str, start: int, end: int) -> None:
        if not self._begun:
            self._scalar = self._child.ready[n.STRING] or self._enter(n.STRING, start - 1)
            self._begun = True
            self._text = ""
            self._length = 0
            self._prefix = None
        node = self._scalar
        if part and node.watches_text:
            length = self._length + len(part)
            if (
                node.texts is not None or node.prefixes is not None or length > node.max_length  # type: ignore[operator]  # it watches
            ):
                self._watch(node, part, start, end)
            self._length = length

    def _watch(self, node: Node, part: str, start: int, end: int) -> None:
        state = self._prefix
        fault = faults.part_fault(node, self._text, self._length, part, start, end, state)
        if fault:
            raise Refused(*fault)
        if node.texts is not None:
            self._text += part
        if node.prefixes is not None:
            prefixes = node.prefixes[1]
            self._prefix, _ = prefixes.step(state, part)

    def _string(self, value: str, start: int, end: int) -> None:
        begun = None
        if self._begun:
            self._begun = False
            node, begun = self._scalar, self._prefix
        else:
            node = self._child.ready[n.STRING] or self._enter(n.STRING, start - 1)
        if node.checks_text and not (node.only_length and len(value) <= node.max_length):  # type: ignore[operator]
            fault = faults.end_fault(node, value, start, end, begun)
            if fault:
                raise Refused(*fault)
            if node.late >> n.STRING & 1:
                self._judge(node, value, start, end - 1)
        if self._parallel:
            self._follow((STRING, value, start, end))
        container = self._container
        if type(container) is dict:
            container[self._key] = value
        elif container is None:
            self.value = value
        else:
            container.append(value)
            if self._node.unique:
                self._unique(value, end - 1)

    def _end_scalar(self, token: int, value: Any, start: int, end: int) -> None:
        written = value
        last, kind = end, n.NUMBER  # the end of a number is only known at the character after it
        if token == LITERAL:
            last, kind = end - 1, _LITERAL_KINDS[value]
        else:
            value = int(value) if token == INTEGER else float(value)
        if self._begun:
            self._begun = False
            node = self._scalar
        else:
            node = self._child.ready[kind] or self._enter(kind, start)
        self._last = value
        if node.number_checks and kind == n.NUMBER:
            whole = node.whole
            if not (whole and type(value) is int and whole[0] <= value <= whole[1]):
                fault = faults.number_fault(node, value, written, start, last)
                if fault:
                    raise Refused(*fault)
        if node.late >> kind & 1:
            self._judge(node, value, start, last)
        if self._parallel:
            self._follow((token, written, start, end))
        container = self._container
        if type(container) is dict:
            container[self._key] = value
            return
        self._add(value)
        if self._node.unique and type(container) is list:
            self._unique(value, last)

    def _digits(self, node: Node, text: str, start: int) -> None:
        whole = node.whole
        if text in FIRST or (whole and text.isdecimal() and whole[0] <= int(text) <= whole[1]):
            return
        fault = faults.digits_fault(node, text, start)
        if fault:
            raise Refused(*fault)

    def _judge(self, node: Node, value: Any, start: int, last: int) -> None:
        """Ask the judge of a complete value, which is refused at its `last` character."""
        keyword = self._budget.judge(node, value, start, last + 1, self._source)
        if keyword:
            raise Refused(last, keyword)

    def _add(self, value: Any) -> None:
        container = self._container
        if type(container) is list:
            container.append(value)
        elif container is None:
            self.value = value
        else:
            container[self._key] = value

    # Containers

    def _open(self, kind: int, start: int) -> None:
        container: Any
        if kind == OPEN_OBJECT:
            node, container = self._child.ready[n.OBJECT] or self._enter(n.OBJECT, start), {}
        else:
            node, container = self._child.ready[n.ARRAY] or self._enter(n.ARRAY, start), []
            self._child = _FULL if node.max_items == 0 else node.item(0)
        self._add(container)
        self._stack.append((self._container, self._node, self._key, self._opened))
        self._container = container
        self._node = node
        self._opened = start
        self._key = None
        if node.unique:
            self._seen.append(set())

    def _close(self, kind: int, start: int) -> None:
        node, container, opened = self._node, self._container, self._opened
        if node is not ANY:
            keyword = faults.close_fault(node, container)
            if keyword:
                raise Refused(start, keyword)
            if node.late >> (n.OBJECT if kind == CLOSE_OBJECT else n.ARRAY) & 1:
                self._judge(node, container, opened, start)
        self._last = container
        self._container, self._node, self._key, self._opened = self._stack.pop()
        if node.unique:
            self._seen.pop()
        node = self._node
        if (node.unique or node.item_judge) and type(self._container) is list:
            self._end_item(node, container, opened, start)

    def _end_item(self, node: Node, item: Any, opened: int, last: int) -> None:
        judge = node.item_judge
        keyword = judge and judge(item, lambda: self._source(opened, last + 1), {})
        if keyword:
            raise Refused(last, keyword, self._path(STRING, added=True))
        if node.unique:
            self._unique(item, last)

    def _unique(self, item: Any, last: int) -> None:
        key = n.canonical(item)
        if key in self._seen[-1]:
            raise Refused(last, "uniqueItems", self._path(STRING, added=True))
        self._seen[-1].add(key)

    def _comma(self, start: int) -> None:
        node, container = self._node, self._container
        if type(container) is list:
            if node.max_items is None and not node.prefix:
                self._child = node.items or ANY
                return
            self._child = node.item(len(container))
        keyword = faults.comma_fault(node, container, self._duplicates)
        if keyword:
            raise Refused(start, keyword)

    def _key_part(self, part: str, start: int, end: int) -> None:
        if not self._begun:
            self._begun = True
            self._text = ""
            self._prefix = None
        node, used, so_far = self._node, self._container, self._text
        twice, state = self._duplicates, self._prefix
        fault = faults.key_part_fault(node, used, so_far, part, start, end, twice, state)
        if fault:
            raise Refused(*fault)
        self._text = faults.key_so_far((node,), so_far, part)
        self._prefix = faults.key_state(node, state, so_far, part)

    def _member(self, name: str, start: int, end: int) -> None:
        begun = self._prefix if self._begun else None
        self._begun = False
        node = self._node
        if node is ANY:
            self._child = ANY
        else:
            twice = self._duplicates
            fault = faults.key_fault(node, self._container, name, start, end, twice, begun)
            if fault:
                raise Refused(*fault)
            child = node.member(name)
            if not child.allows:
                raise Refused(end - 1, node.refusing(name))
            self._child = child
        self._key = name

    # Several nodes in parallel

    def _follow(self, token: Token) -> None:
        """Pass a token to the parallel nodes, and leave them when they are done.

        A bracket has been taken by then. A scalar has not, because what is refused is not part of
        the value.
        """
        parallel = self._parallel
        assert parallel
        try:
            parallel.take(token, self._container, self._last)
        except Refused as refused:
            refused.path = self._path(token[0], added=token[0] > LITERAL)
            raise
        if parallel.done:
            self._parallel = None
