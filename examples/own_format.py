"""A JSON format of your own, described by a few paths of a policy, and guarded exactly."""

import anyio

from guardstream import Guard, Policy

POLICY = """
formats:
  mine: {text: $.token, thinking: $.think, copies: [$.full], done: $.end}
rules:
  - {id: project, words: [blue bird], replacement: "[project]"}
"""


async def answer():
    """What an endpoint of one's own may send: words cut anywhere, and all of it once more."""
    yield {"think": "they ask about "}
    yield {"token": "We call it blue ", "full": "We call it blue "}
    yield {"token": "bird.", "full": "We call it blue bird.", "trace": "said blue bird"}
    yield {"end": True}


async def main() -> None:
    """Print each chunk as it is released."""
    guard = Guard(Policy.parse(POLICY))
    async with guard.wrap(answer()) as stream:
        async for chunk in stream:
            print(chunk)
    assert stream.result.text == "We call it [project]."
    assert "blue bird" not in str(stream.result)


anyio.run(main)
