"""Mask words with stars and stop at dangerous code, wherever the chunks are cut.

The packs `content-filter` and `code` have many more such rules; these show how one is written.
"""

from guardstream import Guard, Policy

POLICY = r"""
version: 1
name: content-filter
extends: [guardstream/pii-tw]       # 身分證, 手機號碼, in their forms and by their check digits
block_message: "[stopped]"
rules:
  - id: words
    words: [密碼, password, token, api_key, secret, 信用卡, credit_card]
    normalize: [case, width, zero_width]
    replacement: "*"
  - id: dangerous-code
    pattern: '(?i)(?<![\w.])(?:eval|exec|__import__)\s{0,5}\(|<script\b'
    action: block
"""

guard = Guard(Policy.parse(POLICY))

SAFE = (
    "Your pass\u200bword and 密碼 are safe, the evaluation (yours) too. "
    "身分證 A123456789, 手機號碼 0912345678. "
)
MASKED = (
    "Your ********* and ** are safe, the evaluation (yours) too. "
    "身分證 [tw-id], 手機號碼 [tw-mobile-plain]. Now run [stopped]"
)

for dangerous in ("eval(x)", "EXEC (x)", "__import__('os')", "<Script>"):
    text = f"{SAFE}Now run {dangerous}."
    for size in (1, 3, len(text)):
        chunks = [text[start : start + size] for start in range(0, len(text), size)]
        stream = guard.wrap_sync(chunks)
        shown = "".join(stream)
        assert stream.blocked_by == "dangerous-code"
        assert shown == MASKED
    print(f"{dangerous:<16} {shown}")
