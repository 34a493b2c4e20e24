"""The kinds of events in formats that name them, by which a first chunk is recognised."""

from __future__ import annotations


def _of(names: str) -> frozenset[str]:
    """Return the names in a text."""
    return frozenset(names.split())


RESPONSE_LIFE = _of(
    """
    response.created response.queued response.in_progress response.completed response.incomplete
    response.failed
    """
)
"""The events of a whole response."""

LIVE_TRANSCRIPTS = _of("session.output_transcript.delta session.input_transcript.delta")

LIVE_AUDIO = _of("session.output_audio.delta session.input_audio.append")
"""Events without an id of their own."""

LIVE = _of(
    """
    session.instructions.appended session.thinking.appended session.commentary.appended
    session.input_audio.muted session.input_audio.unmuted session.output_audio.fixture.playing
    session.output_audio.fixture.played session.resumed session.paused transport.ringing
    transport.answered session.started session.delegation.created session.usage.updated
    response.event decision.event decision.item.created decision.item.deleted
    transport.dtmf.received transport.dtmf.send transport.dtmf.sent transport.failed
    """
)
"""The other events that only GPT Live has."""

REALTIME = _of(
    """
    conversation.created conversation.item.deleted conversation.item.truncated
    input_audio_buffer.committed input_audio_buffer.cleared input_audio_buffer.timeout_triggered
    input_audio_buffer.speech_started input_audio_buffer.speech_stopped
    output_audio_buffer.started output_audio_buffer.stopped output_audio_buffer.cleared
    mcp_list_tools.in_progress mcp_list_tools.completed mcp_list_tools.failed
    response.mcp_call.in_progress response.mcp_call.completed response.mcp_call.failed
    response.output_audio.done response.audio.done session.closed session.created
    session.updated transcription_session.created transcription_session.updated
    response.output_audio.delta response.audio.delta session.output_audio.delta
    conversation.item.input_audio_transcription.delta
    conversation.item.input_audio_transcription.completed
    conversation.item.input_audio_transcription.segment
    conversation.item.input_audio_transcription.failed response.output_text.delta
    response.output_text.done response.text.delta response.text.done
    response.output_audio_transcript.delta response.output_audio_transcript.done
    response.audio_transcript.delta response.audio_transcript.done
    response.function_call_arguments.delta response.function_call_arguments.done
    response.mcp_call_arguments.delta response.mcp_call_arguments.done
    response.output_item.added response.output_item.done response.content_part.added
    response.content_part.done conversation.item.created conversation.item.added
    conversation.item.done conversation.item.retrieved response.created response.done
    session.output_transcript.delta session.input_transcript.delta
    input_audio_buffer.dtmf_event_received rate_limits.updated error
    """
)

MEDIA = _of(
    """
    transcript.text.delta transcript.text.segment transcript.text.done
    image_generation.partial_image image_edit.partial_image image_generation.completed
    image_edit.completed speech.audio.delta speech.audio.done
    """
)

AGENT_OUTPUT = _of(
    """
    agent.output.command_execution_output.delta agent.output.command_execution_output.done
    """
)
"""The events of an agent that do not begin with `agent.session.`."""

ANTHROPIC_BLOCKS = _of("content_block_start content_block_delta content_block_stop")

ANTHROPIC_SESSIONS = _of(
    """
    user.message user.interrupt user.tool_confirmation user.tool_result user.custom_tool_result
    user.define_outcome system.message agent.message agent.tool_use agent.mcp_tool_use
    agent.custom_tool_use agent.tool_result agent.mcp_tool_result agent.thinking
    agent.thread_context_compacted agent.thread_message_received agent.thread_message_sent
    session.error session.updated session.usage session.deleted session.thread_created
    session.status_running session.status_idle session.status_rescheduled
    session.status_terminated session.thread_status_running session.thread_status_idle
    session.thread_status_rescheduled session.thread_status_terminated span.model_request_start
    span.model_request_end span.outcome_evaluation_start span.outcome_evaluation_ongoing
    span.outcome_evaluation_end workflow_run.created workflow_run.error
    workflow_run.status_ended workflow_run.status_running workflow_run.status_idle
    workflow_run.phase_started workflow_run.phase_ended
    """
)

COHERE = _of(
    """
    message-start content-start content-delta content-end tool-plan-delta tool-call-start
    tool-call-delta tool-call-end citation-start citation-end message-end
    """
)

CONVERSATIONS = _of(
    """
    conversation.response.started conversation.response.done conversation.response.error
    message.output.delta function.call.delta function.result tool.execution.started
    tool.execution.delta tool.execution.done agent.handoff.started agent.handoff.done
    """
)

TRANSCRIPTIONS = _of(
    """
    transcription.language transcription.text.delta transcription.segment transcription.done
    """
)

LANGCHAIN_METHODS = _of(
    """
    messages tools lifecycle values updates tasks checkpoints debug custom input.requested
    """
)

PYDANTIC_AI = _of(
    """
    part_start part_delta part_end final_result function_tool_call output_tool_call
    builtin_tool_call function_tool_result output_tool_result builtin_tool_result
    deferred_tool_requests deferred_tool_results agent_run_result
    """
)

ASSISTANTS = _of(
    """
    thread thread.run thread.run.step thread.run.step.delta thread.message thread.message.delta
    """
)

INTERACTIONS = _of(
    """
    interaction.start interaction.complete content.start content.delta content.stop
    interaction.created interaction.completed interaction.status_update step.start step.delta
    step.stop error
    """
)

AGENTSCOPE = _of(
    """
    REPLY_START REPLY_END MODEL_CALL_START MODEL_CALL_END TEXT_BLOCK_START TEXT_BLOCK_DELTA
    TEXT_BLOCK_END THINKING_BLOCK_START THINKING_BLOCK_DELTA THINKING_BLOCK_END DATA_BLOCK_START
    DATA_BLOCK_DELTA DATA_BLOCK_END HINT_BLOCK TOOL_CALL_START TOOL_CALL_DELTA TOOL_CALL_END
    TOOL_RESULT_START TOOL_RESULT_TEXT_DELTA TOOL_RESULT_DATA_DELTA TOOL_RESULT_END
    EXCEED_MAX_ITERS REQUIRE_USER_CONFIRM REQUIRE_EXTERNAL_EXECUTION USER_CONFIRM_RESULT
    USER_INTERRUPT EXTERNAL_EXECUTION_RESULT CUSTOM
    """
)

AG_UI = _of(
    """
    RUN_STARTED RUN_FINISHED STEP_STARTED STEP_FINISHED THINKING_START THINKING_END
    REASONING_START REASONING_END RUN_ERROR TEXT_MESSAGE_START TEXT_MESSAGE_CONTENT
    TEXT_MESSAGE_CHUNK TEXT_MESSAGE_END TOOL_CALL_START TOOL_CALL_ARGS TOOL_CALL_CHUNK
    TOOL_CALL_END TOOL_CALL_RESULT THINKING_TEXT_MESSAGE_START THINKING_TEXT_MESSAGE_CONTENT
    THINKING_TEXT_MESSAGE_END REASONING_MESSAGE_START REASONING_MESSAGE_CONTENT
    REASONING_MESSAGE_END REASONING_MESSAGE_CHUNK REASONING_ENCRYPTED_VALUE SUBAGENT_STARTED
    SUBAGENT_FINISHED SUBAGENT_ERROR
    """
)

CHATKIT = _of(
    """
    thread.created thread.updated thread.item.added thread.item.done thread.item.replaced
    thread.item.removed thread.item.updated stream_options progress_update
    """
)

A2A = _of("task message status-update artifact-update")

A2A_NAMED = _of("task message statusUpdate artifactUpdate")

LETTA = _of(
    """
    assistant_message reasoning_message hidden_reasoning_message tool_call_message
    approval_request_message tool_return_message user_message system_message ping
    """
)

LLM = _of("text reasoning tool_call_name tool_call_args tool_result")

KOSONG = _of("text think function image_url audio_url video_url")

AG2 = _of(
    """
    ModelMessageChunk ModelReasoning ModelMessage ModelResponse ToolCallsEvent ToolCallEvent
    ClientToolCallEvent ToolResultsEvent ToolResultEvent UsageEvent ModelRequest HumanMessage
    HumanInputRequest TaskEvent OpenAIShellCommandChunk OpenAIShellOutputChunk
    TranscriptionChunkEvent TranscriptionCompletedEvent SynthesizedAudioEvent RecordedAudioEvent
    ObserverStarted ObserverCompleted BuiltinToolCallEvent ToolErrorEvent ToolNotFoundEvent
    BuiltinToolResultEvent DrainedModelRequest ToolApprovalRequest TaskStarted TaskProgress
    TaskCompleted TaskFailed TaskExpired TaskCancelled
    """
)

BEDROCK_AGENT = {
    "output": _of("text"),
    "responseEvent": _of("text"),
    "trace": _of("sessionId trace"),
    "returnControl": _of("invocationId"),
    "files": _of("files"),
    "flowOutputEvent": _of("content"),
    "flowMultiTurnInputRequestEvent": _of("content"),
    "flowTraceEvent": _of("trace"),
}

UI_PARTS = {
    "id": _of("text-start text-delta text-end reasoning-start reasoning-delta reasoning-end"),
    "toolCallId": _of(
        """
        tool-input-start tool-input-delta tool-input-end tool-input-available tool-input-error
        tool-approval-request tool-call tool-result tool-output-available tool-output-error
        tool-output-denied
        """
    ),
    "approvalId": _of("tool-approval-response"),
    "sourceId": _of("source-url source-document"),
    "type": _of("start-step finish-step reset-step"),
    "mediaType": _of("file reasoning-file"),
    "errorText": _of("error"),
}

LETTA_BESIDE = {
    "error_message": "error_type",
    "stop_reason": "stop_reason",
    "usage_statistics": "completion_tokens",
}

MIRASCOPE = {
    "text": _of("text_start_chunk text_chunk text_end_chunk"),
    "thought": _of("thought_start_chunk thought_chunk thought_end_chunk"),
    "tool_call": _of("tool_call_start_chunk tool_call_chunk tool_call_end_chunk"),
}

CLAUDE_AGENTS = {
    "stream_event": _of("event session_id uuid"),
    "assistant": _of("content model parent_tool_use_id"),
    "user": _of("content parent_tool_use_id uuid"),
    "result": _of("num_turns result session_id"),
    "system": _of("data subtype"),
    "rate_limit_event": _of("rate_limit_info session_id uuid"),
    "conversation_reset": _of("new_conversation_id session_id uuid"),
}

LLAMA_INDEX = (
    _of("delta message raw"),
    _of("delta raw text"),
    _of("delta raw response"),
    _of("current_agent_name input"),
    _of("current_agent_name response"),
    _of("tool_id tool_kwargs tool_name"),
)

KOSONG_PARTS = (
    _of("text type"),
    _of("encrypted think type"),
    _of("extras function id type"),
    _of("arguments_part"),
    _of("image_url type"),
    _of("audio_url type"),
    _of("type video_url"),
)

DIFY = _of(
    """
    message agent_message agent_thought agent_log message_file message_replace message_end error
    tts_message workflow_started workflow_finished node_started node_finished text_chunk
    """
)

ANYTHINGLLM = _of("textResponseChunk textResponse finalizeResponseStream statusResponse abort")

CHAT_UI = _of("started error keepAlive finished")

FLOWISE = _of("agentFlowEvent nextAgentFlow agentReasoning usedTools calledTools sourceDocuments")
