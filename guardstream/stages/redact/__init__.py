"""Redaction: masks, blocks, stops at and reports what its rules find, in any chunking alike."""

from guardstream.stages.confirm import RuleError
from guardstream.stages.redact.rule_set import RuleSet
from guardstream.stages.redact.stage import Redact

__all__ = ["Redact", "RuleError", "RuleSet"]
