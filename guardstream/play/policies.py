"""Policies that the page sends: they may have inline rules and shipped packs, and nothing else.

References to anything else (files, code, environment variables, other hosts) are refused at their
place in the text. The loader is a second defence: it reads only packs, and allows no code.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from guardstream.errors import PolicyError
from guardstream.guard import Guard
from guardstream.policy import Policy, build, checks, packs
from guardstream.policy.build import CompiledPolicy
from guardstream.policy.diagnostics import Diagnostic, diagnostics
from guardstream.policy.document import Document, KeyPath, Problem
from guardstream.policy.model import OPERATIONAL
from guardstream.policy.sources import Loader, MergedPolicy, Purpose

NAME = "policy.yaml"

_NOWHERE = Path(os.devnull)
"""A folder in which there are no files, whatever is asked for."""

MODES: tuple[Literal["enforce", "shadow"], ...] = ("enforce", "shadow")

_KEPT = 4
"""Compiled policies that are kept: what is played, linted and checked is mostly the same."""


class _Inline(Loader):
    """A loader for policies that may refer only to packs."""

    def parse(self, text: str, name: str, folder: Path, *, sound: bool = False) -> MergedPolicy:
        """Read a policy; errors about keys that are not allowed here replace other errors at their
        place."""
        merged = super().parse(text, name, folder, sound=sound)
        if not sound:
            source = merged.source
            refused = list(_refused(source.document))
            places = {problem.mark for problem in refused}
            source.problems = [each for each in source.problems if each.mark not in places]
            source.problems += refused
            if refused:
                self.check()
        return merged

    def read_text(self, path: Path) -> str:
        """Return the text of a pack. PolicyError for any other file."""
        if not packs.has(path):
            raise PolicyError("no files are read here: write it inline")
        return super().read_text(path)


def built(text: str, purpose: Purpose = "guard") -> CompiledPolicy:
    """Compile a policy's text. PolicyError lists all errors, and all that is not allowed here."""
    return build.parse(text, NAME, _NOWHERE, _Inline(purpose=purpose))


def judged(text: str) -> list[Diagnostic]:
    """Return all errors of a policy's text, or its warnings if it has none, with places."""
    return list(diagnostics(NAME, lambda: built(text, "lint")))


@lru_cache(maxsize=_KEPT)
def compiled(text: str) -> CompiledPolicy:
    """Return the result of `built`, cached."""
    return built(text)


def guard_of(text: str, mode: Literal["enforce", "shadow"] | None = None) -> Guard:
    """Return a guard that applies only the policy's rules; `mode` replaces the policy's own."""
    made = compiled(text)
    if mode is not None and made.file.mode != mode:
        made = replace(made, file=made.file.model_copy(update={"mode": mode}))
    return Guard(Policy(made), rules_only=True)


# What is refused

_WHY = {
    "stages": "'stages' are code, which does not run here: leave them out",
    "reload": "'reload' follows files, and there are none here: leave it out",
}


def _refused(document: Document) -> Iterator[Problem]:
    """Yield the errors for all keys that are not allowed here."""
    value = document.value
    if not isinstance(value, dict):
        return
    for name in (*OPERATIONAL, "stages"):
        if name in value:
            said = f"only rules run here: leave {name!r} out"
            yield Problem(document.key_mark((name,)), _WHY.get(name, said))
    yield from _rules(document, value, ())
    if isinstance(value.get("input"), dict):
        yield from _rules(document, value["input"], ("input",))
    if isinstance(value.get("json"), dict):
        yield from _json(document, value["json"])
    if isinstance(value.get("limits"), dict) and "tokens" in value["limits"]:
        said = "'tokens' needs code or files that count them: take 'max_chars' here"
        yield Problem(document.key_mark(("limits", "tokens")), said)


def _rules(document: Document, value: dict[str, Any], prefix: KeyPath) -> Iterator[Problem]:
    for index, name in enumerate(_listed(value.get("extends"))):
        if isinstance(name, str) and not name.startswith(packs.PREFIX):
            said = f"only packs can be extended here, as '{packs.PREFIX}NAME'"
            yield Problem(document.mark((*prefix, "extends", index)), said)
    rules = value.get("rules")
    for number, rule in enumerate(rules if isinstance(rules, list) else ()):
        if isinstance(rule, dict):
            yield from _rule(document, rule, (*prefix, "rules", number))


def _rule(document: Document, rule: dict[str, Any], place: KeyPath) -> Iterator[Problem]:
    if isinstance(rule.get("words"), dict):
        said = "no word files are read here: write the words as a list"
        yield Problem(document.mark((*place, "words")), said)
    for index, check in enumerate(_listed(rule.get("validate"))):
        if isinstance(check, str) and checks.is_code(check):
            said = "your own checks are code, which does not run here: name a built-in one"
            yield Problem(document.mark((*place, "validate", index)), said)
    made = rule.get("replacement")
    if isinstance(made, dict) and "pseudonym" in made:
        said = "'pseudonym' takes its key from the environment, which is not read here"
        yield Problem(document.key_mark((*place, "replacement", "pseudonym")), said)


def _json(document: Document, section: dict[str, Any]) -> Iterator[Problem]:
    said = "no schema files are read here: write the schema inline"
    if "schemas" in section:
        yield Problem(document.key_mark(("json", "schemas")), said)
    if isinstance(section.get("schema"), str):
        yield Problem(document.mark(("json", "schema")), said)
    if section.get("tools") == "from_request":
        nothing = "'from_request' needs a request, and there is none here: name the tools"
        yield Problem(document.mark(("json", "tools")), nothing)
    tools = section.get("tools")
    for name, tool in tools.items() if isinstance(tools, dict) else ():
        if isinstance(tool, dict) and isinstance(tool.get("schema"), str):
            yield Problem(document.mark(("json", "tools", name, "schema")), said)


def _listed(value: object) -> list[Any]:
    """Return a list, or a single value as one; the place of its item 0 is that of the value."""
    return value if isinstance(value, list) else [value]
