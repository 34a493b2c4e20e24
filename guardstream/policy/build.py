"""Compiles a policy's text to rules; every step reports all errors at once."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, get_args

from guardstream.errors import PolicyError
from guardstream.events import UNKNOWN, Channel
from guardstream.hints import hint, nearest
from guardstream.policy import checks, json_section, limits_section, packs, public, yielding
from guardstream.policy.compiled import compiled
from guardstream.policy.limits_section import Limited
from guardstream.policy.model import (
    OPERATIONAL,
    KeywordsFile,
    PolicyFile,
    PublicFile,
    ReplacementFile,
    RuleFile,
    WordFile,
)
from guardstream.policy.plugins import Code, PluginError
from guardstream.policy.sources import SEARCH_KEYS, Loader, MergedPolicy, Origin, PlacedRule, Source
from guardstream.stages.custom import StagePlan
from guardstream.stages.redact import RuleError, RuleSet
from guardstream.stages.rules import Keep, Pseudonym, Rule, Validator

CHANNELS: tuple[str, ...] = get_args(Channel)


@dataclass(frozen=True, slots=True)
class Entry:
    """The start of a policy: the name of a file, or a text with its name and the folder of other
    files."""

    name: str
    text: str | None = None
    folder: Path = Path()


@dataclass(frozen=True, slots=True)
class CompiledPolicy:
    """A policy, including everything it extends, checked and compiled.

    `json` is what the JSON stage does, by channel and by tool. `placed` are the enabled rules,
    `disabled` the others; `settings` names the file that sets each setting, `keys` those of the
    keys that are inherited individually. `limited` and `plans` are the compiled sections `limits`
    and `stages`, `input` the rules for what goes into a model. `extraction` has the options of the
    section `extract`, `code` the names of the program's own code that the policy may use. `paths`
    are all files that were read, `digest` the SHA-256 of their content, `texts` the content of
    those that are not packs. `entry` is None for a part of a policy.
    """

    file: PolicyFile
    source: Source
    settings: Mapping[str, Source]
    keys: Mapping[tuple[str, str], Source]
    placed: tuple[PlacedRule, ...]
    disabled: tuple[PlacedRule, ...]
    rules: tuple[Rule, ...]
    rulesets: Mapping[str, RuleSet]
    json: json_section.Json
    limited: Limited | None
    plans: tuple[StagePlan, ...]
    input: CompiledPolicy | None
    extraction: Mapping[str, Any]
    code: Code
    paths: tuple[Path, ...]
    digest: str
    texts: Mapping[str, str]
    entry: Entry | None = None


def load(path: Path, loader: Loader | None = None) -> CompiledPolicy:
    """Check and compile the policy file at `path`."""
    loader = loader or Loader()
    return _compile(loader, lambda: loader.load(path), Entry(_named(path)))


def parse(text: str, name: str, folder: Path, loader: Loader | None = None) -> CompiledPolicy:
    """Check and compile the policy `text`; other files are resolved against `folder`."""
    loader = loader or Loader()
    read = partial(loader.parse, text, name, folder)
    return _compile(loader, read, Entry(name, text, folder))


def _named(path: Path) -> str:
    """Return the name by which a file can be found again; a pack may be in another place."""
    return f"{packs.PREFIX}{path.stem}" if packs.has(path) else str(path)


def _compile(loader: Loader, read: Callable[[], MergedPolicy], entry: Entry) -> CompiledPolicy:
    """Read, check and compile a policy. All errors of a step are reported before the next one."""
    merged = read()
    loader.sources.sort(key=lambda source: source is not merged.source)
    checked = _checked(loader, merged)
    loader.check()
    return replace(checked.compiled(loader), entry=entry)


@dataclass(frozen=True, slots=True)
class _Checked:
    """A policy whose sections are compiled, but not its rules, which takes longest."""

    merged: MergedPolicy
    file: PolicyFile
    rules: list[tuple[PlacedRule, Rule]]
    json: json_section.Json
    limited: Limited | None
    plans: tuple[StagePlan, ...]
    input: _Checked | None
    extraction: Mapping[str, Any]

    def compiled(self, loader: Loader) -> CompiledPolicy:
        """Compile the rules. PolicyError lists those that cannot be compiled."""
        placed = self.merged.rules.values()
        return CompiledPolicy(
            file=self.file,
            source=self.merged.source,
            settings=MappingProxyType(self.merged.settings),
            keys=MappingProxyType(self.merged.keys),
            placed=tuple(each for each in placed if each.rule.enabled),
            disabled=tuple(each for each in placed if not each.rule.enabled),
            rules=tuple(rule for _, rule in self.rules),
            rulesets=_rulesets(loader, self.file, self.rules),
            json=self.json,
            limited=self.limited,
            plans=self.plans,
            input=self.input.compiled(loader) if self.input else None,
            extraction=self.extraction,
            code=loader.code,
            paths=tuple(loader.seen),
            digest=loader.digest,
            texts=MappingProxyType(loader.texts),
        )


def _checked(
    loader: Loader, merged: MergedPolicy, shown: Collection[public.Kind] | None = None
) -> _Checked:
    """Check everything that can be checked before rules are compiled; the loader records errors.

    `shown` are the kinds of what is public that are shown, if the policy does not decide.
    """
    if shown is None:
        shown = _shown(merged.file.public or PublicFile())
    inner = _checked(loader, _input(merged, merged.input), ()) if merged.input else None
    for placed in merged.rules.values():
        _check_rule(merged, placed)
    enabled = [placed for placed in merged.rules.values() if placed.rule.enabled]
    yielding.check(merged)
    return _Checked(
        merged=merged,
        file=merged.file,
        rules=[
            (placed, _rule(loader, placed, shown)) for placed in enabled if _searches(placed.rule)
        ],
        json=json_section.compiled(loader, merged),
        limited=limits_section.compiled(loader, merged),
        plans=limits_section.plans(loader, merged),
        input=inner,
        extraction=json_section.extraction(loader, merged),
    )


_OUTPUT = frozenset(("json_", "limits", "stages", "input", "block_message", *OPERATIONAL))
"""The settings about a model's output, or about how it is requested."""


def _input(merged: MergedPolicy, part: MergedPolicy) -> MergedPolicy:
    """Return the rules for what goes into a model as a policy of their own, with the outer
    settings."""
    settings = {**part.settings, **merged.settings}
    kept = {name: source for name, source in settings.items() if name not in _OUTPUT}
    return MergedPolicy(part.source, kept, part.rules)


# Checks of several keys together


def _searches(rule: RuleFile) -> bool:
    return bool(rule.words or rule.pattern)


def _check_rule(merged: MergedPolicy, placed: PlacedRule) -> None:
    rule, origin = placed.rule, placed.origin
    if not _searches(rule):
        key = "words" if rule.words is not None else "pattern"
        origin.report(_empty_message(merged, rule, origin), key)
    if rule.group is not None and not rule.pattern:
        here = placed.origin_of("group")
        mark = here.source.document.key_mark(here.key("group"))
        here.source.report(mark, f"rule {rule.id!r} names a group but has no pattern")
    if rule.pattern and not rule.words:
        _check_words_alone(placed)
    _check_case(placed)
    made = rule.replacement
    if isinstance(made, ReplacementFile) and (made.keep is None) == (made.pseudonym is None):
        message = "a replacement has either 'keep' or 'pseudonym'"
        placed.origin_of("replacement").report(message, "replacement")
    tests = placed.origin_of("tests")
    for number, case in enumerate(rule.tests):
        if (case.clean is None) == (case.input is None) or (case.input is None) != (
            case.output is None
        ):
            tests.report("a test has either 'clean', or 'input' and 'output'", "tests", number)


def _check_words_alone(placed: PlacedRule) -> None:
    """Report keys that only affect words, in a rule that only has a pattern."""
    instead = {
        "ignore_case": "write (?i) in it",
        "whole_word": "write its bounds as lookarounds",
        "exact": "it already is",
    }
    for key, how in instead.items():
        here = placed.origin_of(key)
        if key in here.rule.model_fields_set and getattr(placed.rule, key):
            mark = here.source.document.key_mark(here.key(key))
            message = f"rule {placed.rule.id!r}: {key!r} is for words, not for a pattern: {how}"
            here.source.report(mark, message)


def _check_case(placed: PlacedRule) -> None:
    """Report a rule that both ignores the case of words and does not."""
    here, rule = placed.origin_of("ignore_case"), placed.rule
    if not rule.ignore_case and "case" in (rule.normalize or ()):
        message = "'ignore_case: false' contradicts normalisation 'case': leave one of them out"
        here.report(f"rule {rule.id!r}: {message}", "ignore_case")


def _empty_message(merged: MergedPolicy, rule: RuleFile, origin: Origin) -> str:
    message = f"rule {rule.id!r} looks for nothing: give it words or a pattern"
    inherited = [
        name for name, placed in merged.rules.items() if placed.origin.source is not origin.source
    ]
    if not rule.enabled and not SEARCH_KEYS & rule.model_fields_set:
        message = f"no rule {rule.id!r} to disable is inherited"
        return f"{message}, {hint(rule.id, inherited)}" if inherited else message
    close = nearest(rule.id, inherited) if origin.source is merged.source else None
    if close:
        message += f"; no rule of that id is inherited, did you mean {close!r}?"
    return message


# From the file's rules to the engine's rules


def _shown(file: PublicFile) -> frozenset[public.Kind]:
    """Return the kinds of public values that are shown."""
    return frozenset(kind for kind in public.CHECKS if getattr(file, kind) == "show")


def _rule(loader: Loader, placed: PlacedRule, shown: Collection[public.Kind]) -> Rule:
    rule = placed.rule
    keywords = rule.keywords
    within = keywords.within if isinstance(keywords, KeywordsFile) else 50
    named = keywords.words if isinstance(keywords, KeywordsFile) else keywords or ()
    return Rule(
        id=rule.id,
        action=rule.action,
        severity=rule.severity,
        replacement=_replacement(loader, placed),
        words=_words(loader, placed),
        patterns=tuple(rule.pattern or ()),
        group=rule.group,
        whole_word=rule.whole_word,
        ignore_case=rule.ignore_case,
        normalize=tuple(rule.normalize),
        exact=rule.exact,
        allow_words=tuple(rule.allow.words),
        allow_patterns=tuple(rule.allow.patterns),
        allow_after=tuple(rule.allow.after),
        validators=_validators(loader, placed),
        public=tuple(public.CHECKS[kind] for kind in rule.public or () if kind in shown),
        keywords=tuple(named),
        keyword_distance=within,
    )


def _replacement(loader: Loader, placed: PlacedRule) -> str | Keep | Pseudonym:
    given = placed.rule.replacement
    if given is None or isinstance(given, str):
        return "[{id}]" if given is None else given
    if given.keep is not None:
        return Keep(given.keep.first, given.keep.last)
    if given.pseudonym is None:
        return ""  # reported already
    name = given.pseudonym.key_env
    key = os.environ.get(name, "")
    if not key and loader.purpose != "guard":
        key = "a stand-in"  # judging a policy needs no secret
    if not key:
        message = f"the environment variable {name!r}, which holds the key, is not set"
        here = placed.origin_of("replacement")
        here.report(message, "replacement", "pseudonym", "key_env")
    return Pseudonym(key.encode(), given.pseudonym.prefix, given.pseudonym.length)


def _validators(loader: Loader, placed: PlacedRule) -> tuple[Validator, ...]:
    found: list[Validator] = []
    for number, check in enumerate(placed.rule.validate_ or ()):
        if loader.purpose == "lint" and checks.is_code(check):
            continue
        try:
            found.append(checks.named(check, loader.code))
        except PluginError as error:
            here = placed.origin_of("validate_")
            here.report(f"rule {placed.rule.id!r}: {error}", "validate", number)
    return tuple(found)


def _words(loader: Loader, placed: PlacedRule) -> tuple[str, ...]:
    rule, origin = placed.rule, placed.origin
    if not isinstance(rule.words, WordFile):
        return tuple(rule.words or ())
    try:
        text = loader.read_text(beside(origin.source.folder, rule.words.file))
    except PolicyError as error:
        origin.report(f"words of rule {rule.id!r}: {error}", "words", "file")
        return ()
    words = words_in(text)
    if not words:
        message = f"rule {rule.id!r} looks for nothing: the word file has no words"
        origin.report(message, "words", "file")
    return words


def words_in(text: str) -> tuple[str, ...]:
    """Return the words of a word file: one per line, `#` starts a comment line."""
    lines = (line.strip() for line in text.splitlines())
    return tuple(line for line in lines if line and not line.startswith("#"))


def beside(folder: Path, name: str) -> Path:
    """Return the path of the word file `name`; PolicyError if it is outside of the policy's
    folder."""
    path = folder / name
    try:
        inside = path.resolve().is_relative_to(folder.resolve())
    except (OSError, ValueError, RuntimeError):
        return path  # reading it reports the error
    if not inside:
        raise PolicyError(f"{name!r} is outside of the policy's folder: put it there, or below")
    return path


# Compiling

_Rules = list[tuple[PlacedRule, Rule]]


def _rulesets(loader: Loader, file: PolicyFile, rules: _Rules) -> Mapping[str, RuleSet]:
    """Compile one RuleSet for each distinct set of rules among the channels."""
    compiled: dict[tuple[str, ...], RuleSet] = {}
    result: dict[str, RuleSet] = {}
    for channel in (*CHANNELS, UNKNOWN):
        wanted = yielding.resolved(file, [pair for pair in rules if applies(pair[0].rule, channel)])
        ids = tuple(rule.id for _, rule in wanted)
        if wanted and ids not in compiled:
            compiled[ids] = _ruleset(loader, file, wanted)
        if wanted:
            result[channel] = compiled[ids]
    return MappingProxyType(result)


def part(built: CompiledPolicy, ids: Collection[str]) -> CompiledPolicy:
    """Return the policy with only these rules, and nothing else that acts."""
    pairs = zip(built.placed, built.rules, strict=True)
    kept = [(placed, rule) for placed, rule in pairs if rule.id in ids]
    return replace(
        built,
        placed=tuple(placed for placed, _ in kept),
        rules=tuple(rule for _, rule in kept),
        rulesets=_rulesets(Loader(), built.file, kept),
        limited=None,
        plans=(),
        input=None,
        entry=None,
    )


def bare(built: CompiledPolicy) -> CompiledPolicy:
    """Return the policy without anything that judges or changes text; which text is JSON remains
    known."""
    return replace(part(built, ()), input=built.input, json=json_section.unjudged(built.json))


def applies(rule: RuleFile, channel: str) -> bool:
    """Return whether a rule is for a channel; all rules apply to unknown text."""
    return channel == UNKNOWN or channel in (rule.channels or CHANNELS)


def _ruleset(loader: Loader, file: PolicyFile, rules: _Rules) -> RuleSet:
    """Compile rules, or take the result for the same ones; report each that cannot be compiled."""
    try:
        return loader.compiled_once(
            (tuple(rule for _, rule in rules), _settings(file)),
            lambda: ruleset_of(file, [rule for _, rule in rules]),
        )
    except RuleError:
        # The compiler stops at the first invalid rule; one by one, every rule reports its error.
        for placed, rule in rules:
            try:
                ruleset_of(file, [rule])
            except RuleError as error:
                _report_rule(placed, error)
        loader.check()
        raise


def _settings(file: PolicyFile) -> tuple[object, ...]:
    return file.max_holdback, file.on_overflow, file.on_error


def ruleset_of(file: PolicyFile, rules: Iterable[Rule]) -> RuleSet:
    """Compile rules with the settings of a policy; raises RuleError."""
    return RuleSet(
        tuple(rules),
        max_holdback=file.max_holdback,
        on_overflow=file.on_overflow,
        on_error=file.on_error,
        stored=compiled().patterns,
    )


def _report_rule(placed: PlacedRule, error: RuleError) -> None:
    """Report a rule's error at its place: at its pattern, if the error is about one."""
    origin = placed.origin
    path = origin.key("pattern" if placed.rule.pattern else "words")
    if error.allowed is not None:
        origin = placed.origin_of("allow")
        path = origin.key("allow", *error.allowed)
    elif error.pattern is not None and origin.source.document.has((*path, error.pattern)):
        path = (*path, error.pattern)
    offset = error.offset
    if offset is not None and path in origin.source.expansions:
        offset = origin.source.expansions[path].written(offset)
    origin.source.report_inside(path, offset, f"rule {error.rule!r}: {error}")
