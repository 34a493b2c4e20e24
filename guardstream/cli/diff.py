"""`guardstream diff`: what changes if one policy replaces another."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from guardstream.cli.datasets import read
from guardstream.cli.output import shortened
from guardstream.cli.progress import shown
from guardstream.guard import Guard
from guardstream.policy import build, packs
from guardstream.policy.build import CompiledPolicy
from guardstream.policy.model import OPERATIONAL, SETTINGS
from guardstream.policy.sources import Loader
from guardstream.stages.rules import Rule
from guardstream.stream.result import Result

SAME, DIFFERENT = 0, 1

_SHOWN = 120

_TALK = {"id", "description", "tests", "enabled"}
"""Keys of a rule that do not change what it does."""


class Change(NamedTuple):
    """One difference between two policies; a value is None where a policy does not set it."""

    what: str
    before: Any
    after: Any


def rules(before: str, after: str, *, as_json: bool) -> int:
    """Print the rules and settings that differ; return the exit status."""
    old, new = (build.load(packs.resolve(name), Loader(purpose="lint")) for name in (before, after))
    changes = list(_changes(old, new, ""))
    if as_json:
        print(json.dumps({"changes": [change._asdict() for change in changes]}, indent=2))
    else:
        for what, one, other in changes:
            sign = "+" if one is None else "-" if other is None else "~"
            values = f": {_cut(one)} → {_cut(other)}" if sign == "~" else ""
            print(f"{sign} {what}{values}")
        print(f"{len(changes)} {'change' if len(changes) == 1 else 'changes'}")
    return DIFFERENT if changes else SAME


def _changes(old: CompiledPolicy, new: CompiledPolicy, section: str) -> Iterator[Change]:
    files = [built.file.model_dump(by_alias=True, mode="json") for built in (old, new)]
    for key in (name.rstrip("_") for name in (*SETTINGS, *OPERATIONAL)):
        one, other = (each[key] for each in files)
        if one != other and key != "input":
            yield Change(f"{section}{key}", one, other)
    before, after = _by_id(old), _by_id(new)
    for name in dict.fromkeys((*before, *after)):
        what = f"{section}rule {name!r}"
        if name not in before or name not in after:
            yield Change(what, before.get(name, (None,))[0], after.get(name, (None,))[0])
            continue
        yield from _changed(what, before[name], after[name])
    orders = [
        [name for name in each if name in before and name in after] for each in (before, after)
    ]
    if orders[0] != orders[1]:
        yield Change(f"{section}order of the rules", *orders)
    if old.input and new.input:
        yield from _changes(old.input, new.input, "input: ")
    elif old.input or new.input:
        yield Change("section 'input'", *(_plain(built.file.input) for built in (old, new)))


def _changed(
    what: str, before: tuple[dict[str, Any], Rule], after: tuple[dict[str, Any], Rule]
) -> Iterator[Change]:
    """Yield the keys of a rule that differ; its words may come from a file that has changed."""
    changed = False
    for key in dict.fromkeys((*before[0], *after[0])):
        one, other = before[0].get(key), after[0].get(key)
        if one != other:
            changed = True
            yield Change(f"{what}, {key}", one, other)
    if not changed and before[1].words != after[1].words:
        yield Change(
            f"{what}, words in its file", *(len(each[1].words) for each in (before, after))
        )


def _by_id(built: CompiledPolicy) -> dict[str, tuple[dict[str, Any], Rule]]:
    pairs = zip(built.placed, built.rules, strict=True)
    return {
        placed.rule.id: (
            placed.rule.model_dump(by_alias=True, mode="json", exclude=_TALK),
            rule,
        )
        for placed, rule in pairs
    }


def _plain(value: Any) -> Any:
    return value.model_dump(by_alias=True, mode="json") if hasattr(value, "model_dump") else value


def _cut(value: Any) -> str:
    return shortened(json.dumps(value, ensure_ascii=False, default=repr), _SHOWN)


@dataclass(slots=True)
class Tally:
    """The changes on a dataset: how many texts, the first of them, and findings by rule."""

    texts: int = 0
    changed: int = 0
    first: list[tuple[int, Result, Result]] = field(default_factory=list)
    gone: Counter[str] = field(default_factory=Counter)
    come: Counter[str] = field(default_factory=Counter)

    def add(self, line: int, before: Result, after: Result, most: int) -> None:
        """Count one text; keep it if it changes and fewer than `most` are kept."""
        self.texts += 1
        found_before, found_after = _found(before), _found(after)
        self.gone += found_before - found_after
        self.come += found_after - found_before
        if (before.text, before.finish, found_before) == (after.text, after.finish, found_after):
            return
        self.changed += 1
        if len(self.first) < most:
            self.first.append((line, before, after))

    def as_dict(self) -> dict[str, Any]:
        """Return the tally as JSON values."""
        return {
            "texts": self.texts,
            "changed": self.changed,
            "rules": {
                rule: {"gone": self.gone[rule], "come": self.come[rule]} for rule in self.rules()
            },
            "shown": [
                {"line": line, "before": _as_dict(before), "after": _as_dict(after)}
                for line, before, after in self.first
            ],
        }

    def rules(self) -> list[str]:
        """Return the rules whose findings changed."""
        return sorted(self.gone.keys() | self.come.keys())


def diff(
    before: str,
    after: str,
    dataset: Path,
    *,
    show: int,
    as_json: bool = False,
    code: Sequence[str] = (),
) -> int:
    """Print the texts whose output differs, and a count for each rule; return the exit status."""
    old, new = (
        Guard.load(name, reload=False, allow_code=code, rules_only=True) for name in (before, after)
    )
    tally = Tally()
    for example in shown(read(dataset), "comparing"):
        tally.add(example.line, old.check(example.text), new.check(example.text), show)
    if as_json:
        print(json.dumps(tally.as_dict(), indent=2))
    else:
        _print(tally)
    return DIFFERENT if tally.changed else SAME


def _print(tally: Tally) -> None:
    for line, before, after in tally.first:
        print(f"line {line}:\n  - {_shown(before)}\n  + {_shown(after)}")
    if tally.changed > len(tally.first):
        print(f"… {tally.changed - len(tally.first)} more")
    for rule in tally.rules():
        print(f"  {rule:30} -{tally.gone[rule]} +{tally.come[rule]}")
    print(f"{tally.changed} of {tally.texts} texts change")


def _as_dict(result: Result) -> dict[str, Any]:
    return {"text": result.text, "finish": result.finish, "rules": _rules(result)}


def _found(result: Result) -> Counter[str]:
    return Counter(finding.rule for finding in result.findings)


def _rules(result: Result) -> list[str]:
    return list(dict.fromkeys(finding.rule for finding in result.findings))


def _shown(result: Result) -> str:
    text = shortened(result.text, _SHOWN)
    return f"{text!r} {result.finish} [{', '.join(_rules(result))}]"
