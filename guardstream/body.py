"""Whole answers, guarded: the documented place of `guardstream.http.body`."""

from guardstream.http.body import guard_body

__all__ = ["guard_body"]
