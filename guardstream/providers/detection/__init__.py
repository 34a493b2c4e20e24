"""Which format a first chunk is in: a table of what marks each, read without importing a format."""
