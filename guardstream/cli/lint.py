"""`guardstream lint`: errors and warnings about policies, one line each."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Literal, TypeAlias

from guardstream.cli import sarif, unresolved_names
from guardstream.policy import Policy, build, packs
from guardstream.policy.diagnostics import Diagnostic, diagnostics
from guardstream.policy.lint import warnings
from guardstream.policy.sources import Loader
from guardstream.stream.flows.choosing import own_formats

CLEAN, WARNED, WRONG = 0, 1, 2

Form: TypeAlias = Literal["lines", "json", "sarif"]


def lint(policies: Sequence[str], *, strict: bool, form: Form = "lines") -> int:
    """Print the errors and warnings; return the exit status."""
    found = [each for name in policies for each in _diagnostics(name)]
    if form == "lines":
        for each in found:
            print(_line(each))
    else:
        document = sarif.log(found) if form == "sarif" else [each._asdict() for each in found]
        print(json.dumps(document, indent=2))
    if any(each.level == "error" for each in found):
        return WRONG
    return WARNED if found and strict else CLEAN


def _diagnostics(name: str) -> Iterator[Diagnostic]:
    return diagnostics(name, lambda: _loaded(name), _warnings)


def _loaded(name: str) -> build.CompiledPolicy:
    """Load a policy; PolicyError lists what a guard would refuse."""
    built = build.load(packs.resolve(name), Loader(purpose="lint"))
    policy = Policy(built)
    own_formats(policy, policy.unknown)
    return built


def _warnings(built: build.CompiledPolicy) -> list[str]:
    return [*warnings(built), *unresolved_names.warnings(built)]


def _line(found: Diagnostic) -> str:
    """Return a diagnostic in the form of compilers' messages."""
    return f"{found.file}:{found.line}:{found.column}: {found.level}: {found.message}"
