"""A model's input: messages, judged by the section `input` of a policy."""

from guardstream.prompts.check import MessagesResult, check_messages
from guardstream.prompts.texts import MessageFinding

__all__ = ["MessageFinding", "MessagesResult", "check_messages"]
