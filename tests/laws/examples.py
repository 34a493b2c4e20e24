"""Examples of each format: a stream, a policy, and all that must come of them, as data.

An example of `data/examples` is a line of JSON. `says` is what it shows, `policy` the YAML or a
name in `policies.json`, `options` those of the guard. `chunks` are a source's, with objects as
`objects.py` has them; `body` is one of bytes. In `sent` each list is what goes out after one more
chunk; a number is the chunk of the source with this number, the same object. `sent` is `"same"` if
each chunk goes out at once. Instead of these, `checked` is a text, `fed` are texts for a
session, and `answer` is a whole one of the format `of`.

    python -m tests.laws.examples            # names the examples of which something else comes
    python -m tests.laws.examples --write    # writes down what comes of each today
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from functools import cache
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

from guardstream import AdapterError, Guard, Policy
from guardstream.events import Text
from guardstream.http import WireGuard
from guardstream.http.body import guard_body
from guardstream.stream.result import Result
from tests.laws.objects import decoded, encoded

FOLDER = Path(__file__).parent / "data" / "examples"

POLICIES: dict[str, str] = json.loads((FOLDER / "policies.json").read_text(encoding="utf-8"))

Example = dict[str, Any]


def examples(path: Path) -> list[Example]:
    """The examples of a file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@cache
def guard(policy: str) -> Guard:
    """The guard of a policy, by its name or its YAML."""
    return Guard(Policy.parse(POLICIES.get(policy, policy)))


def comes_of(example: Example) -> Example:
    """What comes of an example: the part of it that is expected."""
    kind = next(kind for kind in KINDS if kind in example)
    return KINDS[kind](example)


def _of_chunks(example: Example) -> Example:
    """Guard the chunks one by one."""
    chunks = decoded(example["chunks"])
    sent: list[list[Any]] = [[]]
    numbers = {id(each): n for n, each in enumerate(chunks) if not isinstance(each, (str, bytes))}

    def source() -> Iterator[Any]:
        for each in chunks:
            yield each
            sent.append([])

    stream = guard(example["policy"]).wrap_sync(source(), **example.get("options", {}))
    raised = None
    try:
        for each in stream:
            number = numbers.get(id(each))
            sent[-1].append(encoded(each) if number is None else number)
    except AdapterError as error:
        raised = str(error)
    flow = stream.state.flow
    same = [[numbers.get(id(each), encoded(each))] for each in chunks]
    found = {"sent": _sent(sent, same), **_result(stream.result), "raised": raised}
    return _without_defaults({**found, "format": getattr(flow, "format", None)})


def _sent(sent: list[list[Any]], same: list[list[Any]]) -> Any:
    """What is sent after each chunk, without the empty end; `same` if it is the chunk."""
    while sent and not sent[-1]:
        sent.pop()
    return "same" if sent == same else sent


def _of_body(example: Example) -> Example:
    """Guard a body that comes whole."""
    return _of_bytes(example, [example["body"].encode("utf-8", "surrogateescape")])


def _of_bytes(example: Example, pieces: Sequence[bytes]) -> Example:
    wire = WireGuard(guard(example["policy"]), **example.get("options", {}))
    sent: list[bytes] = []
    raised = None
    try:
        for piece in pieces:
            sent += wire.feed(piece)
        sent += wire.finish()
    except AdapterError as error:
        raised = str(error)
    body = _decoded(b"".join(sent))
    same = "same" if body == example["body"] else body
    return _without_defaults({"sent": same, **_result(wire.result), "raised": raised})


def in_cuts(example: Example) -> Iterator[Example]:
    """What comes of a body that is cut in many places, and, if it is short, in all."""
    data = example["body"].encode("utf-8", "surrogateescape")
    chance = Random(data)
    ways = [sorted({chance.randrange(len(data) + 1) for _ in range(5)}) for _ in range(3)]
    if len(data) < 8000:
        ways.append([*range(1, len(data))])
    for cuts in ways:
        yield _of_bytes(example, [data[a:b] for a, b in pairwise([0, *cuts, len(data)])])


def _of_text(example: Example) -> Example:
    """Check a text."""
    result = guard(example["policy"]).check(example["checked"], **example.get("options", {}))
    return _without_defaults(_result(result))


def _of_texts(example: Example) -> Example:
    """Feed texts to a session."""
    session = guard(example["policy"]).session(**example.get("options", {}))
    steps = [session.feed(text) for text in example["fed"]] + [session.finish()]
    return {"events": [[_event(each) for each in step] for step in steps]}


def _event(event: Any) -> Any:
    """An event as data: a text as it is, all else with its fields."""
    return event.text if type(event) is Text else _without_defaults(asdict(event))


def _of_answer(example: Example) -> Example:
    """Guard a whole answer."""
    answer = decoded(example["answer"])
    try:
        body, result = guard_body(guard(example["policy"]), example["of"], answer)
    except AdapterError as error:
        return {"raised": str(error)}
    sent = "same" if body is answer else encoded(body)
    return _without_defaults({"sent": sent, **_result(result)})


KINDS: dict[str, Callable[[Example], Example]] = {
    "chunks": _of_chunks,
    "body": _of_body,
    "checked": _of_text,
    "fed": _of_texts,
    "answer": _of_answer,
}
"""What is done with an example, by what is given."""


def _result(result: Result) -> Example:
    """A result as data."""
    calls = [[each.name, each.id, each.arguments, each.complete] for each in result.tool_calls]
    channels = {f"{choice} {name}": text for (choice, name), text in result.channels.items()}
    found = [
        [each.rule, each.action, each.kind, each.channel, each.choice, each.path, each.start]
        for each in result.findings
    ]
    return {
        "texts": {name: text for name, text in channels.items() if text},
        "calls": calls,
        "usage": encoded(result.usage),
        "findings": found,
        "finish": result.finish,
        "blocked_by": result.blocked_by,
    }


def _without_defaults(example: Example) -> Example:
    return {name: value for name, value in example.items() if value not in (None, {}, [])}


def _decoded(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


GIVEN = ("says", "policy", "options", "of", *KINDS)


def expected(example: Example) -> Example:
    """The part of an example that is expected."""
    return {name: value for name, value in example.items() if name not in GIVEN}


def given(example: Example) -> Example:
    """The part of an example that is given."""
    return {name: example[name] for name in GIVEN if name in example}


def main(*, write: bool) -> None:
    """See the module."""
    for path in sorted(FOLDER.glob("*.jsonl")):
        made = []
        for each in examples(path):
            made.append({**given(each), **comes_of(each)})
            if made[-1] != each:
                print(f"{path.stem}: {each['says']}")
        if write:
            path.write_text("".join(map(_line, made)), encoding="utf-8")


def _line(example: Example) -> str:
    """An example as a line, in ASCII where UTF-8 could not have it: halves of surrogate pairs."""
    line = json.dumps(example, ensure_ascii=False)
    is_text = not any("\ud800" <= each <= "\udfff" for each in line)
    return (line if is_text else json.dumps(example)) + "\n"


if __name__ == "__main__":
    main(write="--write" in sys.argv)
