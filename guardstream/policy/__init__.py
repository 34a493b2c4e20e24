"""The policy file: its shape, its loading, and the packs that come with the package."""

from guardstream.policy.packs import pack
from guardstream.policy.policy import Policy

__all__ = ["Policy", "pack"]
