"""Where the shared corpora are, and the mark of tests that need them."""

from __future__ import annotations

import pytest

from benchmarks.evaluate import CORPORA

__all__ = ["CORPORA", "needs_corpora"]

needs_corpora = pytest.mark.skipif(not CORPORA.is_dir(), reason=f"no corpora at {CORPORA}")
