"""Names that are no alias."""

from __future__ import annotations

ALIASES = [
    "/v1/x/../chat/completions",
    "/v1/./chat/completions",
    "/v1/%2e%2e/v1/chat/completions",
    "/v1/chat/completions/",
    "/v1//chat/completions",
    "//v1/chat/completions",
    "/V1/Chat/Completions",
    "/v1/chat/completions;a=b",
    "/v1/chat/completions%3Fa=b",
    "/v1/chat/completions%23",
    "/v1/chat%252Fcompletions",
    "/v1/chat%5Ccompletions",
    "/v1/chat/completions%20",
    "/v1/chat/completions%00",
    "/v1/chat/completions.",
    "/v1/chat/completions%2500",
    "/v1/%25252563hat/completions",
    "/v1/chat/completions;a%252f=b",
    "/v1/chat/completions%",
    "/v1/..;/v1/chat/completions",
    "/v1/%ef%bd%83hat/completions",
    "/v1/%c1%a3hat/completions",
    "/v1/jobs/%ff",
    "/v1/messages%0D%0AX-A:%20b",
    "@127.0.0.1/v1/models",
    ".example.com/v1/models",
]
