"""`guardstream explain`: a policy whole, or why a text comes out as it does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from io import StringIO
from pathlib import Path
from textwrap import indent
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap

from guardstream.events import Finding
from guardstream.guard import Guard
from guardstream.policy import Policy, checks
from guardstream.policy.build import Built
from guardstream.policy.model import SECTIONS, InputFile, WordFile
from guardstream.policy.sources import Origin, Placed

_SHOWN = 60


def explain(policy: str) -> str:
    """Return the policy as one file, what it extends included, with each rule's origin."""
    built = Policy.load(policy).built
    values = built.file.model_dump(
        by_alias=True, exclude_defaults=True, exclude={"rules", "extends", "input"}
    )
    head = CommentedMap({"version": 1, **values})
    for name, source in built.settings.items():
        key = name.rstrip("_")
        if key in head and name not in SECTIONS and source is not built.source:
            head.yaml_add_eol_comment(f"from {source.name}", key)
    if "limits" in head:
        head["limits"] = _section(built, "limits", head["limits"])
    return _yaml(head) + _rules(built) + _input(built)


def _section(built: Built, name: str, values: Mapping[str, Any]) -> CommentedMap:
    """A section whose keys are inherited one by one, with the origin of each."""
    section = CommentedMap(values)
    for key in section:
        source = built.keys[name, key]
        if source is not built.source:
            section.yaml_add_eol_comment(f"from {source.name}", key)
    return section


def _rules(built: Built) -> str:
    rules = [_commented(placed) for placed in (*built.placed, *built.disabled)]
    return "rules:\n" + "".join(rules) if rules else "rules: []\n"


def _input(built: Built) -> str:
    """The section `input` as YAML, with its rules."""
    if built.input is None:
        return ""
    section = built.file.input or InputFile()
    values = section.model_dump(exclude_defaults=True, exclude={"rules", "extends"})
    said = _yaml(_section(built, "input", values)) if values else ""
    return "input:\n" + indent(said + _rules(built.input), "  ")


def _commented(placed: Placed) -> str:
    """A rule as YAML, below a comment that says where it is from and what has changed it."""
    said = f"from {_place(placed.origin)}"
    said += "".join(f", changed by {_place(change)}" for change in placed.changes)
    rule = placed.rule.model_dump(by_alias=True, exclude_unset=True)
    if isinstance(placed.rule.words, WordFile):
        rule["words"] = {"file": str(placed.origin.source.folder / placed.rule.words.file)}
    ordered = {"id": placed.rule.id, **{key: value for key, value in rule.items() if key != "id"}}
    body = "".join(f"    {line}\n" for line in _yaml(CommentedMap(ordered)).splitlines())
    return f"  # {said}\n  - {body.lstrip()}"


def _place(origin: Origin) -> str:
    return f"{origin.source.name}:{origin.mark().line}"


def _yaml(value: Any) -> str:
    yaml = YAML()
    yaml.width = 10_000
    out = StringIO()
    yaml.dump(value, out)
    return out.getvalue()


def explain_text(policy: str, text: str, channel: str) -> str:
    """Return why each part of `text` comes out as it does under the policy."""
    guard = Guard.load(policy)
    result = guard.check(text, channel)
    lines = [f"text out: {result.text!r}", f"finish: {result.finish}"]
    if guard.policy.shadow:
        lines.append("mode: shadow, nothing is changed")
    lines += [line for finding in result.findings for line in _why(guard.policy, text, finding)]
    if not result.findings:
        lines.append("no rule found anything")
    return "\n".join(lines) + "\n"


def _why(policy: Policy, text: str, finding: Finding) -> Iterator[str]:
    matched = text[finding.start : finding.end]
    shown = matched if len(matched) <= _SHOWN else matched[:_SHOWN] + "…"
    yield f"{finding.start}–{finding.end} {shown!r}: {finding.action} by rule {finding.rule!r}"
    if finding.kind != "match":
        yield f"    {finding.kind.replace('_', ' ')}: not a match that was confirmed"
    placed = _placed(policy.built, finding.rule)
    if placed is None:
        return
    yield f"    rule: {_place(placed.origin)}, severity {finding.severity}"
    if placed.rule.description:
        yield f"    why: {placed.rule.description}"
    yield from _conditions(placed, matched)


def _placed(built: Built, rule: str) -> Placed | None:
    return next((placed for placed in built.placed if placed.rule.id == rule), None)


def _conditions(placed: Placed, matched: str) -> Iterator[str]:
    """What the match had to pass, and what was made alike for it."""
    rule = placed.rule
    for check in rule.validate_ or ():
        yield f"    validated: {checks.spelled(check)}"
    if rule.keywords:
        yield "    keyword: one stands before it"
    if rule.normalize:
        yield f"    normalised: {', '.join(rule.normalize)}"
    words = _plain_words(placed)
    if words and matched.casefold() not in words:
        yield f"    written otherwise than in the list: {_characters(matched)}"


def _plain_words(placed: Placed) -> set[str]:
    words = placed.rule.words
    if isinstance(words, list):
        return {word.casefold() for word in words}
    if words is None:
        return set()
    path = Path(placed.origin.source.folder) / words.file
    return {line.strip().casefold() for line in path.read_text("utf-8-sig").splitlines()}


def _characters(matched: str) -> str:
    """The characters of a match that are not plain ASCII letters, by code point."""
    odd = dict.fromkeys(c for c in matched if not (c.isascii() and c.isalpha()))
    return " ".join(f"U+{ord(c):04X}" for c in odd) or "other letters"
