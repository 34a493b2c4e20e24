"""Guards stored texts: files and tables, with several processes or machines."""

from guardstream.bulk.batches import redact
from guardstream.bulk.job import Job, run
from guardstream.bulk.report import BulkError, Report

__all__ = ["BulkError", "Job", "Report", "redact", "run"]
