"""Feed a session by hand: no I/O, no event loop, events in text order."""

from guardstream import Finding, Finish, Guard, Policy, Text

POLICY = """
version: 1
rules:
  - {id: codename, words: [bluebird, 青鸟], replacement: "*"}
"""

session = Guard(Policy.parse(POLICY)).session()
shown = ""
for event in [*session.feed("ask blue"), *session.feed("bird or 青鸟"), *session.finish()]:
    match event:
        case Text(text):
            shown += text
        case Finding(rule, start, end):
            print(f"{rule} at {start}-{end}")
        case Finish(reason):
            print(f"{shown!r}, {reason}")
assert shown == "ask ******** or **"
