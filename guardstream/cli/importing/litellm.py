"""The guardrails of a LiteLLM proxy's `config.yaml`: https://docs.litellm.ai/docs/proxy/guardrails/.

`mode` says what a guardrail sees: `pre_call` and `during_call` prompts, `post_call` answers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from guardstream.cli.importing import entities
from guardstream.cli.importing.shape import ANYTHING, UNUSED, fitted
from guardstream.cli.importing.write import Draft, Side, slug
from guardstream.cli.importing.yaml_file import mapping

_PROXY = (
    *("model_list", "litellm_settings", "router_settings", "general_settings", "include"),
    *("environment_variables", "credential_list", "callback_settings", "mcp_servers", "mcp_tools"),
    *("files_settings", "finetune_settings", "assistant_settings", "vector_store_registry"),
    *("search_tools", "sandbox_tools", "agents", "agent_list", "prompts", "worker_registry"),
    *("pass_through_endpoints", "default_vertex_config", "classifier_plugin", "plugins"),
)
"""Sections of the proxy that do not say what a text may contain."""

_POLICIES = ("policies", "policy_attachments")

_ITEM = {
    "guardrail_name": str,
    "litellm_params": ANYTHING,
    **dict.fromkeys(("guardrail_id", "guardrail_info", "policy_template"), UNUSED),
}

_USUAL = {
    "guardrail": str,
    "mode": (str, [str], {"tags": UNUSED, "default": (str, [str])}),
    "default_on": bool,
    "skip_system_message_in_guardrail": bool,
    **dict.fromkeys(("api_key", "api_base", "timeout"), UNUSED),
}

_ACTIONS = {"BLOCK": "block", "MASK": "mask"}

_PATTERN = {"pattern_type": str, "pattern_name": str, "pattern": str, "name": str, "action": str}

_CATEGORY = ("category", "enabled", "action", "severity_threshold", "category_file")

_CONTENT = {
    **_USUAL,
    "patterns": [_PATTERN],
    "blocked_words": [{"keyword": str, "action": str, "description": str}],
    "pattern_redaction_format": str,
    "keyword_redaction_tag": str,
    "categories": [dict.fromkeys(_CATEGORY, UNUSED)],
    **dict.fromkeys(
        ("blocked_words_file", "severity_threshold", "image_model", "competitor_intent_config"),
        UNUSED,
    ),
}

_PRESIDIO = {
    **_USUAL,
    "pii_entities_config": ANYTHING,
    "presidio_entities_deny_list": [str],
    "presidio_filter_scope": str,
    "output_parse_pii": bool,
    **dict.fromkeys(
        (
            *("presidio_score_thresholds", "presidio_ad_hoc_recognizers", "presidio_language"),
            *("presidio_analyzer_api_base", "presidio_anonymizer_api_base", "mock_redacted_text"),
            "presidio_analyze_chunk_size_bytes",
        ),
        UNUSED,
    ),
}

_UNSEEN = (
    *("blocked_words_file", "categories", "image_model", "competitor_intent_config"),
    *("presidio_score_thresholds", "presidio_ad_hoc_recognizers"),
)
"""Parameters about what is found that are left out."""

_PREBUILT = {
    "email": "EMAIL_ADDRESS",
    "us_phone": "PHONE_NUMBER",
    "us_ssn": "US_SSN",
    "us_ssn_no_dash": "US_SSN",
    **dict.fromkeys(("visa", "mastercard", "amex", "discover", "credit_card"), "CREDIT_CARD"),
    **dict.fromkeys(("iban", "eu_iban_enhanced"), "IBAN_CODE"),
    **dict.fromkeys(("ipv4", "ipv6"), "IP_ADDRESS"),
    "passport_us": "US_PASSPORT",
    "passport_uk": "UK_PASSPORT",
    "sg_nric": "SG_NRIC_FIN",
    "sg_uen": "SG_UEN",
    "ca_sin": "CA_SIN",
    "au_tfn": "AU_TFN",
    "au_abn": "AU_ABN",
    "au_medicare": "AU_MEDICARE",
}
"""LiteLLM's own patterns for Presidio's entities; packs' rules take their place."""

_CREDENTIALS = {
    "aws_access_key": "aws-access-key",
    "aws_secret_key": "aws-secret-key",
    "github_token": "github-token",
    "slack_token": "slack-token",
    "openai_api_key": "openai-key",
    "anthropic_api_key": "anthropic-key",
    "gemini_api_key": "google-api-key",
}

_EVERYONE = ["user", "tool", "system", "developer", "assistant"]

_PROMPT, _ANSWER = {"pre_call", "during_call"}, {"post_call"}


def draft(text: str, path: Path) -> Draft:
    """Read the guardrails that run in the proxy itself; those that ask a service are noted."""
    made = Draft.of(path)
    shape = {**dict.fromkeys((*_PROXY, *_POLICIES), UNUSED), "guardrails": [_ITEM]}
    config = fitted(mapping(text, path, "guardrails"), shape, "", made.notes)
    made.notes += [
        f"{key!r} is left out: guardrails hold for all" for key in _POLICIES if key in config
    ]
    settings = config.get("litellm_settings")
    if isinstance(settings, dict) and settings.get("guardrails"):
        made.notes.append("'litellm_settings.guardrails' is an older form, and left out")
    wanted = entities.Wanted(made)
    for place, item in enumerate(config["guardrails"]):
        name = item.get("guardrail_name") or f"guardrail {place}"
        _Guardrail(made, wanted, name, item.get("litellm_params", {})).add()
    wanted.settle()
    return made


@dataclass(slots=True)
class _Guardrail:
    """One guardrail, with its parameters as in the file, and then only those that fit."""

    made: Draft
    wanted: entities.Wanted
    name: str
    params: dict[str, Any]

    def add(self) -> None:
        """Add what it looks for, or note why it is left out."""
        kind = str(self.params.get("guardrail") or "")
        reads = {
            "litellm_content_filter": (self._content, _CONTENT),
            "presidio": (self._presidio, _PRESIDIO),
            "hide-secrets": (self._secrets, {**_USUAL, "detect_secrets_config": UNUSED}),
        }
        if kind not in reads:
            self._note(f" is left out: {slug(kind)!r} is not a filter that runs in the proxy", "")
            return
        read, shape = reads[kind]
        self.params = fitted(self.params, shape, f"guardrail {self.name!r}", self.made.notes)
        for key in _UNSEEN:
            if self.params.get(key):
                self._note(f"{key!r} is left out")
        if not self.params.get("default_on"):
            self._note("it runs for requests that name it; here it holds for all")
        read()

    def _note(self, note: str, sign: str = ": ") -> None:
        self.made.notes.append(f"guardrail {self.name!r}{sign}{note}")

    def _modes(self) -> set[str]:
        mode = self.params.get("mode") or "pre_call"
        if isinstance(mode, dict):
            self._note("its tags are left out, the mode is the default one")
            mode = mode.get("default") or []
        modes = {mode} if isinstance(mode, str) else set(mode)
        for other in sorted(modes - _PROMPT - _ANSWER):
            self._note(f"mode {other!r} is left out")
        return modes

    def _sides(self, *, prompts: bool, answers: bool) -> Iterator[Side]:
        if answers:
            yield self.made
        if prompts:
            side = self.made.prompts
            skips_system = self.params.get("skip_system_message_in_guardrail")
            roles = [each for each in _EVERYONE if each != "system" or not skips_system]
            side.settings.setdefault("roles", roles)
            yield side

    def _action(self, given: str | None, shown: str) -> dict[str, Any]:
        if str(given).upper() == "MASK":
            if len(shown) == 1:
                self._note("a single character stands for each that is masked")
            return {"replacement": shown}
        if str(given).upper() != "BLOCK":
            self._note("an action is not known, and becomes BLOCK")
        return {"action": "block"}

    def _content(self) -> None:
        modes = self._modes()
        sides = list(self._sides(prompts=bool(modes & _PROMPT), answers=bool(modes & _ANSWER)))
        for item in self.params.get("patterns", ()):
            self._pattern(item, sides)
        tag = self.params.get("keyword_redaction_tag") or "[KEYWORD_REDACTED]"
        by_keys: dict[tuple[str, str], tuple[dict[str, Any], list[str]]] = {}
        for item in self.params.get("blocked_words", ()):
            if item.get("keyword"):
                keys = self._action(item.get("action"), tag)
                about = item.get("description") or ""
                by_keys.setdefault((repr(keys), about), (keys, []))[1].append(item["keyword"])
        for (_, about), (keys, words) in by_keys.items():
            for side in sides:
                side.rules += _worded(words, {"description": about, **keys} if about else keys)

    def _pattern(self, item: dict[str, Any], sides: list[Side]) -> None:
        name = item.get("pattern_name") or item.get("name") or "custom_regex"
        form = self.params.get("pattern_redaction_format") or "[{pattern_name}_REDACTED]"
        shown = form.replace("{pattern_name}", name.upper())
        keys = self._action(item.get("action"), shown)
        if item.get("pattern_type") == "prebuilt":
            self._prebuilt(name, keys, sides)
        elif item.get("pattern"):
            for side in sides:
                pattern = f"(?i){item['pattern']}"
                side.rules.append({"id": slug(name), **keys, "pattern": [pattern]})
        else:
            self._note(f"pattern {name!r} has no pattern, and is left out")

    def _prebuilt(self, name: str, keys: dict[str, Any], sides: list[Side]) -> None:
        if name not in _PREBUILT and name not in _CREDENTIALS:
            self._note(f"prebuilt pattern {name!r} is left out: no pack has a rule for it")
            return
        for side in sides:
            if name in _PREBUILT:
                self.wanted.add(side, _PREBUILT[name], keys)
            else:
                _add_secret(side, _CREDENTIALS[name], keys)
        if name in _PREBUILT:
            self._note(f"prebuilt pattern {name!r} becomes a pack's rules, which test more")
        else:
            self._note(f"prebuilt pattern {name!r} becomes guardstream/secrets, with all its rules")

    def _presidio(self) -> None:
        scope = self.params.get("presidio_filter_scope") or "both"
        modes = self._modes() & (_PROMPT | _ANSWER)
        prompts = scope != "output" and bool(modes & _PROMPT)
        answers = scope != "input" and bool(modes)
        if answers and not modes & _ANSWER:
            self._note("answers are judged too, as its 'presidio_filter_scope' is not input")
        if self.params.get("output_parse_pii"):
            self._note("'output_parse_pii' is left out: a vault gives the values back")
        config = self.params.get("pii_entities_config") or dict.fromkeys(entities.KNOWN, "MASK")
        left_out = self.params.get("presidio_entities_deny_list", ())
        for side in self._sides(prompts=prompts, answers=answers):
            for entity, action in config.items():
                if entity not in left_out:
                    keys = self._action(str(action), f"<{entity}>")
                    self.wanted.add(side, str(entity), keys)

    def _secrets(self) -> None:
        self._note(entities.MORE_SECRETS)
        modes = self._modes()
        for side in self._sides(prompts=bool(modes & _PROMPT), answers=False):
            entities.extend(side, "secrets")


def _add_secret(side: Side, rule: str, keys: dict[str, Any]) -> None:
    """Make a side find secrets, with some keys for the rule of one kind."""
    entities.extend(side, "secrets")
    if not any(each["id"] == rule for each in side.rules):
        side.rules.append({"id": rule, **keys})


def _worded(words: list[str], keys: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield rules for keywords; a star in one matches any character, or none."""
    action = keys.get("action", "mask")
    plain = [word for word in words if "*" not in word]
    if plain:
        yield {"id": f"keywords-{action}", **keys, "words": plain, "whole_word": False}
    odd = [word for word in words if "*" in word]
    if odd:
        patterns = ["(?i)" + re.escape(word).replace(r"\*", ".?") for word in odd]
        yield {"id": f"keyword-patterns-{action}", **keys, "pattern": patterns}
