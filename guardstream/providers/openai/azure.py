"""The results of Azure's content filters, which nearly every chunk has beside the answer.

https://learn.microsoft.com/azure/ai-foundry/openai/concepts/content-filter.
"""

from __future__ import annotations

from guardstream.providers.spec import META, NUMBER, Spec

_VERDICT: Spec = {**dict.fromkeys(("filtered", "detected"), NUMBER), "severity": META}

RESULTS: Spec = dict.fromkeys(
    (
        *("hate", "self_harm", "sexual", "violence", "profanity", "jailbreak", "indirect_attack"),
        *("protected_material_text", "protected_material_code"),
    ),
    _VERDICT,
)
"""What was found, by category."""

OFFSETS: Spec = dict.fromkeys(("check_offset", "start_offset", "end_offset"), NUMBER)

FILTERED: Spec = {
    **dict.fromkeys(("prompt_index", "blocked"), NUMBER),
    "source_type": META,
    "content_filter_raw": META,
    "content_filter_results": RESULTS,
    "content_filter_offsets": OFFSETS,
}
"""What was found in a prompt, or in one of several sources."""
