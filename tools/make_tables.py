"""Writes guardstream/scan/words/tables.py from Unicode's and OpenCC's tables.

    python tools/make_tables.py confusables.json TSCharacters.txt

The first file is that of the package confusable_homoglyphs, which follows Unicode's
confusables.txt (https://www.unicode.org/reports/tr39/#Confusable_Detection); the second is OpenCC's
dictionary of Traditional characters (https://github.com/BYVoid/OpenCC, Apache-2.0).
"""

from __future__ import annotations

import json
import string
import sys
import unicodedata
from pathlib import Path

TARGETS = string.ascii_lowercase + string.ascii_uppercase + string.digits
WIDTH = 80


def confusables(path: Path) -> dict[str, str]:
    """Characters outside ASCII that look like an ASCII letter or digit, and the two digits that
    look like letters."""
    found = {"0": "o", "1": "l"}
    for character, alike in json.loads(path.read_text("utf-8")).items():
        if len(character) != 1 or character.isascii():
            continue
        targets = [entry["c"] for entry in alike if entry["c"] in TARGETS and len(entry["c"]) == 1]
        compared = unicodedata.normalize("NFKD", character).casefold()
        if targets and not compared.isascii():
            found[character] = min(targets, key=TARGETS.index)
    return found


def simplified(path: Path) -> dict[str, str]:
    """Traditional characters and their first simplified one."""
    found = {}
    for line in path.read_text("utf-8").splitlines():
        source, _, targets = line.partition("\t")
        target = targets.split(" ")[0]
        if not line.startswith("#") and len(source) == len(target) == 1 and source != target:
            found[source] = target
    return found


def written(name: str, text: str) -> str:
    lines = [text[at : at + WIDTH] for at in range(0, len(text), WIDTH)]
    return f"{name} = (\n" + "".join(f"    {line!r}\n" for line in lines) + ")\n"


def main() -> None:
    alike = sorted(confusables(Path(sys.argv[1])).items())
    chinese = sorted(simplified(Path(sys.argv[2])).items())
    out = Path(__file__).parent.parent / "guardstream" / "scan" / "words" / "tables.py"
    out.write_text(
        '"""Tables of characters that are compared alike; written by tools/make_tables.py.\n\n'
        "Confusable letters: Unicode Technical Standard 39. Traditional and Simplified Chinese: "
        'OpenCC.\n"""\n\n# fmt: off\n\n'
        + written("CONFUSABLE", "".join(source for source, _ in alike))
        + written("LOOKS_LIKE", "".join(target for _, target in alike))
        + written("TRADITIONAL", "".join(source for source, _ in chinese))
        + written("SIMPLIFIED", "".join(target for _, target in chinese)),
        "utf-8",
    )


if __name__ == "__main__":
    main()
