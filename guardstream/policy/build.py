"""From a policy's text to compiled rules: every step reports all that is wrong at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import get_args

from pydantic import ValidationError

from guardstream.errors import PolicyError
from guardstream.policy import problems
from guardstream.policy.document import Document, Mark, Problem, read
from guardstream.policy.model import Channel, PolicyFile, RuleFile, WordFile
from guardstream.stages.redact import RuleError, RuleSet
from guardstream.stages.rules import Keep, Rule

CHANNELS: tuple[str, ...] = get_args(Channel)

MAX_FILE = 64 * 1024 * 1024
"""Bytes of a policy or word file; more is taken for a mistake."""


@dataclass(frozen=True, slots=True)
class Built:
    """What a policy file says, checked and compiled."""

    file: PolicyFile
    rules: tuple[Rule, ...]
    rulesets: Mapping[str, RuleSet]


@dataclass(slots=True)
class _Builder:
    name: str
    folder: Path
    document: Document
    problems: list[Problem] = field(default_factory=list)

    def check(self) -> None:
        """Stop here if anything was wrong so far."""
        if self.problems:
            raise problems.error_of(self.name, self.problems)

    def report(self, mark: Mark, message: str) -> None:
        self.problems.append(Problem(mark, message))


def read_text(path: Path) -> str:
    """Read a UTF-8 file; PolicyError says what is wrong with it and where."""
    try:
        if path.stat().st_size > MAX_FILE:
            raise PolicyError(f"{path}:1:1: the file is larger than {MAX_FILE} bytes")
        data = path.read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise PolicyError(f"{path}:1:1: cannot be read: {reason.lower()}") from error
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        before = data[data.rfind(b"\n", 0, error.start) + 1 : error.start]
        column = len(before.decode("utf-8-sig", "replace")) + 1
        raise PolicyError(f"{path}:{line}:{column}: not valid UTF-8: save it as UTF-8") from error


def build(text: str, name: str, folder: Path) -> Built:
    """Check and compile the policy `text`; word files are looked for in `folder`."""
    builder = _Builder(name, folder, read(text))
    builder.problems += builder.document.problems
    builder.check()
    file = _validated(builder)
    _check_rules(builder, file)
    rules = {index: _rule(builder, index, rule) for index, rule in _enabled(file)}
    builder.check()
    rulesets = _compiled(builder, file, rules)
    return Built(file, tuple(rules.values()), rulesets)


def _validated(builder: _Builder) -> PolicyFile:
    value = builder.document.value
    if not isinstance(value, dict):
        what = "is empty" if value is None else "must be a mapping"
        builder.report(builder.document.mark(()), f"the policy {what}: start with 'version: 1'")
        builder.check()
    try:
        return PolicyFile.model_validate(value)
    except ValidationError as error:
        builder.problems += problems.of_validation(error, builder.document)
        raise problems.error_of(builder.name, builder.problems) from None


def _enabled(file: PolicyFile) -> Iterable[tuple[int, RuleFile]]:
    return ((index, rule) for index, rule in enumerate(file.rules) if rule.enabled)


def _check_rules(builder: _Builder, file: PolicyFile) -> None:
    """Report what no single key shows."""
    document = builder.document
    first: dict[str, Mark] = {}
    for index, rule in enumerate(file.rules):
        path = ("rules", index)
        mark = document.mark((*path, "id"))
        if rule.id in first:
            line = first[rule.id].line
            builder.report(mark, f"duplicate rule id {rule.id!r}, first in line {line}")
        first.setdefault(rule.id, mark)
        if not rule.words and not rule.pattern:
            mark = document.mark((*path, "words" if rule.words is not None else "pattern"))
            builder.report(mark, f"rule {rule.id!r} looks for nothing: give it words or a pattern")
        if rule.group is not None and not rule.pattern:
            mark = document.key_mark((*path, "group"))
            builder.report(mark, f"rule {rule.id!r} names a group but has no pattern")
        for number, case in enumerate(rule.tests):
            if (case.clean is None) == (case.input is None) or (case.input is None) != (
                case.output is None
            ):
                mark = document.mark((*path, "tests", number))
                builder.report(mark, "a test has either 'clean', or 'input' and 'output'")


def _rule(builder: _Builder, index: int, rule: RuleFile) -> Rule:
    keep = rule.replacement
    if keep is None:
        replacement: str | Keep = "[{id}]"
    else:
        replacement = keep if isinstance(keep, str) else Keep(keep.keep.first, keep.keep.last)
    return Rule(
        id=rule.id,
        action=rule.action,
        severity=rule.severity,
        replacement=replacement,
        words=_words(builder, index, rule),
        patterns=tuple(rule.pattern or ()),
        group=rule.group,
        whole_word=rule.whole_word,
        ignore_case=rule.ignore_case,
        allow_words=tuple(rule.allow.words),
        allow_patterns=tuple(rule.allow.patterns),
    )


def _words(builder: _Builder, index: int, rule: RuleFile) -> tuple[str, ...]:
    if not isinstance(rule.words, WordFile):
        return tuple(rule.words or ())
    mark = builder.document.mark(("rules", index, "words", "file"))
    try:
        text = read_text(builder.folder / rule.words.file)
    except PolicyError as error:
        builder.report(mark, f"words of rule {rule.id!r}: {error}")
        return ()
    lines = (line.strip() for line in text.splitlines())
    words = tuple(line for line in lines if line and not line.startswith("#"))
    if not words:
        builder.report(mark, f"rule {rule.id!r} looks for nothing: the word file has no words")
    return words


def _compiled(
    builder: _Builder, file: PolicyFile, rules: Mapping[int, Rule]
) -> Mapping[str, RuleSet]:
    """Compile one RuleSet for each set of rules that some channel has."""
    compiled: dict[tuple[int, ...], RuleSet] = {}
    result: dict[str, RuleSet] = {}
    for channel in CHANNELS:
        wanted = tuple(
            index for index in rules if channel in (file.rules[index].channels or CHANNELS)
        )
        if wanted and wanted not in compiled:
            compiled[wanted] = _ruleset(builder, file, {index: rules[index] for index in wanted})
        if wanted:
            result[channel] = compiled[wanted]
    return MappingProxyType(result)


def _ruleset(builder: _Builder, file: PolicyFile, rules: Mapping[int, Rule]) -> RuleSet:
    try:
        return _compile(file, rules.values())
    except RuleError:
        # The compiler stops at the first bad rule; one by one, every rule can speak.
        for index, rule in rules.items():
            try:
                _compile(file, [rule])
            except RuleError as error:
                _report_rule(builder, index, error)
        builder.check()
        raise


def _compile(file: PolicyFile, rules: Iterable[Rule]) -> RuleSet:
    return RuleSet(
        tuple(rules),
        max_holdback=file.max_holdback,
        on_overflow=file.on_overflow,
        on_error=file.on_error,
    )


def _report_rule(builder: _Builder, index: int, error: RuleError) -> None:
    document = builder.document
    path: tuple[str | int, ...] = ("rules", index, "pattern")
    if error.pattern is not None and (*path, error.pattern) in document.values:
        path = (*path, error.pattern)
    mark = document.mark(path)
    message = f"rule {error.rule!r}: {error}"
    if error.offset is not None:
        exact = document.inside(path, error.offset)
        mark = exact or mark
        message += "" if exact else f" (at offset {error.offset} of the pattern)"
    builder.report(mark, message)
