"""`python -m tests.changed` runs what a change can break, and no more."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.changed import affected
from tests.support.layers import LAYERS, PACKAGE


def paths(*names: str) -> list[str]:
    return affected([Path(name) for name in names])


def test_a_change_of_an_adapter_runs_nothing_below_it() -> None:
    chosen = paths("guardstream/formats/spec.py")
    assert not {"tests/scan", "tests/framing", "tests/jsonstream", "tests/stages"} & {*chosen}
    assert {"tests/formats", "tests/stream", "tests/serve", "tests/sdks"} <= {*chosen}


def test_what_belongs_to_no_layer_always_runs() -> None:
    assert {"tests/test_docs.py", "tests/test_layering.py"} <= {*paths("docs/policies.md")}
    assert "tests/cli" not in paths("docs/policies.md")


def test_a_changed_test_runs_itself_alone_of_its_layer() -> None:
    chosen = paths("tests/scan/test_exactness.py")
    assert "tests/scan/test_exactness.py" in chosen
    assert "tests/scan" not in chosen


@pytest.mark.parametrize("name", ["tests/support/reference.py", "guardstream/errors.py"])
def test_what_all_depends_on_runs_all(name: str) -> None:
    assert paths(name) == ["tests"]


def test_a_helper_of_a_layer_runs_that_layer() -> None:
    assert "tests/formats" in paths("tests/formats/changes.py")
    assert "tests/scan" not in paths("tests/formats/changes.py")


def test_each_member_of_a_layer_is_in_the_package() -> None:
    names = {path.name.removesuffix(".py") for path in PACKAGE.iterdir()}
    assert {name for members in LAYERS for name in members} <= names
