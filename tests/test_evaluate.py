"""The packs, each alone, reach what is recorded of them, source by source."""

from __future__ import annotations

import json

import pytest

from benchmarks import evaluate
from benchmarks.splits import SPLITS, listed, side
from tests.support.corpora import CORPORA, needs_corpora


@pytest.mark.corpus
@needs_corpora
@pytest.mark.parametrize("part", list(evaluate.PARTS))
def test_the_packs_reach_their_targets_and_what_is_recorded(part: str) -> None:
    rows = list(evaluate.PARTS[part]())
    recorded = set(evaluate.RECORD.read_text(encoding="utf-8").splitlines())
    assert [str(row) for row in rows if row.met is False] == []
    assert set(evaluate.table(rows).splitlines()) <= recorded, (
        "python -m benchmarks.evaluate --write"
    )


def test_there_is_no_total_over_sources_of_injection() -> None:
    rows = evaluate.RECORD.read_text(encoding="utf-8").splitlines()
    what = [row.split("|")[2].strip() for row in rows if row.startswith("| injection |")]
    assert len(what) > 10
    assert all(name.startswith(("attack: ", "benign: ")) for name in what)


@pytest.mark.corpus
@needs_corpora
def test_every_source_is_on_one_side() -> None:
    with (CORPORA / "injection" / "cases.jsonl").open(encoding="utf-8") as file:
        injection = {evaluate.source_of(json.loads(line)) for line in file}
    assert {side("injection", source) for source in injection} == {"development", "reported"}
    for path in (CORPORA / "prose").iterdir():
        assert side("prose", path.name) is not None
    numbers = json.loads((CORPORA / "pii" / "presidio_cases_spans.json").read_text("utf-8"))
    entities = {case["entity"] for case in numbers}
    assert {entity for entity in entities if side("pii", entity) is None} == {
        "DATE_TIME",
        "PERSON",
        "URL",
    }
    chinese = json.loads((CORPORA / "pii" / "cn_pii_cases.json").read_text("utf-8"))
    assert {side("pii-zh", case["source"]) for case in chinese} == {"development"}


def test_what_has_a_rule_is_not_reported() -> None:
    assert side("secrets", "anthropic-api-key") == "development"
    assert side("secrets", "a-kind-that-nobody-has-heard-of") == "reported"
    assert side("pii", "US_SSN") == "development"
    assert side("pii", "US_NPI") == "reported"
    assert set(SPLITS) == {"secrets", "pii", "pii-zh", "injection", "prose"}


def test_what_is_covered_is_listed() -> None:
    assert len(listed("covered/secrets.txt")) >= 60
    assert len(listed("covered/pii-en.txt")) >= 10
