"""The events of OpenAI's realtime API that a server sends, field by field.

A transcript is the text of a part that is spoken; the audio itself is not text. Items come again in
the conversation, and in the response at the end. What the caller said is the caller's own.
"""

from __future__ import annotations

from guardstream.providers.adapter import Kind
from guardstream.providers.spec import (
    ABOUT,
    KEEP,
    META,
    NAME,
    NUMBER,
    PADDED,
    REQUEST,
    Leaf,
    OneOf,
    Spec,
    Tree,
)

_ASKED = REQUEST.leaf
_GIVEN = Tree(Leaf("copy", "text", "tool_result"), frozenset({"type"}))
_HEARD = "input_transcript"
_ERROR: Spec = {
    **dict.fromkeys(("type", "code", "param", "event_id"), META),
    "message": Leaf("whole", "text", "error"),
}


def _part(kind: Kind) -> Spec:
    """A part of a message: written, or spoken with a transcript."""
    part: Spec = {
        "type": KEEP,
        "text": Leaf(kind, "text", "text"),
        "transcript": Leaf(kind, "text", "transcript"),
        **dict.fromkeys(("audio", "format"), META),
    }
    return OneOf("type", dict.fromkeys(("text", "audio", "output_text", "output_audio"), part))


_INPUT: Spec = {
    **dict.fromkeys(("type", "audio", "image_url", "detail", "format"), META),
    "text": _ASKED,
    "transcript": Leaf("copy", "text", _HEARD),
}
_ITEM: dict[str, Spec] = {
    "type": KEEP,
    **dict.fromkeys(("id", "object", "status", "role", "call_id", "phase"), META),
    **dict.fromkeys(("server_label", "approval_request_id", "approve"), META),
    "name": NAME,
}


def _item(kind: Kind) -> Spec:
    """An item of the conversation; `kind` is that of its streamed text."""
    said: Spec = {**_ITEM, "content": [_part(kind)]}
    asked: Spec = {**_ITEM, "content": [_INPUT]}
    called: dict[str, Spec] = {**_ITEM, "arguments": Leaf(kind, "tool_args", "args")}
    return OneOf(
        "type",
        {
            "message": OneOf("role", {"user": asked, "system": asked}, said),
            "function_call": called,
            "function_call_output": {**_ITEM, "output": _ASKED},
            "mcp_call": {**called, "output": _GIVEN, "error": _GIVEN},
            "mcp_approval_request": called,
            "mcp_approval_response": {**_ITEM, "reason": _ASKED},
            "mcp_list_tools": {**_ITEM, "tools": _GIVEN},
        },
    )


_RESPONSE: Spec = {
    **dict.fromkeys(("id", "object", "status", "usage", "conversation_id", "voice"), META),
    **dict.fromkeys(("max_output_tokens", "temperature", "output_audio_format"), META),
    "modalities": [META],
    "output_modalities": [META],
    **dict.fromkeys(("metadata", "audio"), REQUEST),
    "status_details": {**dict.fromkeys(("type", "reason"), META), "error": _ERROR},
    "output": [_item("copy")],
}

_EVENT: dict[str, Spec] = {
    **dict.fromkeys(("event_id", "response_id", "item_id", "previous_item_id", "call_id"), META),
    **dict.fromkeys(("output_index", "content_index", "audio_start_ms", "audio_end_ms"), NUMBER),
    "obfuscation": PADDED,
}

STREAMED = {
    "output_text": ("text", "text", "text"),
    "text": ("text", "text", "text"),
    "output_audio_transcript": ("text", "transcript", "transcript"),
    "audio_transcript": ("text", "transcript", "transcript"),
    "function_call_arguments": ("tool_args", "args", "arguments"),
    "mcp_call_arguments": ("tool_args", "args", "arguments"),
}
"""Delta and done events by the middle of their name: channel, field, the done event's own field.

Names without `output` are those of the API's first version.
"""

_PLAIN = (
    *("conversation.created", "conversation.item.deleted", "conversation.item.truncated"),
    *(f"input_audio_buffer.{at}" for at in ("committed", "cleared", "timeout_triggered")),
    *(f"input_audio_buffer.speech_{at}" for at in ("started", "stopped")),
    *(f"output_audio_buffer.{at}" for at in ("started", "stopped", "cleared")),
    *(f"mcp_list_tools.{at}" for at in ("in_progress", "completed", "failed")),
    *(f"response.mcp_call.{at}" for at in ("in_progress", "completed", "failed")),
    *("response.output_audio.done", "response.audio.done", "session.closed"),
)
_SETTINGS = (
    *("session.created", "session.updated"),
    *("transcription_session.created", "transcription_session.updated"),
)
_AUDIO = ("response.output_audio.delta", "response.audio.delta", "session.output_audio.delta")
_SOUND: dict[str, Spec] = dict.fromkeys(
    ("delta", "channels", "format", "sample_rate", "elapsed_ms"), META
)

INPUT = "conversation.item.input_audio_transcription."
"""What the user said, as it is written down."""

_HEARING: dict[str, Spec] = {
    f"{INPUT}delta": {"delta": Leaf("delta", "text", _HEARD), "logprobs": ABOUT, "type": META},
    f"{INPUT}completed": {
        "transcript": Leaf("copy", "text", _HEARD),
        "logprobs": ABOUT,
        "usage": META,
    },
    f"{INPUT}segment": {
        **dict.fromkeys(("id", "start", "end", "speaker"), META),
        "text": Leaf("whole", "text", "segment"),
    },
    f"{INPUT}failed": {"error": _ERROR},
}

TRANSLATED, TRANSLATING = "session.output_transcript.delta", "session.input_transcript.delta"


def _events() -> dict[str, Spec]:
    begin: dict[str, Spec] = {"type": KEEP, **_EVENT}
    events: dict[str, Spec] = dict.fromkeys(_PLAIN, begin)
    events |= {name: {**begin, "session": REQUEST} for name in _SETTINGS}
    events |= {name: {**begin, **_SOUND} for name in _AUDIO}
    events |= {name: {**begin, **fields} for name, fields in _HEARING.items()}  # type: ignore[dict-item]
    for name, (channel, field, own) in STREAMED.items():
        events[f"response.{name}.delta"] = {
            **begin,
            "type": META,
            "delta": Leaf("delta", channel, field),
        }
        copy = Leaf("copy", channel, field)
        events[f"response.{name}.done"] = {**begin, own: copy, "name": NAME}
    for name, state, kind in _ITEMS:
        events[f"response.{name}.{state}"] = {**begin, "item": _item(kind), "part": _part(kind)}
    for state in ("created", "added", "done", "retrieved"):
        events[f"conversation.item.{state}"] = {**begin, "item": _item("copy")}
    for state in ("created", "done"):
        events[f"response.{state}"] = {**begin, "response": _RESPONSE}
    for name, field in ((TRANSLATED, "text"), (TRANSLATING, _HEARD)):
        delta = Leaf("delta", "text", field)
        events[name] = {**begin, "type": META, "delta": delta, "elapsed_ms": META}
    return events


_ITEMS: tuple[tuple[str, str, Kind], ...] = (
    *(("output_item", "added", "delta"), ("output_item", "done", "copy")),
    *(("content_part", "added", "delta"), ("content_part", "done", "copy")),
)

SPEC = OneOf(
    "type",
    {
        **_events(),
        "conversation.created": {
            "type": KEEP,
            **_EVENT,
            "conversation": dict.fromkeys(("id", "object"), META),
        },
        "input_audio_buffer.dtmf_event_received": {
            "type": KEEP,
            **_EVENT,
            **dict.fromkeys(("event", "received_at"), META),
        },
        "rate_limits.updated": {
            "type": KEEP,
            **_EVENT,
            "rate_limits": [dict.fromkeys(("name", "limit", "remaining", "reset_seconds"), META)],
        },
        "error": {"type": KEEP, **_EVENT, "error": _ERROR},
    },
)
"""The events of a session, of its translations and transcriptions too."""
