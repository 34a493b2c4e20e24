"""Observers that report guarded streams to logs, metrics and traces.

Pass them to a guard: `Guard.load(path, observers=[AuditLog("audit.jsonl")])`. They receive a
`StreamRecord`, which never contains text. `prometheus` and `otel` need the extras of these names. A
`Timeline` draws a single stream.
"""

from guardstream.observability.audit import AuditLog, Torn, read_audit
from guardstream.observability.logs import LogObserver
from guardstream.observability.record import as_dict
from guardstream.observability.report import Report, report
from guardstream.observability.timeline import Timeline

__all__ = [
    "AuditLog",
    "LogObserver",
    "Report",
    "Timeline",
    "Torn",
    "as_dict",
    "read_audit",
    "report",
]
