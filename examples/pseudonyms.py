"""Reversible masking: the model sees stand-ins; the user, and the tools that may, the real values.

Three turns of a chat, a call of a tool, and an answer in JSON; the model here is made up, and
works with what it is sent.
"""

import json
from collections.abc import Iterator
from typing import Any

from guardstream import Guard, Policy
from guardstream.vault import Vaults

guard = Guard(Policy.parse("input: {extends: guardstream/pii-en}"))
vaults = Vaults(tools={"send_mail": ["to"]})
MAIL, PHONE = "ann.lee@example.com", "+49 30 901820"


def model(messages: list[dict[str, Any]]) -> Iterator[str]:
    """Answers with the last words of what it is asked, in pieces."""
    assert MAIL not in str(messages), "the provider would have seen a value"
    text = f"I noted **{messages[-1]['content'].split('is ')[-1]}**"
    return (text[at : at + 3] for at in range(0, len(text), 3))


history: list[dict[str, Any]] = []
for said in (f"My mail is {MAIL}", f"My phone is {PHONE}", f"And my mail is {MAIL}"):
    history.append({"role": "user", "content": said})
    vault = vaults.open("chat 7", caller="ann")
    sent = guard.check_messages(history, vault=vault)
    vaults.save(vault)  # before anything is sent
    answer = guard.wrap_sync(model(sent.messages), vault=vault).text()
    history.append({"role": "assistant", "content": answer})
    print("the model sees:", sent.messages[-1]["content"], "| the user reads:", answer)
assert [turn["content"] for turn in history[1::2]] == [
    f"I noted **{value}**" for value in (MAIL, PHONE, MAIL)
]

# A tool: `to` may have the value, `body` may not, and no URL ever does.
stand_in = sent.messages[-1]["content"].split()[-1]
arguments = json.dumps({"to": stand_in, "body": f"for {stand_in}, https://x.example/{stand_in}"})
chunks = [
    {
        "object": "chat.completion.chunk",
        "choices": [
            {
                "index": 0,
                "delta": {"tool_calls": [{"index": 0, **call}]},
                "finish_reason": None,
            }
        ],
    }
    for call in [
        {"id": "c1", "type": "function", "function": {"name": "send_mail", "arguments": ""}},
        *({"function": {"arguments": part}} for part in (arguments[:20], arguments[20:])),
    ]
]
calls = [
    call["function"]["arguments"]
    for chunk in guard.wrap_sync(chunks, vault=vault)
    for call in chunk["choices"][0]["delta"]["tool_calls"]
]
called = json.loads("".join(calls))
print("the tool gets:", called)
assert called["to"] == MAIL
assert MAIL not in called["body"]

# Structured output: values are written as JSON, whatever is in them.
structured = Guard(Policy.parse("json: {}\ninput: {extends: guardstream/pii-en}"))
form = structured.wrap_sync(['{"mail": "', stand_in, '"}'], vault=vault).text()
assert json.loads(form) == {"mail": MAIL}
print("the form:", form, vault.counts)
