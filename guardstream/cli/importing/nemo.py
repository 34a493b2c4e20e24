"""The `config.yml` of NeMo Guardrails: https://docs.nvidia.com/nemo/guardrails/.

What a rail looks for is in `rails.config`, and counts if one of the flows of `rails.input` or
`rails.output` uses it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from guardstream.cli.importing import entities, presidio
from guardstream.cli.importing.shape import ANYTHING, UNUSED, fitted
from guardstream.cli.importing.write import Draft, Side, slug
from guardstream.cli.importing.yaml_file import mapping

_APPLICATION = (
    *("models", "instructions", "prompts", "sample_conversation", "user_messages", "bot_messages"),
    *("flows", "docs", "actions_server_url", "prompting_mode", "config_path", "import_paths"),
    *("imported_paths", "lowest_temperature", "enable_multi_step_generation", "colang_version"),
    *("custom_data", "knowledge_base", "core", "streaming", "enable_rails_exceptions"),
    *("passthrough", "event_source_uid", "tracing", "metrics"),
)
"""Sections that do not say what a text may contain."""

_OTHER_RAILS = ("dialog", "retrieval", "actions", "tool_input", "tool_output")

_SERVICES = (
    *("ai_defense", "autoalign", "clavata", "content_safety", "context_bloat_detection"),
    *("crowdstrike_aidr", "f5", "fact_checking", "fiddler", "gliner", "guardrails_ai"),
    *("hf_classifier", "jailbreak_detection", "pangea", "patronus", "polygraf", "privateai"),
    *("trend_micro", "llama_guard", "patronus_api", "activefence"),
)
"""Rails that ask a model or a service."""

_FLOWS = {"flows": [str], "parallel": UNUSED, "speculative_generation": UNUSED, "streaming": UNUSED}

_REGEX = {"patterns": [str], "case_insensitive": bool}

_ENTITIES = {"entities": [str], "mask_token": UNUSED, "score_threshold": float}

_SIDES = ("input", "output")

_CONFIG = {
    "regex_detection": {**dict.fromkeys(_SIDES, _REGEX), "retrieval": UNUSED},
    "sensitive_data_detection": {
        "recognizers": [ANYTHING],
        **dict.fromkeys(_SIDES, _ENTITIES),
        "retrieval": UNUSED,
    },
    "injection_detection": {
        "injections": [str],
        **dict.fromkeys(("action", "yara_path", "yara_rules"), UNUSED),
    },
    **dict.fromkeys(_SERVICES, UNUSED),
}

_RAILS = {
    "config": _CONFIG,
    "input": _FLOWS,
    "output": _FLOWS,
    **dict.fromkeys(_OTHER_RAILS, UNUSED),
}

_INJECTIONS = {
    "code": "extend guardstream/code for calls that run code",
    "xss": "extend guardstream/code for scripts, and guardstream/exfiltration for images",
}

_USUAL_LEAST = 0.2
"""The minimum score of entities that are not masked."""


def draft(text: str, path: Path) -> Draft:
    """Read patterns and entities; flows that ask a model or a service are noted."""
    made = Draft.of(path)
    shape = {**dict.fromkeys(_APPLICATION, UNUSED), "rails": _RAILS}
    config = fitted(mapping(text, path), shape, "", made.notes)
    rails = config.get("rails", {})
    settings = rails.get("config", {})
    made.notes += [f"'rails.{key}' is left out" for key in _OTHER_RAILS if rails.get(key)]
    made.notes += [
        f"'rails.config.{key}' is left out: it asks a model or a service"
        for key in _SERVICES
        if key in settings
    ]
    if rails.get("output", {}).get("streaming"):
        made.notes.append("'rails.output.streaming' is left out: text is held while it may match")
    if str(config.get("colang_version", "")).startswith("2"):
        made.notes.append("flows in Colang are not read, only those that 'rails' names")
    wanted = entities.Wanted(made)
    for direction, side in made.directions:
        flows = rails.get(direction, {}).get("flows", [])
        _Rails(made, wanted, side, direction, settings).add(flows)
    wanted.settle()
    if not made.prompts.is_empty:
        made.prompts.settings["roles"] = ["user"]
    return made


@dataclass(frozen=True, slots=True)
class _Rails:
    """The rails of one direction."""

    made: Draft
    wanted: entities.Wanted
    side: Side
    direction: str
    settings: dict[str, Any]

    def add(self, flows: list[str]) -> None:
        """Add what the flows look for, and note what no flow uses."""
        reads = {
            f"regex check {self.direction}": self._regex,
            f"detect sensitive data on {self.direction}": self._detect,
            f"mask sensitive data on {self.direction}": self._mask,
            "injection detection": self._injection,
        }
        for flow in flows:
            if flow in reads:
                reads[flow]()
            else:
                self._note(f"flow {flow!r} is left out: it asks a model, or is one of your own")
        for section, uses in (("regex_detection", "regex"), ("sensitive_data_detection", "data")):
            if self._part(section) and not any(f" {uses}" in f" {flow}" for flow in flows):
                self._note(f"{section!r} is left out: no flow uses it")

    def _part(self, section: str) -> dict[str, Any]:
        found: dict[str, Any] = self.settings.get(section, {}).get(self.direction, {})
        return found

    def _note(self, note: str) -> None:
        self.made.notes.append(f"{self.direction}: {note}")

    def _regex(self) -> None:
        found = self._part("regex_detection")
        flag = "(?i)" if found.get("case_insensitive") else ""
        patterns = [flag + pattern for pattern in found.get("patterns", ()) if pattern]
        if patterns:
            self.side.rules.append({"id": "regex", "action": "block", "pattern": patterns})
        else:
            self._note("'regex_detection' has no patterns")

    def _detect(self) -> None:
        least = self._part("sensitive_data_detection").get("score_threshold", _USUAL_LEAST)
        self._sensitive(least, is_masked=False)

    def _mask(self) -> None:
        self._sensitive(presidio.LEAST, is_masked=True)

    def _sensitive(self, least: float, *, is_masked: bool) -> None:
        """Look for the entities: by recognisers of the file, and otherwise by the packs' rules."""
        wanted = self._part("sensitive_data_detection").get("entities", [])
        if not wanted:
            self._note("'sensitive_data_detection' has no entities")
        keys = {
            entity: {"replacement": f"<{entity}>"} if is_masked else {"action": "block"}
            for entity in wanted
        }
        detection = self.settings.get("sensitive_data_detection", {})
        own = [
            (str(given.get("supported_entity")), given)
            for given in detection.get("recognizers", ())
        ]
        for entity, given in own:
            self._recogniser(entity, given, least, keys)
        for entity in keys:
            if entity in entities.KNOWN or entity not in dict(own):
                self.wanted.add(self.side, entity, keys[entity])

    def _recogniser(
        self, entity: str, given: dict[str, Any], least: float, keys: dict[str, dict[str, Any]]
    ) -> None:
        whose = f"recogniser {slug(entity)!r}"
        if entity not in keys:
            self._note(f"{whose} is left out: {entity!r} is not one of the entities")
            return
        fit = fitted(given, presidio.RECOGNISER, whose, self.made.notes)
        presidio.add(self.made, self.side, entity, fit, least=least, keys=keys[entity])

    def _injection(self) -> None:
        for name in self.settings.get("injection_detection", {}).get("injections", ()):
            hint = _INJECTIONS.get(name)
            self._note(f"injection {name!r} is left out" + (f": {hint}" if hint else ""))
