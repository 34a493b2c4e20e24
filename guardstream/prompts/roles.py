"""The roles of messages and of the values in them: whose text each of them is."""

from __future__ import annotations

from typing import Any

ROLES = {
    **{role: role for role in ("user", "tool", "system", "developer", "assistant")},
    **{"function": "tool", "model": "assistant", "ai": "assistant", "human": "user"},
}
"""The roles of policies, by their names in formats."""

NO_ROLE = ""
"""The role of a message that names none; it is judged whichever roles the policy lists."""

SHARED = frozenset(("system", "developer"))
"""The roles whose stand-ins are the same in all conversations."""

_GIVEN = (
    *("toolResult", "functionResponse", "function_response", "toolResponse", "tool_response"),
    *("codeExecutionResult", "code_execution_result"),
)
"""Keys of a tool's results, in messages of any role."""

_RESULTS = ("output", "outputs", "result", "results", "error", "tool_results")
"""Keys of a tool's results in messages of the model."""


def role_of_type(kind: str, role: str) -> str:
    """Return the role of an object with a type in a message of `role`: a tool's results are the
    tool's.

    All names for a tool's results in the APIs of OpenAI and Anthropic have these endings.
    """
    tool = kind in ("tool", "function", "tool_result")
    return "tool" if tool or kind.endswith(("_tool_result", "_output")) else role


def role_of_key(key: Any, role: str) -> str:
    """Return the role of a field in an object of `role`."""
    return "tool" if key in _GIVEN or (role == "assistant" and key in _RESULTS) else role


def role_of_item(kind: str, role: str) -> str:
    """Return the role of an item of the Responses API; its type takes precedence over a role that
    it names."""
    own = "assistant" if kind == "reasoning" or kind.endswith("_call") else role
    return role_of_type(kind, own)
