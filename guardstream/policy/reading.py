"""Reads a YAML 1.2 document into plain values with their places in the text.

Reading never raises on bad input: each error becomes a `Problem` with its line and column, so that
a reader can report all of them at once. Aliases are followed, within bounds.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, MutableMapping
from contextlib import suppress
from itertools import takewhile
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.reader import ReaderError
from ruamel.yaml.tokens import DirectiveToken, DocumentStartToken, Token

from guardstream.policy import composing
from guardstream.policy.composing import TAG
from guardstream.policy.document import Document, KeyPath, Mark, Problem, Spot

MAX_VALUES = 200_000
"""The maximum number of values in one document, aliases counted each time; long lists belong in
files."""

MAX_DEPTH = 32
"""The maximum nesting of lists and mappings; the deepest key of a policy is at level six."""


def read(
    text: str, *, sound: bool = False, nodes: MutableMapping[KeyPath, Node] | None = None
) -> Document:
    """Read `text` into plain values: dict, list, str, int, float, bool, None.

    `sound` says that the text is known to be valid YAML, as the packs are. `nodes` receives the
    YAML node of each value, for callers that edit the text.
    """
    found = composing.documents(text, _converted) if sound else []
    if len(found) == 1:
        return Document(found[0], text=text)
    document = Document()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an anchor that is defined twice is valid YAML
            yaml = YAML(typ="safe", pure=True)
            # checked before composing, whose time is quadratic in it
            yaml.max_depth = 2 * MAX_DEPTH
            document.problems += _directives(text)
            root = None if document.problems else yaml.compose(text)
    except ReaderError as error:
        mark = mark_of_index(text, error.position)
        document.problems.append(Problem(mark, "a control character that YAML does not allow"))
    except MarkedYAMLError as error:
        document.problems.append(_syntax_problem(error))
    except RecursionError:
        document.problems.append(Problem(Mark(1, 1), "nested too deeply"))
    except _MALFORMED as error:
        document.problems.append(_malformed(text, error))
    else:
        if root is not None:
            document.value = _Reader(document, nodes).read(root, (), 0)
    return document


_MALFORMED = (
    YAMLError,
    ValueError,
    OverflowError,
    TypeError,
    AttributeError,
    IndexError,
    AssertionError,
)
"""What ruamel.yaml's scanner raises, some of it on malformed escapes and directives."""


def _malformed(text: str, error: Exception) -> Problem:
    """Return the problem of a text at which ruamel.yaml fails without naming the place."""
    escape = _TOO_HIGH.search(text, _scanned(text))
    if escape is None:
        return Problem(Mark(1, 1), f"not valid YAML ({type(error).__name__})")
    message = "not valid YAML: no character has the number in this escape: the highest is 0010FFFF"
    return Problem(mark_of_index(text, escape.start()), message)


_TOO_HIGH = re.compile(r"\\U(?!000|0010)[0-9A-Fa-f]{8}")


def _scanned(text: str) -> int:
    """Return how many code points the scanner turns into tokens before it fails."""
    end = 0
    with suppress(*_MALFORMED):
        for token in YAML(typ="safe", pure=True).scan(text):
            end = token.end_mark.index
    return end


_has_directive = re.compile(r"(?:\A\ufeff?|[\n\r\x85\u2028\u2029])%").search


def _directives(text: str) -> list[Problem]:
    """Return a problem for each directive that is unknown, or asks for another version of YAML, in
    which words such as yes would be other values."""
    if not _has_directive(text):
        return []
    tokens = YAML(typ="safe", pure=True).scan(text)
    before = takewhile(lambda token: not isinstance(token, DocumentStartToken), tokens)
    directives = (token for token in before if isinstance(token, DirectiveToken))
    return [
        Problem(_mark(each), f"{reason}: leave the directive %{each.name} out")
        for each in directives
        if (reason := _refusal(each.name, each.value))
    ]


def _refusal(directive: str, value: object) -> str | None:
    """Return why a directive is refused, None if it is not."""
    if directive == "YAML":
        return None if value == (1, 2) else "files are read as YAML 1.2"
    return None if directive == "TAG" else "unknown directive"


def _syntax_problem(error: MarkedYAMLError) -> Problem:
    place = error.problem_mark or error.context_mark
    mark = Mark(place.line + 1, place.column + 1) if place else Mark(1, 1)
    if error.problem and "maximum depth" in error.problem:
        return Problem(mark, "nested too deeply")
    parts = [part for part in (error.problem, error.context) if part]
    if parts and parts[0].startswith("but "):
        parts.reverse()
    message = _TUPLE.sub(r"\1", " ".join(", ".join(parts).split()))
    begun = error.context_mark
    if place and begun and begun.line < place.line and _BRACKETED.search(message):
        message += f" that begins at line {begun.line + 1}, column {begun.column + 1}"
    hint = next((remedy for sign, remedy in _REMEDIES.items() if sign in message), "")
    return Problem(mark, f"not valid YAML: {message}{hint}")


_TUPLE = re.compile(r"\(('[^']*'),\)")
"""A name as the parser prints it, in a tuple of its own."""

_BRACKETED = re.compile("while (?:scanning a (?:double-)?quoted|parsing a flow)")

_QUOTE = "; put the whole value in quotes, a pattern in single ones"

_REMEDIES = {
    "found character '\\t'": "; indent with spaces, not with tabs",
    "that cannot start any token": "; put the value in quotes",
    "unknown escape character": "; put patterns in single quotes, in which \\ is itself",
    "mapping values are not allowed": "; put a value that has ': ' in it in quotes",
    "found another document": "; leave out the line '---'",
    "while scanning an alias": "; put a value that begins with * in quotes",
    "unexpected end of stream, while scanning": "; close the quote",
    "expected '<document start>'": "; a policy is a single mapping",
    "but found '<scalar>'": _QUOTE,
    "but found '{'": _QUOTE,
    "but found '['": _QUOTE,
    "but got '{'": _QUOTE,
    "but got '['": _QUOTE,
    "while parsing a flow": (
        "; close each bracket, put a value that has ': ' in it or begins with # in quotes, and "
        "double a single quote inside single quotes"
    ),
    "expected <block end>": "; keys of one mapping, and items of one list, begin in one column",
}
"""How to fix what the parser reports, by words in its message."""


def mark_of_index(text: str, index: int) -> Mark:
    """Return the line and column of a character."""
    before = text[:index]
    return Mark(before.count("\n") + 1, index - (before.rfind("\n") + 1) + 1)


def _mark(node: Node | Token) -> Mark:
    return Mark(node.start_mark.line + 1, node.start_mark.column + 1)


def _spot(node: Node) -> Spot:
    line, column = _mark(node)
    begin, end = node.start_mark.line, node.end_mark.line
    if not isinstance(node, ScalarNode) or node.style in ("|", ">") or begin != end:
        return line, column, "", None
    if node.style == '"' and "\\" in _raw(node):
        return line, column, "", None
    return line, column, node.style or "", str(node.value)


def _raw(node: ScalarNode) -> str:
    buffer: str | None = node.start_mark.buffer
    return "\\" if buffer is None else buffer[node.start_mark.pointer : node.end_mark.pointer]


class _LimitError(Exception):
    """The document is larger than any policy."""

    def __init__(self, node: Node, message: str) -> None:
        super().__init__(message)
        self.node = node


class _Reader:
    def __init__(
        self, document: Document, nodes: MutableMapping[KeyPath, Node] | None = None
    ) -> None:
        self._document = document
        self._nodes = nodes
        self._count = 0
        self._around: list[Node] = []
        """The nodes that the current one is in."""

    def read(self, node: Node, path: KeyPath, depth: int) -> object:
        try:
            return self._read(node, path, depth)
        except _LimitError as error:
            self._problem(error.node, str(error))
            return None

    def _problem(self, node: Node, message: str) -> None:
        self._document.problems.append(Problem(_mark(node), message))

    def _read(self, node: Node, path: KeyPath, depth: int) -> object:
        self._count += 1
        if self._count > MAX_VALUES:
            message = f"more than {MAX_VALUES} values, aliases included: put lists in files"
            raise _LimitError(self._around[min(1, len(self._around) - 1)], message)
        if depth > MAX_DEPTH:
            raise _LimitError(node, f"nested deeper than {MAX_DEPTH}")
        self._document.values[path] = _spot(node)
        if self._nodes is not None:
            self._nodes[path] = node
        if not self._has_known_tag(node):
            return None
        if isinstance(node, ScalarNode):
            return self._scalar(node)
        if any(each is node for each in self._around):
            raise _LimitError(node, f"the alias *{node.anchor} is inside its own value")
        self._around.append(node)
        try:
            return self._collection(node, path, depth)
        finally:
            self._around.pop()

    def _collection(self, node: Node, path: KeyPath, depth: int) -> object:
        if isinstance(node, MappingNode):
            return self._mapping(node, path, depth)
        items = enumerate(node.value)
        return [self._read(item, (*path, index), depth + 1) for index, item in items]

    def _mapping(self, node: MappingNode, path: KeyPath, depth: int) -> dict[str, object]:
        result: dict[str, object] = {}
        for key, value in node.value:
            if not isinstance(key, ScalarNode):
                self._problem(key, "a key must be plain text")
                continue
            if not self._has_known_tag(key):
                continue
            name = _whole(str(key.value))
            if _HALF.search(name):
                self._problem(key, _HALF_MESSAGE)
                continue
            if name in result:
                line, _ = self._document.keys[(*path, name)]
                self._problem(key, f"duplicate key {name!r}, first in line {line}")
                continue
            self._document.keys[(*path, name)] = (*_mark(key),)
            result[name] = self._read(value, (*path, name), depth + 1)
        return result

    def _has_known_tag(self, node: Node) -> bool:
        """Return whether the node's tag is one of its kind of node; otherwise report it."""
        tag = str(node.tag)
        if tag in _TAGS[type(node)]:
            return True
        what = "unsupported" if tag.startswith(TAG) else "unknown"
        self._problem(node, f"{what} tag {tag!r}")
        return False

    def _scalar(self, node: ScalarNode) -> object:
        kind = str(node.tag).removeprefix(TAG)
        text = _whole(str(node.value))
        if _HALF.search(text):
            self._problem(node, _HALF_MESSAGE)
            return None
        try:
            return _converted(kind, text)
        except ValueError:
            self._problem(node, f"not {_NAMES[kind]}: put it in quotes if it is text")
            return None


def _whole(text: str) -> str:
    r"""Join halves of surrogate pairs: JSON writes characters as `"\ud83d\ude00"`, and is YAML."""
    if not _SURROGATE.search(text):
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")


_SURROGATE = re.compile("[\ud800-\udbff][\udc00-\udfff]")
_HALF = re.compile("[\ud800-\udfff]")
_HALF_MESSAGE = "half of a surrogate pair: write the character itself"

# YAML 1.2, 10.3.2. ruamel.yaml takes these for numbers, as YAML 1.1 does.
_ONLY_IN_1_1 = re.compile(r"[^_]*_|[-+]?0b|[-+]0[ox]")


def _converted(kind: str, text: str) -> object:
    """Return the value of a scalar of a kind; ValueError if it is not one."""
    if kind in ("int", "float") and _ONLY_IN_1_1.match(text):
        return text
    return _SCALARS[kind](text)


def _integer(text: str) -> int:
    return int(text, 0) if re.match("0[ox]", text) else int(text)


def _boolean(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise ValueError(text)
    return text.lower() == "true"


_SCALARS: dict[str, Callable[[str], Any]] = {
    "str": str,
    "int": _integer,
    "float": lambda text: float(re.sub(r"\.(?=inf|nan)", "", text.lower())),
    "bool": _boolean,
    "null": lambda _: None,
    "timestamp": str,
    "merge": str,
    "value": str,
}

_NAMES = {
    "int": "a whole number, or one of thousands of digits",
    "float": "a number",
    "bool": "true or false",
}

_TAGS: dict[type[Node], frozenset[str]] = {
    ScalarNode: frozenset(TAG + name for name in _SCALARS),
    SequenceNode: frozenset((TAG + "seq",)),
    MappingNode: frozenset((TAG + "map",)),
}
"""The tags that each kind of node may have."""
