"""A page of what the packs find, by their inline tests and by what `make eval` recorded."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from html import escape

from benchmarks import evaluate
from guardstream import Policy
from guardstream.policy import packs
from guardstream.policy.build import CompiledPolicy
from guardstream.policy.model import RuleFile

HEAD = """# What is masked by the packs

What the packs mask, block or only report: each rule of each pack, with an example from its tests,
and how it comes out of that pack. The last column says what `guardstream/chat`, the default for
answers, does with it. A rule that is not in it (–) works once a policy
[extends](../policies.md#extends) its pack.

How much a pack finds is said of what has at least 30 labelled cases (`make eval`). Where the rules
are written from a source, new texts of the kind may do worse. `benchmarks/evaluated.md` has all
figures.

"""

ENOUGH = 30
"""So many labelled cases make a figure."""

SHOWN = 70
"""So many characters of an example are shown."""

DOES = {"mask": "masked", "block": "blocked", "stop": "stops", "monitor": "reported"}


SAID = {
    "positives flagged": "{0}: finds {1:,} of {2:,}",
    "spans in full": "{0}: finds {1:,} of {2:,} in full",
    "the whole secret masked": "{0}: hides {1:,} of {2:,} in full",
    "masked whole": "{0}: hides {1:,} of {2:,}",
    "negatives flagged": "{0}: {1:,} false in {2:,} texts",
    "flagged": "{0}: {1:,} false in {2:,} texts",
    "attack": "{0}: finds {1:,} of {2:,}",
    "benign": "{0}: {1:,} false in {2:,} texts",
}
"""What is said of a row, by the word that says what it counts."""

WRITTEN = {"development": " (rules are written from it)"}

SHARE = re.compile(r"\((\d+)/(\d+)\)")

IN_PROSE = re.compile(r"\((\d+) in ([\d.]+ MB); (\d+) blocks")


def measured() -> dict[str, list[str]]:
    """What was recorded of each pack in words, as far as it is of enough cases."""
    said: dict[str, list[str]] = {}
    for line in evaluate.RECORD.read_text(encoding="utf-8").splitlines()[2:]:
        pack, what, source, _, result = (each.strip() for each in line.split("|")[1:6])
        if words := _figure(what, result):
            said.setdefault(pack, []).append(f"- {words}{WRITTEN.get(source, '')}")
    return said


def _figure(what: str, result: str) -> str:
    kind, _, counted = what.rpartition(": ")
    if kind in ("attack", "benign"):
        kind, counted = counted, kind
    share = SHARE.search(result)
    if share and counted in SAID and int(share[2]) >= ENOUGH:
        return SAID[counted].format(kind, int(share[1]), int(share[2]))
    if prose := IN_PROSE.search(result):
        text = what.rpartition(" of ")[2]
        return f"{text}: {prose[1]} false in {prose[2]} of text, {prose[3]} of them blocks"
    return ""


def page() -> str:
    """Return the page as Markdown."""
    said = measured()
    chat = Policy.load(packs.pack("chat")).built
    usual = {each.rule.id: each.rule for each in chat.placed}
    names = sorted(packs.names(), key=lambda name: (name != "pii-en", name))
    return HEAD + "\n".join(_section(name, said, usual) for name in names)


def _section(name: str, said: Mapping[str, list[str]], usual: Mapping[str, RuleFile]) -> str:
    built = Policy.load(packs.pack(name)).built
    lines = [f"## guardstream/{name}", "", f"{built.file.description}.", ""]
    if others := built.file.extends:
        lines += [f"With the rules of {', '.join(f'`{each}`' for each in others)}.", ""]
    lines += [*said.get(name, ["How many it finds: not measured."]), ""]
    if rows := [_row(rule, usual) for rule in _own(built)]:
        lines += ["| rule | example | comes out | in `chat` |", "|---|---|---|---|", *rows, ""]
    return "\n".join(lines)


def _own(built: CompiledPolicy) -> Iterator[RuleFile]:
    """The rules of a pack's own file, of its section `input` too."""
    seen: set[str] = set()
    for part in filter(None, (built, built.input)):
        for each in part.placed:
            if each.origin.source is built.source and each.rule.id not in seen:
                seen.add(each.rule.id)
                yield each.rule


def _row(rule: RuleFile, usual: Mapping[str, RuleFile]) -> str:
    cases = [(each.input or "", each.output or "") for each in rule.tests if each.clean is None]
    came, out = min(cases, key=lambda case: len(case[0]), default=("", ""))
    here = usual.get(rule.id)
    does = DOES[here.action] if here else "–"
    return f"| `{rule.id}` | {_cell(came)} | {_cell(out)} | {does} |"


def _cell(text: str) -> str:
    """Return a text as code in a cell; unseen characters are written as escapes."""
    if not text:
        return ""
    shown = "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
    shown = shown if len(shown) <= SHOWN else shown[: SHOWN - 1] + "…"
    return f"<code>{escape(shown)}</code>".replace("|", "&#124;")
