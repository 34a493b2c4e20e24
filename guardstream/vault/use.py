"""How a guard uses a vault: which one, and which part of the work the guard does.

One guard may do all of the work, or two in a row: the first applies the rules and leaves stand-ins
in place, so that what it releases can be stored, and the second restores them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from guardstream.errors import PolicyError
from guardstream.events import UNKNOWN
from guardstream.formats.hooks import hooks_of

if TYPE_CHECKING:
    from guardstream.formats.adapter import Adapter
    from guardstream.policy import Policy
    from guardstream.vault.vault import Vault

Part: TypeAlias = Literal["all", "rules", "restoring"]
"""What a guard does: all of the work, everything but restoring, or only restoring."""


@dataclass(frozen=True, slots=True)
class VaultUse:
    """The vault of a guard, if it has one. `is_refused` says that the guard masks irreversibly on
    purpose, whatever its policy says."""

    vault: Vault | None = None
    part: Part = "all"
    is_refused: bool = False

    def of_request(self, policy: Policy, vault: Vault | None) -> Vault | None:
        """Return the vault of a request or a stream; `vault` is the caller's, which comes first.

        PolicyError if the policy has a section `vault` and there is none.
        """
        found = self.vault if vault is None else vault
        if found is None and policy.file.vault is not None and not self.is_refused:
            raise PolicyError(
                f"{policy.place('vault')}: give the request's vault, "
                "vault=guard.vaults.open(conversation)"
            )
        return found

    def policies(self, policy: Policy, vault: Vault | None) -> Callable[[Adapter[Any]], Policy]:
        """Return a function that, given a stream's adapter, returns the policy to apply to it.

        `vault` is what `of_request` returned.
        """
        if vault is None:
            return lambda _: policy
        from guardstream.vault.restoring import CHANNELS, leaving, restoring, restoring_later

        if self.part == "rules":
            left = leaving(policy, vault)
            return lambda _: left
        restores = restoring if self.part == "all" else restoring_later

        def restored(adapter: Adapter[Any]) -> Policy:
            hooks = hooks_of(adapter)
            channels = CHANNELS - {"thinking"} if hooks.signs_thinking else CHANNELS
            if hooks.tells_apart:
                channels |= {UNKNOWN}
            return restores(policy, vault, channels)

        return restored
