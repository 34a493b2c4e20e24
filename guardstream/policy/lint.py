"""Warns of what is valid in a policy but probably not intended, each time with its place.

The errors of a policy that does not load are reported by loading it. Only the file's own rules are
checked, because the files that it extends have warnings of their own.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cache
from typing import NamedTuple

import regex
from pydantic import BaseModel

from guardstream.errors import PatternError
from guardstream.policy import problems
from guardstream.policy.build import CHANNELS, CompiledPolicy, applies
from guardstream.policy.checks import is_code
from guardstream.policy.document import Problem
from guardstream.policy.model import OPERATIONAL, ReplacementFile
from guardstream.policy.operational import named_secret, secrets_of
from guardstream.policy.sources import Origin, PlacedRule
from guardstream.policy.validators import NAMED
from guardstream.scan.regex.analysis import max_width, may_be_empty
from guardstream.scan.regex.ast import (
    ANY,
    Alt,
    Assert,
    Atomic,
    Cat,
    Char,
    Group,
    Look,
    Node,
    Reference,
    Repeat,
)
from guardstream.scan.regex.parser import Parsed, parse
from guardstream.scan.regex.rewrite import fragments, inside, walk, with_inside
from guardstream.scan.words.normalize import TRANSLATED, Table, whole_by_default
from guardstream.stages.confirm import confirmation_of
from guardstream.stages.exceptions import WRITTEN_OUT, may_take_long
from guardstream.stages.limits.stop import unreachable
from guardstream.stages.rules import Rule

_SAMPLE = "aZ5_-.:/ \n\"'<(@中é"
"""Characters by which two classes are compared: overlapping ones nearly always share one of
these."""


def warnings(built: CompiledPolicy) -> list[str]:
    """Return the warnings about a policy's own rules, as `file:line:column: warning: …`."""
    found = [*_limits(built), *_nothing(built), *_keys(built), *_arguments(built)]
    found += _unused_subpatterns(built)
    earlier = _Earlier()
    for placed, rule in zip(built.placed, built.rules, strict=True):
        shadowed = _shadowed(placed, rule, earlier)
        earlier.add(placed, rule)
        if placed.origin.source is not built.source:
            continue
        found += _id_of_a_section(built, placed)
        found += _untested(placed)
        found += _template(placed, rule)
        found += _irreversible(built, placed)
        found += _unused_replacement(built, placed, rule)
        found += _unused_spaces(placed, rule)
        found += _never_found(placed, rule)
        found += _turned_digits(placed, rule)
        found += _hidden_ends(built, placed, rule)
        found += _refused_words(placed, rule)
        found += _long_exceptions(placed, rule)
        found += _far_keywords(placed, rule)
        found += _patterns_as_words(placed)
        found += _lost_characters(placed, rule)
        found += shadowed
        found += _long_words(placed, rule, built.file.max_holdback)
        for index, pattern in enumerate(rule.patterns):
            notes = pattern_warnings(pattern, rule.group, built.file.max_holdback)
            found += [_about(placed.origin, note, "pattern", index) for note in notes]
    lines = problems.warnings_of(built.source.name, found)
    return lines + (warnings(built.input) if built.input else [])


def missing_keys(built: CompiledPolicy) -> list[str]:
    """Return a warning for each secret that the policy needs and the environment does not have."""
    return problems.warnings_of(built.source.name, _keys(built))


def _nothing(built: CompiledPolicy) -> Iterator[Problem]:
    """Warn of a policy that guards nothing, or a section `input` that checks nothing."""
    file, source = built.file, built.source
    does = built.placed or file.json_ or file.limits or file.stages or file.gate or built.input
    if not does:
        what = "section 'input'" if source.prefix else "policy"
        hint = "give it 'rules', or name a policy that has some under 'extends'"
        yield Problem(source.document.key_mark(source.prefix), f"the {what} does nothing: {hint}")


def _unused_subpatterns(built: CompiledPolicy) -> Iterator[Problem]:
    """Warn of subpatterns that no pattern of their file calls."""
    for name in built.source.uncalled:
        mark = built.source.document.key_mark(("subpatterns", name))
        yield Problem(mark, f"no pattern of this file calls the subpattern {name!r}: leave it out")


def _keys(built: CompiledPolicy) -> Iterator[Problem]:
    """Warn of secrets that the policy needs and that are missing."""
    for placed in built.placed:
        made = placed.rule.replacement
        here = placed.origin_of("replacement")
        if here.source is not built.source or not isinstance(made, ReplacementFile):
            continue
        if made.pseudonym and not os.environ.get(made.pseudonym.key_env):
            mark = here.mark("replacement", "pseudonym", "key_env")
            name = made.pseudonym.key_env
            yield Problem(mark, f"{name!r}, which holds the key, is not set in this environment")
    for section in OPERATIONAL:
        values = getattr(built.file, section)
        for path, secret in secrets_of(values) if isinstance(values, BaseModel) else ():
            name = named_secret(secret) or secret
            if not os.environ.get(name):
                mark = built.source.document.mark((section, *path))
                what = f"{name!r}, which holds a secret, is not set in this environment"
                yield Problem(mark, what)


def _arguments(built: CompiledPolicy) -> Iterator[Problem]:
    """If there is a vault, warn of rules that irreversibly change tool arguments."""
    if built.input is None or not any(each.rule.reversible for each in built.input.placed):
        return
    for placed in built.placed:
        rule = placed.rule
        if placed.origin.source is not built.source:
            continue
        if rule.action == "mask" and applies(rule, "tool_args") and not rule.reversible:
            message = "masks tool arguments, and no vault restores them: set 'channels'"
            yield Problem(placed.origin.mark("id"), f"rule {rule.id!r} {message}")


def _limits(built: CompiledPolicy) -> Iterator[Problem]:
    section, source = built.file.limits, built.keys.get(("limits", "stop"))
    if section is None or source is not built.source:
        return
    for index, sequence in enumerate(section.stop):
        if regex.search(r"\\[nrt]", sequence):
            yield Problem(
                source.document.mark(("limits", "stop", index)),
                "the stop sequence contains a backslash and a letter: write a line break as "
                r'"\n", in double quotes',
            )
    for sequence, other in unreachable(section.stop).items():
        mark = source.document.mark(("limits", "stop", section.stop.index(sequence)))
        message = (
            f"the stop sequence {sequence!r} is never reached: {other!r} ends the stream first"
        )
        yield Problem(mark, message)


def _about(here: Origin, message: str, *parts: str | int) -> Problem:
    """Return a warning about one of the values of a rule."""
    return Problem(here.mark(*parts), f"rule {here.rule.id!r}: {message}")


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


def _template(placed: PlacedRule, rule: Rule) -> Iterator[Problem]:
    """Warn of a replacement with an unknown placeholder."""
    made = rule.replacement
    for name in regex.findall(r"\{\w*\}", made) if isinstance(made, str) else ():
        if name != "{id}":
            message = f"{name!r} is output literally, only '{{id}}' is replaced"
            yield _about(placed.origin, message, "replacement")


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
    yield _about(here, f"'reversible' has no effect: {why}", "reversible")


def _unused_replacement(built: CompiledPolicy, placed: PlacedRule, rule: Rule) -> Iterator[Problem]:
    """Warn of a rule with a replacement that is never used."""
    here, action = placed.origin_of("replacement"), placed.rule.action
    if placed.rule.replacement is None or here.source is not built.source:
        return
    if action == "monitor" or (action != "mask" and not _may_overflow(built, rule)):
        message = f"'replacement' has no effect with 'action: {action}', which masks nothing"
        yield _about(here, message, "replacement")


def _unused_spaces(placed: PlacedRule, rule: Rule) -> Iterator[Problem]:
    """Warn of normalisation of spaces in a rule without spaces."""
    names = [name for name in rule.normalize if name in ("spaces", "markdown")]
    spaced = (char.isspace() for word in rule.words for char in word)
    if names and not any(spaced) and not any(map(_has_space, rule.patterns)):
        message = f"{names[0]!r} has no effect: no word and no pattern of it has a space"
        yield _about(placed.origin, message, "normalize")


def _never_found(placed: PlacedRule, rule: Rule) -> Iterator[Problem]:
    """Warn of characters in patterns that normalisation turns into others, so that they are never
    found."""
    names = TRANSLATED.intersection(rule.normalize)
    if not names:
        return
    table = Table(names)
    for here, parts, pattern in _patterns(placed, rule):
        turned = {
            character: table[ord(character)]
            for fragment in _fragments(pattern)
            for character in {*_AS_LETTERS, *fragment}
            if _loses(fragment, character, table[ord(character)])
        }
        if turned:
            changes = " and ".join(f"{old!r} into {new!r}" for old, new in sorted(turned.items()))
            instead = " and ".join(map(repr, sorted(set(turned.values()))))
            message = f"'normalize' turns {changes} before patterns match: match {instead} there"
            yield _about(here, message, *parts)


def _patterns(
    placed: PlacedRule, rule: Rule
) -> Iterator[tuple[Origin, tuple[str | int, ...], str]]:
    """Yield the patterns of a rule and of its exceptions, each with its place."""
    for index, pattern in enumerate(rule.patterns):
        yield placed.origin, ("pattern", index), pattern
    yield from _exceptions(placed, rule)


def _exceptions(
    placed: PlacedRule, rule: Rule
) -> Iterator[tuple[Origin, tuple[str | int, ...], str]]:
    """Yield the patterns of a rule's exceptions, each with its place."""
    for name, patterns in (("patterns", rule.allow_patterns), ("after", rule.allow_after)):
        for index, pattern in enumerate(patterns):
            yield placed.origin_of("allow"), ("allow", name, index), pattern


def _fragments(pattern: str) -> Iterator[str]:
    """Yield the sets of characters in a pattern; none of one that only complete texts can match."""
    with suppress(PatternError):
        yield from fragments(parse(pattern).tree)


def _turned_digits(placed: PlacedRule, rule: Rule) -> Iterator[Problem]:
    """Warn of checks that need all digits of a match, if normalisation turns some into letters."""
    if "confusables" not in rule.normalize:
        return
    for check in placed.rule.validate_ or ():
        if isinstance(check, str) and check in NAMED and check != "varied":
            message = (
                f"'confusables' turns '0' and '1' into letters before {check!r} sees a match, "
                "which is then judged without them: remove one of the two"
            )
            yield _about(placed.origin_of("validate_"), message, "validate")


_AS_LETTERS = "01"
"""Digits that `confusables` turns into letters; a pattern hardly ever names them one by one."""

_PRIVATE = "\ue000"


def _loses(fragment: str, character: str, turned: str) -> bool:
    """Return whether a set of characters has a character, but not what it is turned into.

    A negated set, which also has characters that nobody names, is meant to exclude the latter.
    """
    if turned == character:
        return False
    has = regex.compile(fragment, regex.V0).fullmatch
    return bool(has(character)) and not has(turned) and not has(_PRIVATE)


def _refused_words(placed: PlacedRule, rule: Rule) -> Iterator[Problem]:
    """Warn of words that the rule's own checks or exceptions always let pass."""
    if rule.normalize or any(map(is_code, placed.rule.validate_ or ())):
        return
    confirmation = confirmation_of(replace(rule, keywords=(), allow_after=()))
    if confirmation is None:
        return

    def is_refused(word: str) -> bool:
        return not any(confirmation.of_words.judge(each, "") for each in _spellings(rule, word))

    refused = list(filter(is_refused, rule.words))
    if refused:
        message = f"{len(refused)} of its words are never found: 'validate' or 'allow' refuses them"
        yield _about(placed.origin_of("words"), message, "words")


def _long_exceptions(placed: PlacedRule, rule: Rule) -> Iterator[Problem]:
    """Warn of exceptions that may take so long for some texts that the rule fails."""
    for here, parts, pattern in _exceptions(placed, rule):
        if may_take_long(pattern, stands_before="after" in parts):
            message = (
                "the exception may take too many steps for a long match, and then the rule fails: "
                f"leave out its back-references, counters of more than {WRITTEN_OUT:,} with other "
                "repeats in or beside them, and unbounded lookarounds in a repeat"
            )
            yield _about(here, message, *parts)


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
            yield _about(here, message, "keywords")


_AS_PATTERN = regex.compile(
    r"\\[bdDsSwW]|\(\?|\.[*+]|a-z|A-Z|0-9\]|[\])][*+?]|\w\{\d|(?:\w{3}|\w-)\*$|^\*[.@-]"
)
"""Hardly ever in a word, unless it was meant as a pattern."""


def is_like_pattern(word: str) -> bool:
    """Return whether a word looks like a pattern."""
    return _AS_PATTERN.search(word) is not None


def _patterns_as_words(placed: PlacedRule) -> Iterator[Problem]:
    """Warn of words that look like patterns: they are only found as they are written."""
    words, here = placed.rule.words, placed.origin_of("words")
    for index, word in enumerate(words if isinstance(words, list) else ()):
        if is_like_pattern(word):
            shown = repr(word[:40]).replace(r"\\", "\\")
            message = f"{shown} is only found as it is written: for a pattern, use 'pattern'"
            yield _about(here, message, "words", index)


_LOST = "\ufffd"
"""The replacement character, which a conversion writes for bytes that it cannot read."""


def _lost_characters(placed: PlacedRule, rule: Rule) -> Iterator[Problem]:
    """Warn of words in which characters were lost; a word of nothing else is meant."""
    broken = [word for word in rule.words if _LOST in word and word.strip(_LOST)]
    if broken:
        message = (
            f"{len(broken)} of its words have U+FFFD in them, the sign of characters that were "
            "lost in a conversion: write the words again"
        )
        yield _about(placed.origin_of("words"), message, "words")


def _spellings(rule: Rule, word: str) -> Iterator[str]:
    """Yield the usual ways to write a word: patterns and validators may tell them apart."""
    yield word
    if rule.ignore_case:
        yield from (word.lower(), word.upper(), word.title(), word.swapcase())


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
        yield _about(here, message, "replacement", "keep")


def _longest(rule: Rule) -> int | None:
    """Return the most characters that a rule masks as one match; None if there is no limit.

    With normalisation a match may have more characters than its pattern.
    """
    if rule.normalize:
        return None
    longest = max((len(word.casefold()) for word in rule.words), default=0)
    for parsed in map(parse, rule.patterns):
        for node in _masked(_bounded(parsed.tree), parsed, rule.group):
            width = max_width(node)
            if width is None:
                return None
            longest = max(longest, width)
    return longest


def _has_space(pattern: str) -> bool:
    """Return whether a pattern contains a space that `parse` treats as one."""
    return parse(pattern).tree != parse(pattern, r"\s").tree


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
    width = max_width(_bounded(parse(pattern).tree))
    return width is None or width >= limit or regex.search(r"\(\?[=!]", pattern) is not None


def _long_words(placed: PlacedRule, rule: Rule, limit: int) -> Iterator[Problem]:
    longest = max(map(len, rule.words), default=0)
    if longest > limit:
        message = f"rule {rule.id!r} has a word of {longest} characters, {limit} can be held"
        yield Problem(placed.origin.mark("words"), message)


class _Known(NamedTuple):
    """A rule, and its words as it compares them."""

    rule: Rule
    channels: frozenset[str]
    words: frozenset[str]


class _Earlier:
    """The rules before another, by word and pattern: few share one, and only those can cover it."""

    def __init__(self) -> None:
        self._by: defaultdict[str, list[_Known]] = defaultdict(list)

    def add(self, placed: PlacedRule, rule: Rule) -> None:
        """Add a rule that finds everything it looks for; one with conditions covers nothing."""
        if rule.has_checks:
            return
        words = frozenset(_folded(rule, rule.words))
        known = _Known(rule, frozenset(placed.rule.channels or CHANNELS), words)
        for key in {*map(str.casefold, rule.words), *rule.patterns}:
            self._by[key].append(known)

    def that_share(self, rule: Rule) -> Sequence[_Known]:
        """Return the rules, in order, that look for the first thing that `rule` looks for."""
        key = rule.words[0].casefold() if rule.words else rule.patterns[0]
        return self._by.get(key, ())


def _folded(rule: Rule, words: Iterable[str]) -> Iterator[str]:
    """Yield words as `rule` compares them."""
    return map(str.casefold, words) if rule.ignore_case else iter(words)


def _shadowed(placed: PlacedRule, rule: Rule, earlier: _Earlier) -> list[Problem]:
    for known in earlier.that_share(rule):
        if _covers(known, placed, rule):
            message = f"rule {rule.id!r} is shadowed: {known.rule.id!r} finds all its matches"
            return [Problem(placed.origin.mark("id"), message)]
    return []


def _covers(known: _Known, placed: PlacedRule, rule: Rule) -> bool:
    """Return whether an earlier rule of equal effect finds everything that `rule` finds."""
    first = known.rule
    if (first.action, first.group, first.whole_word) != (rule.action, rule.group, rule.whole_word):
        return False
    if not known.channels.issuperset(placed.rule.channels or CHANNELS):
        return False
    if not set(first.normalize).issuperset(rule.normalize):
        return False
    if rule.ignore_case and not first.ignore_case:
        return False
    same = set(first.patterns).issuperset(rule.patterns)
    return same and known.words.issuperset(_folded(first, rule.words))


# Patterns


def pattern_warnings(pattern: str, group: str | int | None, limit: int) -> Iterator[str]:
    """Yield warnings about one pattern of a rule that masks `group`."""
    try:
        parsed = parse(pattern)
    except PatternError:
        return
    if regex.fullmatch(r"/.*/[a-z]*|r'.*'|r\".*\"", pattern):
        yield (
            "the pattern includes its delimiters: leave out /…/ or r'…', and write flags as (?i)"
        )
    if _is_whole(parsed.tree):
        yield (
            "the pattern matches only a text that it fits from its first to its last character: "
            "leave out ^ and $, or let them mean lines with (?m)"
        )
    yield from _as_yaml(pattern)
    yield from _misread(pattern, parsed.tree)
    width = max_width(next(_masked(_bounded(parsed.tree), parsed, group)))
    if width is None:
        yield (
            f"the pattern is unbounded: {limit} characters are held at most, the rest overflows; "
            r"give its repeats a bound, such as \s{1,8} for \s+"
        )
    elif width > limit:
        yield f"a match can have {width} characters, {limit} can be held: the rest overflows"
    if regex.search(r"(?<!\\)(?:\\\\)*\\[bB]", pattern):
        yield r"\b finds no boundary beside Chinese characters: use (?<![A-Za-z0-9_]) and the like"
    if _quadratic(parsed.tree):
        yield "the pattern takes quadratic time: two repeats in a row can match the same characters"


def _is_whole(node: Node) -> bool:
    """Return whether a pattern is anchored at both ends of a text."""
    if isinstance(node, Group):
        return _is_whole(node.item)
    if not isinstance(node, Cat) or not node.items:
        return False
    first, last = node.items[0], node.items[-1]
    return first == Assert("start") and last == Assert("end")


def _as_yaml(pattern: str) -> Iterator[str]:
    """Warn of a pattern that YAML has changed, so that it loads but finds nothing."""
    if "\b" in pattern:
        yield r"the pattern contains a backspace: in double quotes \b is one, so use single quotes"
    if pattern.endswith("\n") and not regex.compile(pattern).flags & regex.VERBOSE:
        yield (
            "the pattern ends with a line break, which must match, too: begin the block "
            "with |- or >- in place of | or >"
        )


_DOUBLED = regex.compile(r"(?<!\\)(?:\\\\)+(?<letter>[dDsSwW])(?:[*+?]|\{[0-9,])")
"""A repeated class whose backslash is written twice, as JSON and double quotes want it."""


def _misread(pattern: str, tree: Node) -> Iterator[str]:
    """Warn of constructs that other tools and languages read differently: they load, but find
    something else."""
    if doubled := _DOUBLED.search(pattern):
        letter = doubled["letter"]
        yield (
            rf"\\{letter} is a backslash and the letter {letter!r}: "
            rf"in single quotes, write the class as \{letter}"
        )
    sets = set(fragments(tree))
    for written in sorted(filter(regex.compile(r"\[:\^?[a-z]+:\]").fullmatch, sets)):
        yield f"{written} is a set of its own letters: write the class as [{written}]"
    if any(regex.search(r"\[.*(?<!\\)A-z", written) for written in sets):
        yield r"A-z also means the signs [ \ ] ^ _ and `: write A-Za-z"


def _masked(tree: Node, parsed: Parsed, group: str | int | None) -> Iterator[Node]:
    """Yield the parts of a pattern's tree that are masked: all groups of that name, or the tree."""
    number = parsed.names.get(group) if isinstance(group, str) else group
    groups = (node for node in walk(tree) if isinstance(node, Group))
    found = [node.item for node in groups if node.number == number]
    yield from found or [tree]


def _bounded(tree: Node) -> Node:
    """Return a tree with up to as many characters as its group can match in place of each
    back-reference. One to a group without a bound, or inside its own group, stays."""
    widths: dict[int, int | None] = {}

    def bounded(node: Node) -> Node:
        if isinstance(node, Reference):
            width = widths.get(node.number)
            return node if width is None else Repeat(ANY, 0, width, lazy=False)
        made = with_inside(node, tuple(map(bounded, inside(node))))
        if isinstance(made, Group):
            widths[made.number] = max_width(made)
        return made

    return bounded(tree)


def _quadratic(node: Node) -> bool:
    """Return whether a text can be split between two unbounded repeats in more than one way."""
    if isinstance(node, Repeat) and node.high is None and _only_repeats(node.item):
        return True
    if isinstance(node, Cat) and _adjacent(node.items):
        return True
    return any(map(_quadratic, inside(node)))


def _only_repeats(node: Node) -> bool:
    """Return whether a body is nothing but an unbounded repeat, as in `(a+)+`."""
    match node:
        case Repeat(_, _, high):
            return high is None
        case Group(item) | Atomic(item):
            return _only_repeats(item)
        case Cat(items):
            solid = [item for item in items if not may_be_empty(item)]
            return len(solid) <= 1 and any(map(_only_repeats, items))
        case Alt(items):
            return any(map(_only_repeats, items))
        case _:
            return False


def _adjacent(items: tuple[Node, ...]) -> bool:
    before: frozenset[str] = frozenset()
    for item in items:
        repeated = _repeated(item)
        if repeated & before:
            return True
        if repeated:
            before |= repeated
        elif not may_be_empty(item) and not isinstance(item, (Look, Assert)):
            before = frozenset()
    return False


def _repeated(node: Node) -> frozenset[str]:
    """Return the sample characters that an unbounded repeat of one class matches."""
    if isinstance(node, Group):
        return _repeated(node.item)
    if isinstance(node, Repeat) and node.high is None and isinstance(node.item, Char):
        return _members(node.item.fragment)
    return frozenset()


@cache
def _members(fragment: str) -> frozenset[str]:
    test = regex.compile(fragment, regex.V0)
    return frozenset(character for character in _SAMPLE if test.fullmatch(character))
