"""What goes into a model: messages, judged by the section `input` of a policy."""

from guardstream.prompts.check import MessageFinding, MessagesResult, check_messages

__all__ = ["MessageFinding", "MessagesResult", "check_messages"]
