"""How well the packs find what they are for: `python -m benchmarks.evaluate [PACK…]`.

Each pack alone, on public cases that stand beside the checkout (`../shared/corpora`, or where
GUARDSTREAM_CORPORA says), by source: `splits.toml` says which sources rules were written with and
which are only reported. What is counted is what `guardstream eval` counts; findings of monitor
rules do not. `--write` records the table in `evaluated.md`.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks import passwords as made_up
from benchmarks.arguments import parser
from benchmarks.splits import side
from guardstream import Finding, Guard, Policy
from guardstream.cli import measure
from guardstream.cli.measure import Kind, Span, found, in_pieces, inside
from guardstream.policy import packs
from guardstream.scan.words.normalize import WORD_NAMES

ROOT = Path(__file__).resolve().parent.parent
CORPORA = Path(os.environ.get("GUARDSTREAM_CORPORA", ROOT.parent / "shared" / "corpora"))
RECORD = Path(__file__).resolve().parent / "evaluated.md"


@dataclass(slots=True)
class Share(measure.Share):
    """So many of so many, and what the others were."""

    misses: list[str] = field(default_factory=list)

    def count(self, hit: bool, what: str = "") -> None:
        """Count one, and keep what it was if it is none of them."""
        self.add(hit)
        if not hit:
            self.misses.append(what)


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: what was measured, what for, and what was wanted."""

    pack: str
    what: str
    side: str
    target: str
    result: str
    met: bool | None = None

    def __str__(self) -> str:
        return f"| {self.pack} | {self.what} | {self.side} | {self.target} | {self.result} |"


def least(share: Share, wanted: float) -> tuple[str, str, bool]:
    """Return a target of at least `wanted` percent, with the result."""
    return f"≥ {wanted:g} %", str(share), (share.percent or 0) >= wanted


def most(share: Share, wanted: float) -> tuple[str, str, bool]:
    """Return a target of at most `wanted` percent, with the result."""
    return f"≤ {wanted:g} %", str(share), (share.percent or 0) <= wanted


def lines_of(path: Path) -> Iterator[dict[str, Any]]:
    """The records of a file of JSON lines."""
    with path.open(encoding="utf-8") as file:
        yield from map(json.loads, file)


# secrets


def secrets() -> Iterator[Row]:
    """Access keys and tokens: gitleaks' own cases, by whether rules were written for their kind."""
    guard = Guard.load("guardstream/secrets")
    for half, wanted in (("development", 95), ("reported", 80)):
        flagged, masked, negative = Share(), Share(), Share()
        for case in lines_of(CORPORA / "secrets" / "gitleaks_cases.jsonl"):
            if side("secrets", case["rule"]) != half:
                continue
            findings = found(guard, case["text"])
            label = f"{case['rule']}: {case['text'][:150]!r}"
            if case["kind"] == "fp":
                negative.count(bool(findings))
                report_flagged(findings, label, half)
                continue
            flagged.count(bool(findings), label)
            spans = [secret_span(case["text"], span) for span in case["regex_spans"]]
            masked.count(bool(findings) and all(inside(span, findings) for span in spans), label)
        kinds = "kinds with a rule" if half == "development" else "other kinds"
        yield Row("secrets", f"{kinds}: positives flagged", half, *least(flagged, wanted))
        yield Row("secrets", f"{kinds}: the whole secret masked", half, "", str(masked))
        # Published keys, and keys of other vendors, are negatives of gitleaks' kinds too.
        yield Row("secrets", f"{kinds}: negatives flagged", half, *most(negative, 8))
        report(flagged, "missed", half)
        partly = [miss for miss in masked.misses if miss not in flagged.misses]
        report(Share(misses=partly), "not whole", half)


def passwords() -> Iterator[Row]:
    """Passwords of 14 characters drawn from 94, and lines in the same notations without one."""
    guard = Guard.load("guardstream/secrets")
    masked, flagged = Share(), Share()
    for before, written, after in made_up.drawn(500):
        text, start = before + written + after, len(before)
        masked.count(covered((start, start + len(written)), found(guard, text)), repr(text))
    for text in made_up.innocent(1000):
        findings = found(guard, text)
        flagged.count(bool(findings))
        report_flagged(findings, repr(text), "development")
    what = "14 characters of 94 in eight notations"
    yield Row("secrets", f"{what}: masked whole", "", *least(masked, 97))
    yield Row("secrets", "1,000 lines of these without a password: flagged", "", *most(flagged, 1))
    report(masked, "not whole")


def covered(span: Span, findings: Iterable[Finding]) -> bool:
    """Whether findings together cover a span."""
    places = {at for finding in findings for at in range(finding.start, finding.end)}
    return places.issuperset(range(*span))


def secret_span(text: str, span: dict[str, Any]) -> Span:
    """The place of a secret in code points, from a span in bytes of UTF-8."""
    data = text.encode("utf-8", "surrogatepass")
    start = len(data[: span["byte_start"]].decode("utf-8", "replace"))
    secret = str(span.get("secret") or "")
    at = text.find(secret, start) if secret else -1
    if at >= 0:
        return at, at + len(secret)
    return start, len(data[: span["byte_end"]].decode("utf-8", "replace"))


# pii

ALL_PII = [f"guardstream/{name}" for name in packs.names() if name.startswith("pii-")]


def pii() -> Iterator[Row]:
    """Personal data: Presidio's own cases, by entity or country, and Chinese numbers."""
    english = Guard.load("guardstream/pii-en")
    every = Guard(Policy.parse(f"extends: {json.dumps(ALL_PII)}"))
    cases = json.loads((CORPORA / "pii" / "presidio_cases_spans.json").read_text("utf-8"))
    own = [case for case in cases if side("pii", case["entity"]) == "development"]
    yield from presidio("pii-en", english, "the entities with a rule", "development", own)
    others: dict[str, list[Any]] = {}
    for case in cases:
        if side("pii", case["entity"]) == "reported":
            others.setdefault(case["entity"].split("_")[0], []).append(case)
    for country, some in sorted(others.items()):
        yield from presidio("pii-*", every, f"{country} numbers", "reported", some)
    yield from chinese_numbers()


def presidio(pack: str, guard: Guard, what: str, half: str, cases: Iterable[Any]) -> Iterator[Row]:
    """Recall, and how many findings are right, on some of Presidio's cases."""
    recall, exact, precision, negative = Share(), Share(), Share(), Share()
    for case in cases:
        text, findings = case["text"], found(guard, case["text"])
        spans = [stripped(text, span) for span in case["spans"]]
        label = f"{case['entity']}: {text[:150]!r}"
        bounds = [(finding.start, finding.end) for finding in findings]
        for span in spans:
            recall.count(inside(span, findings), f"{label} {span}")
            exact.count(span in bounds)
        for finding in findings:
            right = any(finding.start < end and start < finding.end for start, end in spans)
            precision.count(right, f"{finding.rule} {label} {finding.start, finding.end}")
        if not spans:
            negative.count(bool(findings))
    if half == "development":
        yield Row(pack, f"{what}: spans in full", half, *least(recall, 95))
        yield Row(pack, f"{what}: spans exactly", half, "", str(exact))
        yield Row(pack, f"{what}: findings right", half, *least(precision, 95))
        yield Row(pack, f"{what}: negatives flagged", half, *most(negative, 2))
    else:
        result = f"spans {recall}, exactly {exact.hits}; right {precision}; negatives {negative}"
        yield Row(pack, what, half, "", result)
    report(recall, "missed", half)
    report(precision, "wrong", half)


def stripped(text: str, span: Sequence[int]) -> Span:
    """A span without the white space at its ends."""
    start, end = span
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    return start, end


def chinese_numbers() -> Iterator[Row]:
    """Chinese identity and phone numbers."""
    guard = Guard.load("guardstream/pii-zh")
    valid, wrong = Share(), Share()
    for case in json.loads((CORPORA / "pii" / "cn_pii_cases.json").read_text("utf-8")):
        hit = bool(found(guard, case["text"]))
        label = f"{case['entity']}: {case['text']}"
        identity = case["entity"] == "CN_ID_CARD"
        if identity and case.get("checksum_ok") is False:
            wrong.count(hit, label)
        elif case.get("valid") and (case.get("checksum_ok") or case["entity"] == "CNMobile"):
            valid.count(hit, label)
    yield Row("pii-zh", "identity and mobile numbers", "development", *least(valid, 95))
    yield Row("pii-zh", "wrong check digits flagged", "development", *most(wrong, 0))
    report(valid, "missed")


# injection


def injection() -> Iterator[Row]:
    """Prompt injection: attacks and benign texts, by source; there is no total."""
    guard = Guard.load("guardstream/injection")
    shares: dict[tuple[str, str], Share] = {}
    noted: dict[tuple[str, str], Share] = {}
    for case in lines_of(CORPORA / "injection" / "cases.jsonl"):
        reported = found(guard, case["text"], monitor=True)
        findings = [finding for finding in reported if finding.action != "monitor"]
        name = source_of(case)
        half = side("injection", name) or ""
        kind = "attack" if case["label"] else "benign"
        label = f"{name}: {case['text'][:200]!r}"
        shares.setdefault((kind, name), Share()).count(bool(findings), label)
        noted.setdefault((kind, name), Share()).count(bool(reported), label)
        if not case["label"]:
            report_flagged(findings, label, half)
    for (kind, name), share in sorted(shares.items()):
        half = side("injection", name) or ""
        target, result, met = most(share, 2) if kind == "benign" else ("", str(share), None)
        result += f"; with what is only reported {noted[kind, name]}"
        yield Row("injection", f"{kind}: {name}", half, target, result, met)
        if kind == "attack":
            report(share, "missed", half)


def source_of(case: dict[str, Any]) -> str:
    """The source of a case, with its part or language."""
    part = case.get("lang") or case.get("origin")
    return f"{case['source']} {part}" if part else str(case["source"])


# words


def words() -> Iterator[Row]:
    """A list of 60,000 Chinese words, each sampled word in each disguise."""
    lines = (CORPORA / "words" / "zh_union_dedup.txt").read_text("utf-8").splitlines()
    listed_words = [word for line in lines if len(word := line.strip()) > 1][:60_000]
    rule = f"words: {{file: words}}, normalize: [{', '.join(sorted(WORD_NAMES))}]"
    with TemporaryDirectory() as folder:
        Path(folder, "words").write_text("\n".join(listed_words), encoding="utf-8")
        text = f'rules: [{{id: listed, {rule}, replacement: "*"}}]'
        guard = Guard(Policy.parse(text, folder=folder))
    for name, disguise in disguises().items():
        share = Share()
        for word in listed_words[::40]:
            text = f"说，{disguise(word)}。"
            shown = guard.check(text).text
            share.count(set(shown[2:-1]) == {"*"}, f"{name}: {text!r} {shown!r}")
        yield Row("(60,000 words)", f"masked: {name}", "", *least(share, 99))
        report(share, "missed")


def disguises() -> dict[str, Callable[[str], str]]:
    """The ways to write a word otherwise, by name."""
    table = (CORPORA / "unicode" / "TSCharacters.txt").read_text("utf-8").splitlines()
    pairs = [line.split("\t") for line in table if line and not line.startswith("#")]
    traditional = {ord(pair[1].split()[0]): pair[0] for pair in reversed(pairs)}
    wide = {code: code + 0xFEE0 for code in range(0x21, 0x7F)}
    return {
        "plain": str,
        "case": str.swapcase,
        "width": lambda word: word.translate(wide),
        "zero_width": "\u200b".join,
        "separators": "-".join,
        "repeats": lambda word: "".join(2 * character for character in word),
        "simplified": lambda word: word.translate(traditional),
    }


# prose


def prose() -> Iterator[Row]:
    """Findings of the `chat` pack in ordinary prose."""
    guard = Guard.load("guardstream/chat")
    for path in sorted((CORPORA / "prose").iterdir()):
        text, half = path.read_text(encoding="utf-8"), side("prose", path.name) or ""
        kind = Kind(len(text.encode()))
        for finding, piece in in_pieces(guard, text):
            kind.add(finding)
            shown = piece[max(finding.start - 30, 0) : finding.end + 20]
            if half == "development":
                say(f"  {finding.rule}: {shown!r}")
        blocks = f"{kind.blocks} blocks, {kind.overflows} overflows"
        result = f"{kind.rate:.2f} ({kind.findings} in {kind.size / 1e6:.1f} MB; {blocks})"
        met = kind.rate < 0.5 and not kind.blocks and not kind.overflows
        yield Row(
            "chat", f"findings in 100 KB of {path.name}", half, "< 0.5, no block", result, met
        )


PARTS: dict[str, Callable[[], Iterator[Row]]] = {
    "secrets": secrets,
    "passwords": passwords,
    "pii": pii,
    "injection": injection,
    "words": words,
    "prose": prose,
}

_asks = parser(__doc__)
_asks.add_argument("packs", nargs="*", metavar="PACK", help=", ".join(PARTS))
_asks.add_argument("--misses", action="store_true", help="print what was missed, and flagged")
_asks.add_argument("--write", action="store_true", help="record the table, if all is measured")
ASKED = _asks.parse_args([] if __name__ != "__main__" else None)


def say(line: str) -> None:
    """Print a detail, if asked for."""
    if ASKED.misses:
        print(line)


def report(share: Share, word: str, half: str = "development") -> None:
    """Print what was missed, if asked for; of reported sources nobody reads it."""
    if half == "development":
        for miss in share.misses:
            say(f"  {word} {miss}")


def report_flagged(findings: Sequence[Finding], label: str, half: str) -> None:
    """Print what was found where nothing is, as `report` does."""
    if findings and half == "development":
        say(f"  flagged {findings[0].rule}: {label}")


def table(rows: Iterable[Row]) -> str:
    """The table as it is recorded."""
    lines = ["| pack | measured on | source is for | target | result |", "|---|---|---|---|---|"]
    lines += [str(row) if row.met is not False else f"{row} missed |" for row in rows]
    return "\n".join(lines) + "\n"


def main(names: Sequence[str]) -> int:
    """Print the table; 1 if a target is missed."""
    if not CORPORA.is_dir():
        print(f"the cases are not there: {CORPORA}")
        return 0
    rows = [row for name in names or PARTS for row in PARTS[name]()]
    print(table(rows), end="")
    if ASKED.write and not names:
        RECORD.write_text(table(rows), encoding="utf-8")
    return any(row.met is False for row in rows)


if __name__ == "__main__":
    sys.exit(main(ASKED.packs))
