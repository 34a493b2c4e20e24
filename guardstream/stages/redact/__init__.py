"""Redaction: masks, reports or ends the stream at what its rules find, whatever the chunking."""

from guardstream.stages.redact.rule_set import RuleSet
from guardstream.stages.redact.stage import Redact
from guardstream.stages.rules import RuleError

__all__ = ["Redact", "RuleError", "RuleSet"]
