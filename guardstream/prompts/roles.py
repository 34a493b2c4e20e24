"""Whose text it is: the roles of messages, and of what stands in them."""

from __future__ import annotations

from typing import Any

ROLES = {
    **{role: role for role in ("user", "tool", "system", "developer", "assistant")},
    **{"function": "tool", "model": "assistant", "ai": "assistant", "human": "user"},
}
"""The roles that rules are told of, by what formats call them."""

NO_ROLE = ""
"""Stands for the role of a message that names none; it is judged whatever the roles are."""

SHARED = frozenset(("system", "developer"))
"""The roles whose stand-ins are those of all conversations."""

_GIVEN = (
    *("toolResult", "functionResponse", "function_response", "toolResponse", "tool_response"),
    *("codeExecutionResult", "code_execution_result"),
)
"""Keys of what a tool has returned, whoever hands it over."""

_RESULTS = ("output", "outputs", "result", "results", "error", "tool_results")
"""Keys of that in what is the model's."""


def role_of_type(kind: str, role: str) -> str:
    """Return the role of what has a type in a message of `role`: what a tool gives is the tool's.

    OpenAI's and Anthropic's names for what tools give all end so.
    """
    tool = kind in ("tool", "function", "tool_result")
    return "tool" if tool or kind.endswith(("_tool_result", "_output")) else role


def role_of_key(key: Any, role: str) -> str:
    """Return the role of a field, in what is of `role`."""
    return "tool" if key in _GIVEN or (role == "assistant" and key in _RESULTS) else role


def role_of_item(kind: str, role: str | None) -> str:
    """Return the role of an item of the Responses API, by its type before the one that it names."""
    own = "assistant" if kind == "reasoning" or kind.endswith("_call") else role or "user"
    return role_of_type(kind, own)
