"""The signs of an address, and of places that hold one, in any markup."""

from __future__ import annotations

import re

import regex

LONGEST = 256
"""The longest sign, with what must precede it, in code points."""

token = re.compile(
    r"\n|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029]"
    r"|\\(?:u\{?[0-9a-f]{1,6}\}?|x[0-9a-f]{2}|[^\sa-z<])?"  # an escape, or a command of TeX
    r"|&(?:#[0-9]{1,8}|#x[0-9a-f]{1,7}|[a-z][a-z0-9]{1,31});?"
    r"|<!--|</?(?!www\.)[a-z][a-z0-9\-]*(?::(?:script|style)\b)?"
    r"|%(?:3a|2f|5c)|`+|\+\++|\$\$|www\.|(?:\.\.|__)(?=[ \t])|[()\[\]{}<>\"'=:/?#&@]",
    re.IGNORECASE,
)
"""What may change the state of a reader. No token contains white space, except a line's end."""

lasting = re.compile(
    r"[<{=&\\%\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]|[:/]/|www\.|[.．。｡][^\s.]+[/?#:]"
    r"|\[(?:img|url|video|audio|media|iframe)|[a-z]:[^\s]|localhost|@import",
    re.IGNORECASE,
)
"""Without any of these in it, nothing in a block is open after it."""
control = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
colour = re.compile(r"\x1b\[[0-9;]*m")
line_break = re.compile("[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")
"""The end of a line for any renderer."""

# Schemes that need no slash. Others fetch nothing, or are followed by one.
scheme = regex.compile(
    r"(?<![a-z0-9])(?:data|javascript|vbscript|blob|about|https?|wss?|ftps?|file|sms|smsto"
    r"|mms|sips?|xmpp|geo|intent|market|magnet|whatsapp|skype|facetime|tg|bitcoin"
    r"|view-source|urn|cid):\Z",
    regex.IGNORECASE,
)
any_scheme = re.compile(r"[\w;+.\-]{2}:\Z")
host = regex.compile(
    r"(?:[\w\-\p{So}][.．。｡][\w\-\p{So}]+|(?<![^\W_])localhost)\Z", regex.IGNORECASE
)
part_of_host = re.compile(r"[\w.\-]")
recipient = re.compile(r"(?:mailto|tel):\S*\Z", re.IGNORECASE)
"""A recipient: what follows it as a query is text to send."""
head = re.compile(
    r"[/\\]*[a-z0-9+.\-]*(?:[:/\\?#]|&#?\w{1,31};|%[0-9a-f]{2}|\\[ux]\{?[0-9a-f]{1,6}\}?)*\Z",
    re.IGNORECASE,
)
"""The first characters of an address, up to its sign."""

# https://html.spec.whatwg.org/multipage/indices.html#attributes-3, `background`, and SVG
element = re.compile(
    r"</?(?:a|area|audio|base|blockquote|body|button|del|embed|form|frame|iframe|image|img|input|ins"
    r"|link|math|meta|object|q|script|source|svg|track|use|video|table|thead|tbody|tfoot|colgroup|col"
    r"|tr|th|td|caption|circle|clippath|defs|ellipse|filter|foreignobject|g|line|lineargradient"
    r"|marker|mask|path|pattern|polygon|polyline|radialgradient|rect|stop|switch|symbol|text"
    r"|textpath|tspan|view|fe[a-z]{4,16}|animate[a-z]{0,9}|set)\Z",
    re.IGNORECASE,
)
"""The beginning of a tag with attributes for addresses: one of them may be read into another."""
_SENT = "style|src|srcset|background|href|on[a-z]{3,30}"
attribute = re.compile(
    rf"(?<![a-z])(?:{_SENT})\s{{0,8}}=\s{{0,8}}\Z|@import\s{{0,8}}\Z", re.IGNORECASE
)
"""What makes the value after it an address, a style or a script wherever it stands."""
attribute_of_tag = re.compile(
    rf"(?<![a-z])(?:{_SENT}|poster|action|formaction|data|ping|srcdoc)\s{{0,8}}=\Z", re.IGNORECASE
)
bbcode_value = re.compile(r"\[(?:img|url|video|audio|media|iframe)=\Z", re.IGNORECASE)
raw = re.compile(r"<(?:\w+:)?(script|style)\Z", re.IGNORECASE)
tag = re.compile(
    r"</?(?!code\b)[a-z][a-z0-9\-]*(?:\s+[a-z_:][\w.:\-]*"
    r"(?:\s*=\s*(?:[^\s\"'=<>`:/.]+|'[^'<>]*'|\"[^\"<>]*\"))?)*\s*/?>\Z"
    r"|<[a-z][a-z0-9+.\-]{1,31}:[^\s<>]*>\Z|<[^\s<>@:/]+@[^\s<>:/]+>\Z",
    re.IGNORECASE,
)
"""A tag, or an address in angle brackets, that is one for every renderer."""
easy_address = re.compile(r"[\w:/.?=&#%~@,;*\-]*")
"""An address that a tag ends for every renderer, if another tag precedes it."""

function = re.compile(r"(?:\]|\b(?:url|image-set|src))\Z", re.IGNORECASE)
"""What makes a parenthesis hold an address: a link in Markdown, a function of CSS."""
styled = re.compile(
    r"(?:[%*_^]|\\(?:href|url|includegraphics)"
    r"|(?:^|\n)[ \t]*(?:p|h[1-6]|bq|bc|div|fn\d+|table|[*#]+))\Z"
)
"""What makes braces hold a style in Textile, or an address in TeX."""
bbcode = re.compile(
    r"\[(/?)(?:img|url|video|audio|media|iframe)(?:[= ][^\[\]\n]{0,80})?\]\Z", re.IGNORECASE
)
macro = re.compile(r"(?:image|video|audio|include)::?\Z", re.IGNORECASE)
"""A macro of AsciiDoc, whose address may begin with an attribute."""
defining = re.compile(r"(?:[ \t>*+\-|:#]|\d{1,9}[.)])*")
"""What may precede the label of a definition in its line."""
directive = re.compile(r"\A[ \t>*+\-]*(?::[\w\-]|#\+|![^\[\s]|`{3,}\{)|\s@ \Z")
"""The beginning of a line in which an address may have spaces, and goes on in indented lines."""
explicit = re.compile(
    r"__|\.\.(?![ \t]+(?:note|tip|hint|warning|important|caution|danger|error|attention|code)"
    r"(?:-block)?::)"
)
"""Markup of reStructuredText, which may be an address without any sign of one."""
named = re.compile(r"\.\.[ \t]+(?:[_|]|[\w\-]{1,40}[ \t]?::)")
near = re.compile(
    # Images, links and aliases of Textile, the query of a mail address, a tag that is an address.
    r"(?:^|[\s>])(?:\d+[.)])?[^\s\w]*!(?!\[[^\]])\S*\Z|[\"!]:[^\"'\s]*\Z|\?\S*=\S*\Z"
    r"|(?:^|\n)[ \t]*\[[^\]\n]{1,40}\]\S*\Z|<[a-z][\w.+\-]*\Z",
    re.IGNORECASE,
)
"""Where the text without spaces before a value is an address without any sign of one."""
BEFORE_ADDRESS = frozenset(":!+$^%")
"""What stands before an address only in markups where it may have spaces."""

# Where a value may stand although a place for an address is open: alone, and as a recipient.
alone = re.compile(r"\{+[ \t\r\n]*|\[\[\[+")
before_alone = re.compile(r"(?:\A|[\s\"'(>|]|\\(?:url|href))\Z")
_WHO = r"(?:mailto|tel):[^?&\"'<>()\[\]{}\\`\s\x00-\x1f]*"
mail = re.compile(rf"[\[({{\"']*[ \t\r\n]*<?{_WHO}\Z", re.IGNORECASE)
mail_tag = re.compile(
    r"<a(?:\s+[a-z\-]+=(?:\"[^\"<>:/\\]*\"|'[^'<>:/\\]*'|[\w\-]+))*"
    rf"\s+href\s*=\s*[\"']?{_WHO}\Z",
    re.IGNORECASE,
)
