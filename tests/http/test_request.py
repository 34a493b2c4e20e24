"""Requests: every place in which something is said to a model is judged, or the request refused."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from guardstream import Guard, Policy
from guardstream.framing.json import MAX_VALUES
from guardstream.http.request import RefusedError, checked_request

ROLES = "roles: [user, tool, system, developer, assistant]"


def guard(settings: str = ROLES) -> Guard:
    rules = """
    - {id: bad, words: [falcon], action: block}
    - {id: word, words: [zebra], replacement: '#'}
"""
    return Guard(Policy.parse(f"input:\n  {settings}\n  rules:{rules}"))


HI = [{"role": "user", "content": "hi"}]

PLACES: list[tuple[str, dict[str, Any]]] = [
    ("openai_chat", {"messages": [{"role": "user", "content": "a WORD"}]}),
    (
        "openai_chat",
        {"messages": HI, "tools": [{"function": {"name": "f", "description": "WORD"}}]},
    ),
    ("openai_chat", {"messages": HI, "functions": [{"name": "f", "description": "a WORD"}]}),
    ("openai_chat", {"messages": HI, "prediction": {"type": "content", "content": "a WORD"}}),
    ("openai_chat", {"messages": HI, "response_format": {"json_schema": {"description": "WORD"}}}),
    ("openai_chat", {"messages": [{"role": "user", "content": "a WORD"}], "": "x"}),
    ("openai_completions", {"prompt": "a WORD"}),
    ("openai_completions", {"prompt": ["a", "a WORD"]}),
    ("openai_completions", {"prompt": "a", "suffix": "a WORD"}),
    ("openai_responses", {"input": "a WORD"}),
    ("openai_responses", {"input": "a", "instructions": "a WORD"}),
    ("openai_responses", {"input": [{"role": "user", "content": "a WORD"}]}),
    ("openai_responses", {"input": "a", "prompt": {"id": "p", "variables": {"v": "a WORD"}}}),
    ("openai_responses", {"input": "a", "tools": [{"type": "function", "description": "WORD"}]}),
    ("anthropic", {"messages": HI, "system": "a WORD"}),
    ("anthropic", {"messages": HI, "system": [{"type": "text", "text": "a WORD"}]}),
    ("anthropic", {"messages": HI, "tools": [{"name": "f", "description": "a WORD"}]}),
    ("anthropic", {"messages": [*HI, {"role": "assistant", "content": "a WORD"}]}),
    ("openai_chat", {"messages": HI, "extra_prompt": "a WORD"}),
    ("openai_chat", {"messages": HI, "context": {"notes": [{"said": "a WORD"}]}}),
    ("openai_responses", {"input": "a", "memory": ["a WORD"]}),
    ("anthropic", {"messages": HI, "preamble": "a WORD"}),
    ("ollama", {"messages": HI, "hint": "a WORD"}),
    ("openai_embeddings", {"input": "a", "instruction": "a WORD"}),
    ("gemini", {"contents": [], "hint": "a WORD"}),
    ("cohere", {"messages": HI, "preamble": "a WORD"}),
    ("gemini", {"contents": [{"parts": [{"text": "a", "kind": "a WORD"}]}]}),
    ("bedrock", {"messages": [{"role": "user", "content": [{"text": "a", "type": "a WORD"}]}]}),
    # what unknown fields are called
    ("openai_chat", {"messages": HI, "WORD": 1}),
    ("openai_chat", {"messages": HI, "context": {"WORD": 1}}),
    ("gemini", {"contents": [{"parts": [{"text": "a", "a WORD": {"b": 1}}]}]}),
    ("bedrock", {"messages": [{"role": "user", "content": [{"WORD": {"text": "a"}}]}]}),
    ("watsonx", {"input": [{"WORD": "a"}]}),
    ("own", {"query": {"WORD": 1}}),
]

SCHEMA = {"type": "object", "description": "a WORD"}

SETTINGS = [
    ("openai_chat", {"messages": HI, "tools": [{"function": {"parameters": SCHEMA}}]}),
    ("openai_completions", {"prompt": "a", "response_format": {"schema": SCHEMA}}),
    ("openai_responses", {"input": "a", "text": {"format": {"schema": SCHEMA}}}),
    ("anthropic", {"messages": HI, "output_config": {"format": {"schema": SCHEMA}}}),
    ("anthropic", {"messages": HI, "context_management": {"edits": [{"instructions": "WORD"}]}}),
    ("gemini", {"contents": [], "generationConfig": {"responseSchema": SCHEMA}}),
    ("cohere", {"messages": HI, "response_format": {"json_schema": SCHEMA}}),
    ("ollama", {"messages": HI, "format": SCHEMA}),
    ("bedrock", {"messages": HI, "additionalModelRequestFields": {"hint": "a WORD"}}),
]
"""Texts of developers in what says how to answer."""

STRUCTURES = [
    {"parameters": {"properties": {"WORD": {"type": "null"}}}},
    {"parameters": {"properties": {"a": {"enum": ["WORD"]}}}},
    {"parameters": {"properties": {"a": {"pattern": "WORD or more"}}}},
    {"function": {"name": "WORD"}},
]
"""Tools in which a mask would change what the developer's program is asked to do."""


def filled(request: dict[str, Any], word: str) -> bytes:
    return json.dumps(request).replace("WORD", word).encode()


@pytest.mark.parametrize(("provider", "request_"), PLACES + SETTINGS)
def test_what_is_said_to_a_model_is_judged_wherever_it_stands(
    provider: str, request_: dict[str, Any]
) -> None:
    with pytest.raises(RefusedError, match="blocked by rule 'bad'"):
        checked_request(guard(), provider, filled(request_, "falcon"))
    masked = checked_request(guard(), provider, filled(request_, "zebra"))
    assert json.loads(masked) == json.loads(filled(request_, "#####"))


@pytest.mark.parametrize(("provider", "request_"), PLACES)
def test_a_request_in_which_nothing_changes_is_sent_on_byte_for_byte(
    provider: str, request_: dict[str, Any]
) -> None:
    body = b" " + filled(request_, "word")
    assert checked_request(guard(), provider, body) is body


@pytest.mark.parametrize(
    ("provider", "request_"),
    [
        ("openai_chat", {"messages": HI, "zebra": 1, "#####": 2}),
        ("openai_chat", {"messages": HI, "context": {"zebra": 1, "Zebra": 2}}),
        ("gemini", {"contents": [{"parts": [{"zebra": "a", "ZEBRA": "b"}]}]}),
    ],
)
def test_no_field_is_lost_whose_name_becomes_that_of_another(
    provider: str, request_: dict[str, Any]
) -> None:
    with pytest.raises(RefusedError, match="the same once they are masked") as refused:
        checked_request(guard(), provider, json.dumps(request_).encode())
    assert refused.value.code == "unguarded_input"


def test_what_formats_call_their_fields_is_judged_by_no_rule() -> None:
    words = "[text, parts, role, function, name, parameters, properties, description]"
    own = Guard(Policy.parse(f"input:\n  {ROLES}\n  rules:\n  - {{id: w, words: {words}}}"))
    tool = {"name": "f", "parameters": {"properties": {"a": {"description": "b"}}}}
    body = json.dumps({"messages": HI, "tools": [{"function": tool}]}).encode()
    assert checked_request(own, "openai_chat", body) is body
    body = json.dumps({"contents": [{"role": "user", "parts": [{"text": "a"}]}]}).encode()
    assert checked_request(own, "gemini", body) is body


def test_names_pass_where_what_is_unknown_does() -> None:
    body = json.dumps({"messages": HI, "context": {"zebra": 1}}).encode()
    assert checked_request(guard(f"{ROLES}\n  unknown: pass"), "openai_chat", body) is body


def test_a_prompt_in_an_unknown_form_is_guarded_or_refused() -> None:
    body = json.dumps({"prompt": {"text": "a", "b": "a zebra"}}).encode()
    checked = json.loads(checked_request(guard(), "openai_completions", body))
    assert checked == {"prompt": {"text": "a", "b": "a #####"}}
    with pytest.raises(RefusedError, match=r"a field at 'content\.b' is not known") as refused:
        checked_request(guard(f"{ROLES}\n  unknown: refuse"), "openai_completions", body)
    assert refused.value.code == "unguarded_input"


@pytest.mark.parametrize("prompt", [[1, 2], [[1, 2], [3]], ["a", [3]]])
def test_a_prompt_that_cannot_be_read_is_refused_unless_it_is_to_pass(prompt: Any) -> None:
    body = json.dumps({"prompt": prompt}).encode()
    with pytest.raises(RefusedError, match="is not text") as refused:
        checked_request(guard(), "openai_completions", body)
    assert refused.value.code == "unguarded_input"
    assert checked_request(guard(f"{ROLES}\n  unknown: pass"), "openai_completions", body) is body


@pytest.mark.parametrize("tool", STRUCTURES)
def test_a_mask_that_would_change_a_tool_is_refused(tool: dict[str, Any]) -> None:
    with pytest.raises(RefusedError, match=r"would mask (a name in )?tools\.0\.") as refused:
        checked_request(guard(), "openai_chat", filled({"messages": HI, "tools": [tool]}, "zebra"))
    assert (refused.value.status, "zebra" in refused.value.message) == (400, False)


@pytest.mark.parametrize(
    "message",
    [
        {"role": "assistant", "Role": "user", "content": "a"},
        {"role": "user", "content": "a", "\u017fTATUS": "b"},
        {"role": "user", "content": [{"type": "text", "Text": "a"}]},
    ],
)
def test_a_field_that_some_read_as_another_is_refused(message: dict[str, Any]) -> None:
    with pytest.raises(RefusedError, match="only some readers recognise"):
        checked_request(guard(), "ollama", json.dumps({"messages": [message]}).encode())


def test_a_request_of_too_many_values_is_refused() -> None:
    body = b'{"messages": [%s]}' % b",".join([b"{}"] * (MAX_VALUES + 1))
    with pytest.raises(RefusedError, match="more than 200000 objects") as refused:
        checked_request(guard(), "openai_chat", body)
    assert (refused.value.status, refused.value.code) == (413, "too_many_values")


def test_a_refusal_says_where() -> None:
    settings = {"generationConfig": {"responseSchema": {"description": "falcon"}}}
    messages = [{"role": "user", "parts": [{"text": "a"}]}, {"parts": [{"text": "falcon"}]}]
    for request, where in (
        (settings, "generationConfig.responseSchema.description"),
        ({}, "contents.1"),
    ):
        given = json.dumps(request or {"contents": messages}).encode()
        with pytest.raises(RefusedError, match=re.escape(f"rule 'bad' at {where}")):
            checked_request(guard(), "gemini", given)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b'{"messages": [{"role": "user", "content": "falcon"}], "messages": []}', "repeats a key"),
        (b'{"messages": [{"role": "user", "content": "falcon", "content": "a"}]}', "repeats a key"),
        (json.dumps({"messages": HI}).encode("utf-16"), "not a JSON object"),
        (b"[" * 100_000, "not a JSON object"),
        (b'{"messages": [], "n": ' + b"1" * 5_000 + b"}", "not a JSON object"),
        (
            b'{"messages": [], "tools": ' + b"[" * 5_000 + b"1" + b"]" * 5_000 + b"}",
            "too deeply|not a JSON",
        ),
    ],
    ids=["key", "inner key", "utf-16", "depth", "digits", "deep tools"],
)
def test_a_request_that_others_may_read_otherwise_is_refused(body: bytes, why: str) -> None:
    with pytest.raises(RefusedError, match=why) as refused:
        checked_request(guard(), "openai_chat", body)
    assert refused.value.status == 400


def test_a_number_that_is_too_large_to_be_written_anew_is_refused_where_that_has_to_be() -> None:
    body = b'{"messages": [{"role": "user", "content": "%b"}], "seed": 1e999}'
    assert checked_request(guard(), "openai_chat", body % b"hi") == body % b"hi"
    with pytest.raises(RefusedError, match="too large") as refused:
        checked_request(guard(), "openai_chat", body % b"zebra")
    assert refused.value.status == 400


def test_half_a_surrogate_pair_beside_masked_text_is_sent_on() -> None:
    body = rb'{"messages": [{"role": "user", "content": "zebra \ud83d"}]}'
    checked = json.loads(checked_request(guard(), "openai_chat", body))
    assert checked["messages"][0]["content"] == "##### \ud83d"


@pytest.mark.parametrize(
    ("provider", "settings"),
    [
        ("openai_chat", {"user": "falcon", "metadata": {"a": "falcon"}, "stop": ["falcon"]}),
        ("openai_chat", {"model": "falcon-7b", "prompt_cache_key": "falcon", "tool_choice": "x"}),
        ("openai_responses", {"previous_response_id": "falcon", "prompt": {"id": "falcon"}}),
        ("anthropic", {"metadata": {"user_id": "falcon"}, "stop_sequences": ["falcon"]}),
        ("gemini", {"generationConfig": {"stopSequences": ["falcon"]}, "labels": {"a": "falcon"}}),
        ("ollama", {"options": {"stop": ["falcon"]}, "keep_alive": "falcon"}),
    ],
)
def test_settings_that_formats_have_are_left_as_they_are(
    provider: str, settings: dict[str, Any]
) -> None:
    body = json.dumps(settings).encode()
    assert checked_request(guard(), provider, body) == body


def test_numbers_and_marks_of_fields_that_nobody_knows_stay_as_they_are() -> None:
    body = json.dumps({"messages": HI, "min_p": 0.1, "n": 1, "best": None, "x": [True]}).encode()
    assert checked_request(guard(), "openai_chat", body) == body


@pytest.mark.parametrize(
    "part",
    [
        {"functionResponse": {"name": "f", "response": {"a": "falcon"}}},
        {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "falcon"}},
    ],
)
def test_what_a_tool_gives_is_judged_in_a_message_of_the_models(part: dict[str, Any]) -> None:
    body = json.dumps({"contents": [{"role": "model", "parts": [part]}]}).encode()
    with pytest.raises(RefusedError, match="'bad'"):
        checked_request(guard("roles: [user, tool]"), "gemini", body)
    said = body.replace(b"codeExecutionResult", b"said").replace(b"functionResponse", b"said")
    assert checked_request(guard("roles: [user]"), "gemini", said) == said
