"""A vault: which value each stand-in of one conversation stands for."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, TypeVar, get_args

from guardstream.amounts import check_count
from guardstream.errors import GuardstreamError
from guardstream.forks import kept_across_forks
from guardstream.vault.fakes import shape_of
from guardstream.vault.ids import Ids, hashed
from guardstream.vault.standin import ESCAPED, Name, label_of
from guardstream.vault.tools import Tools

T = TypeVar("T")

SHARED = "\0shared"
"""Takes the place of the conversation for what all of a deployment write alike: system prompts."""

_ATTEMPTS = 100


class VaultError(GuardstreamError):
    """A vault cannot be opened, kept or added to; the message never has a value in it."""


class FullError(VaultError):
    """The vault holds as much as it may."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One value: its stand-in's name, the rule that found it, and whether it is shared."""

    name: Name
    rule: str
    value: str = field(repr=False)
    shared: bool = False


@dataclass(slots=True)
class Counts:
    """What became of stand-ins in answers: restored, and left because nothing else was certain."""

    restored: int = 0
    left: int = 0


_LISTED = ", ".join(map(repr, get_args(Ids)))


def check_key(key: bytes) -> None:
    """Raise TypeError for a key that is no bytes, ValueError for one that is too short."""
    if not isinstance(key, bytes):
        raise TypeError(f"a key is bytes, not {type(key).__qualname__!r}: write text.encode()")
    if len(key) < 16:
        raise ValueError(f"a key has at least 16 bytes, not {len(key)}")


class Vault:
    """The values of one conversation, each with its stand-in; both ways in memory.

    `Guard.check_messages(messages, vault=vault)` writes stand-ins, `Guard.wrap(stream,
    vault=vault)` restores what they stand for. A vault that `Vaults.open` returned knows what
    earlier requests of the conversation have put in. `counts` says what became of stand-ins.
    Threads may share a vault.
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
        """Make a vault of its own, which nothing keeps.

        - `key`: of the hash that makes ids, at least 16 bytes; a random one if None, so that no
          other vault writes the same stand-ins.
        - `conversation`: names it; the same value has other stand-ins in another one.
        - `ids`: what stands after the label: "hash", or "number" (1, 2 …), which is shorter and
          which others may write too; "fake" writes mail addresses, addresses of IPv6 and numbers
          of cards that are nobody's, with the hash in them, and "hash" for all else.
        - `max_entries`, `max_bytes`: how many values, and how much of them in UTF-8; one more
          raises FullError.
        - `tools`: the arguments of tools that are given real values, by the tool's name, such as
          `{"send_mail": ["to", "people[*].mail"]}`; all others keep stand-ins.

        Raises ValueError for a key that is too short, for `ids` that are not known, for bounds
        below 1, and for a path that leads nowhere; TypeError for a key that is no bytes, for bounds
        that are no whole numbers, and for `tools` of another form.
        """
        if key is not None:
            check_key(key)
        if ids not in get_args(Ids):
            raise ValueError(f"ids {ids!r} are not known: take {_LISTED}")
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
        # For the counts, and for what is issued, which is looked up before.
        self._lock = kept_across_forks(Lock())
        self._values: dict[Name, Entry] = {}
        self._names: dict[tuple[str, bool], Name] = {}
        self._held: set[Name] = set()  # shared ones that this request holds
        self._numbers: dict[str, int] = {}
        for entry in entries:
            self._keep(entry)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {len(self)} values>"

    def __getstate__(self) -> Mapping[str, Any]:
        """Leave out the lock, which can be neither copied nor pickled."""
        return {name: value for name, value in vars(self).items() if name != "_lock"}

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        vars(self).update(state, _lock=kept_across_forks(Lock()))

    @property
    def entries(self) -> Iterable[Entry]:
        """Every value that is kept."""
        with self._lock:
            return tuple(self._values.values())

    def known(self) -> Mapping[str, list[str]]:
        """The values by the rule that found them: they are hidden wherever they stand."""
        found: dict[str, list[str]] = {}
        for entry in self.entries:
            # What is shared is hidden in conversations where this request has it.
            if entry.name.label != ESCAPED and (not entry.shared or entry.name in self._held):
                found.setdefault(entry.rule, []).append(entry.value)
        return found

    def settled(self, mask: Callable[[], T]) -> T:
        """Call `mask` until it issues nothing new; return what it returned last.

        A value that is new is hidden in what was masked before it, too, whatever stands around it.
        """
        while True:
            before = len(self)
            made = mask()
            if len(self) == before:
                return made

    def issue(self, rule: str, value: str, *, shared: bool = False) -> str:
        """Return the stand-in of a value, a new one if it has none. Raises FullError.

        A value has one, whatever rule finds it later: what was sent before comes out alike.
        """
        return self._issued(label_of(rule), rule, value, shared=shared)

    def escape(self, text: str, *, shared: bool = False) -> str:
        """Return a stand-in for what looks like one and was not issued here."""
        return self._issued(ESCAPED, "", text, shared=shared)

    def value(self, name: Name) -> str | None:
        """What a stand-in stands for; None if it was not issued here."""
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
        """Note that a store has these entries, which were fresh."""
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
                "no more fit (max_entries, max_bytes)"
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
