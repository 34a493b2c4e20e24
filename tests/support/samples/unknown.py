"""Objects of no known format."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import BaseModel


class Loose(BaseModel, extra="allow"):
    """A model that takes fields of any name."""


@dataclass
class Message:
    type: int
    data: str


@dataclass
class Told:
    """A record that names its kind last."""

    say: str
    type: str
