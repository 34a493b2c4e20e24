"""`guardstream test`: the inline tests of policies, in every chunking that could matter."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

from guardstream.errors import PolicyError
from guardstream.policy import Policy, inline
from guardstream.policy.build import Built
from guardstream.policy.inline import Outcome

PASSED, FAILED = 0, 1


def test(policies: Sequence[str], *, inherited: bool, coverage: bool, junit: Path | None) -> int:
    """Run the tests, print a table, and return the exit status."""
    suites: list[tuple[str, list[Outcome]]] = []
    bare: list[str] = []
    for name in policies:
        built = Policy.load(name).built
        outcomes = list(inline.run(built, inherited=inherited))
        suites.append((name, outcomes))
        _print_table(name, outcomes)
        bare += _uncovered(built, inherited=inherited) if coverage else []
    if junit is not None:
        _write_junit(junit, suites)
    for line in bare:
        print(line)
    failed = any(outcome.problem for _, outcomes in suites for outcome in outcomes)
    return FAILED if failed or bare else PASSED


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


def _uncovered(built: Built, *, inherited: bool) -> list[str]:
    rules = inline.untested(built, inherited=inherited)
    return [f"{built.source.name}: rule {rule!r} lacks 'input' or 'clean' tests" for rule in rules]


def _write_junit(path: Path, suites: Sequence[tuple[str, Sequence[Outcome]]]) -> None:
    """Write the outcomes as the XML that continuous integration reads."""
    root = ElementTree.Element("testsuites")
    for name, outcomes in suites:
        failures = sum(bool(outcome.problem) for outcome in outcomes)
        counts = {"tests": str(len(outcomes)), "failures": str(failures)}
        suite = ElementTree.SubElement(root, "testsuite", {"name": name, **counts})
        for outcome in outcomes:
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
