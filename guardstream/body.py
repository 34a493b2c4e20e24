"""Whole answers, guarded: the documented place of `guardstream.http.body`."""

from guardstream.http.body import aguard_body, guard_body

__all__ = ["aguard_body", "guard_body"]
