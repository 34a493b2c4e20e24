"""Warnings about a rule: its id, tests, replacement, keywords and exceptions."""

from __future__ import annotations

from collections.abc import Iterator

import regex

from guardstream.policy.build import CompiledPolicy
from guardstream.policy.document import Problem
from guardstream.policy.lint.patterns import bounded, masked
from guardstream.policy.lint.places import about, exceptions
from guardstream.policy.model import ReplacementFile
from guardstream.policy.sources import PlacedRule
from guardstream.scan.regex.analysis import max_width
from guardstream.scan.regex.parser import parse
from guardstream.scan.words.normalize import whole_by_default
from guardstream.stages.exceptions import WRITTEN_OUT, may_take_long
from guardstream.stages.rules import Rule


def find(built: CompiledPolicy, placed: PlacedRule, rule: Rule) -> Iterator[Problem]:
    """Yield the warnings about a rule."""
    yield from _id_of_a_section(built, placed)
    yield from _untested(placed)
    yield from _template(placed, rule)
    yield from _irreversible(built, placed)
    yield from _unused_replacement(built, placed, rule)
    yield from _hidden_ends(built, placed, rule)
    yield from _long_exceptions(placed, rule)
    yield from _far_keywords(placed, rule)


def _id_of_a_section(built: CompiledPolicy, placed: PlacedRule) -> Iterator[Problem]:
    """Warn of an id under which a section reports, as `limits.stop`, or a check of `gate`."""
    own = placed.rule.id
    section, dot, _ = own.partition(".")
    if any(check.name == own for check in built.file.gate):
        section = "gate"
    elif section != "json" and not (section == "limits" and dot):
        return
    message = f"is also that of findings of the section {section!r}: name the rule otherwise"
    yield Problem(placed.origin.mark("id"), f"the id {own!r} {message}")


def _untested(placed: PlacedRule) -> Iterator[Problem]:
    if not placed.rule.tests:
        yield Problem(placed.origin.mark("id"), f"rule {placed.rule.id!r} has no test")


_PLACEHOLDER = regex.compile(r"\{\w*\}|\\\d|\\g<\w+>")
"""What a template replaces here, or where groups can be named in a replacement, as in Python."""


def _template(placed: PlacedRule, rule: Rule) -> Iterator[Problem]:
    """Warn of a replacement with an unknown placeholder, or a reference to a group."""
    made = rule.replacement
    for name in _PLACEHOLDER.findall(made) if isinstance(made, str) else ():
        if name != "{id}":
            message = f"{name!r} is output literally, only '{{id}}' is replaced"
            yield about(placed.origin, message, "replacement")


def _irreversible(built: CompiledPolicy, placed: PlacedRule) -> Iterator[Problem]:
    """Warn of a rule whose `reversible` has no effect."""
    here = placed.origin_of("reversible")
    if not placed.rule.reversible or here.source is not built.source:
        return
    if not built.source.prefix:
        if built.input is None:  # other files may extend it in their 'input'
            return
        why = "only rules in the section 'input' are reversible"
    elif placed.rule.action != "mask":
        why = f"a rule with 'action: {placed.rule.action}' masks nothing that could be restored"
    else:
        return
    yield about(here, f"'reversible' has no effect: {why}", "reversible")


def _unused_replacement(built: CompiledPolicy, placed: PlacedRule, rule: Rule) -> Iterator[Problem]:
    """Warn of a rule with a replacement that is never used."""
    here, action = placed.origin_of("replacement"), placed.rule.action
    if placed.rule.replacement is None or here.source is not built.source:
        return
    if action == "monitor" or (action != "mask" and not _may_overflow(built, rule)):
        message = f"'replacement' has no effect with 'action: {action}', which masks nothing"
        yield about(here, message, "replacement")


def _may_overflow(built: CompiledPolicy, rule: Rule) -> bool:
    """Return whether a rule's candidate may overflow, and is masked then."""
    file = built.file
    if file.on_overflow != "mask":
        return False
    if rule.normalize or max(map(len, rule.words), default=0) >= file.max_holdback:
        return True
    return any(_is_long(pattern, file.max_holdback) for pattern in rule.patterns)


def _is_long(pattern: str, limit: int) -> bool:
    """Return whether a match, with its lookaheads, may have more than `limit` characters."""
    width = max_width(bounded(parse(pattern).tree))
    return width is None or width >= limit or regex.search(r"\(\?[=!]", pattern) is not None


def _hidden_ends(built: CompiledPolicy, placed: PlacedRule, rule: Rule) -> Iterator[Problem]:
    """Warn of `keep` if every match is too short for its ends to be shown."""
    made, here = placed.rule.replacement, placed.origin_of("replacement")
    if here.source is not built.source or not isinstance(made, ReplacementFile) or not made.keep:
        return
    most = 2 * (made.keep.first + made.keep.last)
    longest = _longest(rule)
    if longest is not None and longest <= most:
        message = (
            f"'keep' shows nothing: a match has at most {longest} characters, and only of one "
            f"with more than {most} are the ends shown"
        )
        yield about(here, message, "replacement", "keep")


def _longest(rule: Rule) -> int | None:
    """Return the most characters that a rule masks as one match; None if there is no limit.

    With normalisation a match may have more characters than its pattern.
    """
    if rule.normalize:
        return None
    longest = max((len(word.casefold()) for word in rule.words), default=0)
    for parsed in map(parse, rule.patterns):
        for node in masked(bounded(parsed.tree), parsed, rule.group):
            width = max_width(node)
            if width is None:
                return None
            longest = max(longest, width)
    return longest


def _long_exceptions(placed: PlacedRule, rule: Rule) -> Iterator[Problem]:
    """Warn of exceptions that may take so long for some texts that the rule fails."""
    for here, parts, pattern in exceptions(placed, rule):
        if may_take_long(pattern, stands_before="after" in parts):
            message = (
                "the exception may take too many steps for a long match, and then the rule fails: "
                f"leave out its back-references, counters of more than {WRITTEN_OUT:,} with other "
                "repeats in or beside them, and unbounded lookarounds in a repeat"
            )
            yield about(here, message, *parts)


def _far_keywords(placed: PlacedRule, rule: Rule) -> Iterator[Problem]:
    """Warn of keywords that are longer than the text that is searched for them."""
    within, here = rule.keyword_distance, placed.origin_of("keywords")
    for word in rule.keywords:
        shortest = regex.sub(r"[\s_-]", "", word) if whole_by_default(word) else word
        needed = len(shortest) + whole_by_default(word)  # something is between two words
        if needed > within:
            message = (
                f"the keyword {word!r} is never found: it needs {needed} of the characters before "
                f"a match, and 'within' is {within}"
            )
            yield about(here, message, "keywords")
