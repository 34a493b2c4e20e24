"""Rules, texts and limits drawn from a random source, made to meet, overlap and nearly match.

The same functions serve a seeded `random.Random`, for speed, and Hypothesis's randoms, which
shrink.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from random import Random
from typing import get_args

import regex

from guardstream.events import SEVERITIES, Action, Finding, Severity
from guardstream.stages.rules import Keep, OnOverflow, Rule, Validator

from .patterns import (
    Alt,
    Capture,
    Char,
    Edge,
    Look,
    Node,
    Repeat,
    Seq,
    Tree,
    can_be_empty,
    is_one,
    spelled,
)
from .reference import UNSEEN, Judge, Judged, can_refuse, check_whole

ALPHABETS = ("ab", "abc", "aB1", "ab-", "a b", "ab_", "éße", "我你", "a我1", "ab是", "Kkſ", "xあ-")
OUTSIDE = "~q"
ROOMY = 256

EVERY = 4
"""When bugs are sought, only one seed in so many also draws a case of shared lookbehinds."""


# Validators: any function of the text will do


def even(matched: str) -> bool:
    """Accept an even number of characters."""
    return len(matched) % 2 == 0


def odd(matched: str) -> bool:
    """Accept an odd number of characters."""
    return len(matched) % 2 == 1


def varied(matched: str) -> bool:
    """Refuse a match that begins and ends alike."""
    return matched[0] != matched[-1]


VALIDATORS: tuple[Validator, ...] = (even, odd, varied)


# A case


@dataclass(frozen=True)
class Case:
    """Rules and a text, and the trees of those patterns that can be judged exactly."""

    rules: tuple[Rule, ...]
    text: str
    max_holdback: int = ROOMY
    on_overflow: OnOverflow = "mask"
    trees: dict[str, Tree] = field(default_factory=dict, repr=False)
    letters: str = ""

    @property
    def is_exact(self) -> bool:
        """Whether the contract determines the place of every event.

        It does not for approximated patterns and groups that may be refused, which may be held
        longer, nor for repeating groups, of which an overflow may mask more.
        """
        if any(rule.group is not None and can_refuse(rule) for rule in self.rules):
            return False
        if self.max_holdback != ROOMY and any(t.repeats_group for t in self.trees.values()):
            return False
        return self.has_trees

    @property
    def has_dead_ends(self) -> bool:
        """Whether the judge met threads that nothing completes; the engine may hold them longer."""
        return any(tree.has_dead_ends for tree in self.trees.values())

    @property
    def is_plain(self) -> bool:
        """Whether the answer is that of the whole text: nothing fires, nothing overflows."""
        return self.max_holdback == ROOMY and all(
            rule.action in ("mask", "monitor") for rule in self.rules
        )

    def judged(self) -> Judged:
        """The reference's answer; only for a case whose patterns all have trees."""
        return Judge(self.rules, self.trees, self.max_holdback, self.on_overflow).run(self.text)

    @property
    def has_trees(self) -> bool:
        return all(pattern in self.trees for rule in self.rules for pattern in rule.patterns)


# Patterns


class Drawer:
    """Draws the parts of one case over one small alphabet."""

    def __init__(self, random: Random, *, simple: bool = False) -> None:
        self.random = random
        self.letters = random.choice(ALPHABETS)
        self.simple = simple
        self.words: list[str] = []

    def chance(self, percent: int) -> bool:
        return self.random.randrange(100) < percent

    def char(self) -> Char:
        """A literal or a class."""
        letter = self.letter()
        if self.chance(70):
            return Char(letter)
        options = [f"[{letter}{self.letter()}]", f"[^{letter}]", r"\w", r"\d", r"[^\W\d_]", "."]
        return Char(self.random.choice(options))

    def letter(self) -> str:
        return regex.escape(self.random.choice(self.letters))

    def node(self, depth: int) -> Node:
        """A part of a pattern, perhaps empty."""
        if depth == 0 or self.chance(35):
            return self.char()
        kind = self.random.randrange(10)
        if kind < 4:
            return Seq(tuple(self.node(depth - 1) for _ in range(self.random.randint(2, 3))))
        if kind < 6:
            return self.alternation(depth)
        if kind < 9 or self.simple:
            return self.repeat(depth)
        return Seq((self.node(depth - 1), self.assertion()))

    def alternation(self, depth: int) -> Node:
        """Two branches, but not both with negated classes, which `regex` merges wrongly."""
        branches = [self.node(depth - 1) for _ in range(2)]
        if all("[^" in spelled(branch) for branch in branches):
            branches[1] = Char(self.letter())
        return Alt(tuple(branches))

    def solid(self, depth: int) -> Node:
        """A part that is never empty."""
        node = self.node(depth)
        return Seq((node, self.char())) if can_be_empty(node) else node

    def repeat(self, depth: int) -> Repeat:
        least, most = self.random.choice(
            ((0, 1), (0, None), (1, None), (1, 2), (2, 2), (0, 2), (2, None), (1, 3))
        )
        return Repeat(self.solid(depth - 1), least, most, lazy=self.chance(30))

    def assertion(self) -> Node:
        if self.chance(40):
            return Edge(self.random.choice((r"\b", r"\B")))
        return Look(self.char(), ahead=self.chance(50), negated=self.chance(50))

    def tree(self, group: str | int | None = None) -> Tree:
        """A whole pattern. With `group`, it captures a part that no match can skip, but that may be
        empty."""
        body = self.solid(2 if self.simple else 3)
        repeats_group = group is not None and not self.simple and self.chance(20)
        if group is not None:
            name = group if isinstance(group, str) else None
            part = self.node(1) if self.chance(20) else self.solid(1)
            body = Seq((self.node(1), Capture(part, name)))
            if can_be_empty(body):
                body = Seq((self.char(), body))
            if not self.simple:
                body = Seq((body, self.node(1)))
            if repeats_group:
                body = Repeat(body, 1, None)
        parts: list[Node] = [body]
        if not self.simple:
            if self.chance(15):
                parts.insert(0, self.random.choice((Edge("^"), self.assertion())))
            if self.chance(20):
                parts.append(self.random.choice((Edge("$"), self.assertion())))
        alphabet = "".join(dict.fromkeys(self.letters + OUTSIDE + "aB1_- 我é"))
        return Tree(Seq(tuple(parts)), self.chance(15), group, alphabet, repeats_group)

    def approximated(self) -> str:
        """A pattern that an automaton cannot follow exactly, or not as it is written."""
        one, two = self.solid_text(), self.solid_text()
        a, b = self.letter(), self.letter()
        if "[^" in one and "[^" in two:
            two = b  # as in `alternation`
        if self.chance(25):
            return self.random.choice(
                (
                    f"({one}|.){a}(?:(?!\\1).)*{b}",
                    f"(.)(?:{a}\\1|(?!\\1){two})*\\1",
                    f"({one}|.)(?>{two}|\\1|{a}){b}",
                    f"(.){a}(?=\\1|{b}){two}",
                    f"(?:{one}?)*+{b}",
                    f"(?>(?:{a}|{two}|)*?){b}",
                    f"(?:{a}??|{two}){{1,3}}+{b}",
                )
            )
        return self.random.choice(
            (
                f"(?>{one}){two}",
                f"(?>{one}|{two}){a}",
                f"(?={one}){two}",
                f"(?!{a}{b}){one}",
                f"{one}(?={two})",
                f"{one}(?!{a}{b})",
                f"(?<={a}{b}){one}",
                f"(?<!{a}{b}){one}",
                f"({one}){a}\\1",
                f"(?:{a})++{b}",
            )
        )

    def referring(self) -> str:
        """A pattern with a back-reference, perhaps to an empty group; small enough to be confirmed
        within a budget."""
        one, two = self.char().text, self.char().text
        if "[^" in one and "[^" in two:
            two = self.letter()  # as in `alternation`
        group = self.random.choice((f"({one}|.)", f"({one}?{two})", f"({one}*)", f"({one}|{two}|)"))
        before = self.random.choice(("", f"{two}?", f"(?:{two}|{one})"))
        same = r"(?:\1)"
        after = self.random.choice((same, two + same, f"{same}{two}*", f"{one}?{same}"))
        return f"{before}{group}{after}{self.letter()}"

    def solid_text(self) -> str:
        return f"(?:{Tree(self.solid(1)).text})"

    # words and texts

    def word(self) -> str:
        """A word that often shares its beginning or end with an earlier one."""
        size = self.random.choice((2, 2, 3, 3, 4, 5, 6))
        word = "".join(self.random.choice(self.letters) for _ in range(size))
        if self.words and self.chance(45):
            earlier = self.random.choice(self.words)
            cut = self.random.randrange(len(earlier))
            word = self.random.choice((earlier[cut:] + word[1:], word[1:] + earlier[: cut + 1]))
        self.words.append(word if len(word) > 1 else word + self.random.choice(self.letters))
        return self.words[-1]

    def sample(self, node: Node) -> str:
        """A text that the node is likely to match."""
        match node:
            case Char(text):
                letters = [c for c in self.letters + OUTSIDE if is_one(text, False, c)]
                return self.random.choice(letters or list("1"))
            case Edge() | Look():
                return ""
            case Seq(parts):
                return "".join(map(self.sample, parts))
            case Alt(branches):
                return self.sample(self.random.choice(branches))
            case Capture(body):
                return self.sample(body)
            case Repeat(body, least, most):
                top = least + 2 if most is None else most
                rounds = self.random.randint(least, max(least, top))
                return "".join(self.sample(body) for _ in range(rounds))

    def text(self, baits: list[str], limit: int) -> str:
        """A text of at most `limit` characters with `baits`, which rules are likely to match:
        whole, cut short, spoiled or overlapping."""
        out = ""
        while len(out) < limit and not (out and self.chance(10)):
            bait = self.random.choice(baits) if baits else ""
            kind = self.random.randrange(10)
            if kind < 3:
                out = self.interlocked(out, bait)
            elif kind < 5:
                out += bait[: self.random.randrange(len(bait) + 1)]
            elif kind < 7 and bait:
                out = out[: max(0, len(out) - self.random.randint(1, 2))] + bait
            elif kind < 9:
                out += self.random.choice(self.letters)
            else:
                out += self.random.choice(OUTSIDE + " ")
        return out[:limit]

    def interlocked(self, out: str, bait: str) -> str:
        """The text so far and then the bait, mostly with the longest overlap."""
        if self.chance(60):
            for size in range(len(bait) - 1, 0, -1):
                if out.endswith(bait[:size]):
                    return out + bait[size:]
        return out + bait

    # rules

    def rule(self, number: int, action: Action, trees: dict[str, Tree], *, refuse: bool) -> Rule:
        use_words = self.chance(45)
        group: str | int | None = None
        words: tuple[str, ...] = ()
        patterns: tuple[str, ...] = ()
        if use_words:
            words = tuple(dict.fromkeys(self.word() for _ in range(self.random.randint(1, 3))))
        if not use_words or self.chance(10):
            if not refuse and action in ("mask", "monitor") and self.chance(20):
                group = self.random.choice((1, "g"))
            patterns = self.patterns(trees, group)
        return Rule(
            id=f"r{number}",
            action=action,
            severity=self.severity(),
            replacement=self.replacement(),
            words=words,
            patterns=patterns,
            group=group,
            whole_word=self.random.choice((None, False, False, True)),
            ignore_case=self.chance(70),
            allow_words=(self.word(),) if refuse and self.chance(30) else (),
            allow_patterns=(self.tree().text,) if refuse and self.chance(30) else (),
            validators=(self.random.choice(VALIDATORS),) if refuse else (),
            allow_after=(self.context(),) if refuse and self.chance(30) else (),
        )

    def context(self) -> str:
        """A pattern for text before a match, after which the match is allowed."""
        one, two = self.letter(), self.letter()
        ways = one, f"{one}{two}?", f"[{one}{two}]{{2}}", f"(?<!{one}){two}", rf"\b{one}"
        beside = rf"{one}\b", f"{one}(?={two})", f"{one}(?!{two})"
        return self.random.choice((*ways, *beside, f"[^{one}]"))

    def behind(self) -> str:
        """The body of a lookbehind over several characters."""
        a, b, c = self.letter(), self.letter(), self.char().text
        ways = f"{a}{b}", f"{a}{b}|{c}", f"{a}{b}?{c}", f"{a}.{{0,3}}{b}", f"{c}{{2,3}}"
        return self.random.choice(
            (*ways, f"(?<!{a}){b}{c}", f"(?<={b}{a}){c}|{a}{a}", f"(?:^|{a}){c}?", rf"\b{a}{c}")
        )

    def optional(self, depth: int) -> str:
        """The text of a part that may be empty."""
        letter = self.letter()
        if depth == 0 or self.chance(30):
            return letter + self.random.choice(("?", "?", "*", "{,2}", "??"))
        inner = self.optional(depth - 1)
        choices = f"{letter}|{inner}", f"{inner}|{letter}", f"{letter}|", f"|{letter}"
        ways = inner + self.optional(depth - 1), inner + letter + "?", *choices, rf"{inner}\b"
        times = self.random.choice(("", "", "?", "*", "{2}", "{2,}", "{3,5}?"))
        return f"(?:{self.random.choice(ways)}){times}"

    def patterns(self, trees: dict[str, Tree], group: str | int | None) -> tuple[str, ...]:
        out = []
        for _ in range(1 if self.chance(75) else 2):
            tree = self.tree(group)
            trees[tree.text] = tree
            out.append(tree.text)
        return tuple(dict.fromkeys(out))

    def severity(self) -> Severity:
        return self.random.choice(SEVERITIES)

    def replacement(self) -> str | Keep:
        keep = Keep(self.random.randint(0, 2), self.random.randint(0, 2))
        return self.random.choice(("*", "", "[{id}]", "[{id}]", "#", "<gone>", keep))


def draw_case(random: Random, *, max_text: int = 22) -> Case:
    """One case of any kind."""
    drawer = Drawer(random)
    trees: dict[str, Tree] = {}
    fires, refuses, tight = drawer.chance(36), drawer.chance(36), drawer.chance(42)
    rules = []
    for number in range(random.choice((1, 2, 3, 3))):
        action: Action = "mask" if drawer.chance(90) else "monitor"
        if fires and drawer.chance(60):
            action = "block" if drawer.chance(75) else "stop"
        rules.append(drawer.rule(number, action, trees, refuse=refuses and drawer.chance(70)))
    baits = [word for rule in rules for word in rule.words]
    baits += [drawer.sample(trees[p].root) for r in rules for p in r.patterns for _ in "ab"]
    text = drawer.text(baits, random.randint(2, max_text))
    if not refuses and not tight and drawer.chance(15):
        rules.append(Rule(id=f"r{len(rules)}", patterns=(drawer.approximated(),)))
    limit = random.choice((2, 2, 2, 2, 3, 3, 4, 6, 12)) if tight else ROOMY
    overflow = random.choice(("mask", "mask", *get_args(OnOverflow)))
    return Case(tuple(rules), text, limit, overflow, trees)


RUNS = 4
"""How many runs of invisible characters a text has at most: they may be read in twice as many ways
with each more, and the search follows `readings.MAX_READINGS` at most."""


def draw_unseen(random: Random) -> Case:
    """A case whose text has invisible characters, which most patterns ignore."""
    drawer = Drawer(random)
    case = draw_case(random)
    rules = [
        replace(rule, normalize=("zero_width",))
        if rule.patterns and not rule.words and drawer.chance(80)
        else rule
        for rule in case.rules
    ]
    often, text, runs = random.choice((5, 15, 40)), "", 0
    # A back-reference tells one invisible character from another, but readings do not.
    most = 1 if any("\\1" in pattern for rule in rules for pattern in rule.patterns) else RUNS
    for character in case.text:
        if runs < most and drawer.chance(often):
            text += "".join(random.choices(UNSEEN, k=random.choice((1, 1, 2, 3))))
            runs += 1
        text += character
    return replace(case, rules=tuple(rules), text=text, trees={})


def draw_groups(random: Random) -> Case:
    """A case of masked groups: some with validators, some that block, some that a back-reference
    repeats."""
    drawer = Drawer(random)
    case = draw_case(random)
    drawer.letters = case.text[:3] or drawer.letters
    trees, rules = dict(case.trees), []
    for rule in case.rules:
        if rule.words or drawer.chance(30):
            rules.append(rule)
            continue
        group = random.choice((1, "g"))
        judges = (random.choice(VALIDATORS),) if drawer.chance(70) else ()
        patterns = drawer.patterns(trees, group)
        if drawer.chance(30):
            group, patterns = 1, (drawer.referring(),)
        rules.append(replace(rule, group=group, patterns=patterns, validators=judges))
    baits = [drawer.sample(trees[p].root) for r in rules for p in r.patterns if p in trees]
    text = drawer.text([*baits, case.text], random.randint(4, 30))
    return replace(case, rules=tuple(rules), text=text, trees=trees)


def draw_behind(random: Random) -> Case:
    """A case whose patterns share lookbehinds, mostly at their beginning."""
    drawer = Drawer(random)
    drawer.letters = drawer.letters[:3]
    looks = [drawer.behind() for _ in range(random.randint(1, 2))]
    rules, baits = [], []
    for number in range(random.randint(2, 3)):
        group = random.choice((None, None, 1))
        patterns = []
        for _ in range(random.randint(1, 2)):
            root = drawer.tree(group).root
            look = random.choice(looks)
            asked = random.choice((f"(?<={look})", f"(?<={look})", f"(?<!{look})"))
            whole = f"(?:{spelled(root)})"
            begin = drawer.char().text
            ways = asked + whole, asked + whole, begin + asked + whole, whole + asked
            patterns.append(random.choice((*ways, f"(?={asked}{begin}){whole}")))
            baits += [begin + drawer.sample(root), drawer.sample(root)]
        rules.append(
            Rule(
                f"r{number}",
                random.choice(("mask", "mask", "mask", "monitor")),
                patterns=tuple(dict.fromkeys(patterns)),
                group=group,
                normalize=("zero_width",) if drawer.chance(25) else (),
                validators=(random.choice(VALIDATORS),) if not group and drawer.chance(40) else (),
            )
        )
    text = drawer.text(baits, random.randint(4, 30))
    if any(rule.normalize for rule in rules):
        runs = {at for at in range(len(text)) if drawer.chance(15)}
        few = sorted(runs)[:RUNS]
        text = "".join(c + random.choice(UNSEEN) * (at in few) for at, c in enumerate(text))
    return Case(tuple(rules), text)


def draw_rounds(random: Random) -> Case:
    """A case whose patterns require rounds that may be empty."""
    drawer = Drawer(random)
    drawer.letters = drawer.letters[:3]
    rules = []
    for number in range(random.randint(1, 2)):
        times = random.choice(("{2}", "{3}", "{2,3}", "{2,}", "{6}", "{3,5}?"))
        rounds = f"(?:{drawer.optional(1 if times == '{6}' else 2)}){times}"
        begin, end = drawer.letter(), random.choice(("", drawer.letter(), rf"\b|{drawer.letter()}"))
        group = random.choice((None, None, 1))
        ways = f"({begin}){rounds}(?:{end})", f"{begin}({rounds})(?:{end})", f"({rounds}{begin})"
        pattern = random.choice(ways) if group else f"{begin}{rounds}(?:{end})"
        action: Action = random.choice(("mask", "mask", "mask", "monitor", "block"))
        judges = (random.choice(VALIDATORS),) if drawer.chance(20) else ()
        rule = Rule(f"r{number}", action, patterns=(pattern,), group=group, validators=judges)
        rules.append(rule)
    text = "".join(random.choices(3 * drawer.letters + "1", k=random.randint(4, 20)))
    return Case(tuple(rules), text)


def draw_small(random: Random) -> Case:
    """A case so small that all continuations can be tried: short words, no assertions."""
    drawer = Drawer(random, simple=True)
    drawer.letters = random.choice(("a1", "我1", "b1"))
    trees: dict[str, Tree] = {}
    rules = []
    for number in range(random.choice((1, 1, 2))):
        words: tuple[str, ...] = ()
        patterns: tuple[str, ...] = ()
        if drawer.chance(40):
            words = tuple(dict.fromkeys(drawer.word()[:3] for _ in range(random.randint(1, 3))))
        else:
            tree = drawer.tree(random.choice((None, None, 1)))
            while reach(tree.root) > 3:
                tree = drawer.tree(tree.group)
            patterns = (tree.text,)
            trees[tree.text] = tree
        group = trees[patterns[0]].group if patterns else None
        action: Action = "block" if words and drawer.chance(40) else "mask"
        whole = random.choice((None, False, True))
        rule = Rule(f"r{number}", action, words=words, patterns=patterns, whole_word=whole)
        rules.append(replace(rule, group=group, replacement=random.choice(("*", "", "[{id}]"))))
    baits = [word for rule in rules for word in rule.words]
    baits += [drawer.sample(trees[p].root) for r in rules for p in r.patterns]
    text = drawer.text(baits, random.randint(1, 6))
    return Case(tuple(rules), text, trees=trees, letters=drawer.letters)


def reach(node: Node) -> int:
    """The most characters of a match whose repeats run as seldom as they can, but at least once."""
    match node:
        case Char():
            return 1
        case Edge() | Look():
            return 0
        case Seq(parts):
            return sum(map(reach, parts))
        case Alt(branches):
            return max(map(reach, branches))
        case Capture(body):
            return reach(body)
        case Repeat(body, least):
            return max(least, 1) * reach(body)


# What cases contain

WANTED = {
    "match": 50,
    "overlap": 20,
    "near miss": 20,
    "overflow": 10,
    "block": 10,
    "refused match": 10,
}


class Composition:
    """Counts what the cases contain."""

    def __init__(self) -> None:
        self.total = 0
        self.counts: Counter[str] = Counter()

    def add(self, case: Case, judged: Judged | None) -> None:
        self.total += 1
        self.counts["exact"] += case.is_exact
        self.counts["whole text"] += case.is_plain
        if judged is None:
            self.counts["match"] += bool(check_whole(case.rules, case.text)[1])
            return
        findings = [event for event in judged.events if isinstance(event, Finding)]
        kinds = {finding.kind for finding in findings}
        self.counts["match"] += "match" in kinds
        self.counts["overflow"] += "overflow" in kinds
        self.counts["block"] += any(f.action == "block" and f.kind == "match" for f in findings)
        self.counts["stop"] += any(finding.action == "stop" for finding in findings)
        self.counts["overlap"] += judged.overlaps
        self.counts["near miss"] += judged.near_misses > 0
        self.counts["refused match"] += judged.refused > 0

    def percent(self, name: str) -> float:
        return 100 * self.counts[name] / max(self.total, 1)

    def missing(self) -> dict[str, float]:
        """The percentages of what is rarer than WANTED."""
        return {n: self.percent(n) for n, least in WANTED.items() if self.percent(n) < least}

    def __str__(self) -> str:
        shares = ", ".join(f"{name} {self.percent(name):.0f} %" for name in sorted(self.counts))
        return f"{self.total} cases: {shares}"
