"""Guard a plain iterator, without an event loop; count what it cost."""

from guardstream import Guard

guard = Guard.load("guardstream/chat")

with guard.wrap_sync(["The pass", "word: hun", "ter22, be", " careful"]) as stream:
    for chunk in stream:
        print(chunk, end="")
print()
stats = stream.stats
print(f"{stats.characters_in} in, {stats.characters_out} out, {stats.held_max} held at most")
assert "hunter22" not in stream.result.text
