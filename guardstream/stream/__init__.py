"""One stream's way through the guard: chunks in, guarded chunks out, read by a thin driver."""
