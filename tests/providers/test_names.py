"""Names that others choose hide nothing: an attribute may be called `status` or `id`."""

from __future__ import annotations

from typing import Any

import pytest

from tests.providers.promises import GUARD, has_word

NAMED = dict.fromkeys(("id", "status", "role", "detail", "call_id", "other"), "a secret")

ITEMS: list[dict[str, Any]] = [
    {"type": "tool_search_call", "arguments": NAMED},
    {"type": "tool_search_call", "arguments": {"status": {"detail": ["a secret"]}}},
    {"type": "file_search_call", "results": [{"file_id": "f", "attributes": NAMED}]},
    {"type": "mcp_call", "arguments": "", "error": {"type": "x", "status": {"other": "a secret"}}},
    {"type": "mcp_list_tools", "tools": [{"input_schema": {"properties": {"status": NAMED}}}]},
    {"type": "tool_search_output", "tools": [{"parameters": {"properties": {"id": NAMED}}}]},
    {"type": "additional_tools", "tools": [{"parameters": {"properties": {"role": NAMED}}}]},
]


@pytest.mark.parametrize("item", ITEMS)
def test_a_value_is_guarded_whatever_it_is_called(item: dict[str, Any]) -> None:
    fields = {"output_index": 0, "sequence_number": 1, "item": {"id": "i", **item}}
    out = list(GUARD.wrap_sync([{"type": "response.output_item.done", **fields}]))
    assert len(out) == 1
    assert not has_word("secret", out[0], but=frozenset({"type"}))


def test_the_age_that_a_found_page_gives_itself_is_text() -> None:
    found = {"type": "web_search_result", "title": "a", "page_age": "a secret"}
    block = {"type": "web_search_tool_result", "tool_use_id": "t", "content": [found]}
    event = {"type": "content_block_start", "index": 0, "content_block": block}
    (out,) = GUARD.wrap_sync([event])
    assert not has_word("secret", out)
