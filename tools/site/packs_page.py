"""A page of what each pack finds, written from its rules, their tests and `make eval`'s record."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from guardstream.policy import Policy, packs
from guardstream.policy.document import read
from guardstream.policy.model import RuleFile

RECORD = Path(__file__).resolve().parents[2] / "benchmarks" / "evaluated.md"

HEAD = """# What a pack finds

Each rule of a pack, with an example from its tests. `guardstream/chat` has the rules of `pii-en`,
`pii-zh`, the country packs, `secrets` and `exfiltration`.

"""

ENOUGH = 30
"""So many labelled cases make a share: fewer are not measured."""

LONGEST = 60
"""How many characters of an example a cell shows."""

_SHARE = re.compile(r"[\d.]+ % \((\d+)/(\d+)\)")


def page() -> str:
    """Return the page as Markdown."""
    chat = {rule.id: rule.action for rule in Policy.load("guardstream/chat").built.rules}
    measured = _measured(RECORD.read_text(encoding="utf-8"))
    return HEAD + "\n".join(_pack(name, chat, measured) for name in packs.names())


def _measured(record: str) -> dict[str, list[str]]:
    """Return what was measured of each pack, in words."""
    found: dict[str, list[str]] = {}
    for line in record.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        share = _SHARE.search(cells[-1]) if len(cells) == 5 else None
        if share is None or int(share[2]) < ENOUGH:
            continue
        pack, what, (hits, all_) = cells[0], cells[1], map(int, share.groups())
        if re.search("negatives|without|benign|wrong", what):
            said = f"{what.split(':')[0]}: {hits} false in {all_} texts"
        else:
            said = f"{what}: {round(100 * hits / all_)} of 100 ({all_} cases)"
        found.setdefault(pack, []).append(said)
    return found


def _pack(name: str, chat: Mapping[str, str], measured: dict[str, list[str]]) -> str:
    value: Any = read(packs.pack(name).read_text(encoding="utf-8")).value
    rules = [*value.get("rules", ()), *(value.get("input") or {}).get("rules", ())]
    said = "; ".join(measured.get(name, ())) or "not measured"
    about = str(value.get("description", "")).rstrip(".")
    lines = [f"## {name}", "", f"{about}. Recall and false findings: {said}.", ""]
    rows = [_row(RuleFile.model_validate(each), chat) for each in rules if _looks(each)]
    if rows:  # rules of `input` may be those of answers once more
        lines += ["| rule | in | out | |", "|---|---|---|---|", *dict.fromkeys(rows)]
    return "\n".join(lines) + "\n"


def _looks(rule: object) -> bool:
    """Return whether a rule looks for something: others change inherited ones."""
    return isinstance(rule, dict) and bool(rule.keys() & {"words", "pattern"})


def _row(rule: RuleFile, chat: Mapping[str, str]) -> str:
    before, after = next(_examples(rule), ("", ""))
    notes = [rule.action] if rule.action != "mask" else []
    notes += [] if rule.enabled is not False else ["off"]
    if (action := chat.get(rule.id)) is not None:
        notes.append("in chat" if action == rule.action else f"in chat: {action}")
    return f"| `{rule.id}` | {_code(before)} | {_code(after)} | {', '.join(notes)} |"


def _examples(rule: RuleFile) -> Iterator[tuple[str, str]]:
    """Yield the examples of a rule, the shortest first."""
    tests: Sequence[tuple[str, str]] = [
        (each.input, each.output or "")
        for each in rule.tests or ()
        if getattr(each, "input", None) is not None
    ]
    yield from sorted(tests, key=lambda each: len(each[0]))


def _code(text: str) -> str:
    """Return a text as a cell's code."""
    if not text:
        return ""
    shown = text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
    shown = shown.replace("\n", "⏎").replace("|", "&#124;").replace("<", "&lt;")
    return f"<code>{shown}</code>"
