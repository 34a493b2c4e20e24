"""Limits on a channel: characters, lines, tokens, stop sequences, repetition."""
