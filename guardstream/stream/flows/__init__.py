"""Flows: each turns one stream's chunks of a kind into guarded chunks, without I/O."""
