"""What design/search.md shows is what the search does, step by step."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from guardstream.cli.debug import table
from guardstream.scan.regex.debug import dot

PAGE = (Path(__file__).parents[2] / "design" / "search.md").read_text("utf-8")
SHOWN = re.findall(r"```console\n\$ guardstream debug (.*)\n([\s\S]*?)\n```", PAGE)


def test_the_page_shows_examples() -> None:
    assert len(SHOWN) == 3


@pytest.mark.parametrize(("command", "output"), SHOWN)
def test_a_table_is_what_the_command_prints(command: str, output: str) -> None:
    pattern, text, *options = shlex.split(command)
    assert table(pattern, text, int(options[1]) if options else None) == output


def test_the_picture_has_a_place_for_each_character_and_choice() -> None:
    lines = dot(r"sk-[a-z]{2,4}\d", None).splitlines()
    boxes = [re.findall(r'label="(.*)"', line)[0] for line in lines if "shape=box" in line]
    assert sorted(boxes) == sorted(["s", "k", "-", *4 * ["[a-z]"], r"\\d"])
    assert sum("shape=point" in line for line in lines) == 2
    assert sum("doublecircle" in line for line in lines) == 1
