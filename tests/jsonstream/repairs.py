"""What json_repair and jsonrepair read in almost-JSON, recorded beside this file.

`python -m tests.jsonstream.repairs` asks both again, and says where they have changed; with
`--write` it records that. It needs Python's `json_repair`, and Node's `jsonrepair` in NODE_PATH:
`make weekly-repairs` has both.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

TABLE = Path(__file__).with_name("repairs.json")

_NODE = """
const {jsonrepair} = require("jsonrepair");
const read = text => { try { return JSON.stringify(JSON.parse(jsonrepair(text))) }
    catch { return null } };
const texts = JSON.parse(require("fs").readFileSync(0, "utf8"));
console.log(JSON.stringify(texts.map(read)));
"""


class Read(NamedTuple):
    """A text, and the JSON that each of the two reads in it; None if it refuses the text."""

    text: str
    json_repair: str | None
    jsonrepair: str | None

    @property
    def agreed(self) -> str | None:
        """The value that both read."""
        one, other = (each and _sorted(each) for each in self[1:])
        return one if one == other else None


def recorded() -> list[Read]:
    """Return the table."""
    return [Read(*row) for row in json.loads(TABLE.read_text(encoding="utf-8"))]


def _sorted(text: str) -> str:
    return json.dumps(json.loads(text), sort_keys=True)


def asked(texts: list[str]) -> list[Read]:
    """Ask both what they read in some texts."""
    from json_repair import repair_json

    def read(text: str) -> str | None:
        value: Any = repair_json(text, return_objects=True)
        return None if value == "" else json.dumps(value)

    node = ["node", "-e", _NODE]
    given = json.dumps(texts)
    found = subprocess.run(node, input=given, capture_output=True, text=True, check=True).stdout
    return [Read(*each) for each in zip(texts, map(read, texts), json.loads(found), strict=True)]


def main() -> int:
    """Compare the table with what both read today."""
    before = recorded()
    now = asked([each.text for each in before])
    for old, new in zip(before, now, strict=True):
        if old != new:
            print(f"{old.text!r}: {old[1:]} has become {new[1:]}")
    if "--write" in sys.argv:
        rows = ",\n".join(json.dumps(each, ensure_ascii=False) for each in now)
        TABLE.write_text(f"[\n{rows}\n]\n", encoding="utf-8")
    return int(before != now)


if __name__ == "__main__":
    sys.exit(main())
