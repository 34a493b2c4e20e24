"""`guardstream explain`: a policy in short or in full, one rule, or the reasons for a text's
output."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from io import StringIO
from pathlib import Path
from textwrap import indent
from typing import Any

from rich.cells import cell_len, set_cell_size
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap

from guardstream.cli.output import shortened
from guardstream.errors import GuardstreamError
from guardstream.events import Finding
from guardstream.guard import Guard
from guardstream.hints import hint
from guardstream.policy import Policy, build, packs
from guardstream.policy.build import CHANNELS, CompiledPolicy
from guardstream.policy.explain import explanation
from guardstream.policy.files import read_text
from guardstream.policy.model import OPERATIONAL, SECTIONS, InputFile, WordFile
from guardstream.policy.sources import Loader, Origin, PlacedRule, Source

_SHOWN = 60


_MOST = 30
"""The most rules that are shown one by one, with those of `input`; more do not fit on a screen."""


class ExplainError(GuardstreamError):
    """There is no rule or channel of that name."""


def table(policy: str) -> str:
    """Return an overview of the policy: its settings, and a line for each rule or file of rules.

    It runs no code, and needs no secrets.
    """
    built = _loaded(policy)
    title = f"{built.file.name or built.source.name}: {built.file.description}"
    lines = [_short(title.rstrip(": "), 120)]
    lines += _settings(built)
    inner = built.input
    most = _MOST if inner is None else _MOST - min(len(inner.placed), _MOST // 2)
    lines += _table(built, most)
    if inner is not None:
        rows = _table(inner, _MOST - min(len(built.placed), _MOST // 2))
        lines += ["input, what goes into the model:", *rows]
    lines.append("one rule: --rule ID; all of it: --yaml; why a text is changed: --text TEXT")
    return "\n".join(lines) + "\n"


def _loaded(policy: str) -> CompiledPolicy:
    return build.load(packs.resolve(policy), Loader(purpose="lint"))


def _settings(built: CompiledPolicy) -> Iterator[str]:
    for name, source in built.settings.items():
        if name == "input":
            continue
        key = name.rstrip("_")
        value = built.file.model_dump(by_alias=True, exclude_unset=True).get(key)
        if name in OPERATIONAL:
            value = _as_written(source, key)
        origin = "" if source is built.source else f"  (from {_name(source)})"
        if name in OPERATIONAL and isinstance(value, dict) and len(_json(value)) > _SHOWN:
            yield f"  {key}:"
            yield from (f"    {each}: {_short(_json(part), 100)}" for each, part in value.items())
        else:
            yield f"  {key}: {_short(_json(value), _SHOWN)}{origin}"


def _as_written(source: Source, key: str) -> Any:
    """Return a section as its file has it: with units, and with the names of secrets."""
    assert isinstance(source.document.value, dict)
    return source.document.value[key]


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


def _table(built: CompiledPolicy, most: int) -> Iterator[str]:
    own = [placed for placed in built.placed if placed.origin.source is built.source]
    other = [placed for placed in built.placed if placed.origin.source is not built.source]
    listed = own[:most] if len(built.placed) > most else [*own, *other]
    rows: list[tuple[str, ...]] = [("rule", "action", "severity", "looks for", "from")]
    rows += [_row(placed) for placed in listed]
    if len(rows) > 1:
        yield from _columns(rows)
    if len(own) > most:
        yield f"  … and {len(own) - most} more of {_name(built.source)}"
    if len(built.placed) > most:
        yield from _by_file(other)
    if built.disabled:
        yield f"  switched off: {', '.join(placed.rule.id for placed in built.disabled)}"
    if not built.placed:
        yield "  no rules"


def _row(placed: PlacedRule) -> tuple[str, ...]:
    rule = placed.rule
    source = placed.changes[-1].source if placed.changes else placed.origin.source
    return rule.id, rule.action, rule.severity, _looks_for(placed), _name(source)


def _looks_for(placed: PlacedRule) -> str:
    rule = placed.rule
    if isinstance(rule.words, WordFile):
        text = f"the words in {rule.words.file}"
    elif rule.words:
        text = ", ".join(rule.words)
    else:
        text = " | ".join(rule.pattern or ())
    return _short(text, 36)


def _columns(rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    widths = [max(cell_len(row[column]) for row in rows) for column in range(4)]
    for row in rows:
        cells = [set_cell_size(cell, widths[at]) for at, cell in enumerate(row[:4])]
        yield "  " + "  ".join((*cells, row[4])).rstrip()


def _by_file(rules: Iterable[PlacedRule]) -> Iterator[str]:
    """Yield a line for each file: how many rules it has, and their actions."""
    files: dict[str, Counter[str]] = {}
    for placed in rules:
        files.setdefault(_name(placed.origin.source), Counter())[placed.rule.action] += 1
    for name, actions in files.items():
        did = ", ".join(f"{count} {action}" for action, count in actions.most_common())
        yield f"  {name}: {actions.total()} rules ({did})"


def _name(source: Source) -> str:
    """Return the name of a pack, or the path of any other file."""
    path = Path(source.name)
    return packs.PREFIX + path.stem if path.parent == packs.folder() else source.name


def _short(text: str, most: int) -> str:
    # Somebody else's policy may have control sequences for the terminal.
    plain = "".join(c if c.isprintable() else "\ufffd" for c in " ".join(text.split()))
    return plain if len(plain) <= most else plain[: most - 1] + "…"


def rule(policy: str, name: str) -> str:
    """Return a rule as YAML, with its origin; also the rule of that name in the section `input`."""
    built = _loaded(policy)
    parts = [built, *([built.input] if built.input else [])]
    every = [placed for part in parts for placed in (*part.placed, *part.disabled)]
    found = [_commented(placed, built) for placed in every if placed.rule.id == name]
    if not found:
        others = hint(name, dict.fromkeys(placed.rule.id for placed in every))
        raise ExplainError(f"{policy}: no rule {name!r}, {_short(others, 300)}")
    return "".join(found)


def whole(policy: str) -> str:
    """Return the policy as one file, with everything that it extends, and each rule's origin."""
    built = _loaded(policy)
    values = built.file.model_dump(
        by_alias=True, exclude_defaults=True, exclude={"rules", "extends", "input"}
    )
    values |= {
        name: _as_written(source, name)
        for name, source in built.settings.items()
        if name in OPERATIONAL
    }
    head = CommentedMap({"version": 1, **values})
    for name, source in built.settings.items():
        key = name.rstrip("_")
        if key in head and name not in SECTIONS and source is not built.source:
            head.yaml_add_eol_comment(f"from {source.name}", key)
    if "limits" in head:
        head["limits"] = _section(built, "limits", head["limits"])
    return _yaml(head) + _rules(built, built) + _input(built)


def _section(built: CompiledPolicy, name: str, values: Mapping[str, Any]) -> CommentedMap:
    """Return a section whose keys are inherited one by one, with the origin of each."""
    section = CommentedMap(values)
    for key in section:
        source = built.keys[name, key]
        if source is not built.source:
            section.yaml_add_eol_comment(f"from {source.name}", key)
    return section


def _rules(built: CompiledPolicy, top: CompiledPolicy) -> str:
    rules = [_commented(placed, top) for placed in (*built.placed, *built.disabled)]
    return "rules:\n" + "".join(rules) if rules else "rules: []\n"


def _input(built: CompiledPolicy) -> str:
    """Return the section `input` as YAML, with its rules."""
    if built.input is None:
        return ""
    section = built.file.input or InputFile()
    values = section.model_dump(exclude_defaults=True, exclude={"rules", "extends"})
    settings = _yaml(_section(built, "input", values)) if values else ""
    return "input:\n" + indent(settings + _rules(built.input, built), "  ")


def _commented(placed: PlacedRule, top: CompiledPolicy) -> str:
    """Return a rule as YAML, after a comment about its origin and the files that changed it."""
    comment = f"from {_place(placed.origin)}"
    comment += "".join(f", changed by {_place(change)}" for change in placed.changes)
    rule = placed.rule.model_dump(by_alias=True, exclude_unset=True)
    if isinstance(placed.rule.words, WordFile):
        rule["words"] = _words(placed, placed.rule.words, top)
    ordered = {"id": placed.rule.id, **{key: value for key, value in rule.items() if key != "id"}}
    body = "".join(f"    {line}\n" for line in _yaml(CommentedMap(ordered)).splitlines())
    return f"  # {comment}\n  - {body.lstrip()}"


def _words(placed: PlacedRule, words: WordFile, top: CompiledPolicy) -> Any:
    """Return a word file's path relative to `top`, or its words if `top` could not refer to it."""
    path = placed.origin.source.folder / words.file
    try:
        beside = path.resolve().relative_to(top.source.folder.resolve())
    except ValueError:
        return list(build.words_in(read_text(path)))
    return {"file": beside.as_posix()}


def _place(origin: Origin) -> str:
    return f"{origin.source.name}:{origin.mark().line}"


def _yaml(value: Any) -> str:
    yaml = YAML()
    yaml.width = 10_000
    out = StringIO()
    yaml.dump(value, out)
    return out.getvalue()


def explain_text(policy: str, text: str, channel: str, code: Sequence[str]) -> str:
    """Return the reasons for the output of each part of `text`."""
    if channel not in CHANNELS:
        raise ExplainError(f"no channel {channel!r}, {hint(channel, list(CHANNELS))}")
    guard = Guard.load(policy, allow_code=code, rules_only=True)
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
    shown = shortened(matched, _SHOWN)
    yield f"{finding.start}–{finding.end} {shown!r}: {finding.action} by rule {finding.rule!r}"
    for line in explanation(policy.built, finding, matched):
        yield f"    {line}"
