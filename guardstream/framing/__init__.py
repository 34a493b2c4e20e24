"""How bytes carry chunks: server-sent events, lines and arrays of JSON, plain text."""
