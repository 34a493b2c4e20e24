"""Redaction: masks, reports or ends the stream at what its rules find, whatever the chunking."""

from guardstream.stages.confirm import RuleError
from guardstream.stages.redact.rule_set import RuleSet
from guardstream.stages.redact.stage import Redact

__all__ = ["Redact", "RuleError", "RuleSet"]
