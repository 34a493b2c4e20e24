"""The events of agent frameworks, one module each; no framework is imported."""
