"""Common mistakes are refused at once, with what is wrong and what to do instead."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Callable, Iterator
from math import nan
from typing import Any

import anyio
import httpx
import pytest
from pydantic import BaseModel

from guardstream import (
    AdapterError,
    Deadlines,
    Event,
    Guard,
    GuardstreamError,
    Policy,
    Text,
    extract,
)
from guardstream.bulk import Job
from guardstream.consumers import Coalesce, FileSink, Tee, record, write_to
from guardstream.formats import JSONFormat
from guardstream.gate import gate
from guardstream.http import GuardTransport, SyncGuardTransport
from guardstream.observability import AuditLog
from guardstream.resilience import Limiter, Retry, retrying
from guardstream.serve import GuardMiddleware, MemoryReplay
from guardstream.serve.proxy import ProxySettings, application
from guardstream.stages.custom import StagePlan
from guardstream.vault import Vault, Vaults

POLICY = Policy.parse("rules: [{id: bird, words: [bluebird]}]")
LINE = '{"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": {"content": "a"}}]}'

GUARD: Any = Guard(POLICY)
MAKE: Any = Guard
PARSE: Any = Policy.parse
LOAD: Any = Guard.load
ITEMS: Any = extract.items_sync
FINAL: Any = extract.final_sync
COALESCE: Any = Coalesce
GATE: Any = gate
TRANSPORT: Any = GuardTransport
RETRYING: Any = retrying
MIDDLEWARE: Any = GuardMiddleware
PROXY: Any = ProxySettings
APPLICATION: Any = application
SESSION: Any = GUARD.session()
SINK: Any = FileSink
TEE: Any = Tee
WRITE_TO: Any = write_to
VAULTS: Any = Vaults
VAULT: Any = Vault
INPUT: Any = Guard(Policy.parse("input: {rules: [{id: bird, words: [bluebird]}]}"))
OLLAMA = '{"model": "m", "message": {"role": "assistant", "content": "blue"}, "done": false}'


class Response:
    """Looks as a response of httpx does."""

    def aiter_bytes(self) -> None: ...

    def iter_bytes(self) -> None: ...


class Streaming:
    """Looks as a StreamingResponse does."""

    body_iterator = None


class Observer:
    """Is told of streams."""

    def opened(self, start: object) -> None: ...

    def closed(self, record: object) -> None: ...


class Stage:
    """Changes nothing."""

    def feed(self, text: str) -> list[Event]:
        return [Text(text)]

    def finish(self) -> list[Event]:
        return []


class Answer(BaseModel):
    text: str


async def asgi(*given: object) -> None:
    """An application."""


async def coroutine() -> str:
    return ""


async def asynchronous() -> AsyncIterator[str]:
    yield "a"


def plain() -> Iterator[str]:
    yield "a"


MISTAKES: dict[str, tuple[Callable[[], object], str]] = {
    "a limiter's time as text": (
        lambda: Limiter(2, timeout="30"),  # type: ignore[arg-type]
        "timeout= needs a number of seconds, not 'str'",
    ),
    "a limiter's queue as text": (
        lambda: Limiter(2, queue="10"),  # type: ignore[arg-type]
        "queue= needs a whole number, not 'str'",
    ),
    "half a branch": (
        lambda: TEE(asynchronous(), 1.5),
        "branches= needs a whole number, not 'float'",
    ),
    "a size of chunks as text": (
        lambda: COALESCE(asynchronous(), characters="40"),
        "characters= needs a whole number, not 'str'",
    ),
    "a chunk for a stream": (
        lambda: GUARD.wrap_sync({"choices": []}),
        "given a mapping, not a stream: give it an iterator of chunks, or a list with this one",
    ),
    "a text for a stream": (
        lambda: GUARD.wrap_sync("a"),
        "a whole text, not a stream: use check()",
    ),
    "an asynchronous stream": (
        lambda: GUARD.wrap_sync(asynchronous()),
        "given an async stream: use wrap()",
    ),
    "a plain iterator": (lambda: GUARD.wrap(["a"]), "given a plain iterator: use wrap_sync()"),
    "a list for a tee": (lambda: Tee(["a"]), "an async stream is needed, not 'list'"),
    "a list to record": (
        lambda: record(["a"], "stream.jsonl"),
        "an async stream is needed, not 'list'",
    ),
    "no messages": (lambda: GUARD.check_messages(None), "needs a list of messages, not 'NoneType'"),
    "an asynchronous transport in a synchronous client": (
        lambda: httpx.Client(transport=GuardTransport(GUARD)).get("http://127.0.0.1"),
        "a synchronous client needs SyncGuardTransport, not GuardTransport",
    ),
    "a synchronous transport in an asynchronous client": (
        lambda: anyio.run(
            httpx.AsyncClient(transport=SyncGuardTransport(GUARD)).get, "http://127.0.0.1"
        ),
        "an asynchronous client needs GuardTransport, not SyncGuardTransport",
    ),
    "bytes to check": (lambda: GUARD.check(b"a"), "needs a whole text, a str, not 'bytes'"),
    "nothing to check": (lambda: GUARD.check(None), "needs a whole text, a str, not 'NoneType'"),
    "seconds for deadlines": (
        lambda: GUARD.wrap_sync(["a"], deadlines=5),
        "deadlines= needs Deadlines(first_token=15, idle=30), not 'int'",
    ),
    "a number for retries": (
        lambda: GUARD.wrap(asynchronous, retry=2),
        "retry= needs Retry(attempts=2), not 'int'",
    ),
    "a flag for retries": (
        lambda: GUARD.wrap(asynchronous, retry=False),
        "retry= needs Retry(attempts=2), not 'bool'",
    ),
    "a format in another case": (
        lambda: GUARD.wrap(asynchronous(), format="OpenAI_Chat"),
        "no adapter 'OpenAI_Chat', did you mean 'openai_chat'?",
    ),
    "no function for a callback": (
        lambda: GUARD.wrap_sync(["a"], on_text="print"),
        "on_text= needs a function, not 'str'",
    ),
    "one text for words": (
        lambda: GUARD.wrap_sync(["a"], words={"bird": "robin"}),
        "words for 'bird' must be a list of words, not one text",
    ),
    "words that are no text": (
        lambda: GUARD.wrap_sync(["a"], words={"bird": [5]}),
        "words for 'bird' must be a list of str, not of 'int'",
    ),
    "no observer": (
        lambda: MAKE(POLICY, observers=[print]),
        "an observer needs the methods 'opened' and 'closed'",
    ),
    "an observer's class": (
        lambda: MAKE(POLICY, observers=[Observer]),
        "an observer is an object, not the class 'Observer': call it",
    ),
    "a stage for what makes it": (
        lambda: MAKE(POLICY, stages=[Stage()]),
        "stages= needs functions that create stages, such as their classes",
    ),
    "a text for seconds": (
        lambda: Deadlines(idle="15"),  # type: ignore[arg-type]
        "idle= needs a number of seconds, not 'str'",
    ),
    "no wait": (
        lambda: Retry(wait_initial=None),  # type: ignore[arg-type]
        "wait_initial= needs a number of seconds, not 'NoneType'",
    ),
    "a text for attempts": (
        lambda: Retry(attempts="3"),  # type: ignore[arg-type]
        "attempts= needs a whole number, not 'str'",
    ),
    "a format that is misspelt": (
        lambda: GUARD.wrap_sync(["a"], format="opanai_chat"),
        "no adapter 'opanai_chat', did you mean 'openai_chat'?",
    ),
    "an argument that is misspelt": (
        lambda: GUARD.wrap_sync(["a"], raise_on_blocked=True),
        "has no argument 'raise_on_blocked': did you mean 'raise_on_block'?",
    ),
    "fallbacks of a stream that is open": (
        lambda: GUARD.wrap(asynchronous(), fallbacks=[asynchronous]),
        "fallbacks= needs a function that opens the stream, not an open stream",
    ),
    "a path for a policy": (
        lambda: Guard("policy.yaml"),  # type: ignore[arg-type]
        "Guard.load(path) reads a policy file",
    ),
    "a path for what a policy is made of": (
        lambda: Policy("policy.yaml"),  # type: ignore[arg-type]
        "Policy.load(path) reads a policy file",
    ),
    "a path for a policy's text": (
        lambda: PARSE("policy.yaml"),
        "to read a file, use Policy.load()",
    ),
    "bytes for a policy's text": (lambda: PARSE(b"rules: []"), "a str, not 'bytes'"),
    "a dict for a policy's text": (lambda: PARSE({"rules": []}), "json.dumps() makes a text of it"),
    "a policy's text for a path": (
        lambda: LOAD("version: 1\nrules: []"),
        "a path was expected, not a policy's text",
    ),
    "one word for a list": (
        lambda: PARSE("rules: [{id: a, words: secret}]"),
        "expected a list: write it in brackets, as in [one, two]",
    ),
    "words without a rule": (
        lambda: GUARD.wrap_sync(["a"], words=["robin"]),
        "words are lists by rule, as in {'rule-id': ['word']}, not 'list'",
    ),
    "a path for a transport's guard": (
        lambda: TRANSPORT("policy.yaml"),
        "a transport needs a Guard, such as Guard.load(path), not 'str'",
    ),
    "words for a rule that is misspelt": (
        lambda: GUARD.wrap_sync(["a"], words={"brid": ["robin"]}),
        "not a rule of the policy, did you mean 'bird'?",
    ),
    "one text for a gate's channels": (
        lambda: GATE(GUARD.wrap(asynchronous()), print, channels="text"),
        "channels= needs a list, such as ['text'], not one text",
    ),
    "no function for a check": (
        lambda: GATE(GUARD.wrap(asynchronous()), "moderate"),
        "a check must be a function, not 'str'",
    ),
    "a guard for a gate's stream": (
        lambda: GATE(GUARD, print),
        "gate() needs a stream, such as guard.wrap(stream), not 'Guard'",
    ),
    "lines of JSON as text": (
        lambda: list(GUARD.wrap_sync([OLLAMA, OLLAMA])),
        "a line of JSON in the format 'ollama': wrap the response's bytes, or what json.loads",
    ),
    "several lines of JSON as one text": (
        lambda: list(GUARD.wrap_sync([f"{OLLAMA}\nnull\n{OLLAMA}\n"])),
        "a line of JSON in the format 'ollama': wrap the response's bytes, or what json.loads",
    ),
    "a response": (
        lambda: GUARD.wrap(Response()),
        "wrap() was given a 'Response': give it its bytes, response.aiter_bytes()",
    ),
    "a response without an event loop": (
        lambda: GUARD.wrap_sync(Response()),
        "wrap_sync() was given a 'Response': give it its bytes, response.iter_bytes()",
    ),
    "a response to be sent": (
        lambda: GUARD.wrap(Streaming()),
        "wrap() was given a 'Streaming': guard its content first, and build it from that",
    ),
    "an answer that is whole": (
        lambda: GUARD.wrap(Answer(text="a")),
        "one object, a 'Answer', not a stream: ask for a stream (stream=True)",
    ),
    "an answer that is whole, without an event loop": (
        lambda: GUARD.wrap_sync(Answer(text="a")),
        "one object, a 'Answer', not a stream: ask for a stream (stream=True)",
    ),
    "no text in a stream of text": (
        lambda: list(GUARD.wrap_sync(["a", None])),
        "a chunk of type 'NoneType' in a stream of text: leave it out",
    ),
    "text in a format that has other chunks": (
        lambda: list(GUARD.wrap_sync(["a"], format="openai_chat")),
        "the first chunk is a str, and those of 'openai_chat' are not",
    ),
    "lines of JSON, and their format": (
        lambda: list(GUARD.wrap_sync([LINE], format="openai_chat")),
        "wrap the bytes, or what json.loads makes of each line",
    ),
    "text in a format of its own": (
        lambda: list(GUARD.wrap_sync(["a"], format=JSONFormat("mine", text="$.token"))),
        "the first chunk is a str, and those of 'mine' are not",
    ),
    "bytes that are plain text": (
        lambda: list(GUARD.wrap_sync([b"plain"])),
        "if the bytes are plain text, pass framing='text'",
    ),
    "lines of events without their ends": (
        lambda: list(GUARD.wrap_sync([b'data: {"a": 1}', b"", b"data: [DONE]", b""])),
        "the chunks are lines without their ends: add them, or wrap the bytes as they come",
    ),
    "a format's class": (
        lambda: GUARD.wrap_sync([{}], format=JSONFormat),
        "such as JSONFormat('mine', text='$.token'), not the class 'JSONFormat'",
    ),
    "what is unknown to a format that is given": (
        lambda: GUARD.wrap_sync([{}], format=JSONFormat("mine", text="$.t"), unknown="refuse"),
        "unknown= does not apply to an adapter: pass it to the adapter",
    ),
    "a format as a dict": (
        lambda: GUARD.wrap_sync([{}], format={"text": "$.token"}),
        "format= needs a format's name or an adapter",
    ),
    "the vaults for a vault": (
        lambda: GUARD.wrap_sync(["a"], vault=Vaults()),
        "vault= needs the vault of one conversation, vaults.open(conversation, caller)",
    ),
    "the vaults for a vault, in prompts": (
        lambda: INPUT.check_messages([], vault=Vaults()),
        "vault= needs the vault of one conversation",
    ),
    "a vault that is not awaited": (
        lambda: INPUT.check_messages([], vault=Vaults().aopen("a")),
        "vault= was given a coroutine: await vaults.aopen(...) first",
    ),
    "a text for a vault's key": (lambda: VAULT("secret"), "a key must be bytes, not 'str'"),
    "a text for the vaults' key": (lambda: VAULTS(key="secret"), "a key must be bytes, not 'str'"),
    "a name for a vault to save": (
        lambda: VAULTS().save("a"),
        "save() needs the vault that open() returned, not 'str'",
    ),
    "a vault for a conversation to forget": (
        lambda: VAULTS().forget(VAULT()),
        "conversation= needs a name, a str, not 'Vault'",
    ),
    "a path for a store": (lambda: VAULTS("v.db"), "needs a store, such as SQLiteStore(path)"),
    "a list for tools": (lambda: VAULTS(tools=["to"]), "lists of arguments by tool, as in"),
    "a text for a tool's list": (lambda: VAULTS(tools={"a": "to"}), "lists of arguments by tool"),
    "no name for a caller": (
        lambda: VAULTS().open("a", caller=None),
        "the name of an authenticated client, not 'NoneType'",
    ),
    "a dict for a policy's path": (
        lambda: LOAD({"rules": []}),
        "a policy's path is a str or a Path, not 'dict': Policy.parse(text)",
    ),
    "model and path swapped": (
        lambda: list(ITEMS(["[]"], Answer, "item")),
        "the model must be a type, not the text 'item'",
    ),
    "another format's name": (
        lambda: list(GUARD.wrap_sync([json.loads(LINE)], format="anthropic")),
        "the first chunk is in the format 'openai_chat', not 'anthropic': leave out format=",
    ),
    "a schema for a model": (
        lambda: FINAL(["[]"], {"type": "array"}),
        "the model must be a type, not a 'dict': pass a JSON Schema as schema=",
    ),
    "a function for a plain stream": (
        lambda: GUARD.wrap_sync(lambda: ["a"]),
        "wrap_sync() was given a function: call it, and wrap what it returns",
    ),
    "a value for a model": (lambda: FINAL(["1"], 5), "pydantic does not know the type 5"),
    "an object for its class": (
        lambda: FINAL(["1"], Answer.model_construct()),
        "the model must be a type, not an object of 'Answer': give the class",
    ),
    "a class of another library": (
        lambda: FINAL(["1"], Guard),
        "give a model, a dataclass, a TypedDict or a list of them; or define how it is created "
        "from plain values",
    ),
    "an option that is misspelt": (
        lambda: list(ITEMS(["[]"], "item", document="many")),
        "there is no option 'document': did you mean 'documents'?",
    ),
    "a guard for a stream": (
        lambda: list(ITEMS(GUARD, "item")),
        "expected a stream of text or chunks, not 'Guard'",
    ),
    "a coroutine for a stream": (
        lambda: FINAL(coroutine(), Answer),
        "a coroutine is not a stream: await it first",
    ),
    "bytes for text": (lambda: FINAL([b"{}"], Answer), "not bytes: decode them first"),
    "one bytes for text": (lambda: FINAL(b"{}", Answer), "not bytes: decode them first"),
    "an array for its elements": (
        lambda: list(ITEMS(['{"a": [{"text": "b"}]}'], "a", Answer)),
        "it is an array: 'a.item' selects its elements",
    ),
    "brackets without a dollar": (
        lambda: list(ITEMS(['{"a": [1]}'], "a[*]")),
        "with brackets a path begins with '$.'",
    ),
    "a number for a text": (
        lambda: list(extract.text_sync(['{"a": 1}'], "a")),
        "there is no string at 'a', but a number",
    ),
    "an array for a text": (
        lambda: list(extract.text_sync(['{"a": ["b"]}'], "a")),
        "there is no string at 'a'; it is an array: 'a.item' selects",
    ),
    "a stream that was read before": (
        lambda: FINAL([], Answer),
        "there is no document in the stream: no text came; was the stream read before?",
    ),
    "a policy's text in one line for a path": (
        lambda: LOAD("rules: [{id: a, words: [b]}]"),
        "a path was expected, not a policy's text",
    ),
    "nothing to feed": (lambda: SESSION.feed(None), "feed() needs a text, a str, not 'NoneType'"),
    "no bytes to feed": (lambda: SESSION.feed(b""), "feed() needs a text, a str, not 'bytes'"),
    "one observer for a list": (
        lambda: MAKE(POLICY, observers=Observer()),
        "observers= needs a list, such as [one], not 'Observer'",
    ),
    "one stage for a list": (
        lambda: MAKE(POLICY, stages=Stage),
        "stages= needs a list, such as [one], not the class 'Stage'",
    ),
    "a number for the limits of a document": (
        lambda: FINAL(["1"], int, limits=5),
        "limits= needs Limits(depth=64, string=100_000), not 'int'",
    ),
    "one kind of repair for a list": (
        lambda: FINAL(["1"], int, repair="comments"),
        "repair= needs True or a list of kinds, such as ['comments'], not the text 'comments'",
    ),
    "a key for a function": (
        lambda: FINAL([{"a": "1"}], int, text_of="a"),
        "text_of= needs a function, not 'str'",
    ),
    "a transport's format, misspelt": (
        lambda: TRANSPORT(GUARD, format="openai_chatt"),
        "no adapter 'openai_chatt', did you mean 'openai_chat'?",
    ),
    "a middleware's setting, misspelt": (
        lambda: MIDDLEWARE(asgi, GUARD, hartbeat=15),
        "GuardMiddleware() has no argument 'hartbeat', did you mean 'heartbeat'?",
    ),
    "a middleware's routes, misspelt": (
        lambda: MIDDLEWARE(asgi, GUARD, route=[]),
        "GuardMiddleware() has no argument 'route', did you mean 'routes'?",
    ),
    "a middleware's format, misspelt": (
        lambda: MIDDLEWARE(asgi, routes=[("/a", GUARD)], format="openai_chatt"),
        "no adapter 'openai_chatt', did you mean 'openai_chat'?",
    ),
    "one media type for a list": (
        lambda: MIDDLEWARE(asgi, GUARD, text_types="text/*"),
        "'text_types' needs a list, such as ('text/*',), not one text",
    ),
    "a header for the headers of a replay": (
        lambda: MIDDLEWARE(asgi, GUARD, replay=MemoryReplay(), replay_by="authorization"),
        "a replay needs a list of headers, such as ['authorization'], not one text",
    ),
    "the class of a store for one": (
        lambda: MIDDLEWARE(asgi, GUARD, replay=MemoryReplay),
        "a replay needs a store, such as MemoryReplay(), not the class 'MemoryReplay'",
    ),
    "a guard for the proxy's guards": (
        lambda: PROXY("http://127.0.0.1", GUARD),
        "the proxy needs guards by name, such as {'default': Guard.load(path)}, not 'Guard'",
    ),
    "a pack's name for a guard of the proxy": (
        lambda: PROXY("http://127.0.0.1", {"default": "guardstream/chat"}),
        "the proxy needs a Guard, such as Guard.load(path), not 'str'",
    ),
    "a guard for the proxy's settings": (
        lambda: APPLICATION(GUARD),
        "application() needs ProxySettings(url, {'default': guard}), or what "
        "ServeOptions(...).settings() returns, not 'Guard'",
    ),
    "a client for a transport": (
        lambda: TRANSPORT(GUARD, httpx.AsyncClient()),
        "GuardTransport() wraps a transport, such as httpx.AsyncHTTPTransport(), not 'AsyncClient'"
        ": give this transport to a client",
    ),
    "the class of a transport for one": (
        lambda: SyncGuardTransport(GUARD, httpx.HTTPTransport),
        "SyncGuardTransport() wraps a transport, such as httpx.HTTPTransport(), not the class "
        "'HTTPTransport': give this transport to a client",
    ),
    "a text for a replay's age": (
        lambda: MemoryReplay(max_age="1h"),  # type: ignore[arg-type]
        "max_age= needs a number of seconds, not 'str'",
    ),
    "a tool beside what reads chunks": (
        lambda: list(ITEMS([{}], "item", text_of=str, tool="find")),
        "text_of= defines the text of a chunk: leave tool= out",
    ),
    "a format beside what reads chunks": (
        lambda: FINAL([{}], int, text_of=str, format="ollama"),
        "text_of= defines the text of a chunk: leave format= out",
    ),
    "a text for a flag": (
        lambda: GUARD.wrap_sync(["a"], keep_text="no"),
        "keep_text= needs True or False, not 'str'",
    ),
    "a text for another flag": (
        lambda: GUARD.wrap(asynchronous(), raise_on_block="no"),
        "raise_on_block= needs True or False, not 'str'",
    ),
    "a text for a flag of a function that opens a stream": (
        lambda: GUARD.wrap(asynchronous, keep_text="no"),
        "keep_text= needs True or False, not 'str'",
    ),
    "a number for attributes": (
        lambda: GUARD.wrap_sync(["a"], attributes=3),
        "attributes= needs texts by name, such as {'user': 'ann'}, not 'int'",
    ),
    "a provider for a format": (
        lambda: GUARD.wrap(asynchronous(), provider="ollama"),
        "wrap() has no argument 'provider': did you mean 'format'?",
    ),
    "a number for a path": (
        lambda: ITEMS(["[]"], 3),
        "a path is a str, such as 'orders.item', not 'int'",
    ),
    "a number for a path to a text": (
        lambda: extract.text_sync(["{}"], 3),  # type: ignore[arg-type]
        "a path is a str, such as 'orders.item', not 'int'",
    ),
    "a number for stages": (
        lambda: GUARD.with_stages(3),
        "stages= needs a list, such as [Stage], not 'int'",
    ),
    "a stage for stages of a guard": (
        lambda: GUARD.with_stages([Stage()]),
        "stages= needs functions that create stages, such as their classes",
    ),
    "a number for stages of a policy": (
        lambda: POLICY.with_stages(3),
        "stages= needs a list, such as [Stage], not 'int'",
    ),
    "a text for a flag that leaves sections out": (
        lambda: MAKE(POLICY, rules_only="no"),
        "rules_only= needs True or False, not 'str'",
    ),
    "a text for a flag of a loaded guard": (
        lambda: LOAD("guardstream/chat", reload="no"),
        "reload= needs True or False, not 'str'",
    ),
    "a time for a clock": (
        lambda: GUARD.wrap_sync(["a"], clock=1.5),
        "clock= needs a function that returns seconds, not 'float'",
    ),
    "the class of a guard for one": (
        lambda: TRANSPORT(Guard),
        "a transport needs a Guard, such as Guard.load(path), not the class 'Guard'",
    ),
    "a function of a plain iterator": (
        lambda: GUARD.wrap(plain),
        "wrap() was given a function of a plain iterator: use wrap_sync(), and call it",
    ),
    "a check of a text alone": (
        lambda: GATE(GUARD.wrap(asynchronous()), lambda text: bool(text)),
        "a check is called with a text and its Context: def check(text, context)",
    ),
    "no guard for retries": (
        lambda: RETRYING(asynchronous, GUARD),
        "retrying() needs a Guard, such as Guard.load(path), not 'function'",
    ),
    "one fallback for a list": (
        lambda: GUARD.wrap(asynchronous, fallbacks=asynchronous),
        "fallbacks= needs a list of functions that open a stream",
    ),
    "an open stream for a fallback": (
        lambda: RETRYING(GUARD, asynchronous, fallbacks=[asynchronous()]),
        "fallbacks= needs functions that open a stream, [lambda: client.stream(...)], "
        "not of 'async_generator'",
    ),
    "the class of an error for what is worth a retry": (
        lambda: RETRYING(GUARD, asynchronous, worth=ValueError),
        "the class 'ValueError': lambda error: isinstance(error, ValueError)",
    ),
    "the classes of errors for what is worth a retry": (
        lambda: RETRYING(GUARD, asynchronous, worth=(ValueError, OSError)),
        "worth= needs a function, not 'tuple'",
    ),
    "a stream for a function that goes on": (
        lambda: GUARD.wrap(asynchronous, resume=asynchronous()),
        "resume= needs a function, not 'async_generator'",
    ),
    "prompts without rules for them": (
        lambda: GUARD.check_messages([{"role": "user", "content": "a"}]),
        "the policy has no section 'input'",
    ),
}


VALUES: dict[str, tuple[Callable[[], object], str]] = {
    "an empty name for a conversation": (
        lambda: VAULTS().open("", caller="ann"),
        "conversation= is empty: give a name, or None for a single request",
    ),
    "a way with invalid values that there is not": (
        lambda: ITEMS(["[]"], "item", on_invalid="ignore"),
        "unknown on_invalid 'ignore': use 'raise' or 'skip'",
    ),
    "a queue below nothing": (
        lambda: Limiter(2, queue=-1),
        "queue= needs a whole number, at least 0, not -1",
    ),
    "a tee that keeps nothing": (
        lambda: TEE(asynchronous(), buffer=0),
        "buffer= needs a whole number, at least 1, not 0",
    ),
    "a coalescing that keeps nothing": (
        lambda: COALESCE(asynchronous(), buffer=0),
        "buffer= needs a whole number, at least 1, not 0",
    ),
    "a coalescing that waits for nothing": (
        lambda: COALESCE(asynchronous(), milliseconds=0),
        "milliseconds= needs a number of milliseconds above 0, not 0",
    ),
    "no channel": (
        lambda: GUARD.check("a", channel=None),
        "unknown channel None, known: text, thinking",
    ),
    "waiting for clients that cannot come back": (
        lambda: MIDDLEWARE(asgi, GUARD, linger=30),
        "'linger' is for clients that reconnect: give 'replay', too",
    ),
    "headers of clients that cannot come back": (
        lambda: MIDDLEWARE(asgi, GUARD, replay_by=["authorization"]),
        "'replay_by' is for clients that reconnect: give 'replay', too",
    ),
    "a time before a client has left": (
        lambda: MIDDLEWARE(asgi, GUARD, replay=MemoryReplay(), linger=-1),
        "linger= needs a number of seconds of at least 0, not -1",
    ),
    "a replay without room": (
        lambda: MemoryReplay(max_events=0),
        "max_events= needs a whole number, at least 1, not 0",
    ),
    "how often nothing is signed": (
        lambda: AuditLog("audit.jsonl", every=10),
        "'every' has no effect without 'sign'",
    ),
    "signatures after no line": (
        lambda: AuditLog("audit.jsonl", sign=str, every=0),
        "every= needs a whole number, at least 1, not 0",
    ),
    "replacing what is not written": (
        lambda: Job(GUARD, "logs", overwrite=True),
        "'overwrite' has no effect without 'target': name one",
    ),
    "a gate's channel, misspelt": (
        lambda: GATE(GUARD.wrap(asynchronous()), print, channels=["txt"]),
        "unknown channel 'txt', did you mean 'text'?",
    ),
    "a gate for no channel": (
        lambda: GATE(GUARD.wrap(asynchronous()), print, channels=[]),
        "channels= is empty: leave it out for all channels",
    ),
    "what becomes of a check's error, misspelt": (
        lambda: GATE(GUARD.wrap(asynchronous()), print, on_error="alow"),
        "unknown on_error 'alow': use 'block' or 'allow'",
    ),
    "what is around a document, misspelt": (
        lambda: FINAL(["1"], int, fences="strp"),
        "unknown fences 'strp': use 'strip' or 'keep' or 'require'",
    ),
    "how many documents, misspelt": (
        lambda: list(ITEMS(["[]"], "item", documents="all")),
        "unknown documents 'all': use 'one' or 'many'",
    ),
    "what becomes of a prompt in no known format, misspelt": (
        lambda: TRANSPORT(GUARD, other="refus"),
        "unknown other 'refus': use 'guard' or 'refuse' or 'pass'",
    ),
    "what becomes of unknown text behind a gate, misspelt": (
        lambda: GATE(GUARD.wrap(asynchronous()), print, unknown="gard"),
        "unknown: 'gard' is not allowed",
    ),
    "a gate that nothing may wait for": (
        lambda: GATE(GUARD.wrap(asynchronous()), print, ahead=0),
        "ahead= needs a whole number, at least 1",
    ),
    "what becomes of unknown text on a route, misspelt": (
        lambda: MIDDLEWARE(asgi, GUARD, unknown="gard"),
        "unknown: 'gard' is not allowed",
    ),
    "what becomes of other paths, misspelt": (
        lambda: PROXY("https://api.example.com", {"default": GUARD}, other="gard"),
        "other: 'gard' is not known: did you mean 'guard'?",
    ),
    "how bytes carry chunks, misspelt": (
        lambda: GUARD.flow(media="ss"),
        "unknown media 'ss': use 'sse' or",
    ),
    "what becomes of a file that is not whole, misspelt": (
        lambda: SINK("answer.txt", partial="kep"),
        "unknown partial 'kep': use 'keep' or 'delete'",
    ),
    "what becomes of a slow reader, misspelt": (
        lambda: TEE(GUARD.wrap(asynchronous()), slow="drp"),
        "unknown slow 'drp': use 'wait' or 'drop'",
    ),
    "what becomes of a sink's errors, misspelt": (
        lambda: anyio.run(lambda: WRITE_TO(GUARD.wrap(asynchronous()), on_error="log")),
        "unknown on_error 'log': use 'raise' or 'report'",
    ),
    "what becomes of a store's errors, misspelt": (
        lambda: VAULTS(on_error="blok"),
        "unknown on_error 'blok': use 'block' or 'mask'",
    ),
    "a gate without time": (
        lambda: GATE(GUARD.wrap(asynchronous()), print, deadline=0),
        "deadline= needs a number of seconds above 0, not 0",
    ),
    "a stage's channel, misspelt": (
        lambda: StagePlan(Stage, "own", channels=frozenset(["thoughts"])),
        "unknown channel 'thoughts', known: text, thinking, tool_args, refusal",
    ),
    "a stage's place, misspelt": (
        lambda: StagePlan(Stage, "own", "first"),  # type: ignore[arg-type]
        "unknown position 'first': use 'before' or 'after'",
    ),
    "what becomes of a callback's errors, misspelt": (
        lambda: GUARD.wrap_sync(["a"], callback_errors="rasie"),
        "unknown callback_errors 'rasie': use 'raise' or 'report'",
    ),
    "what becomes of an observer's errors, misspelt": (
        lambda: MAKE(POLICY, observer_errors="strict"),
        "unknown observer_errors 'strict': use 'raise' or 'report'",
    ),
    "seconds that cannot be": (
        lambda: Deadlines(total=0),
        "total= needs a number of seconds above 0, not 0; None is no limit",
    ),
    "seconds that are no number": (
        lambda: Deadlines(first_token=nan),
        "first_token= needs a number of seconds above 0, not nan",
    ),
    "no attempt at all": (lambda: Retry(attempts=0), "attempts= counts the first one"),
    "a wait that cannot be": (
        lambda: Retry(wait_max=-1),
        "wait_max= needs a number of seconds of at least 0, not -1",
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_named_with_its_remedy(name: str) -> None:
    make, said = MISTAKES[name]
    with pytest.raises((TypeError, GuardstreamError)) as raised:
        make()
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("name", VALUES)
def test_a_value_that_cannot_be_is_refused(name: str) -> None:
    make, said = VALUES[name]
    with pytest.raises(ValueError, match=re.escape(said)):
        make()


def test_lines_of_json_are_text_where_that_is_said() -> None:
    assert GUARD.wrap_sync([OLLAMA], framing="text").text() == OLLAMA
    assert GUARD.wrap_sync(['{"text": "an answer in JSON"}']).finish is None


def test_a_text_that_is_null_is_no_mistake() -> None:
    assert list(extract.text_sync(['{"a": null}'], "a")) == []
    with pytest.raises(GuardstreamError, match="but an object"):
        list(extract.text_sync(['{"a": {}}'], "a"))


def test_an_unknown_kind_of_ids_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown ids 'uuid': use 'hash' or 'number' or 'fake'"):
        VAULTS(ids="uuid")


@pytest.mark.parametrize("provider", ["openai_chat", "cumulative_text", "json"])
def test_bytes_of_plain_text_are_in_no_other_format(provider: str) -> None:
    with pytest.raises(AdapterError, match=f"format='{provider}'"):
        GUARD.wrap_sync([b"a bluebird"], framing="text", format=provider).text()
    assert GUARD.wrap_sync([b"a bluebird"], framing="text", format="text").text() == "a [bird]"


def test_objects_have_no_framing() -> None:
    with pytest.raises(AdapterError, match="'dict' has no framing"):
        GUARD.wrap_sync([json.loads(LINE)], framing="text").text()


def test_cumulative_text_is_of_str_alone() -> None:
    with pytest.raises(AdapterError, match="'dict' in a stream of text"):
        GUARD.wrap_sync([{}], format="cumulative_text").text()
