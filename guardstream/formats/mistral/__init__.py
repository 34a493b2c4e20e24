"""Mistral: chat completions, conversations and transcriptions."""
