"""Formats of no provider: text, named events, server-sent events, and JSON."""
