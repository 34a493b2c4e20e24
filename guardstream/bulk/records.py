"""Guards the texts of one record: a text, or a value of JSON with texts at any depth.

Every string and every key of an object is guarded, or, if columns are named, the strings in those.
The columns of a table keep their names. Numbers, times and UUIDs are left as they are. Bytes and
other objects cannot be judged, and are refused. Strings under the key `arguments` are read as the
arguments of tools: as JSON, if they are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, time, timedelta
from numbers import Number
from typing import Any, Protocol
from uuid import UUID

from guardstream.bulk.report import BulkError, Report
from guardstream.events import CLOSED, Finding, Finish, Text, is_refused
from guardstream.guard import Guard
from guardstream.stream.flows.flow import following

_COLLECTIONS: tuple[type[Any], ...] = (list, tuple, set, frozenset)

_WITHOUT_TEXT = (Number, date, time, timedelta, UUID)
_WITHOUT_TEXT_OF_PANDAS = ("NAType", "Period", "Interval")
"""Types of values without text: numbers, times and ids."""

_KEYS = 1_000
"""How many keys without findings are remembered, so that they are not guarded in each record."""


class Redactor:
    """Guards records by one policy; `report` counts what it has found."""

    def __init__(self, guard: Guard, columns: Sequence[str] | None = None) -> None:
        """Take a guard and the names of the columns to guard, all if None."""
        self.report = Report()
        self.source = ""
        """The file that is guarded now."""
        self.where = ""
        """The place of the record that is guarded now, for messages."""
        self.first = 0
        """The number of the first row of the table that is guarded now."""
        self._guard = guard
        self._columns = None if columns is None else frozenset(columns)
        self._blocked = False
        self._plain_keys: set[str] = set()

    def record(self, record: Any) -> Any:
        """Guard a record; the same object comes back if nothing in it is changed.

        Raises BulkError for a column that is missing, and for what cannot be judged.
        """
        if self._columns is None:
            return self._counted(record, lambda value: self._value(value, ""))
        if not isinstance(record, Mapping):
            raise BulkError("columns are named, but a record has none: leave them out")
        return self._counted(record, self._columns_of)

    def row(self, row: Mapping[str, Any]) -> Any:
        """Guard a row of a table as a record whose columns keep their names."""
        return self._counted(row, self._columns_of)

    def _counted(self, record: Any, guard: Callable[[Any], Any]) -> Any:
        self._blocked = False
        try:
            guarded = guard(record)
        except RecursionError:
            raise BulkError("a record is nested too deeply to be judged") from None
        report = self.report
        report.records += 1
        report.changed += guarded is not record
        report.blocked += self._blocked
        return guarded

    @property
    def guards_all(self) -> bool:
        """Whether all columns are guarded."""
        return self._columns is None

    def guards(self, column: str) -> bool:
        """Return whether a column is guarded."""
        return self._columns is None or column in self._columns

    def keeps(self, value: Any, name: str) -> bool:
        """Return whether a value of a column would stay as it is; it is not counted."""
        return Redactor(self._guard)._value(value, name) is value

    def check_columns(self, names: Sequence[str]) -> None:
        """Raise BulkError if a guarded column is not among `names`."""
        missing = sorted((self._columns or frozenset()) - frozenset(names))
        if missing:
            known = ", ".join(sorted(self._guard.check(str(name)).text for name in names))
            raise BulkError(f"there is no column {missing[0]!r}, known: {known}")

    def _columns_of(self, record: Mapping[str, Any]) -> Any:
        if self._columns is not None and not self._columns <= record.keys():
            self.check_columns(list(record))
        changed = {}
        for name, value in record.items():
            if self.guards(name):
                guarded = self._value(value, name)
                if guarded is not value:
                    changed[name] = guarded
        return {**record, **changed} if changed else record

    def _value(self, value: Any, name: str) -> Any:
        if isinstance(value, str):
            return self.text(value, "tool_args" if name == "arguments" else "text")
        if value is None or isinstance(value, (bool, int, float)):
            return value
        if isinstance(value, Mapping):
            return self._object(value)
        collection = next((kind for kind in _COLLECTIONS if isinstance(value, kind)), None)
        if collection is not None:
            items = [self._value(item, name) for item in value]
            same = all(new is old for new, old in zip(items, value, strict=True))
            return value if same else collection(items)
        if hasattr(value, "tolist") and not isinstance(value, memoryview):  # of NumPy
            plain = value.tolist()
            guarded = value if plain is value else self._value(plain, name)
            return value if guarded is plain else guarded
        if not _is_without_text(value):
            where = f"the column {name!r}" if name else "a record"
            is_bytes = isinstance(value, (bytes, bytearray, memoryview))
            held = "bytes" if is_bytes else f"objects of type {type(value).__qualname__!r}"
            raise BulkError(f"{where} holds {held}, which are not searched: name the other columns")
        return value

    def _object(self, value: Mapping[str, Any]) -> Any:
        made: dict[Any, Any] = {}
        changed = False
        for key, item in value.items():
            shown = self._key(key) if isinstance(key, str) else self._value(key, "")
            guarded = self._value(item, str(key))
            if shown in made:
                raise BulkError("two keys of an object would become one: leave the column out")
            made[shown] = guarded
            changed = changed or guarded is not item or shown != key
        return made if changed else value

    def _key(self, key: str) -> str:
        """Guard a key; most keys are those of the previous record, and contain nothing."""
        if key in self._plain_keys:
            self.report.characters += len(key)
            return key
        found = self.report.findings.total()
        shown = self.text(key, "text")
        if shown == key and self.report.findings.total() == found:
            if len(self._plain_keys) >= _KEYS:
                self._plain_keys.clear()
            self._plain_keys.add(key)
        return shown

    def text(self, text: str, channel: str) -> str:
        """Guard one text; if a rule ends it, the rest is left out."""
        if not text:
            return text
        self.report.characters += len(text)
        result = self._guard.check(text, channel)
        self.report.found(result.findings)
        self._blocked = self._blocked or is_refused(result.finish, result.blocked_by)
        return text if result.text == text else result.text

    def pieces(self) -> Pieces:
        """Return a guard for a text that is read in pieces and counts as one record."""
        return _Guarded(self._guard, self.report)


class Pieces(Protocol):
    """Guards a text that is read piece by piece, with the same result as the whole text.

    `over` says whether a rule has ended the text: the rest of it is not shown.
    """

    @property
    def over(self) -> bool: ...

    def feed(self, text: str) -> str:
        """Return what may be shown now."""
        ...

    def finish(self) -> str:
        """Return the rest, and count the record."""
        ...


_FEW, _LAST = 1_000, 100
"""How many findings of a text wait to be counted, and how many of them go on waiting."""


class _Guarded:
    """One text, as a stream."""

    def __init__(self, guard: Guard, report: Report) -> None:
        self.over = False
        self._stage = guard.session()
        self._message = guard.policy.block_message
        self._report = report
        self._blocked = self._masked = False
        self._last_text = ""
        self._found: list[Finding] = []

    def feed(self, text: str) -> str:
        if self.over:
            return ""
        self._report.characters += len(text)
        return self._shown(self._stage.feed(text))

    def finish(self) -> str:
        rest = "" if self.over else self._shown(self._stage.finish())
        report = self._report
        report.found(self._found)
        report.records += 1
        report.changed += self._masked or self._blocked
        report.blocked += self._blocked
        return rest

    def _shown(self, events: Sequence[Any]) -> str:
        text = ""
        for event in events:
            if isinstance(event, Text):
                text += event.text
            elif isinstance(event, Finding):
                self._found.append(event)
                self._masked = self._masked or event.action == "mask"
            elif isinstance(event, Finish):
                self.over = True
                self._blocked = event.reason in CLOSED
        if len(self._found) > _FEW:
            # Of the last ones, more may be found that overlap.
            self._report.found(self._found[:-_LAST])
            del self._found[:-_LAST]
        self._last_text = text or self._last_text
        return text + following(self._last_text, self._message) if self._blocked else text


def _is_without_text(value: object) -> bool:
    kind = type(value)
    of_pandas = kind.__module__.partition(".")[0] == "pandas"
    return isinstance(value, _WITHOUT_TEXT) or (
        of_pandas and kind.__name__ in _WITHOUT_TEXT_OF_PANDAS
    )
