"""Observers that tell a log, a metrics system or a tracer about guarded streams.

Each is given to a guard: `Guard.load(path, observers=[AuditLog("audit.jsonl")])`. They get what
`StreamRecord` has, which never includes text. `prometheus` and `otel` need extras of these names. A
`Timeline` draws one stream.
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
