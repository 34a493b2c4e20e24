"""Mask words with stars and stop at dangerous code, wherever the chunks are cut.

The packs `content-filter` and `code` have such rules; this is what they look like.
"""

from guardstream import Guard, Policy

POLICY = r"""
version: 1
name: content-filter
block_message: "[stopped]"
rules:
  - id: words
    words: [密碼, password, token, api_key, secret, 信用卡, credit_card]
    normalize: [case, width, zero_width]
    replacement: "*"
  - id: dangerous-code
    pattern: '(?<![\w.])(?:eval|exec)\s{0,5}\(|__import__\s{0,5}\(|(?i:<script\b)'
    action: block
"""

guard = Guard(Policy.parse(POLICY))

TEXT = "Your pass\u200bword and 密碼 are safe. Now run __import__('os')."

for size in (1, 3, len(TEXT)):
    chunks = [TEXT[start : start + size] for start in range(0, len(TEXT), size)]
    stream = guard.wrap_sync(chunks)
    print(f"{size:>3}:", "".join(stream), "|", stream.finish, stream.blocked_by)
    assert stream.result.text == "Your ********* and ** are safe. Now run [stopped]"
