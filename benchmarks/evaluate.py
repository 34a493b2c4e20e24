"""How well the packs find what they are for: `python -m benchmarks.evaluate [PACK…]`.

Each pack alone, on public cases that stand beside the checkout (`../shared/corpora`, or where
GUARDSTREAM_CORPORA says). Findings of monitor rules do not count. A text is flagged if there is a
finding; a span is found if all of it is in findings; a finding is right if it touches a span.
"""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, get_args

from guardstream import Finding, Guard, Policy
from guardstream.policy.model import Normalization

ROOT = Path(__file__).resolve().parent.parent
CORPORA = Path(os.environ.get("GUARDSTREAM_CORPORA", ROOT.parent / "shared" / "corpora"))
LISTS = Path(__file__).resolve().parent / "covered"

Span = tuple[int, int]


@dataclass(slots=True)
class Share:
    """So many of so many, and what the others were."""

    hits: int = 0
    total: int = 0
    misses: list[str] = field(default_factory=list)

    def add(self, hit: bool, what: str = "") -> None:
        """Count one."""
        self.total += 1
        self.hits += hit
        if not hit:
            self.misses.append(what)

    @property
    def percent(self) -> float:
        """The share in percent; 100 of nothing."""
        return 100 * self.hits / self.total if self.total else 100.0

    def __str__(self) -> str:
        return f"{self.percent:5.1f} % ({self.hits}/{self.total})"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: what was measured, and what was wanted."""

    pack: str
    what: str
    target: str
    result: str
    met: bool | None = None

    def __str__(self) -> str:
        return f"| {self.pack} | {self.what} | {self.target} | {self.result} |"


def least(share: Share, wanted: float) -> tuple[str, str, bool]:
    """Return a target of at least `wanted` percent, with the result."""
    return f"≥ {wanted:g} %", str(share), share.percent >= wanted


def most(share: Share, wanted: float) -> tuple[str, str, bool]:
    """Return a target of at most `wanted` percent, with the result."""
    return f"≤ {wanted:g} %", str(share), share.percent <= wanted


def found(guard: Guard, text: str) -> Sequence[Finding]:
    """What the guard finds in a text, monitor rules aside."""
    return [finding for finding in guard.check(text).findings if finding.action != "monitor"]


def inside(span: Span, findings: Iterable[Finding]) -> bool:
    """Whether all of a span is in findings."""
    places = {n for finding in findings for n in range(finding.start, finding.end)}
    return places.issuperset(range(*span))


def listed(name: str) -> frozenset[str]:
    """The committed list of what a pack covers."""
    lines = (LISTS / name).read_text(encoding="utf-8").splitlines()
    return frozenset(line for line in lines if line and not line.startswith("#"))


def lines_of(path: Path) -> Iterator[dict[str, Any]]:
    """The records of a file of JSON lines."""
    with path.open(encoding="utf-8") as file:
        yield from map(json.loads, file)


# secrets


def secrets() -> Iterator[Row]:
    """Access keys and tokens: gitleaks' own cases."""
    guard = Guard.load("guardstream/secrets")
    covered = listed("secrets.txt")
    every, own, masked, negative = Share(), Share(), Share(), Share()
    for case in lines_of(CORPORA / "secrets" / "gitleaks_cases.jsonl"):
        findings = found(guard, case["text"])
        label = f"{case['rule']}: {case['text'][:150]!r}"
        if case["kind"] == "fp":
            negative.add(bool(findings), label)
            if findings:
                say(f"  flagged {findings[0].rule}: {label}")
            continue
        every.add(bool(findings), label)
        if case["rule"] in covered:
            own.add(bool(findings), label)
            spans = [secret_span(case["text"], span) for span in case["regex_spans"]]
            masked.add(bool(findings) and all(inside(span, findings) for span in spans), label)
    yield Row("secrets", f"positives of the {len(covered)} kinds listed", *least(own, 95))
    yield Row("secrets", "… and the whole secret masked", "", str(masked))
    yield Row("secrets", "all positives", *least(every, 80))
    yield Row("secrets", "negatives flagged", *most(negative, 8))
    report(every, "missed")
    report(Share(misses=[m for m in masked.misses if m not in own.misses]), "not whole")


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


def pii() -> Iterator[Row]:
    """Personal data: Presidio's own cases, and Chinese numbers."""
    guard = Guard.load("guardstream/pii-en")
    covered = listed("pii-en.txt")
    recall, precision = Share(), Share()
    for case in json.loads((CORPORA / "pii" / "presidio_cases_spans.json").read_text("utf-8")):
        if case["entity"] not in covered:
            continue
        text, findings = case["text"], found(guard, case["text"])
        spans = [stripped(text, span) for span in case["spans"]]
        label = f"{case['entity']}: {text[:150]!r}"
        for span in spans:
            recall.add(inside(span, findings), f"missed {label} {span}")
        for finding in findings:
            right = any(finding.start < end and start < finding.end for start, end in spans)
            precision.add(right, f"wrong {finding.rule} {label} {finding.start, finding.end}")
    what = f"Presidio's spans of the {len(covered)} entities listed"
    yield Row("pii-en", f"{what}: recall", *least(recall, 95))
    yield Row("pii-en", f"{what}: precision", *least(precision, 95))
    report(recall, "")
    report(precision, "")
    yield from chinese_numbers()


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
            wrong.add(hit, label)
        elif case.get("valid") and (case.get("checksum_ok") or case["entity"] == "CNMobile"):
            valid.add(hit, label)
    yield Row("pii-zh", "identity and mobile numbers", *least(valid, 95))
    yield Row("pii-zh", "wrong check digits flagged", *most(wrong, 0))
    report(valid, "missed")


# injection


def injection() -> Iterator[Row]:
    """Prompt injection: attacks and benign texts, by source and language."""
    guard = Guard.load("guardstream/injection")
    shares: dict[str, Share] = {}
    attacks, benign, hard = Share(), Share(), Share()
    for case in lines_of(CORPORA / "injection" / "cases.jsonl"):
        findings = found(guard, case["text"])
        name = source_of(case)
        what = f"{'attack' if case['label'] else 'benign'}: {name}"
        label = f"{name}: {case['text'][:200]!r}"
        shares.setdefault(what, Share()).add(bool(findings), label)
        if case["label"]:
            if counted(case):
                attacks.add(bool(findings), label)
        else:
            share = hard if is_hard(case) else benign
            share.add(bool(findings), label)
            if findings:
                say(f"  flagged {findings[0].rule}: {label}")
    yield Row("injection", "English and Chinese attacks", *least(attacks, 60))
    yield Row("injection", "benign texts flagged", *most(benign, 1))
    yield Row("injection", "hard negatives flagged", *most(hard, 3))
    for what, share in sorted(shares.items()):
        yield Row("injection", what, "", str(share))
    report(attacks, "missed")


def source_of(case: dict[str, Any]) -> str:
    """The source of a case, with its part or language."""
    part = case.get("lang") or case.get("origin")
    return f"{case['source']} {part}" if part else str(case["source"])


def counted(case: dict[str, Any]) -> bool:
    """Whether an attack is one that the target is about."""
    if case["source"].startswith(("BIPIA", "PIGuard")):
        return False
    return case.get("lang", "English") in ("English", "Chinese")


def is_hard(case: dict[str, Any]) -> bool:
    """Whether a benign text was made to look like an attack."""
    return str(case.get("origin", "")).startswith(("NotInject", "PINT_hard"))


# words


def words() -> Iterator[Row]:
    """A list of 60,000 Chinese words, each sampled word in each disguise."""
    lines = (CORPORA / "words" / "zh_union_dedup.txt").read_text("utf-8").splitlines()
    listed_words = [word for line in lines if len(word := line.strip()) > 1][:60_000]
    rule = f"words: {{file: words}}, normalize: [{', '.join(get_args(Normalization))}]"
    with TemporaryDirectory() as folder:
        Path(folder, "words").write_text("\n".join(listed_words), encoding="utf-8")
        text = f'rules: [{{id: listed, {rule}, replacement: "*"}}]'
        guard = Guard(Policy.parse(text, folder=folder))
    for name, disguise in disguises().items():
        share = Share()
        for word in listed_words[::40]:
            text = f"说，{disguise(word)}。"
            shown = guard.check(text).text
            share.add(set(shown[2:-1]) == {"*"}, f"{name}: {text!r} {shown!r}")
        yield Row("(60,000 words)", f"masked: {name}", *least(share, 99))
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

MARKDOWN = {"en_markdown_d2l.md", "zh_markdown_d2l.md"}


def prose() -> Iterator[Row]:
    """Findings of the `chat` pack in ordinary prose."""
    guard = Guard.load("guardstream/chat")
    for path in sorted((CORPORA / "prose").iterdir()):
        text = path.read_text(encoding="utf-8")
        rules: Counter[str] = Counter()
        size = len(text.encode())
        for place in range(0, len(text), 20_000):
            piece = text[place : place + 20_000]
            for finding in found(guard, piece):
                rules[finding.rule] += 1
                shown = piece[max(finding.start - 30, 0) : finding.end + 20]
                say(f"  {finding.rule}: {shown!r}")
        rate = rules.total() / size * 100_000
        result = f"{rate:.2f} in 100 KB ({rules.total()} in {size / 1e6:.1f} MB)"
        yield Row("chat", f"findings in {path.name}", "< 1 in 100 KB", result, rate < 1)


PARTS: dict[str, Callable[[], Iterator[Row]]] = {
    "secrets": secrets,
    "pii": pii,
    "injection": injection,
    "words": words,
    "prose": prose,
}

VERBOSE = "--misses" in sys.argv


def say(line: str) -> None:
    """Print a detail, if asked for."""
    if VERBOSE:
        print(line)


def report(share: Share, word: str) -> None:
    """Print what was missed, if asked for."""
    for miss in share.misses:
        say(f"  {word} {miss}")


def main(names: Sequence[str]) -> int:
    """Print the table; 1 if a target is missed."""
    if not CORPORA.is_dir():
        print(f"the cases are not there: {CORPORA}")
        return 0
    rows = [row for name in names or PARTS for row in PARTS[name]()]
    print("| pack | measured on | target | result |")
    print("|---|---|---|---|")
    for row in rows:
        print(row if row.met is not False else f"{row} missed |")
    return any(row.met is False for row in rows)


if __name__ == "__main__":
    sys.exit(main([name for name in sys.argv[1:] if not name.startswith("-")]))
