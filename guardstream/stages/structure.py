"""The JSON stage: a short name for `guardstream.stages.json.structure`."""

from guardstream.stages.json.structure import Settings, Structure

__all__ = ["Settings", "Structure"]
