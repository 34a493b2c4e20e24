"""Guarded streams: sans-I/O flows from chunks to guarded chunks, and thin drivers around them."""
