"""The rules and texts that are measured with: the shared corpora where they are, else made ones."""

from __future__ import annotations

import random
import re
import string
import tomllib
from dataclasses import dataclass
from pathlib import Path

import regex

from guardstream.stages.redact import RuleError, RuleSet
from guardstream.stages.rules import Rule

CORPORA = Path(__file__).parents[2] / "shared" / "corpora"
SEED = 2026

PII = {
    "email": r"(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{2,63}){1,8}",
    "card": r"(?<!\d)\d{4}[ -]?\d{4}[ -]?\d{4}[ -]?\d{4}(?!\d)",
    "ssn": r"(?<!\d)\d{3}-\d{2}-\d{4}(?!\d)",
    "phone": r"(?<!\d)(?:\+\d{1,3}[ -])?(?:\(\d{3}\) |\d{3}-)\d{3}-\d{4}(?!\d)",
    "aws": r"(?<![A-Z0-9])AKIA[0-9A-Z]{16}(?![A-Z0-9])",
    "openai": r"(?<![\w-])sk-[A-Za-z0-9_-]{20,}",
    "ipv4": r"(?<![\d.])(?:\d{1,3}\.){3}\d{1,3}(?![\d.])",
    "iban": r"(?<![A-Z0-9])[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){3,7}(?![A-Z0-9])",
    "mac": r"(?<![\dA-F:])(?:[0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}(?![\dA-F:])",
    "login-url": r"https?://[^\s:@/]+:[^\s:@/]+@\S+",
    "cn-mobile": r"(?<!\d)1[3-9]\d{9}(?!\d)",
    "cn-id": r"(?<!\d)\d{17}[\dXx](?!\d)",
    "wallet": r"(?<![\dA-Za-z])0x[0-9a-fA-F]{40}(?![\dA-Za-z])",
}
PEM = r"-----BEGIN [A-Z ]{0,20}PRIVATE KEY-----[\s\S]*?-----END [A-Z ]{0,20}PRIVATE KEY-----"


def pii() -> list[Rule]:
    """The 13 patterns for personal data and the most common keys."""
    return [Rule(name, patterns=(pattern,)) for name, pattern in PII.items()]


def secrets() -> list[Rule]:
    """The 221 rules of the shared gitleaks file, masking the secret group where there is one.

    Without the file, as many patterns of the same kind: a keyword, an assignment, a value.
    """
    path = CORPORA / "secrets" / "gitleaks.toml"
    if not path.exists():
        return [_made_secret(n) for n in range(221)]
    rules = tomllib.loads(path.read_text("utf-8"))["rules"]
    return [_secret(rule) for rule in rules if "regex" in rule]


def _secret(rule: dict[str, object]) -> Rule:
    source = str(rule["regex"]).replace(r"\z", r"\Z")
    group = rule.get("secretGroup") or (1 if regex.compile(source).groups else None)
    patterns = tuple(_alternatives(source))
    try:
        made = Rule(str(rule["id"]), patterns=patterns, group=group and int(str(group)))
        RuleSet([made])
    except RuleError:
        made = Rule(str(rule["id"]), patterns=(source,))
        RuleSet([made])
    return made


def _alternatives(source: str) -> list[str]:
    """A choice at the top of a pattern as patterns of their own: each has its own secret."""
    depth, parts, flags = 0, [""], re.match(r"(?:\(\?[imsx]+\))?", source)
    for token in re.findall(r"\\.|\[(?:\\.|[^\]\\])*\]|.", source, re.S):
        depth += (token == "(") - (token == ")")
        if token == "|" and depth == 0:
            parts.append(flags.group() if flags else "")
        else:
            parts[-1] += token
    return parts


def _made_secret(number: int) -> Rule:
    name = _pseudo(random.Random(number), 5, 10)
    gap, sign = r"[ \t\w.-]{0,20}", r"[\s'\"]{0,3}(?:=|:|=>)[\s'\"]{0,5}"
    pattern = rf"(?i)[\w.-]{{0,50}}?{name}{gap}{sign}([a-z0-9]{{32}})(?:['\"\s;]|$)"
    return Rule(f"made-{number}", patterns=(pattern,), group=1)


def _pseudo(rng: random.Random, low: int, high: int) -> str:
    size, text = rng.randint(low, high), ""
    while len(text) < size:
        text += rng.choice("bcdfgjkmpqvxz") + rng.choice("aeiouy")
    return text[:size]


def words(language: str, count: int) -> tuple[str, ...]:
    """`count` different words: the shared lists', then made ones."""
    name = "zh_union_dedup.txt" if language == "zh" else "en_union_dedup.txt"
    path = CORPORA / "words" / name
    lines = path.read_text("utf-8").splitlines() if path.exists() else []
    found = dict.fromkeys(line.strip() for line in lines if len(line.strip()) > 1)
    chosen = list(found)
    random.Random(SEED).shuffle(chosen)
    rng = random.Random(SEED + 1)
    while len(found) < count:
        word = _pseudo(rng, 5, 14)
        if word not in found:
            found[word] = None
            chosen.append(word)
    return tuple(chosen[:count])


def made_words(count: int) -> tuple[str, ...]:
    """`count` different words that no prose contains, not even inside its own words."""
    rng, found = random.Random(SEED), dict[str, None]()
    while len(found) < count:
        found[_pseudo(rng, 7, 14)] = None
    return tuple(found)


def prose(language: str, length: int) -> str:
    """`length` characters of prose that nobody here wrote; made sentences without the corpora."""
    name = "zh_markdown_d2l.md" if language == "zh" else "en_literature_gutenberg.txt"
    path = CORPORA / "prose" / name
    text = path.read_text("utf-8") if path.exists() else ""
    rng = random.Random(SEED)
    vocabulary = [_pseudo(rng, 2, 9) for _ in range(4_000)]
    while len(text) < length:
        text += " ".join(rng.choices(vocabulary, k=12)).capitalize() + ". "
    return text[:length]


@dataclass(frozen=True, slots=True)
class Planted:
    """A document with secrets in it, one a part, and the words among them."""

    parts: tuple[str, ...]
    secrets: tuple[str, ...]
    words: tuple[str, ...]

    @property
    def text(self) -> str:
        """The whole document."""
        return "".join(self.parts)


def planted(count: int = 300) -> Planted:
    """Prose with `count` secrets: words, addresses, numbers, keys, one of them 164 characters."""
    rng = random.Random(SEED)
    listed = made_words(count * 2 // 3)
    found = list(listed)
    while len(found) < count:
        found.append(_value(rng, len(found)))
    rng.shuffle(found)
    plain = prose("en", count * 120)
    parts = [plain[n * 120 : (n + 1) * 120] + f" {secret} " for n, secret in enumerate(found)]
    return Planted(tuple(parts), tuple(found), listed)


def _value(rng: random.Random, number: int) -> str:
    def some(alphabet: str, size: int) -> str:
        return "".join(rng.choices(alphabet, k=size))

    letters, digits = string.ascii_letters + string.digits, string.digits
    makers = (
        lambda: f"{_pseudo(rng, 4, 20)}.{_pseudo(rng, 4, 20)}@{_pseudo(rng, 5, 12)}.com",
        lambda: f"{some(digits, 3)}-{some(digits, 2)}-{some(digits, 4)}",
        lambda: " ".join(some(digits, 4) for _ in range(4)),
        lambda: "AKIA" + some(string.ascii_uppercase + digits, 16),
        lambda: "sk-" + some(letters, 48),
        lambda: "sk-proj-" + some(letters, 156),
        lambda: f"({some('23456789', 3)}) {some(digits, 3)}-{some(digits, 4)}",
    )
    return makers[number % len(makers)]()


def private_key() -> str:
    """A key of about 1,700 characters in 26 lines, as PEM has it (RFC 7468). Not a real one."""
    rng = random.Random(SEED)
    alphabet = string.ascii_letters + string.digits + "+/"
    lines = ["".join(rng.choices(alphabet, k=64)) for _ in range(26)]
    return "\n".join(["-----BEGIN RSA PRIVATE KEY-----", *lines, "-----END RSA PRIVATE KEY-----"])
