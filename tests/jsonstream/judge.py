"""A slow, plain judge of JSON: where is the first character that no valid text has there?

Written from RFC 8259 alone, character by character, without looking at the lexer.
"""

from __future__ import annotations


class Bad(Exception):  # noqa: N818
    pass


class Judge:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def bad(self) -> Bad:
        return Bad(self.at)

    def look(self) -> str:
        return self.text[self.at] if self.at < len(self.text) else ""

    def take(self, allowed: str) -> str:
        char = self.look()
        if not char or char not in allowed:
            raise self.bad()
        self.at += 1
        return char

    def space(self) -> None:
        while self.look() and self.look() in " \t\r\n":
            self.at += 1

    def word(self, word: str) -> None:
        for char in word:
            self.take(char)

    def value(self) -> None:
        self.space()
        char = self.look()
        if char == "{":
            self.members()
        elif char == "[":
            self.elements()
        elif char == '"':
            self.string()
        elif char == "t":
            self.word("true")
        elif char == "f":
            self.word("false")
        elif char == "n":
            self.word("null")
        else:
            self.number()

    def members(self) -> None:
        seen = set()
        self.take("{")
        self.space()
        if self.look() == "}":
            self.at += 1
            return
        while True:
            self.space()
            name = self.string()
            if name in seen:
                self.at -= 1
                raise self.bad()
            seen.add(name)
            self.space()
            self.take(":")
            self.value()
            self.space()
            if self.take(",}") == "}":
                return

    def elements(self) -> None:
        self.take("[")
        self.space()
        if self.look() == "]":
            self.at += 1
            return
        while True:
            self.value()
            self.space()
            if self.take(",]") == "]":
                return

    def string(self) -> str:
        self.take('"')
        out = ""
        while True:
            char = self.look()
            if not char or char < " ":
                raise self.bad()
            self.at += 1
            if char == '"':
                return out
            out += self.escape() if char == "\\" else char

    def escape(self) -> str:
        char = self.take('"\\/bfnrtu')
        if char != "u":
            return dict(zip('"\\/bfnrt', '"\\/\b\f\n\r\t', strict=True))[char]
        high = self.unit("0123456789abcdefABCDEF")
        if not 0xD800 <= high < 0xDC00:
            return chr(high)
        self.word("\\u")
        low = self.unit("dD", "cdefCDEF")
        return (
            chr(high).encode("utf-16-le", "surrogatepass")
            + chr(low).encode("utf-16-le", "surrogatepass")
        ).decode("utf-16-le")

    def unit(self, first: str, second: str = "") -> int:
        hexadecimal = "0123456789abcdefABCDEF"
        digits = self.take(first)
        low_half = digits in "dD" and not second
        digits += self.take("0123456789abAB" if low_half else second or hexadecimal)
        return int(digits + self.take(hexadecimal) + self.take(hexadecimal), 16)

    def number(self) -> None:
        if self.look() == "-":
            self.at += 1
        if self.take("0123456789") != "0":
            self.digits()
        if self.look() == ".":
            self.at += 1
            self.take("0123456789")
            self.digits()
        if self.look() and self.look() in "eE":
            self.at += 1
            if self.look() and self.look() in "+-":
                self.at += 1
            self.take("0123456789")
            self.digits()

    def digits(self) -> None:
        while self.look() and self.look() in "0123456789":
            self.at += 1


def first_error(text: str) -> int | None:
    """The offset of the first error, the text's length if it ends too early, None if it is JSON."""
    judge = Judge(text)
    try:
        judge.value()
        judge.space()
        if judge.look():
            raise judge.bad()
    except Bad as bad:
        return int(bad.args[0])
    return None
