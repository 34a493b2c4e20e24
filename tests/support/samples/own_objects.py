"""Objects of an application's own."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from pydantic import BaseModel


@dataclass
class Plain:
    text: str
    beside: list[str] = field(default_factory=list)


class Model(BaseModel):
    text: str
    beside: list[str] = []


@dataclass
class Empty:
    text: str

    def __len__(self) -> int:
        return 0


class Kind(Enum):
    SECRET = "a secret"
