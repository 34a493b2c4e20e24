"""A tool call that runs only if its arguments are valid, and is given up at the first wrong one."""

from __future__ import annotations

from guardstream import Finish
from guardstream.jsonstream.schema import Schema
from guardstream.stages.structure import Settings, Structure

TRANSFER = Schema(
    {
        "type": "object",
        "properties": {
            "account": {"enum": ["savings", "checking"]},
            "amount": {"type": "integer", "minimum": 1, "maximum": 500},
        },
        "required": ["account", "amount"],
        "additionalProperties": False,
    }
)


def call(arguments: str) -> None:
    """Feed the arguments as a provider streams them; run the tool or say why not."""
    stage = Structure(Settings(schema=TRANSFER))
    for at in range(0, len(arguments), 4):
        events = stage.feed(arguments[at : at + 4])
        if events and isinstance(events[-1], Finish):
            break
    else:
        stage.finish()
    if stage.violations:
        error = stage.violations[0]
        print(f"not run: {error} (after {error.offset} of {len(arguments)} characters)")
    else:
        print("transfer:", stage.value)


call('{"account": "savings", "amount": 120}')
call('{"account": "savings", "amount": 120000, "note": "a long text that is never read"}')
call('{"account": "offshore", "amount": 1, "note": "nor is this one"}')
call('{"account": "savings"}')
