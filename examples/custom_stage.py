"""A stage of your own: two methods, text in, events out; and the kit that checks it.

The kit feeds it whole texts, single characters and random chunks: the answer has to be the same.
"""

from guardstream import Event, Finding, Guard, Policy, Text
from guardstream.testing import check_stage


class NoShouting:
    """Writes words of capitals small if they are longer than an abbreviation."""

    def __init__(self, most: int = 4) -> None:
        self._most = most
        self._capitals = ""  # the first of a word: it may be an abbreviation
        self._length = 0  # of that word
        self._at = 0  # where it begins

    @property
    def held(self) -> int:
        return len(self._capitals)

    def feed(self, text: str) -> list[Event]:
        events: list[Event] = []
        for character in text:
            if character.isupper():
                events += self._capital(character)
            else:
                events += [*self.finish(), Text(character)]
                self._at += 1
        return events

    def finish(self) -> list[Event]:
        length, self._length = self._length, 0
        start, self._at = self._at, self._at + length
        if length > self._most:
            return [Finding("no-shouting", start, self._at, "mask")]
        capitals, self._capitals = self._capitals, ""
        return [Text(capitals)]

    def _capital(self, character: str) -> list[Event]:
        self._length += 1
        self._capitals += character
        if self._length <= self._most:
            return []
        capitals, self._capitals = self._capitals, ""
        return [Text(capitals.lower())]


if __name__ == "__main__":
    check_stage(NoShouting, ["LISTEN to the BBC, PLEASE", "Äh, ÄÖÜÄÖ", "x", ""], most_held=4)

    guard = Guard(Policy.parse("rules: [{id: name, words: [ann]}]"), stages=[NoShouting])
    result = guard.check("LISTEN, Ann: it is on the BBC")
    print(result.text, [finding.rule for finding in result.findings])
    assert result.text == "listen, [name]: it is on the BBC"
    assert [finding.rule for finding in result.findings] == ["no-shouting", "name"]
