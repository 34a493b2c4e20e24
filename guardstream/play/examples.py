"""The examples of the page: policies, each with a text that shows its effect."""

from __future__ import annotations

from dataclasses import dataclass

from guardstream.policy import packs


@dataclass(frozen=True, slots=True)
class Example:
    """A policy, and a text or the recording of a stream."""

    title: str
    policy: str
    text: str = ""
    recording: str = ""


_MASK = """\
version: 1
name: support
rules:
  - id: codename
    description: Projects have names until they are announced.
    words: [bluebird, Blue Harbor]
    severity: high
    tests:
      - {input: ask bluebird, output: "ask [codename]"}
      - {clean: ask the bluebirds}
  - id: ticket
    description: A ticket's number is for its customer alone.
    pattern: '(?<!\\w)SUP-\\d{4,8}(?!\\w)'
    replacement: {keep: {last: 2}}
    tests:
      - {input: see SUP-123456, output: "see ********56"}
      - {clean: see SUP-12}
"""

_MASKED = """\
Thanks for waiting! Project Bluebird ships on Monday, together with Blue Harbor. I have added that \
to SUP-2048713 for you. (The bluebirds on the cover are just birds, and SUP-12 is no ticket.)
"""

_BLOCK = """\
version: 1
name: no keys
block_message: "This answer was ended: it would have shown a key."
rules:
  - id: api-key
    description: Nobody needs to see a key, and a half of one is too much.
    pattern: '(?<![A-Za-z0-9])sk-[A-Za-z0-9_-]{20,}'
    action: block
    severity: critical
    tests:
      - {input: the sk-abcdefghijklmnopqrstu, output: "the "}
      - {clean: a sk-short one}
"""

_BLOCKED = """\
Sure, here is how you call the service. First, set the variable:

    export SERVICE_KEY=sk-f00dfeedf00dfeedf00dfeed

Then run the client, which nobody reads any more, as the stream has ended.
"""

_DISGUISED = """\
version: 1
name: as it is meant
rules:
  - id: secret-word
    description: The word is found as it is meant, however it is written.
    words: [swordfish]
    normalize: [width, zero_width, confusables, separators, repeats]
    replacement: "*"
    tests:
      - {input: s.w.o.r.d.f.i.s.h, output: "*****************"}
      - {clean: a sword and a fish}
"""

_DISGUISES = """\
Plain swordfish. Wide ｓｗｏｒｄｆｉｓｈ. Dotted s.w.o.r.d.f.i.s.h. Stretched swooordfish.
Cyrillic ѕwоrdfіѕh. A sword, and a fish, are left alone.
"""

_JSON = """\
version: 1
name: an order
extends: guardstream/pii-en
json:
  schema:
    type: object
    required: [item, count]
    additionalProperties: false
    properties:
      item: {type: string, maxLength: 40}
      count: {type: integer, minimum: 1}
      contact: {type: string}
"""

_ORDER = '{"item": "tea, green", "count": 2, "contact": "ann@example.com", "gift": true}'

_CHAT = """\
version: 1
name: chat
extends: guardstream/chat
"""

_LONG = """\
version: 1
name: a policy of your own
extends: [guardstream/pii-en, guardstream/secrets]
rules:
  - id: tone
    description: Reported, and let through.
    words: [obviously, as I said]
    action: monitor
    severity: low
    tests:
      - {input: obviously so, output: obviously so}
      - {clean: not so obvious}
limits:
  stop: ["###"]
"""

_MAIL = """\
As I said, write to ann.lee@example.com or call +1 202 555 0143. The card was 4111 1111 1111 1111, \
obviously not a real one, and the server is at 203.0.113.7.

### notes that nobody was to see
"""


def examples(demo: str) -> list[Example]:
    """Return the examples; `demo` is the recording of a chat."""
    return [
        Example("Mask words and numbers", _MASK, _MASKED),
        Example("A recorded chat, by the pack", _CHAT, recording=demo),
        Example("Block a key in the middle", _BLOCK, _BLOCKED),
        Example("Words in disguise", _DISGUISED, _DISGUISES),
        Example("JSON, judged as it arrives", _JSON, _ORDER),
        Example("Packs, a report, a stop", _LONG, _MAIL),
    ]


def started_from(pack: str) -> str:
    """Return the text of a first policy that extends a pack."""
    return f"version: 1\nextends: {packs.PREFIX}{pack}\n"
