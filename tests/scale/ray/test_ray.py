"""Runs on a local Ray: the same files as by processes. `make scale` has what they need."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from guardstream import Guard, Policy
from guardstream.bulk import BulkError, Job, redact, run
from tests.support.optional import needs

ray = needs("ray")
data = needs("ray.data")

pytestmark = pytest.mark.filterwarnings("default:::ray")

GUARD = Guard(Policy.parse("rules: [{id: bird, words: [bluebird], replacement: '[bird]'}]"))


@pytest.fixture(autouse=True, scope="module")
def cluster() -> Iterator[None]:
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    yield
    ray.shutdown()


def test_a_cluster_writes_what_processes_write(tmp_path: Path) -> None:
    source = tmp_path / "in.jsonl"
    source.write_text("".join(json.dumps({"text": f"{n} bluebird"}) + "\n" for n in range(2000)))
    here, there = tmp_path / "here.jsonl", tmp_path / "there.jsonl"
    report = run(Job(GUARD, str(source), str(here), part_size=5_000))
    assert run(Job(GUARD, str(source), str(there), jobs=8, engine="ray", part_size=5_000)) == report
    assert here.read_bytes() == there.read_bytes()


def test_what_is_wrong_in_a_worker_is_said_here(tmp_path: Path) -> None:
    source = tmp_path / "in.jsonl"
    source.write_text("no json\n")
    with pytest.raises(BulkError, match="byte 0: a line is not JSON"):
        run(Job(GUARD, str(source), engine="ray"))


def test_batches_of_a_dataset_are_guarded() -> None:
    rows = data.from_items([{"text": "a bluebird", "n": n} for n in range(20)])
    made = rows.map_batches(lambda batch: next(redact([batch], GUARD))).take_all()
    assert sorted(made, key=lambda row: row["n"])[3] == {"text": "a [bird]", "n": 3}
