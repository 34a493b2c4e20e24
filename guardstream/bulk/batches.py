"""Guards batches of rows from any engine; the guarded batches are of the same type.

A batch is a list of texts, a list of rows (dictionaries), a mapping of columns, an Arrow table or
record batch, or a data frame of pandas or polars.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar

from guardstream.amounts import check_count
from guardstream.bulk.records import Redactor
from guardstream.bulk.report import BulkError, Report
from guardstream.bulk.workers import by_processes
from guardstream.errors import PolicyError
from guardstream.guard import Guard
from guardstream.policy import Policy
from guardstream.stream.arguments import check_listed

B = TypeVar("B")


def redact(
    batches: Iterable[B],
    policy: str | Path | Policy | Guard,
    *,
    columns: Sequence[str] | None = None,
    jobs: int = 1,
    report: Report | None = None,
) -> Iterator[B]:
    """Yield the batches with all texts in them guarded, in order.

    - `batches`: each a list of `str`, a list of dictionaries, a mapping of columns to lists or
      arrays, a `pyarrow.Table` or `RecordBatch`, or a `DataFrame` of pandas or polars.
    - `policy`: a file, a pack as `guardstream/NAME`, a Policy or a Guard.
    - `columns`: the ones to guard; None guards all that hold text.
    - `jobs`: how many processes work; 1 means this one. They import the main module again, so a
      program that uses several must do its work below `if __name__ == "__main__":`.
    - `report`: counts what is found.

    A policy that is reloaded when its files change is not reloaded until all batches are done. A
    text that a rule blocks keeps what precedes the match. Raises PolicyError for a policy
    that cannot be used, BulkError for a column that is missing or that holds bytes, StageError if
    a stage fails, TypeError for a batch of another type, ValueError if `jobs` is less than 1.
    """
    check_count("jobs", jobs)
    guard = guard_of(policy).pinned()
    if columns is not None:
        check_listed("columns", columns)
    named = None if columns is None else tuple(columns)
    return _redacted(batches, guard, named, jobs, Report() if report is None else report)


def guard_of(policy: str | Path | Policy | Guard, code: Iterable[str] = ()) -> Guard:
    """Return the guard of a policy for stored texts; PolicyError for a policy with a gate.

    What a policy says about running streams does not apply to texts that are stored.
    """
    if isinstance(policy, Guard):
        guard = policy
    elif isinstance(policy, Policy):
        guard = Guard(policy, rules_only=True)
    else:
        guard = Guard.load(policy, allow_code=code, rules_only=True)
    found = guard.policy
    if found.file.gate:
        raise PolicyError(f"{found.place('gate')}: a gate judges streams, not what is stored")
    return guard


def _redacted(
    batches: Iterable[B], guard: Guard, columns: Sequence[str] | None, jobs: int, report: Report
) -> Iterator[B]:
    work = partial(batch_of, guard, columns)
    for guarded, found in map(work, batches) if jobs == 1 else by_processes(work, batches, jobs):
        report.add(found)
        yield guarded


def batch_of(guard: Guard, columns: Sequence[str] | None, batch: Any) -> tuple[Any, Report]:
    """Guard one batch; return it with what was found."""
    redactor = Redactor(guard, columns)
    return guarded(redactor, batch), redactor.report


def guarded(redactor: Redactor, batch: Any) -> Any:
    """Guard a batch of any kind. Raises TypeError for one that is not known."""
    if isinstance(batch, (list, tuple)):
        return [redactor.record(each) for each in batch]
    if isinstance(batch, Mapping):
        changed = _changed(redactor, list(batch), lambda name: _column(name, batch[name]))
        arrays = {name: _alike(batch[name], values) for name, values in changed.items()}
        return {**batch, **arrays}
    kind = type(batch).__module__.partition(".")[0]
    if kind not in _TABLES or not _is_table(batch):
        raise TypeError(
            f"a batch of type {type(batch).__qualname__!r}: give a list, a mapping of columns, an "
            "Arrow table, or a data frame of pandas or polars"
        )
    return _TABLES[kind](redactor, batch)


def _is_table(batch: Any) -> bool:
    """Return whether an object of a package of tables is a table that is in memory."""
    return hasattr(batch, "__len__") and (hasattr(batch, "columns") or hasattr(batch, "schema"))


def _column(name: str, values: Any) -> Sequence[Any]:
    """Return a column of a mapping. Raises TypeError for a single value, which rows have."""
    if isinstance(values, (str, bytes, Mapping)) or not hasattr(values, "__len__"):
        raise TypeError(
            f"column {name!r} has a single value instead of a list: give rows as a list, "
            "redact([rows], ...)"
        )
    column: Sequence[Any] = values
    return column


def _changed(
    redactor: Redactor, names: Sequence[Any], values: Callable[[Any], Sequence[Any]]
) -> dict[Any, list[Any]]:
    """Guard a table row by row; return the columns in which something is changed."""
    if len(set(names)) < len(names):
        raise BulkError("two columns have the same name: rename one")
    redactor.check_columns(names)
    before = {name: list(values(name)) for name in names if redactor.guards(name)}
    if not before:
        return {}
    after: dict[str, list[Any]] = {}
    for number, row in enumerate(zip(*before.values(), strict=True)):
        record = dict(zip(before, row, strict=True))
        redactor.where = f"row {redactor.first + number}"
        changed = redactor.row(record)
        if changed is not record:
            for name, value in changed.items():
                if value is not record[name]:
                    after.setdefault(name, before[name].copy())[number] = value
    return after


def _alike(before: Any, values: list[Any]) -> Any:
    """Return a column of the original's kind: an array for an array."""
    if type(before).__module__.partition(".")[0] != "numpy":
        return values
    numpy: Any = import_module("numpy")
    array = numpy.empty(len(values), dtype=object)
    array[:] = values
    return array if before.dtype == object else array.astype(before.dtype.kind)


def _arrow(redactor: Redactor, table: Any) -> Any:
    pyarrow: Any = import_module("pyarrow")
    names = table.schema.names
    changed = _changed(redactor, names, lambda name: _arrow_values(table, name))
    for at, name in enumerate(names):
        field = table.schema.field(at)
        values = changed.get(name)
        if values is None and redactor.guards(name) and _has_dictionary(field.type):
            values = table.column(at).to_pylist()  # a dictionary may have texts that no row has
        if values is not None:
            table = table.set_column(at, field, pyarrow.array(values, type=field.type))
    return table


def _arrow_values(table: Any, name: str) -> list[Any]:
    """Return the values of a column; without their conversion if its type has no text."""
    types: Any = import_module("pyarrow.types")
    kind = table.schema.field(name).type
    if types.is_primitive(kind) or types.is_decimal(kind):
        return [None] * table.num_rows
    try:
        values: list[Any] = table.column(name).to_pylist()
    except (OverflowError, ValueError) as error:
        problem = "values beside its texts that Python cannot represent, such as a time"
        raise BulkError(f"the column {name!r} has {problem}: name the other columns") from error
    return values


def _has_dictionary(kind: Any) -> bool:
    """Return whether an Arrow type encodes values by a dictionary, at any depth."""
    types: Any = import_module("pyarrow.types")
    inner = (kind.field(at).type for at in range(kind.num_fields))
    return bool(types.is_dictionary(kind)) or any(map(_has_dictionary, inner))


class _Index:
    """The name of a level of an index, which is guarded like a column and may have any name."""

    def __repr__(self) -> str:
        return "<index>"


def _pandas(redactor: Redactor, frame: Any) -> Any:
    pandas: Any = import_module("pandas")
    levels = {_Index(): frame.index.get_level_values(at) for at in range(frame.index.nlevels)}
    searched = [
        key
        for key, level in levels.items()
        if redactor.guards_all and level.dtype.kind not in _WITHOUT_TEXT
    ]
    changed = _changed(
        redactor,
        [*frame.columns, *searched],
        lambda name: (levels[name] if isinstance(name, _Index) else frame[name]).tolist(),
    )
    made = frame.copy(deep=False)
    for name in filter(redactor.guards, frame.columns):
        if name in changed:
            dtype = _text_type(frame[name].dtype)
            made[name] = pandas.Series(changed[name], index=frame.index, dtype=dtype)
        elif frame[name].dtype == "category":
            made[name] = _without_hidden(redactor, name, frame[name].cat, frame[name])
    if searched:
        indexes = [
            pandas.Index(changed[key], dtype=_text_type(level.dtype), name=level.name)
            if key in changed
            else _without_hidden(redactor, "", level, level)
            if level.dtype == "category"
            else level
            for key, level in levels.items()
        ]
        made.index = indexes[0] if len(indexes) == 1 else pandas.MultiIndex.from_arrays(indexes)
    return made


def _without_hidden(redactor: Redactor, name: str, categorical: Any, values: Any) -> Any:
    """Return categorical values without the categories that no row has and that would change."""
    hidden = [each for each in categorical.categories if not redactor.keeps(each, name)]
    return categorical.remove_categories(hidden) if hidden else values


_WITHOUT_TEXT = frozenset("biufcmM")
"""The kinds of NumPy's types of numbers and times."""


def _text_type(dtype: Any) -> Any:
    """Return the type of a column whose texts have changed, because categories may be new."""
    return "object" if str(dtype) == "category" else dtype


def _polars(redactor: Redactor, frame: Any) -> Any:
    polars: Any = import_module("polars")
    plain = {
        name for name, dtype in frame.schema.items() if dtype.is_numeric() or dtype.is_temporal()
    }
    changed = _changed(
        redactor,
        frame.columns,
        lambda name: [None] * len(frame) if name in plain else frame[name].to_list(),
    )
    made = []
    for name, dtype in frame.schema.items():
        if name in changed:
            made.append(polars.Series(name, changed[name], _with_any_text(polars, dtype)))
        elif redactor.guards(name):
            texts = (each for enum in _enums(polars, dtype) for each in enum.categories)
            if not all(redactor.keeps(each, name) for each in texts):
                made.append(frame[name].cast(_with_any_text(polars, dtype)))
    return frame.with_columns(made)


def _with_any_text(polars: Any, dtype: Any) -> Any:
    """Return a type of polars with strings in place of fixed texts, at any depth."""
    if isinstance(dtype, (polars.Categorical, polars.Enum)):
        return polars.String
    if isinstance(dtype, polars.List):
        return polars.List(_with_any_text(polars, dtype.inner))
    if isinstance(dtype, polars.Array):
        return polars.Array(_with_any_text(polars, dtype.inner), dtype.size)
    if isinstance(dtype, polars.Struct):
        return polars.Struct(
            {each.name: _with_any_text(polars, each.dtype) for each in dtype.fields}
        )
    return dtype


def _enums(polars: Any, dtype: Any) -> Iterator[Any]:
    """Yield the enums in a type of polars, at any depth."""
    if isinstance(dtype, polars.Enum):
        yield dtype
    elif isinstance(dtype, (polars.List, polars.Array)):
        yield from _enums(polars, dtype.inner)
    elif isinstance(dtype, polars.Struct):
        for each in dtype.fields:
            yield from _enums(polars, each.dtype)


_TABLES: Mapping[str, Callable[[Redactor, Any], Any]] = {
    "pyarrow": _arrow,
    "pandas": _pandas,
    "polars": _polars,
}
