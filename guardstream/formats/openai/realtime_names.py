"""The names of the events of OpenAI's realtime API, which its file describes.

A transcript is the text of a part that is spoken; the audio itself is not text. Items come again in
the conversation, and in the response at the end. What the caller said is the caller's own.
"""

from __future__ import annotations

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

INPUT = "conversation.item.input_audio_transcription."
"""What the user said, as it is written down."""

TRANSLATED, TRANSLATING = "session.output_transcript.delta", "session.input_transcript.delta"
