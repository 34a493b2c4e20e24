"""LLM Guard's scanners, as `scanners.yml` of its API names them: https://protectai.github.io/llm-guard/.

A scanner reports a text as invalid, and may rewrite it too. One that rewrites becomes a mask here,
any other a block.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from guardstream.cli.importing import entities, presidio
from guardstream.cli.importing.shape import ANYTHING, UNUSED, fitted
from guardstream.cli.importing.write import Draft, Side
from guardstream.cli.importing.yaml_file import mapping

_SERVER = ("app", "auth", "rate_limit", "tracing", "metrics")

_SCANNER = {"type": str, "params": ANYTHING}

_CONFIG = {
    **dict.fromkeys(_SERVER, UNUSED),
    "input_scanners": [_SCANNER],
    "output_scanners": [_SCANNER],
}

_SUBSTRINGS = {
    "substrings": [str],
    "match_type": str,
    "case_sensitive": bool,
    "redact": bool,
    "contains_all": bool,
}

_REGEX = {"patterns": [str], "is_blocked": bool, "match_type": str, "redact": bool}

_OPTIONS = (
    *("threshold", "language", "use_faker", "preamble", "model_path", "model_max_length"),
    *("model_batch_size", "model_onnx_file_name", "recognizer_conf", "use_onnx"),
)

_PERSONAL = {
    "entity_types": [str],
    "regex_patterns": [
        {
            "name": str,
            "expressions": [str],
            "context": [str],
            "score": float,
            **dict.fromkeys(("examples", "languages", "reuse"), UNUSED),
        }
    ],
    "hidden_names": [str],
    "allowed_names": [str],
    "redact": bool,
    **dict.fromkeys(_OPTIONS, UNUSED),
}

_USUAL_ENTITIES = (
    *("CREDIT_CARD", "CRYPTO", "EMAIL_ADDRESS", "IBAN_CODE", "IP_ADDRESS", "PERSON"),
    *("PHONE_NUMBER", "US_SSN", "US_BANK_NUMBER", "UUID"),
)

_OTHER_NAMES = {
    "CREDIT_CARD_RE": "CREDIT_CARD",
    "EMAIL_ADDRESS_RE": "EMAIL_ADDRESS",
    "US_SSN_RE": "US_SSN",
    "BTC_ADDRESS": "CRYPTO",
}
"""LLM Guard's own patterns for Presidio's entities."""

_REDACTED = "[REDACTED]"

_MODELS = frozenset(
    (
        *("BanCode", "BanCompetitors", "BanTopics", "Bias", "Code", "EmotionDetection"),
        *("FactualConsistency", "Gibberish", "Language", "LanguageSame", "MaliciousURLs"),
        *("NoRefusal", "PromptInjection", "Relevance", "Sentiment", "Toxicity"),
    )
)

_ELSEWHERE = {
    "BanCompetitors": "a rule with `words` finds names in any sense",
    "Deanonymize": "a vault gives the values back",
    "PromptInjection": "extend guardstream/injection for what can be written as patterns",
    "ReadingTime": "limits.max_chars bounds an answer",
    "TokenLimit": "it bounds prompts, and limits.tokens answers",
    "Toxicity": "a gate may ask a classifier about answers",
    "URLReachability": "nothing is looked up",
    "JSON": "the section json is for answers that are JSON throughout",
}


def draft(text: str, path: Path) -> Draft:
    """Read the scanners of prompts and of answers; those that ask a model are noted."""
    made = Draft.of(path)
    config = fitted(mapping(text, path), _CONFIG, "", made.notes)
    made.notes += [
        f"{key!r} is left out: it is about the server" for key in _SERVER if key in config
    ]
    wanted = entities.Wanted(made)
    for direction, side in made.directions:
        for place, scanner in enumerate(config.get(f"{direction}_scanners", ())):
            name = scanner.get("type") or f"scanner {place}"
            params = scanner.get("params", {})
            _Scanner(made, wanted, side, direction, name, params).add()
    wanted.settle()
    return made


@dataclass(frozen=True, slots=True)
class _Scanner:
    """One scanner of one direction, with its parameters as in the file."""

    made: Draft
    wanted: entities.Wanted
    side: Side
    direction: str
    name: str
    params: dict[str, Any]

    def add(self) -> None:
        """Add what it looks for, or note why it is left out."""
        reads: dict[str, Callable[[], None]] = {
            "BanSubstrings": self._substrings,
            "Regex": self._regex,
            "InvisibleText": self._invisible,
            "Secrets": self._secrets,
            "Anonymize": self._personal,
            "Sensitive": self._personal,
        }
        if self.name in reads:
            reads[self.name]()
            return
        hint = _ELSEWHERE.get(self.name)
        why = "asks a model, and is"
        if self.name not in _MODELS:
            why = "is" if hint else "is not known, and"
        self._note(f" {why} left out" + (f": {hint}" if hint else ""), "")

    def _note(self, note: str, sign: str = ": ") -> None:
        self.made.notes.append(f"{self.direction} {self.name}{sign}{note}")

    def _fitted(self, shape: Mapping[str, Any]) -> dict[str, Any]:
        """Return the parameters, without those that are set by the environment."""
        whose = f"{self.direction} {self.name}"
        found: dict[str, Any] = fitted(self.params, dict(shape), whose, self.made.notes)
        for key in [key for key, value in found.items() if "${" in repr(value)]:
            self._note(f"{key!r} comes from the environment, and is left out")
            del found[key]
        return found

    def _rule(self, name: str, **keys: Any) -> None:
        self.side.rules.append({"id": name, "description": f"{self.name}, from LLM Guard", **keys})

    def _action(self, *, redact: bool, shown: str = _REDACTED) -> dict[str, Any]:
        if not redact:
            return {"action": "block"}
        self._note("what it redacts is masked, and the text does not count as invalid")
        return {"replacement": shown}

    def _substrings(self) -> None:
        params = self._fitted(_SUBSTRINGS)
        words = [word for word in params.get("substrings", ()) if word]
        kind = params.get("match_type", "str")
        if params.get("contains_all"):
            self._note(" is left out: 'contains_all' needs the whole text", "")
        elif not words or kind not in ("str", "word"):
            self._note(" has no substrings of a known 'match_type', and is left out", "")
        else:
            keys = self._action(redact=params.get("redact", False))
            keys |= {"ignore_case": False} if params.get("case_sensitive") else {}
            self._words(words, kind == "word", keys)

    def _words(self, words: list[str], is_word: bool, keys: dict[str, Any]) -> None:
        """Add words; those that do not begin and end with a word character become patterns."""
        plain = [word for word in words if not is_word or re.fullmatch(r"\w(.*\w)?", word, re.S)]
        if plain:
            self._rule("substrings", **keys, words=plain, whole_word=is_word)
        odd = [rf"\b{re.escape(word)}\b" for word in words if word not in plain]
        if odd:
            flag = "" if keys.pop("ignore_case", True) is False else "(?i)"
            self._rule("substring-patterns", **keys, pattern=[flag + each for each in odd])

    def _regex(self) -> None:
        params = self._fitted(_REGEX)
        if not params.get("is_blocked", True):
            self._note(" is left out: its patterns are what a text must have", "")
        elif params.get("match_type") == "fullmatch":
            self._note(" is left out: 'fullmatch' needs the whole text", "")
        elif not any(params.get("patterns", ())):
            self._note(" has no patterns, and is left out", "")
        else:
            keys = self._action(redact=params.get("redact", True))
            self._rule("regex", **keys, pattern=[each for each in params["patterns"] if each])

    def _invisible(self) -> None:
        self._fitted({})
        keys = self._action(redact=True, shown="")
        self._rule("invisible-text", **keys, pattern=[r"[\p{Cf}\p{Co}\p{Cn}]"])

    def _secrets(self) -> None:
        params = self._fitted({"redact_mode": str})
        if params.get("redact_mode", "all") != "all":
            self._note("'redact_mode' is left out: a secret becomes the id of its rule")
        self._note(entities.MORE_SECRETS)
        entities.extend(self.side, "secrets")

    def _personal(self) -> None:
        params = self._fitted(_PERSONAL)
        if "allowed_names" in params:
            self._note("'allowed_names' is left out: put them in `allow` of a rule")
        if params.get("threshold"):
            self._note("'threshold' is left out: rules have no scores")
        keys: dict[str, Any] = {}
        if self.name == "Sensitive":
            keys = self._action(redact=params.get("redact", False), shown="<{id}>")
        else:
            self._note("values become ids of rules, or stand-ins where there is a vault")
        names = [name for name in params.get("hidden_names", ()) if name]
        if names:
            self._rule("hidden-names", words=names, reversible=True)
        self._patterns(params, keys)

    def _patterns(self, params: dict[str, Any], keys: dict[str, Any]) -> None:
        """Add its own patterns, and the packs' rules for all other entities."""
        wanted = params.get("entity_types") or _USUAL_ENTITIES
        own = {each.get("name"): each for each in params.get("regex_patterns", ())}
        for name in wanted:
            if name in own:
                given = {
                    "patterns": [
                        {"regex": expression, "score": own[name].get("score", 1)}
                        for expression in own[name].get("expressions", ())
                    ],
                    "context": own[name].get("context", []),
                }
                least = params.get("threshold", 0.5)
                shown = _shown(keys, name)
                presidio.add(self.made, self.side, name, given, least=least, keys=shown)
        names = [_OTHER_NAMES.get(name, name) for name in wanted]
        rest = [name for name in dict.fromkeys(names) if name not in own or name in entities.KNOWN]
        for name in rest:
            self.wanted.add(self.side, name, _shown(keys, name))


def _shown(keys: dict[str, Any], entity: str) -> dict[str, Any]:
    """Return the keys of a rule, with the entity's name in the replacement."""
    if "replacement" not in keys:
        return keys
    return {**keys, "replacement": f"<{entity}>"}
