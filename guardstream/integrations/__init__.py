"""Guards as parts of other frameworks, a module a framework."""
