"""Legacy completion chunks, as objects of the `openai` package or as plain dicts.

vLLM, Azure and other compatible servers send them too, with fields of their own: see
`openai_completions.yaml`.
"""

from __future__ import annotations

from guardstream.formats.described import described_as

OpenAICompletions = described_as("openai_completions")
