"""The table of formats: what marks a first chunk of each, in the order in which they are asked.

A format may have several rows; the first row whose marks a chunk has decides. Only then is the
format's module imported.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeAlias

from guardstream.formats.detection import is_chat, kinds
from guardstream.formats.detection.marks import (
    Mark,
    begins,
    counts,
    each,
    either,
    ends,
    first,
    given,
    has,
    holds,
    is_a,
    is_dict,
    is_object,
    is_of,
    is_text,
    lacking,
    lacks,
    of,
    only,
    says,
    single,
    some,
    together,
    within,
)
from guardstream.formats.detection.shapes import (
    CONVERSE,
    holds_message,
    is_agentscope_pair,
    is_data_stream,
    is_of_chain,
    is_of_graph,
    is_part_of_agent,
    is_server_event,
    is_server_sent,
    is_session_message,
    is_strands_event,
    xai_message,
)
from guardstream.formats.toolkit.fields import BYTES, fields_of

_NO_CHOICES = counts("choices", 0)

_LIFE = says("type", kinds.RESPONSE_LIFE)

_RESPONSE = together(
    lacks("event_id"),  # the realtime API's
    either(
        together(_LIFE, has("response")),
        together(says("type", {"error", "keepalive"}), has("sequence_number")),
        together(
            lacking(_LIFE),
            begins("type", "response."),
            some("sequence_number", "output_index", "item_id"),
        ),
    ),
)

_TASK_EVENT = together(
    is_dict,
    single,
    either(*(holds(each, some("taskId", "contextId", "messageId")) for each in kinds.A2A_NAMED)),
)

_RPC = together(is_dict, says("jsonrpc", {"2.0"}))

_PART = together(is_dict, single, holds("chunk", is_a("bytes", str, *BYTES)))

Row: TypeAlias = tuple[str, tuple[Mark, ...]]


def row(name: str, *marks: Mark) -> Row:
    """Return the row of a format whose chunks have all of these marks."""
    return name, marks


ROWS: tuple[Row, ...] = (
    row("text", is_text),
    row("openai_chat", is_chat),
    row("openai_chat_events", says("type", {"chunk"}), has("chunk", "snapshot")),
    row("openai_completions", each("choices", has("text"))),
    row("openai_completions", _NO_CHOICES, says("object", {"text_completion"})),
    row(
        "openrouter_responses",
        of("openrouter"),
        either(_RESPONSE, together(says("type", {"UNKNOWN"}), holds("raw", is_dict, _RESPONSE))),
    ),
    row("openai_responses", _RESPONSE),
    row("openai_live", says("type", kinds.LIVE_TRANSCRIPTS), has("event_id", "start_ms")),
    row("openai_live", says("type", {"info"}), has("event_id", "code")),
    row("openai_live", says("type", kinds.LIVE_AUDIO), lacks("event_id")),
    row("openai_live", says("type", kinds.LIVE), has("event_id")),
    row("openai_realtime", says("type", kinds.REALTIME), has("event_id"), lacks("session_id")),
    row("openai_media", says("type", kinds.MEDIA)),
    row("openai_agent_sessions", says("type", {"error"}), has("session_id", "event_id")),
    row(
        "openai_agent_sessions",
        either(says("type", kinds.AGENT_OUTPUT), begins("type", "agent.session.")),
        has("session_id"),
    ),
    row("anthropic", says("type", {"message_start"}), has("message")),
    row("anthropic", says("type", kinds.ANTHROPIC_BLOCKS), has("index")),
    row("anthropic", says("type", {"ping"}), lacks("event_id")),
    row("anthropic", says("type", {"error"}), has("error"), lacks("event_id")),
    row("anthropic_sessions", says("type", {"event_delta"}), has("event_id", "delta")),
    row("anthropic_sessions", says("type", {"event_start"}), has("event")),
    row("anthropic_sessions", says("type", kinds.ANTHROPIC_SESSIONS), has("id"), lacks("event_id")),
    row("gemini_live", some("serverContent", "server_content", "setupComplete", "setup_complete")),
    *(
        row("gemini_live", holds(call, either(given("function_calls"), given("functionCalls"))))
        for call in ("tool_call", "toolCall")
    ),
    row("gemini", first("candidates", some("content", "finishReason", "finish_reason"))),
    row(
        "gemini",
        lacking(first("candidates")),
        some("promptFeedback", "prompt_feedback", "usageMetadata"),
    ),
    row("ollama", has("done"), some("message", "response")),
    row("bedrock", is_dict, single, within(*CONVERSE)),
    row("bedrock_agent", _PART, is_part_of_agent),
    *(
        row("bedrock_agent", is_dict, single, holds(kind, is_dict, has(*names)))
        for kind, names in kinds.BEDROCK_AGENT.items()
    ),
    row(
        "bedrock_invoke",
        is_dict,
        only("chunk"),
        holds("chunk", is_dict, is_a("bytes", str, *BYTES)),
    ),
    row("cohere", says("type", kinds.COHERE)),
    row("mistral", only("data"), holds("data", is_chat)),
    row("mistral_conversations", says("type", kinds.CONVERSATIONS)),
    row(
        "mistral_conversations",
        only("event", "data"),
        holds("data", says("type", kinds.CONVERSATIONS)),
    ),
    row("mistral_responses", only("event", "data"), holds("data", _RESPONSE)),
    row("mistral_transcription", says("type", kinds.TRANSCRIPTIONS)),
    row(
        "mistral_transcription",
        only("event", "data"),
        holds("data", says("type", kinds.TRANSCRIPTIONS)),
    ),
    row("langchain_chains", is_of_chain),
    row("langchain", holds_message),
    row("langchain_events", is_dict, has("event", "run_id", "data")),
    row(
        "langchain_protocol",
        is_dict,
        says("type", {"event"}),
        says("method", kinds.LANGCHAIN_METHODS),
        holds("params", is_dict, has("data")),
    ),
    row(
        "langchain_protocol",
        is_dict,
        says("event", {"message-start"}),
        lacks("data"),
        some("role", "id"),
    ),
    row("langchain_protocol", is_dict, begins("event", "content-block-"), has("index")),
    row("langgraph", is_of_graph),
    row("langgraph_events", is_server_event),
    row("pydantic_ai", says("event_kind", kinds.PYDANTIC_AI)),
    row("pydantic_ai_responses", says("kind", {"response"}), has("parts", "model_name")),
    *(
        row(
            "kosong",
            either(is_dict, lambda chunk, _: hasattr(chunk, "merge_in_place")),
            within(*names),
            some(*names - {"type", "id"}),
            either(has("type"), only("arguments_part")),
            either(says("type", kinds.KOSONG), lacking(given("type"))),
        )
        for names in kinds.KOSONG_PARTS
    ),
    row("assistants", lacking(has("event", "data")), says("object", kinds.ASSISTANTS)),
    row("assistants", has("event", "data"), holds("data", says("object", kinds.ASSISTANTS))),
    row("interactions", says("event_type", kinds.INTERACTIONS)),
    row("watsonx", each("results", has("generated_text"))),
    row("writer", only("value"), is_a("value", str)),
    row("anthropic_completions", has("completion", "stop_reason")),
    row("tgi", has("generated_text"), holds("token", has("text"))),
    row(
        "llama_cpp",
        is_dict,
        is_a("stop", bool),
        has("content"),
        some("id_slot", "tokens_predicted"),
    ),
    row("koboldcpp", is_dict, only("token", "finish_reason"), is_a("token", str)),
    row("workers_ai", is_dict, has("response", "p")),
    row("cohere_v1", is_dict, has("event_type", "is_finished")),
    row("cohere_v1", is_dict, only("is_finished", "text")),  # Command's models on Bedrock
    row("bedrock_llama", has("generation", "stop_reason")),
    row("bedrock_mistral", counts("outputs", 1), each("outputs", only("text", "stop_reason"))),
    row("bedrock_titan", has("outputText"), some("index", "completionReason")),
    row("ui_messages", is_dict, says("type", {"start"}), single),
    row("ui_messages", is_dict, says("type", {"start"}), some("messageId", "messageMetadata")),
    row("ui_messages", is_dict, says("type", {"message-metadata"}), has("messageMetadata")),
    *(
        row("ui_messages", is_dict, says("type", parts), is_a(name, str))
        for name, parts in kinds.UI_PARTS.items()
    ),
    row("ui_messages", is_dict, begins("type", "data-"), has("data")),
    row("model_parts", is_dict, says("type", {"stream-start"}), is_a("warnings", list)),
    row("model_parts", is_dict, says("type", {"response-metadata"}), is_a("modelId", str)),
    row("ui_message_objects", of("pydantic_ai"), is_a("type", str)),
    row("data_stream", is_data_stream),
    row("agentscope", is_dict, says("type", kinds.AGENTSCOPE), has("reply_id")),
    row(
        "agentscope",
        is_dict,
        says("type", {"CUSTOM"}),
        has("id", "created_at", "metadata", "value"),
    ),
    row("agentscope", of("agentscope"), says("type", kinds.AGENTSCOPE)),
    row("agentscope_messages", is_agentscope_pair),
    row("agentscope_messages", says("type", {"chat_response"}), has("is_last", "content")),
    row("agentscope_messages", says("type", {"chat"}), has("content", "created_at", "usage")),
    row("ag_ui", is_dict, says("type", kinds.AG_UI)),
    row("ag_ui", of("ag_ui"), has("type")),
    row(
        "chatkit",
        says("type", kinds.CHATKIT),
        some("thread", "item", "item_id", "stream_options", "icon"),
    ),
    row("a2a", is_dict, has("jsonrpc"), holds("result", is_dict, says("kind", kinds.A2A))),
    row("a2a", is_dict, has("jsonrpc"), holds("result", _TASK_EVENT)),
    row("a2a", lacks("jsonrpc"), _TASK_EVENT),
    row("a2a", of("a2a", "a2a_pb2")),
    row(
        "a2a",
        lambda chunk, _: isinstance(chunk, tuple) and len(chunk) == 2,
        lambda chunk, _: is_of(chunk[0], ("a2a", "a2a_pb2")),
    ),
    row(
        "acp",
        _RPC,
        either(
            says("method", {"session/update", "session/request_permission"}),
            begins("method", "fs/", "terminal/"),
        ),
    ),
    row(
        "acp",
        _RPC,
        lacking(is_a("method", str)),
        holds(
            "result",
            is_dict,
            lacks("role"),  # an answer of MCP to sampling
            either(
                is_a("protocolVersion", int),  # in MCP it is a date
                some("stopReason", "agentCapabilities", "sessionId"),
            ),
        ),
    ),
    row(
        "acp", of("acp"), either(has("session_id", "update"), some("session_update", "stop_reason"))
    ),
    row("mcp", _RPC, some("result", "error", "method")),
    row("mcp", lacking(is_session_message), of("mcp", "mcp_types")),
    row("mcp", is_session_message, holds("message", of("mcp", "mcp_types"))),
    row(
        "dashscope", has("request_id"), holds("output", some("choices", "text", "workflow_message"))
    ),
    row("sglang", is_dict, has("text"), holds("meta_info", is_dict, has("id", "finish_reason"))),
    row("lmstudio", is_a("content", str), some("reasoning_type", "reasoningType")),
    row("xai", lambda chunk, _: xai_message(chunk) is not None),
    *(
        row("letta", says("message_type", {kind}), has(name))
        for kind, name in kinds.LETTA_BESIDE.items()
    ),
    row("letta", says("message_type", kinds.LETTA), has("id", "date")),
    row(
        "livekit",
        lacking(is_dict),
        has("id", "delta", "usage"),
        either(lacking(given("delta")), holds("delta", has("role", "content", "tool_calls"))),
    ),
    row("llm", has("chunk", "part_index", "tool_call_id"), says("type", kinds.LLM)),
    *(
        row("mirascope", says("type", chunks), says("content_type", {part}))
        for part, chunks in kinds.MIRASCOPE.items()
    ),
    row("openai_agents", is_object, says("type", {"raw_response_event"}), has("data")),
    row(
        "openai_agents",
        is_object,
        says("type", {"run_item_stream_event", "agent_updated_stream_event"}),
    ),
    *(row("llama_index", has(*names)) for names in kinds.LLAMA_INDEX),
    row("smolagents", is_object, only("content", "tool_calls", "token_usage")),
    row("smolagents", is_object, only("id", "name", "arguments")),
    row("smolagents", is_object, has("output", "is_final_answer")),
    row("smolagents", is_object, has("timing", "model_output_message")),
    row("smolagents", is_object, has("task", "task_images")),
    row("autogen", has("source", "models_usage", "content")),
    row("haystack", has("content", "meta", "component_info")),
    row("dspy", is_object, has("chunk", "predict_name", "signature_field_name")),
    row("dspy", is_object, has("_store", "_completions")),
    row("dspy", lambda chunk, _: type(chunk).__name__ == "StatusMessage"),
    row("crewai", has("content", "chunk_type", "task_index")),
    row("crewai", has("namespace", "channel", "seq", "data")),
    row(
        "semantic_kernel",
        lambda chunk, _: isinstance(chunk, list) and bool(chunk),
        lambda chunk, _: fields_of(chunk[0]).keys() >= {"choice_index", "content_type"},
    ),
    row(
        "semantic_kernel",
        has("message", "thread"),
        holds("message", has("choice_index", "content_type")),
    ),
    row("semantic_kernel", lacking(has("message", "thread")), has("choice_index", "content_type")),
    row("agno", is_a("event", str), has("run_id"), some("agent_id", "team_id", "workflow_id")),
    row("microsoft_agents", has("type", "data", "origin", "executor_id", "iteration")),
    row(
        "microsoft_agents",
        has("contents"),
        either(
            says("type", {"agent_response_update", "chat_response_update"}),
            has("author_name", "continuation_token", "finish_reason"),
        ),
    ),
    row("ag2", is_dict, ends("__event__", kinds.AG2)),
    row(
        "ag2",
        lacking(is_dict),
        lambda chunk, _: hasattr(type(chunk), "_event_fields_"),
        has("created_at"),
    ),
    row("adk", has("author"), some("invocation_id", "invocationId"), some("actions", "content")),
    row("adk", has("content", "partial", "turn_complete")),
    row("claude_agents", is_dict, has("session_id", "uuid"), says("type", kinds.CLAUDE_AGENTS)),
    *(
        row("claude_agents", lacking(is_dict), has(*names))
        for names in kinds.CLAUDE_AGENTS.values()
    ),
    row("strands", is_strands_event),
    row("dify", is_dict, says("event", kinds.DIFY), some("task_id", "conversation_id")),
    row("coze", is_dict, begins("event", "conversation."), holds("data", has("bot_id"))),
    row("ragflow", is_dict, has("code"), holds("data", is_dict, has("answer", "reference"))),
    row("hunyuan", is_dict, each("Choices", has("Delta"))),
    row("ernie", is_dict, has("result", "is_end", "sentence_id")),
    row("anythingllm", is_dict, has("uuid", "close"), says("type", kinds.ANYTHINGLLM)),
    row("flowise", is_dict, only("event", "data"), says("event", kinds.FLOWISE)),
    row("langflow", is_dict, says("event", {"token"}), holds("data", is_dict, has("chunk"))),
    row(
        "langflow",
        is_dict,
        says("event", {"add_message", "vertices_sorted"}),
        holds("data", is_dict, some("flow_id", "sender_name", "ids")),
    ),
    row("onyx", is_dict, holds("obj", is_dict, has("type")), some("ind", "placement")),
    row("onyx", is_dict, has("user_message_id", "reserved_assistant_message_id")),
    row("onyx", is_dict, only("answer_piece")),
    row("chat_ui", is_dict, says("type", {"stream"}), is_a("token", str)),
    row("chat_ui", is_dict, says("type", {"status"}), says("status", kinds.CHAT_UI)),
    row("langserve_log", is_dict, only("ops"), each("ops", has("op", "path"))),
    row("genkit", is_dict, only("message"), holds("message", is_dict, has("content", "role"))),
    row("bot_framework", is_dict, says("type", {"typing"}), each("entities", has("streamType"))),
    row("sse_events", is_server_sent),
    row(
        "events",
        is_dict,
        within("id", "text", "finish", "code", "message"),
        some("text", "finish", "code", "id"),
    ),
    row("cumulative_text", is_text),
)
"""The names of formats, and the marks that a chunk of one has, all of them."""


def formats_of(chunk: Any, *, among: str | None = None) -> Iterator[str]:
    """Yield the names of the formats that a chunk may be in, in order; only `among`, if given."""
    fields = fields_of(chunk)
    for name, marks in ROWS:
        if among is not None and name != among:
            continue
        for mark in marks:
            if not mark(chunk, fields):
                break
        else:
            yield name
