"""Anthropic's messages, raw and through the package's helper."""
