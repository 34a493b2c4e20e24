"""Clients that leave at any moment leave nothing behind; the benchmark has thousands of them."""

from __future__ import annotations

import asyncio
from pathlib import Path

from benchmarks.serve_leaving import POLICY, run


def test_nothing_is_left_of_clients_that_have_left(tmp_path: Path) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text(POLICY)
    rows = dict(asyncio.run(run(150, policy)))
    assert rows.pop("requests that came to the upstream")
    del rows["MB, from first to last"]
    assert rows.pop("clients") == 150
    assert rows == dict.fromkeys(rows, 0)
    assert len(rows) == 5
