"""Subpatterns: named parts of patterns, defined by a policy file or built in, that patterns call.

A call has the syntax of PCRE and of `regex`, `(?&name)`, and stands for the subpattern in a
non-capturing group. It is replaced when the file is read, so the search knows no calls.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from guardstream.errors import PatternError
from guardstream.hints import hint
from guardstream.policy.document import KeyPath
from guardstream.policy.model import PolicyFile, RuleFile
from guardstream.scan.regex.parser import BLANK, COMMENT, NAMED_SET, parse

MAX_LENGTH = 100_000
"""The most code points of a pattern with all that it calls: calls in subpatterns multiply."""

BUILT_IN: Final = {
    "escape": (
        r"\\[nrt0]|\\u[0-9A-Fa-f]{4}|\\x[0-9A-Fa-f]{2}|%(?:25)?[0-9A-Fa-f]{2}|=3D"
        r"|(?<=[\[;][0-9]{0,3})m"
    ),
}
r"""What every file may call, unless it has a subpattern of that name.

`escape` is the end of an escape that a letter or digit ends: of a line break, a tab or a character
in JSON (RFC 8259) and code, of a byte in a URL (RFC 3986), or in one inside another, of `=` in a
mail (RFC 2045), of a colour in a terminal (SGR of ECMA-48). What follows begins a word:
`(?<!\w)|(?<=(?&escape))`.
"""

Report: TypeAlias = Callable[[KeyPath, int | None, str], None]
"""Records an error in the value at a path, perhaps at an offset in it."""

_SYNTAX = (
    rf"\\.|\[\^?\]?(?:\\.|{NAMED_SET.pattern}|[^\]\\])*\]|{COMMENT.pattern}"
    r"|\(\?&(?P<name>[^)]*)(?:\)|(?P<unclosed>\Z))"
    r"|\(\?(?!R\)|[0-9]+\))(?P<on>[A-Za-z0-9]*)(?P<off>(?:-[A-Za-z0-9-]*)?)(?P<scope>[:)])"
    r"|(?P<open>\()|(?P<close>\))"
)
_TOKEN = re.compile(_SYNTAX, re.DOTALL)
_SPACED_TOKEN = re.compile(rf"#[^\n]*|{_SYNTAX}", re.DOTALL)
"""The tokens of a pattern, here under `(?x)`: a call, flags, the beginning or end of a group; or an
escape, a class or a comment, which may only look like one of these."""


@dataclass(frozen=True, slots=True)
class _Token:
    """A call, or flags that hold for all that follows; and whether `(?x)` holds there."""

    place: re.Match[str]
    spaced: bool


def _tokens(text: str) -> Iterator[_Token]:
    """Find the calls and flags of a pattern, except those in comments under `(?x)`."""
    spaced, around, at = False, list[bool](), 0
    while place := (_SPACED_TOKEN if spaced else _TOKEN).search(text, at):
        at = place.end()
        if place["open"] or place["scope"] == ":":
            around.append(spaced)
        elif place["close"] and around:
            spaced = around.pop()
        elif place["name"] is not None or place["scope"]:
            yield _Token(place, spaced)
        if place["scope"]:
            spaced = (spaced or "x" in place["on"]) and "x" not in place["off"]


@dataclass(slots=True)
class Expansion:
    """A pattern in which calls are replaced."""

    text: str = ""
    calls: list[tuple[int, int, int, int]] = field(default_factory=list)
    """Where each call begins and ends as written, and where its replacement begins and ends."""

    def written(self, offset: int) -> int:
        """Return the offset in the pattern as written; in a replacement, that of its call."""
        longer = 0
        for begin, end, replaced, after in self.calls:
            if offset < replaced:
                break
            if offset < after:
                return begin
            longer = after - end
        return offset - longer


@dataclass(slots=True)
class Expanded:
    """A file whose patterns have no calls, the expansions by the paths of their patterns, and the
    names of subpatterns that no pattern calls."""

    file: PolicyFile
    expansions: dict[KeyPath, Expansion] = field(default_factory=dict)
    uncalled: tuple[str, ...] = ()


def expanded(
    file: PolicyFile, has: Callable[[KeyPath], bool], report: Report, *, sound: bool = False
) -> Expanded:
    """Replace the calls in all patterns of `file`; `has` says at which paths it has values. The
    subpatterns of a `sound` file are known to be valid.

    Errors are reported: in a subpattern by itself, and for a call to an unknown one.
    """
    calls = _Calls(has, report)
    for name, text in file.subpatterns.items():
        calls.define(name, text, sound=sound)
    rules = calls.in_rules(("rules",), file.rules)
    changes: dict[str, object] = {"subpatterns": {}, "rules": rules}
    if file.input is not None:
        rules = calls.in_rules(("input", "rules"), file.input.rules)
        changes["input"] = file.input.model_copy(update={"rules": rules})
    uncalled = tuple(name for name in file.subpatterns if name not in calls.called)
    return Expanded(file.model_copy(update=changes), calls.expansions, uncalled)


class _Calls:
    def __init__(self, has: Callable[[KeyPath], bool], report: Report) -> None:
        self.expansions: dict[KeyPath, Expansion] = {}
        self.called: set[str] = set()
        self._has = has
        self._report = report
        self._known: dict[str, str] = dict(BUILT_IN)

    def define(self, name: str, text: str, *, sound: bool) -> None:
        """Check a subpattern, which may call those above it."""
        path: KeyPath = ("subpatterns", name)
        tokens = list(_tokens(text))
        whole = self._replaced(path, text, tokens)
        self._known[name] = whole.text
        if sound:
            return
        flags = next((each.place for each in tokens if each.place["scope"]), None)
        if flags is not None:
            message = "flags would hold for all of the pattern that calls it: write (?i:…)"
            self._report(path, flags.start(), f"subpattern {name!r}: {message}")
            return
        try:
            parsed = parse(whole.text)
        except PatternError as error:
            offset = None if error.offset is None else whole.written(error.offset)
            self._report(path, offset, f"subpattern {name!r}: {error}")
            return
        if parsed.groups:
            message = "its groups would be counted with those of the pattern that calls it"
            self._report(path, None, f"subpattern {name!r}: {message}: write (?:…)")

    def in_rules(self, path: KeyPath, rules: list[RuleFile]) -> list[RuleFile]:
        """Return the rules with their patterns replaced."""
        return [self._in_rule((*path, index), rule) for index, rule in enumerate(rules)]

    def _in_rule(self, path: KeyPath, rule: RuleFile) -> RuleFile:
        changes: dict[str, object] = {}
        if rule.pattern and any(map(_calls, rule.pattern)):
            changes["pattern"] = self._listed((*path, "pattern"), rule.pattern)
        allowed = {
            key: self._listed((*path, "allow", key), patterns)
            for key, patterns in (("patterns", rule.allow.patterns), ("after", rule.allow.after))
            if any(map(_calls, patterns))
        }
        if allowed:
            changes["allow"] = rule.allow.model_copy(update=allowed)
        return rule.model_copy(update=changes) if changes else rule

    def _listed(self, path: KeyPath, patterns: list[str]) -> list[str]:
        places = [(*path, index) for index in range(len(patterns))]
        return [
            self._replaced(place if self._has(place) else path, text, _tokens(text)).text
            for place, text in zip(places, patterns, strict=True)
        ]

    def _replaced(self, path: KeyPath, text: str, tokens: Iterable[_Token]) -> Expansion:
        """Return a pattern with its calls replaced; `tokens` are its own."""
        made, end = Expansion(), 0
        for token in tokens:
            call = token.place
            if call["name"] is None:
                continue
            made.text += text[end : call.start()]
            end, replaced = call.end(), len(made.text)
            called = self._named(path, call)
            # Under `(?x)` of the caller, spaces and '#' of the subpattern stay literal.
            layout = token.spaced and BLANK.search(called)
            made.text += f"(?{'-x' if layout else ''}:{called})"
            made.calls.append((call.start(), end, replaced, len(made.text)))
            if len(made.text) > MAX_LENGTH:
                self._report(path, call.start(), f"longer than {MAX_LENGTH} with what it calls")
                return Expansion()
        made.text += text[end:]
        if made.calls:
            self.expansions[path] = made
        return made

    def _named(self, path: KeyPath, call: re.Match[str]) -> str:
        """Return the subpattern that is called; reports an unknown name."""
        name = call["name"]
        if call["unclosed"] is not None:
            self._report(path, call.start(), "missing ')': a call is written as in (?&name)")
            return ""
        if name in self._known:
            self.called.add(name)
            return self._known[name]
        where = "above it" if path[0] == "subpatterns" else "in 'subpatterns' of this file"
        message = f"no subpattern {name!r} {where}, {hint(name, self._known)}"
        self._report(path, call.start(), message)
        return ""


def _calls(text: str) -> bool:
    return "(?&" in text
