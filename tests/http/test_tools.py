"""Arguments are judged by the schemas that the request states, and by no others."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from guardstream import AdapterError, Guard, PolicyError
from guardstream.http.request import RefusedError
from guardstream.http.tools import for_request
from guardstream.http.transport import GuardTransport, SyncGuardTransport
from guardstream.policy import Policy
from tests.formats.chunks import call, chunk
from tests.serve.proxy.upstream import event, proxied
from tests.support.vertex import values_of, vertex

POLICY = """\
json: {tools: from_request}
rules: [{id: w, words: [secret]}]
"""
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}


def guard(policy: str = POLICY) -> Guard:
    return Guard(Policy.parse(policy))


def chat_tools(**schemas: Any) -> list[dict[str, Any]]:
    functions = [{"name": name, "parameters": schema} for name, schema in schemas.items()]
    return [{"type": "function", "function": function} for function in functions]


SQL = {"type": "custom", "name": "sql"}
REQUESTS: dict[str, Any] = {
    "openai_chat": {
        "tools": [*chat_tools(weather=SCHEMA), {"type": "custom", "custom": {"name": "sql"}}]
    },
    "openai_responses": {
        "tools": [{"type": "function", "name": "weather", "parameters": SCHEMA}, SQL]
    },
    "anthropic": {"tools": [{"name": "weather", "input_schema": SCHEMA}, SQL]},
}


def judged(made: Guard, tool: str, arguments: str) -> tuple[str, str | None]:
    chunks = [chunk(call(0, "", id="c", name=tool)), chunk(call(0, arguments))]
    chunks.append(chunk(finish="tool_calls"))
    with made.wrap_sync(chunks) as stream:
        for _ in stream:
            pass
        return stream.result.tool_calls[0].arguments, stream.blocked_by


@pytest.mark.parametrize("provider", REQUESTS)
def test_each_tool_is_judged_by_its_schema(provider: str) -> None:
    made = for_request(guard(), provider, json.dumps(REQUESTS[provider]).encode())
    assert judged(made, "weather", '{"city": "secret"}') == ('{"city": "[w]"}', None)
    assert judged(made, "weather", '{"city": 1}') == ('{"city": ', "json")
    assert judged(made, "sql", "select secret") == ("select [w]", None)
    assert judged(made, "other", "{}")[1] == "json"


SPEC = {"toolSpec": {"name": "weather", "inputSchema": {"json": SCHEMA}}}
CAPITALS = {"type": "OBJECT", "properties": {"city": {"type": "STRING"}}, "required": ["city"]}
SMALL = {"type": "object", "properties": {"city": {"type": "string", "max_length": "9"}}}
OTHERS: dict[str, list[Any]] = {
    "gemini": [
        {"tools": [{"functionDeclarations": [{"name": "weather", "parameters": CAPITALS}]}]},
        {"tools": [
            {"googleSearch": {}},
            {"function_declarations": [{"name": "weather", "parametersJsonSchema": SCHEMA}]},
        ]},
        {"tools": [{"functionDeclarations": [{"name": "weather", "parameters": SMALL}]}]},
    ],
    "bedrock": [{"toolConfig": {"tools": [
        SPEC,
        {"cachePoint": {"type": "default"}},
        {"systemTool": {"name": "sql"}},
    ]}}],
    "ollama": [{"tools": chat_tools(weather=SCHEMA)}],
    "cohere": [{"tools": chat_tools(weather=SCHEMA)}],
    "bedrock_invoke": [
        REQUESTS["anthropic"],
        {"toolConfig": {"tools": [SPEC]}},
    ],
}  # fmt: skip


@pytest.mark.parametrize("provider", OTHERS)
def test_so_it_is_in_the_requests_of_others(provider: str) -> None:
    for request in OTHERS[provider]:
        made = for_request(guard(), provider, json.dumps(request).encode())
        assert judged(made, "weather", '{"city": "secret"}') == ('{"city": "[w]"}', None)
        assert judged(made, "weather", '{"city": 1}') == ('{"city": ', "json")
        assert judged(made, "other", "{}")[1] == "json"


def test_a_call_that_comes_whole_is_judged() -> None:
    for args, allowed in (({"city": "Rome"}, True), ({"city": 1}, False), ({}, False)):
        made = for_request(guard(), "gemini", json.dumps(OTHERS["gemini"][0]).encode())
        part = {"functionCall": {"name": "weather", "args": args}}
        answer = {"candidates": [{"content": {"parts": [part]}, "finishReason": "STOP"}]}
        with made.wrap_sync([answer]) as stream:
            out = list(stream)
        assert (stream.blocked_by is None) == allowed
        assert ("Rome" in str(out)) == allowed


def test_a_schema_of_gemini_may_have_types_in_small_letters() -> None:
    city = {"type": "string", "nullable": True, "minLength": "2"}
    own = {"type": "object", "properties": {"city": city}}
    request = {"tools": [{"functionDeclarations": [{"name": "weather", "parameters": own}]}]}
    for value, why in (("null", None), ('"Rome"', None), ('"R"', "json")):
        made = for_request(guard(), "gemini", json.dumps(request).encode())
        assert judged(made, "weather", f'{{"city": {value}}}')[1] == why


def responses(item: dict[str, Any], tools: list[dict[str, Any]]) -> Any:
    """The end of a response that has one item, under a request with these tools."""
    made = for_request(guard(), "openai_responses", json.dumps({"tools": tools}).encode())
    answer = {"id": "r", "object": "response", "status": "completed", "output": [item]}
    chunks = [
        {"type": "response.created", "response": answer | {"output": []}},
        {"type": "response.output_item.added", "output_index": 0, "item": item},
        {"type": "response.output_item.done", "output_index": 0, "item": item},
        {"type": "response.completed", "response": answer},
    ]
    with made.wrap_sync(chunks) as stream:
        return [*stream], stream.blocked_by


def searched(query: str) -> dict[str, Any]:
    action = {"type": "search", "query": query}
    return {"id": "ws_1", "type": "web_search_call", "status": "completed", "action": action}


CODE = {"id": "ci_1", "type": "code_interpreter_call", "status": "completed", "code": "1 + 1"}
OWN = {
    "web_search": searched("the price of tea"),
    "code_interpreter": CODE,
    "file_search": {"id": "f", "type": "file_search_call", "queries": ["tea"]},
}


@pytest.mark.parametrize("kind", OWN)
def test_tools_of_openais_own_are_asked_in_text(kind: str) -> None:
    sent, blocked_by = responses(OWN[kind], [{"type": kind}])
    assert (sent[-1]["response"]["output"], blocked_by) == ([OWN[kind]], None)
    _, blocked_by = responses(OWN[kind], [SQL])
    assert blocked_by == "json"


def test_rules_apply_to_what_openais_own_tools_are_asked() -> None:
    sent, _ = responses(searched("the secret"), [{"type": "web_search"}])
    assert sent[-1]["response"]["output"] == [searched("the [w]")]


@pytest.mark.parametrize("allowed", [["roll"], {"tool_names": ["roll"]}])
def test_tools_of_an_mcp_server_are_those_that_it_is_allowed(allowed: Any) -> None:
    tools = [{"type": "mcp", "server_label": "dice", "allowed_tools": allowed}]
    for name, blocked in (("roll", None), ("cheat", "json")):
        item = {"id": "m", "type": "mcp_call", "name": name, "arguments": "{}"}
        assert responses(item, tools)[1] == blocked


MCP = {"type": "mcp", "server_label": "dice", "server_url": "https://example.com"}


@pytest.mark.parametrize("allowed", [{}, {"allowed_tools": {"read_only": True}}])
def test_any_tool_of_an_mcp_server_is_guarded_if_the_request_names_none(allowed: Any) -> None:
    tools = [MCP | allowed, {"type": "function", "name": "weather", "parameters": SCHEMA}]
    item = {"id": "m", "type": "mcp_call", "name": "roll", "arguments": '{"of": "secret"}'}
    sent, blocked_by = responses(item, tools)
    assert sent[-1]["response"]["output"][0]["arguments"] == '{"of": "[w]"}'
    assert blocked_by is None
    assert responses(item | {"arguments": "six"}, tools)[1] == "json"
    assert responses(item | {"type": "function_call", "name": "weather"}, tools)[1] == "json"


def test_an_mcp_server_of_which_no_tool_is_allowed_has_none() -> None:
    item = {"id": "m", "type": "mcp_call", "name": "roll", "arguments": "{}"}
    assert responses(item, [MCP | {"allowed_tools": []}])[1] == "json"


TOOLSET = {"type": "mcp_toolset", "mcp_server_name": "dice"}
DICE = {"type": "url", "url": "https://example.com", "name": "dice"}
LISTED = {"name": "roll", "input_schema": {"type": "object"}}
NO_CHEAT = {"configs": {"cheat": {"enabled": False}, "roll": {"defer_loading": True}}}
CHEAT = {"name": "cheat", "input_schema": {"type": "object"}}
CARDS = DICE | {"name": "cards"}
ONLY_ROLL: Any = {"default_config": {"enabled": False}, "configs": {"roll": {"enabled": True}}}


@pytest.mark.parametrize(
    ("request_", "cheat"),
    [
        ({"mcp_servers": [DICE]}, None),
        ({"mcp_servers": [DICE | {"tool_configuration": {"allowed_tools": ["roll"]}}]}, "json"),
        ({"mcp_servers": [DICE], "tools": [TOOLSET]}, None),
        ({"mcp_servers": [DICE], "tools": [TOOLSET | ONLY_ROLL]}, "json"),
        ({"mcp_servers": [DICE], "tools": [TOOLSET | {"tools": [LISTED]}]}, "json"),
        ({"mcp_servers": [DICE], "tools": [TOOLSET | NO_CHEAT]}, "json"),
        ({"mcp_servers": [DICE], "tools": [TOOLSET | NO_CHEAT, CHEAT]}, None),
        ({"mcp_servers": [DICE, CARDS], "tools": [TOOLSET | NO_CHEAT]}, None),
        ({"mcp_servers": [DICE], "tools": [TOOLSET | NO_CHEAT, TOOLSET | NO_CHEAT]}, "json"),
    ],
)
def test_mcp_servers_of_anthropics_requests_have_the_tools_that_it_names(
    request_: Any, cheat: str | None
) -> None:
    made = for_request(guard(), "anthropic", json.dumps(request_).encode())
    assert judged(made, "roll", '{"of": "secret"}') == ('{"of": "[w]"}', None)
    assert judged(made, "cheat", "{}")[1] == cheat


@pytest.mark.parametrize("kind", ["tool_search_output", "additional_tools", "mcp_list_tools"])
def test_tools_that_were_found_before_are_judged_by_what_was_found(kind: str) -> None:
    schema = {"input_schema" if kind == "mcp_list_tools" else "parameters": SCHEMA}
    found = {"type": kind, "tools": [{"name": "weather", **schema}]}
    request = {"input": [{"role": "user", "content": "rain?"}, found]}
    made = for_request(guard(), "openai_responses", json.dumps(request).encode())
    assert judged(made, "weather", '{"city": "Rome"}')[1] is None
    assert judged(made, "weather", "{}")[1] == "json"


def test_what_was_found_gives_way_to_what_the_request_says() -> None:
    other = {"type": "function", "name": "weather", "parameters": {"type": "object"}}
    tools = [{"type": "function", "name": "weather", "parameters": SCHEMA}]
    tools.append({"type": "mcp", "server_label": "dice", "allowed_tools": ["roll"]})
    listed = {"name": "roll", "input_schema": SCHEMA}
    items = [
        {"type": "tool_search_output", "tools": [other]},
        {"type": "mcp_list_tools", "tools": [listed | {"input_schema": {"type": "array"}}]},
        {"type": "mcp_list_tools", "tools": [listed]},
    ]
    request = json.dumps({"tools": tools, "input": items}).encode()
    made = for_request(guard(), "openai_responses", request)
    for name in ("weather", "roll"):
        assert judged(made, name, '{"city": "Rome"}')[1] is None
        assert judged(made, name, "{}")[1] == "json"


def test_the_tools_of_a_namespace_are_called_by_their_own_names() -> None:
    inner = {"type": "function", "name": "weather", "parameters": SCHEMA}
    request = {"tools": [{"type": "namespace", "name": "sky", "tools": [inner, SQL]}]}
    made = for_request(guard(), "openai_responses", json.dumps(request).encode())
    assert judged(made, "weather", "{}")[1] == "json"
    assert judged(made, "sql", "select 1") == ("select 1", None)


def test_code_execution_is_called_by_other_names() -> None:
    request = {"tools": [{"type": "code_execution_20250825", "name": "code_execution"}]}
    made = for_request(guard(), "anthropic", json.dumps(request).encode())
    for name in ("code_execution", "bash_code_execution", "text_editor_code_execution"):
        assert judged(made, name, '{"command": "ls"}')[1] is None
    assert judged(made, "bash", '{"command": "ls"}')[1] == "json"


def test_without_a_request_nothing_is_guarded() -> None:
    with pytest.raises(PolicyError, match="needs the request"):
        guard().wrap_sync([])
    with pytest.raises(PolicyError, match="needs the request"):
        guard().check("{}", "tool_args")
    assert guard().check("secret").text == "[w]"


def test_tools_may_be_named_by_hand() -> None:
    made = guard().with_tools({"weather": SCHEMA, "free": None})
    assert judged(made, "weather", "{}")[1] == "json"
    assert judged(made, "free", "secret!") == ("[w]!", None)


@pytest.mark.parametrize("others", [{}, {"*": True}])
def test_a_schema_of_calls_without_a_name_judges_them(others: Any) -> None:
    made = guard().with_tools({"": SCHEMA, **others})
    assert made.check('{"city": "secret"}', "tool_args").text == '{"city": "[w]"}'
    assert made.check("{}", "tool_args").blocked_by == "json"


def test_a_call_without_a_name_may_be_any_tools_where_only_texts_have_none() -> None:
    for others, blocked_by in (({}, "json"), ({"*": True}, None)):
        made = guard().with_tools({"": None, **others})
        assert made.check("{}", "tool_args").blocked_by == blocked_by


@pytest.mark.parametrize(
    ("tools", "code"),
    [
        (chat_tools(a={"$ref": "https://example.com/a"}), "invalid_tools"),
        (chat_tools(a={"type": "nothing"}), "invalid_tools"),
        (chat_tools(a={"enum": ["x" * 100_000]}), "tools_too_large"),
        (chat_tools(**{f"t{at}": {} for at in range(300)}), "tools_too_large"),
        ([1], "invalid_tools"),
        ([{"type": "function"}], "invalid_tools"),
        (chat_tools(a="string"), "invalid_tools"),
        (chat_tools(a={"$defs": {"q": {"type": 1}}, "$ref": "#/$defs/q"}), "invalid_tools"),
        (chat_tools(a={"properties": {"b": {"$ref": 1}}}), "invalid_tools"),
        (chat_tools(a={"type": "\ud800"}), "invalid_tools"),
        ([*chat_tools(a=SCHEMA), *chat_tools(a={})], "invalid_tools"),
        (chat_tools(**{"*": SCHEMA}), "invalid_tools"),
    ],
)
def test_tools_that_cannot_be_judged_are_refused(tools: Any, code: str) -> None:
    with pytest.raises(RefusedError) as caught:
        for_request(guard(), "openai_chat", json.dumps({"tools": tools}).encode())
    assert (caught.value.status, caught.value.code) == (400, code)


def test_a_name_with_two_schemas_is_named() -> None:
    shell = {"type": "function", "name": "shell", "parameters": SCHEMA}
    body = json.dumps({"tools": [{"type": "shell"}, shell]}).encode()
    with pytest.raises(RefusedError, match="two tools of the request are named 'shell'"):
        for_request(guard(), "openai_responses", body)


def test_tools_of_googles_own_are_allowed_if_the_request_has_one() -> None:
    for tools, why in (([{"googleSearch": {}}], None), ([], "json")):
        tools = [*tools, *OTHERS["gemini"][0]["tools"]]
        made = for_request(guard(), "gemini", json.dumps({"tools": tools}).encode())
        part = {"toolCall": {"toolType": "GOOGLE_SEARCH_WEB", "args": {"queries": ["tea"]}}}
        with made.wrap_sync([{"candidates": [{"content": {"parts": [part]}}]}]) as stream:
            list(stream)
        assert stream.blocked_by == why


def test_strings_that_vertex_streams_are_guarded_if_the_request_names_their_tool() -> None:
    for name, expected in (("find", ("a [w]", None)), ("other", ("", "json"))):
        request = {"tools": [{"functionDeclarations": [{"name": name, "parameters": SMALL}]}]}
        made = for_request(guard(), "gemini", json.dumps(request).encode())
        with made.wrap_sync(vertex(["a sec", "ret"])) as stream:
            assert (values_of([*stream]), stream.blocked_by) == expected


def test_the_proxy_refuses_before_it_asks_and_judges_the_answer() -> None:
    def respond(provider: Any, _: dict[str, Any]) -> Any:
        chunks = [chunk(call(0, '{"city": 1}', id="c", name="weather")), chunk(finish="tool_calls")]
        return provider.stream([event(each) for each in chunks])

    with proxied(respond, guards={"default": guard()}) as (url, provider):
        address = url + "/v1/chat/completions"
        bad = httpx.post(address, json={"tools": chat_tools(a={"$ref": "http://x/y"})})
        assert (bad.status_code, provider.requests) == (400, [])
        good = httpx.post(address, json={"stream": True, **REQUESTS["openai_chat"]})
        assert len(provider.requests) == 1
    assert "content_filter" in good.text
    assert "city" in good.text
    assert '1}"' not in good.text


def test_a_transport_takes_the_tools_of_its_request() -> None:
    asked = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        chunks = [chunk(call(0, '{"city": "secret"}', id="c", name="weather"))]
        content = b"".join(event(each) for each in [*chunks, chunk(finish="tool_calls")])
        return httpx.Response(200, headers={"content-type": "text/event-stream"}, content=content)

    transport = SyncGuardTransport(guard(), httpx.MockTransport(answer))
    with httpx.Client(transport=transport) as client:
        url = "http://provider/v1/chat/completions"
        assert "[w]" in client.post(url, json=REQUESTS["openai_chat"]).text
        with pytest.raises(AdapterError, match="tools"):
            client.post(url, json={"tools": [1]})
    assert len(asked) == 1


MAIL = "ann@example.com"
VAULT = r"""
json: {tools: from_request}
vault: {tools: {send: ["*"]}}
input:
  rules: [{id: email, pattern: '[a-z]{1,20}@example\.com', reversible: true}]
"""
SEND = {"type": "object", "properties": {"to": {"type": "string", "enum": [MAIL]}}}


def arguments_in(events: str) -> Any:
    said = [json.loads(line[6:]) for line in events.splitlines() if line.startswith("data: {")]
    calls = [each["choices"][0]["delta"].get("tool_calls") or [] for each in said]
    return json.loads("".join(call["function"]["arguments"] for (call,) in filter(None, calls)))


def sends_to_the_first_offered(request: httpx.Request) -> httpx.Response:
    sent = json.loads(request.content)
    assert MAIL not in request.content.decode()
    offered = sent["tools"][0]["function"]["parameters"]["properties"]["to"]["enum"]
    chunks = [chunk(call(0, "", id="c", name="send"))]
    chunks += [chunk(call(0, json.dumps({"to": offered[0]}))), chunk(finish="tool_calls")]
    content = b"".join(map(event, chunks))
    return httpx.Response(200, headers={"content-type": "text/event-stream"}, content=content)


URL = "https://api.openai.com/v1/chat/completions"
ASKED: dict[str, Any] = {
    "json": {
        "messages": [{"role": "user", "content": MAIL}],
        "tools": chat_tools(send=SEND),
        "stream": True,
    },
    "headers": {"guardstream-conversation": "one"},
}


def test_a_transport_judges_by_the_schemas_that_the_model_was_sent() -> None:
    inner = httpx.MockTransport(sends_to_the_first_offered)
    with httpx.Client(transport=SyncGuardTransport(guard(VAULT), inner)) as client:
        answer = client.post(URL, **ASKED)
    assert "content_filter" not in answer.text
    assert arguments_in(answer.text) == {"to": MAIL}


def test_an_empty_header_names_no_conversation() -> None:
    inner = httpx.MockTransport(sends_to_the_first_offered)
    asked = ASKED | {"headers": {"guardstream-conversation": ""}}
    with httpx.Client(transport=SyncGuardTransport(guard(VAULT), inner)) as client:
        assert arguments_in(client.post(URL, **asked).text) == {"to": MAIL}


@pytest.mark.anyio
async def test_an_asynchronous_transport_does_so_too() -> None:
    inner = httpx.MockTransport(sends_to_the_first_offered)
    async with httpx.AsyncClient(transport=GuardTransport(guard(VAULT), inner)) as client:
        answer = await client.post(URL, **ASKED)
    assert "content_filter" not in answer.text
    assert arguments_in(answer.text) == {"to": MAIL}
