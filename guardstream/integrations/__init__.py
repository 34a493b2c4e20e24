"""Guards as parts of other frameworks."""
