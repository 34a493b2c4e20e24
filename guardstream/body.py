"""Guards whole answers: a short name for `guardstream.http.body`."""

from guardstream.http.body import aguard_body, guard_body

__all__ = ["aguard_body", "guard_body"]
