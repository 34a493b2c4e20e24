"""The JSON stage: the documented place of `guardstream.stages.json.structure`."""

from guardstream.stages.json.structure import Settings, Structure

__all__ = ["Settings", "Structure"]
