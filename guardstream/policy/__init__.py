"""The policy file: its schema, its loading, and the packs that come with the package."""

from typing import TYPE_CHECKING

from guardstream.lazy import exporting

if TYPE_CHECKING:
    from guardstream.policy.packs import pack
    from guardstream.policy.policy import Policy
else:
    __getattr__, __dir__ = exporting(
        __name__, {"Policy": "guardstream.policy.policy", "pack": "guardstream.policy.packs"}
    )

__all__ = ["Policy", "pack"]
