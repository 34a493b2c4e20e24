"""`guardstream test`: runs the inline tests of policies, in every chunking that could matter."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from guardstream.cli.output import naming, note
from guardstream.cli.progress import shown
from guardstream.errors import PolicyError
from guardstream.policy import build, inline, packs
from guardstream.policy.build import CompiledPolicy
from guardstream.policy.inline import Outcome
from guardstream.policy.lint import missing_keys
from guardstream.policy.plugins import Code
from guardstream.policy.sources import Loader

PASSED, FAILED = 0, 1


@dataclass(frozen=True, slots=True)
class Suite:
    """The tests of one policy: their outcomes and, on request, the rules that lack tests."""

    policy: str
    outcomes: list[Outcome]
    bare: list[str]

    @property
    def failures(self) -> int:
        """How many tests failed."""
        return sum(bool(outcome.problem) for outcome in self.outcomes)


def test(
    policies: Sequence[str],
    *,
    inherited: bool,
    coverage: bool,
    junit: Path | None,
    as_json: bool,
    code: Code,
) -> int:
    """Run the tests, print a table, and return the exit status."""
    if junit is not None:
        with naming(junit), junit.open("ab"):
            pass  # said now, not after the tests
    suites = []
    for name in policies:
        built = build.load(packs.resolve(name), Loader(code, "test"))
        outcomes = list(shown(inline.run(built, inherited=inherited), f"testing {name}"))
        bare = _uncovered(built, inherited=inherited) if coverage else []
        suites.append(Suite(name, outcomes, bare))
        if not as_json:
            _print_table(name, outcomes)
        for line in missing_keys(built):
            note(line)
        if not outcomes:
            note(_why_none(name, built))
    if junit is not None:
        with naming(junit):
            _write_junit(junit, suites)
    if as_json:
        print(json.dumps([_as_dict(suite) for suite in suites], indent=2))
    else:
        for line in (line for suite in suites for line in suite.bare):
            print(line)
    return FAILED if any(suite.failures or suite.bare for suite in suites) else PASSED


def _why_none(name: str, built: CompiledPolicy) -> str:
    """Return the message about a policy without tests, which would otherwise just pass."""
    inherited = sum(placed.origin.source is not built.source for placed in built.placed)
    hint = "give its rules 'tests'"
    if inherited:
        hint += f", or run those of its {inherited} inherited rules with --inherited"
    return f"{name}: no tests were run: {hint}"


def _as_dict(suite: Suite) -> dict[str, Any]:
    tests = [
        {
            "rule": outcome.rule,
            "number": outcome.number,
            "file": outcome.file,
            "line": outcome.mark.line,
            "column": outcome.mark.column,
            "runs": outcome.runs,
            "problem": outcome.problem or None,
        }
        for outcome in suite.outcomes
    ]
    return {
        "policy": suite.policy,
        "tests": tests,
        "failures": suite.failures,
        "uncovered": suite.bare,
    }


def _print_table(name: str, outcomes: Sequence[Outcome]) -> None:
    rules = list(dict.fromkeys(outcome.rule for outcome in outcomes))
    width = max((len(rule) for rule in rules), default=4)
    print(f"{name}\n  {'rule':{width}}  tests   runs  failed")
    for rule in rules:
        own = [outcome for outcome in outcomes if outcome.rule == rule]
        runs, failed = sum(o.runs for o in own), sum(bool(o.problem) for o in own)
        print(f"  {rule:{width}}  {len(own):5}  {runs:5}  {failed or '':>6}")
    for outcome in outcomes:
        if outcome.problem:
            place = f"{outcome.file}:{outcome.mark.line}:{outcome.mark.column}"
            print(f"{place}: rule {outcome.rule!r}: {outcome.problem}")
    failures = sum(bool(outcome.problem) for outcome in outcomes)
    print(f"  {len(outcomes)} tests, {failures} failed")


def _uncovered(built: CompiledPolicy, *, inherited: bool) -> list[str]:
    rules = inline.untested(built, inherited=inherited)
    return [f"{built.source.name}: rule {rule!r} lacks 'input' or 'clean' tests" for rule in rules]


def _write_junit(path: Path, suites: Sequence[Suite]) -> None:
    """Write the outcomes as JUnit XML, which continuous integration reads."""
    root = ElementTree.Element("testsuites")
    for each in suites:
        counts = {"tests": str(len(each.outcomes)), "failures": str(each.failures)}
        suite = ElementTree.SubElement(root, "testsuite", {"name": each.policy, **counts})
        for outcome in each.outcomes:
            label = f"{outcome.rule} #{outcome.number}"
            attributes = {"classname": outcome.rule, "name": label, "file": outcome.file}
            attributes["line"] = str(outcome.mark.line)
            case = ElementTree.SubElement(suite, "testcase", attributes)
            if outcome.problem:
                ElementTree.SubElement(case, "failure", {"message": outcome.problem})
    try:
        ElementTree.ElementTree(root).write(path, encoding="utf-8", xml_declaration=True)
    except ValueError as error:
        raise PolicyError(f"{path}: cannot be written: {error}") from error
