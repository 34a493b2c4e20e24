"""Dicts of other classes."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass
class Twice(dict[str, Any]):
    """A dict that says all of its fields twice, as Hugging Face's chunks do."""

    def __post_init__(self) -> None:
        self.update(asdict(self))

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        if self.get(name) != value:
            self[name] = value

    def __setitem__(self, name: str, value: Any) -> None:
        super().__setitem__(name, value)
        if getattr(self, name) != value:
            setattr(self, name, value)


@dataclass
class Function(Twice):
    name: str | None
    arguments: str


@dataclass
class ToolCall(Twice):
    index: int
    id: str | None
    function: Function


@dataclass
class Delta(Twice):
    role: str | None = None
    content: str | None = None
    tool_calls: list[ToolCall] | None = None


@dataclass
class Choice(Twice):
    index: int
    delta: Delta
    finish_reason: str | None = None


@dataclass
class Chunk(Twice):
    choices: list[Choice]
    model: str = "m"
    usage: None = None
