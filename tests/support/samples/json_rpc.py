"""Streams of JSON-RPC: A2A and MCP."""

from __future__ import annotations

from typing import Any

Event = dict[str, Any]


def answer(result: Event) -> Event:
    return {"jsonrpc": "2.0", "id": "1", "result": result}


def status(state: str, text: str = "", *, final: bool = False) -> Event:
    message = {"kind": "message", "messageId": "m", "role": "agent", "parts": [part(text)]}
    told = {"state": state, **({"message": message} if text else {})}
    ids = {"taskId": "t", "contextId": "c"}
    return answer({**ids, "kind": "status-update", "status": told, "final": final})


def part(text: str) -> Event:
    return {"kind": "text", "text": text}


def update(text: str, *, append: bool = True, **more: Any) -> Event:
    artifact = {"artifactId": "a", "parts": [part(text)]}
    ids = {"taskId": "t", "contextId": "c"}
    return answer(
        {**ids, "kind": "artifact-update", "artifact": artifact, "append": append, **more}
    )


def task(pieces: list[str]) -> list[Event]:
    updates = [update(piece, append=place > 0) for place, piece in enumerate(pieces)]
    return [status("submitted"), *updates, status("completed", final=True)]


def tool(*texts: str) -> Event:
    return answer({"content": [{"type": "text", "text": text} for text in texts], "isError": False})
