"""What the pages say of benchmarks is what was recorded."""

from __future__ import annotations

import re
import runpy
from datetime import datetime
from pathlib import Path

import pytest

import benchmarks
from benchmarks.recorded import COMMANDS, RECORDS, pages, read, rows, shown
from benchmarks.redaction import Rules
from guardstream import Guard
from guardstream.stages.redact import RuleSet
from guardstream.stages.rules import Rule

DOCS = Path(__file__).resolve().parents[1] / "docs"

COMPARISON = (DOCS / "comparison.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", COMMANDS)
def test_a_page_shows_the_recorded_run(name: str) -> None:
    places = [shown(page.read_text(encoding="utf-8")) for page in pages()]
    texts = [each[name] for each in places if name in each]
    assert texts
    assert set(texts) == {read(name)}, f"python -m benchmarks.recorded {name}"


def test_there_is_no_record_without_a_command() -> None:
    assert {each.stem for each in RECORDS.iterdir()} == set(COMMANDS)
    named = {name for page in pages() for name in shown(page.read_text(encoding="utf-8"))}
    assert named == set(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_run_says_when_and_what_it_measured(name: str) -> None:
    assert re.match(
        r"guardstream \d+\.\d+\.\d+ on \d{4}-\d\d-\d\d, \w+ [\d.]+, \w+\.\n", read(name)
    )


def test_a_time_of_ours_stands_in_a_record_or_is_checked_here() -> None:
    allowed = {"comparison.md": 2}
    for page in pages():
        text = re.sub(r"<!-- recorded.*?/recorded -->", "", page.read_text("utf-8"), flags=re.S)
        times = re.findall(r"[\d.]+ (?:to [\d.]+ )?µs a (?:chunk|character)", text)
        assert len(times) <= allowed.get(page.name, 0), (page.name, times)


def test_the_summary_says_what_was_recorded() -> None:
    page = (DOCS / "benchmarks.md").read_text(encoding="utf-8")
    (summary,) = re.findall(r"In short: (.*?)\n\n", page, re.S)
    costs = read("guard").split("### Cost and hold-back")[1].split("###")[0]
    (row,) = re.findall(r"^\| English \| 10,000 \| 230 \| (.*) \|$", costs, re.M)
    _, _, unseen, _, held, *_ = row.split(" | ")
    planted, leaked, *_ = rows(read("guard"), "Beside others: leaks")["guardstream"]
    assert {*leaked.split("/")} == {"0"}
    assert re.findall(r"\d[\d.,]*(?<!\.)", summary) == ["230", "10,000", unseen, held, planted, "0"]


def test_the_comparison_says_what_was_recorded() -> None:
    recorded = rows(read("guard"), "Beside others: leaks")
    recorded = {name: row for name, row in recorded.items() if "mode" not in name}
    compared = re.findall(
        r"^\| \**([\w -]+?)\**(?: [\d.]+)?(?:, by hand)? \| (\d+)", COMPARISON, re.M
    )
    assert len(compared) == 7
    for name, leaked in compared:
        (row,) = (recorded[each] for each in recorded if each.split(" (")[0].startswith(name))
        assert row[2].split("/")[1] == leaked, name


def test_the_comparison_is_of_the_day_of_the_record() -> None:
    said = re.search(r"the run of (\d+ \w+ \d{4})", COMPARISON)
    recorded = re.search(r" on (\d{4}-\d\d-\d\d),", read("guard"))
    assert said is not None
    assert recorded is not None
    assert datetime.strptime(said[1], "%d %B %Y").date().isoformat() == recorded[1]


def test_the_comparison_names_the_versions_that_were_measured() -> None:
    for name, version in re.findall(r"^\| ([\w-]+) ([\d.]+) \|", COMPARISON, re.M):
        assert f"{name} ({version})" in read("guard")


def test_the_costs_in_the_comparison_are_those_recorded() -> None:
    costs = rows(read("guard"), "Beside others: cost")
    theirs = next(row for name, row in costs.items() if "chunk:64" in name)
    said = re.search(r"takes ([\d.]+) µs a chunk \(guardstream ([\d.]+)\)", COMPARISON)
    assert said is not None
    assert said.groups() == (theirs[2], costs["guardstream"][2])


def test_the_costs_of_json_in_the_comparison_are_those_recorded() -> None:
    costs = rows(read("json"), "JSON: records, 4-character chunks")
    theirs = next(row for name, row in costs.items() if name.startswith("ijson"))
    said = re.search(r"less time \(([\d.]+) µs a chunk against ([\d.]+)\)", COMPARISON)
    assert said is not None
    assert said.groups() == (theirs[2], costs["lexer alone"][2])


PROGRAMS = [
    path.stem
    for path in sorted(Path(benchmarks.__file__).parent.glob("*.py"))
    if '__name__ == "__main__"' in path.read_text(encoding="utf-8")
]


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_benchmark_says_how_it_is_run(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", [name, "--help"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(Path(benchmarks.__file__).with_name(f"{name}.py")), run_name="__main__")
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith("usage: ")


def test_what_is_measured_is_a_guard_of_the_rules_that_are_given() -> None:
    guard = Guard(Rules(RuleSet([Rule("codename", words=("bluebird",))])))
    assert guard.wrap_sync(["a blue", "bird"]).text() == "a [codename]"
