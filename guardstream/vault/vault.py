"""A vault: the values of one conversation, and the stand-in for each of them."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, TypeVar, get_args

from guardstream.amounts import check_count
from guardstream.errors import GuardstreamError
from guardstream.forks import kept_across_forks
from guardstream.hints import check_known
from guardstream.vault.fakes import shape_of
from guardstream.vault.ids import Ids, hashed
from guardstream.vault.standin import ESCAPED, Name, label_of
from guardstream.vault.tools import Tools

T = TypeVar("T")

SHARED = "\0shared"
"""The conversation of texts that all conversations of a deployment share, such as system prompts.
"""

_ATTEMPTS = 100


class VaultError(GuardstreamError):
    """A vault cannot be opened, saved or extended. The message never contains a value."""


class FullError(VaultError):
    """The vault is full."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One value: its stand-in's name, the rule that found it, and whether it is shared."""

    name: Name
    rule: str
    value: str = field(repr=False)
    shared: bool = False


@dataclass(slots=True)
class Counts:
    """How many stand-ins in answers were restored, and how many were left because they were
    ambiguous."""

    restored: int = 0
    left: int = 0


def check_key(key: bytes) -> None:
    """Raise TypeError for a key that is not bytes, ValueError for one that is too short."""
    if not isinstance(key, bytes):
        raise TypeError(f"a key must be bytes, not {type(key).__qualname__!r}: write text.encode()")
    if len(key) < 16:
        raise ValueError(f"a key needs at least 16 bytes, not {len(key)}")


class Vault:
    """The values of one conversation, each with its stand-in, in memory.

    `Guard.check_messages(messages, vault=vault)` writes stand-ins, and `Guard.wrap(stream,
    vault=vault)` restores the values. A vault that `Vaults.open` has returned also knows the values
    of earlier requests of the conversation. `counts` counts the stand-ins that were restored and
    left. A vault can be shared between threads.
    """

    def __init__(
        self,
        key: bytes | None = None,
        conversation: str = "",
        *,
        ids: Ids = "hash",
        max_entries: int = 10_000,
        max_bytes: int = 10_000_000,
        tools: Mapping[str, Sequence[str]] | None = None,
        entries: Iterable[Entry] = (),
    ) -> None:
        """Create a vault that is not stored.

        - `key`: the key of the hash that creates ids, at least 16 bytes. None uses a random key, so
          that no other vault writes the same stand-ins.
        - `conversation`: its name. The same value has another stand-in in another conversation.
        - `ids`: the part of a stand-in after its label. "hash" is a keyed hash; "number" counts
          from 1, which is shorter, but anyone can write it; "fake" creates mail addresses, IPv6
          addresses and card numbers that belong to nobody and contain the hash, and uses "hash" for
          other values.
        - `max_entries`, `max_bytes`: the maximum number of values, and of their bytes in UTF-8.
        - `tools`: the arguments that get real values, by the tool's name, such as `{"send_mail":
          ["to", "people[*].mail"]}`; all others keep stand-ins.

        Raises ValueError for a key that is too short, for unknown `ids`, for bounds below 1, and
        for an invalid path in `tools`; TypeError for a key that is not bytes, for bounds that are
        not whole numbers, and for `tools` that are not lists by name.
        """
        if key is not None:
            check_key(key)
        check_known("ids", ids, get_args(Ids))
        check_count("max_entries", max_entries)
        check_count("max_bytes", max_bytes)
        self.conversation = conversation
        self.ids = ids
        self.tools = Tools(tools)
        self.counts = Counts()
        self.fresh: list[Entry] = []
        self.labels: set[str] = set()
        self._key = secrets.token_bytes(32) if key is None else key
        self._max_entries, self._max_bytes = max_entries, max_bytes
        self._bytes = 0
        # Held while counting, and from the look-up of a value until its stand-in is issued.
        self._lock = kept_across_forks(Lock())
        self._values: dict[Name, Entry] = {}
        self._names: dict[tuple[str, bool], Name] = {}
        self._held: set[Name] = set()  # names of shared values that this request contains
        self._numbers: dict[str, int] = {}
        for entry in entries:
            self._keep(entry)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {len(self)} values>"

    def __getstate__(self) -> Mapping[str, Any]:
        """Leave out the lock, which cannot be copied or pickled."""
        return {name: value for name, value in vars(self).items() if name != "_lock"}

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        vars(self).update(state, _lock=kept_across_forks(Lock()))

    @property
    def entries(self) -> Iterable[Entry]:
        """All values."""
        with self._lock:
            return tuple(self._values.values())

    def known(self) -> Mapping[str, list[str]]:
        """The values by the rule that found them. They are masked everywhere in a request."""
        found: dict[str, list[str]] = {}
        for entry in self.entries:
            # A shared value is masked only in requests that contain it.
            if entry.name.label != ESCAPED and (not entry.shared or entry.name in self._held):
                found.setdefault(entry.rule, []).append(entry.value)
        return found

    def settled(self, mask: Callable[[], T]) -> T:
        """Call `mask` until it issues no new stand-in; return its last result.

        A new value is then also masked in the texts before the one in which its rule found it.
        """
        while True:
            before = len(self)
            made = mask()
            if len(self) == before:
                return made

    def issue(self, rule: str, value: str, *, shared: bool = False) -> str:
        """Return the stand-in of a value; it gets a new one if it has none. Raises FullError.

        A value keeps its stand-in, whatever rule finds it later, so that the same history is always
        masked in the same way.
        """
        return self._issued(label_of(rule), rule, value, shared=shared)

    def escape(self, text: str, *, shared: bool = False) -> str:
        """Return a stand-in for a text that looks like one but was not issued by this vault."""
        return self._issued(ESCAPED, "", text, shared=shared)

    def value(self, name: Name) -> str | None:
        """Return the value of a stand-in; None if this vault did not issue it."""
        entry = self._values.get(name)
        if entry is None or (entry.shared and name not in self._held):
            return None
        return entry.value

    def count(self, *, restored: int = 0, left: int = 0) -> None:
        """Add to `counts`."""
        with self._lock:
            self.counts.restored += restored
            self.counts.left += left

    def saved(self, entries: Collection[Entry]) -> None:
        """Record that new entries have been saved."""
        names = {entry.name for entry in entries}
        with self._lock:
            self.fresh = [entry for entry in self.fresh if entry.name not in names]

    def _issued(self, label: str, rule: str, value: str, *, shared: bool) -> str:
        with self._lock:
            name = self._names.get((value, shared))
            if name is None:
                name = self._new(label, rule, value, shared=shared)
                entry = Entry(name, rule, value, shared)
                self._check_room(entry)
                self._keep(entry)
                self.fresh.append(entry)
            if shared:
                self._held.add(name)
            return str(name)

    def _new(self, label: str, rule: str, value: str, *, shared: bool) -> Name:
        if self.ids == "number":
            return Name(label, str(self._numbers.get(label, 0) + 1))
        if self.ids == "fake":
            label = shape_of(label, value)
        conversation = SHARED if shared else self.conversation
        for attempt in range(_ATTEMPTS):
            name = Name(label, hashed(self._key, conversation, rule or label, value, attempt))
            if name not in self._values:
                return name
        raise VaultError(f"no stand-in is left for a value of {label}")

    def _check_room(self, entry: Entry) -> None:
        size = len(entry.value.encode("utf-8", "surrogatepass"))
        if len(self._values) >= self._max_entries or self._bytes + size > self._max_bytes:
            raise FullError(
                f"the vault holds {len(self._values)} values, {self._bytes} bytes: "
                "it is full: raise 'max_entries' or 'max_bytes'"
            )

    def _keep(self, entry: Entry) -> None:
        self._values[entry.name] = entry
        self._names.setdefault((entry.value, entry.shared), entry.name)
        self.labels.add(entry.name.label)
        self._bytes += len(entry.value.encode("utf-8", "surrogatepass"))
        if entry.name.id.isdecimal():
            number = int(entry.name.id)
            label = entry.name.label
            self._numbers[label] = max(number, self._numbers.get(label, 0))
