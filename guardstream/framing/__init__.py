"""Framings of chunks in bytes: server-sent events, lines and arrays of JSON, plain text."""
