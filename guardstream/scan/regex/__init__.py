"""Regular expressions: parsed, compiled to an NFA, searched by a DFA built on demand."""
