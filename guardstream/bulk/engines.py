"""Engines: a run's parts are guarded by this process, by several, or by a Ray cluster."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from typing import Any, Literal, TypeAlias, get_args

from guardstream.bulk.files import Part
from guardstream.bulk.report import BulkError, Report
from guardstream.bulk.workers import by_processes
from guardstream.errors import GuardstreamError

Engine: TypeAlias = Literal["local", "ray"]

ENGINES: tuple[str, ...] = get_args(Engine)

Work: TypeAlias = Callable[[Part], Report]
"""Guards a part; it can be pickled."""


def reports(engine: Engine, work: Work, parts: Sequence[Part], jobs: int) -> Iterator[Report]:
    """Guard all parts; yield the report of each."""
    if engine == "ray":
        return _on_ray(work, parts, jobs)
    if jobs == 1 or len(parts) < 2:
        return (work(part) for part in parts)
    return by_processes(work, parts, min(jobs, len(parts)))


def _on_ray(work: Work, parts: Sequence[Part], jobs: int) -> Iterator[Report]:
    """Actors of Ray Data, each of which loads the policy once; a block is a part.

    Not every CPU of a cluster can go to actors: Ray's own tasks would wait forever.
    """
    try:
        data, ray = import_module("ray.data"), import_module("ray")
    except ImportError as error:
        raise BulkError("the engine ray needs ray: pip install 'guardstream[ray]'") from error
    if not parts:
        return
    ray.init(ignore_reinit_error=True, log_to_driver=False, include_dashboard=False)
    cpus = int(ray.cluster_resources().get("CPU", 1))
    actors = max(1, min(jobs, cpus - 1, len(parts)))
    items = [{"part": pickle.dumps(part)} for part in parts]
    pool = data.ActorPoolStrategy(size=actors)
    rows = data.from_items(items, override_num_blocks=len(items)).map_batches(
        _Actor, fn_constructor_args=(pickle.dumps(work),), batch_size=1, compute=pool
    )
    for row in rows.iter_rows():
        if row["error"]:
            raise BulkError(row["error"])
        yield pickle.loads(row["report"])


class _Actor:
    """Keeps a policy in a worker of Ray."""

    def __init__(self, work: bytes) -> None:
        self._work: Work = pickle.loads(work)

    def __call__(self, batch: Any) -> Any:
        part: Part = pickle.loads(batch["part"][0])
        try:
            report, error = self._work(part), ""
        except GuardstreamError as wrong:  # Ray would wrap it, and lose what it says
            report, error = Report(), str(wrong)
        return {"report": [pickle.dumps(report)], "error": [error]}
