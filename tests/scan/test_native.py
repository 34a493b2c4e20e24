"""What the C extension is given is checked before anything is read by it."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator
from threading import Thread
from typing import Any
from unittest.mock import patch

import pytest

from guardstream.scan.pages import Row
from guardstream.scan.regex import dfa, forms
from guardstream.scan.regex import machine as machines_of
from guardstream.scan.regex.alphabet import CharSets
from guardstream.scan.regex.parser import parse
from guardstream.scan.regex.rows import RowProgram
from guardstream.stages.redact import RuleSet
from guardstream.stages.rules import Rule

pytestmark = pytest.mark.skipif(not forms.NATIVE, reason="the C extension is not built")


def ints(*numbers: int) -> bytes:
    return struct.pack(f"{len(numbers)}i", *numbers)


PLACE = (1, 0, 1, -1, -1, 0, 0, 0, 0, 0)
"""A place that takes a character, and leads to the second."""

MATCH = (10, 0, -1, -1, -1, 0, 1, 0, 0, 0)
PLACES = 3, ints(0, 0, 4, 0), ints(0, *PLACE, 1, *MATCH, 2, *MATCH), b""


def judged(code: int, known: int) -> tuple[bytes, bytes]:
    """Of the only set, bit 2, is `a`, whose signature is the second."""
    first = code & ~0xFF
    rows = (0, first, first | 0xFF) if first else (0, 0, 96, 1, 97, 97, 0, 98, 255)
    return ints(*rows), ints(0, 4)[4 * known :]


def machine(**given: Any) -> Any:
    """A machine of one pattern whose only set is bit 2; `a` is in it."""
    from guardstream.scan import _native

    program = (
        ints(0, 1, 2), given.pop("places", PLACES), b"", 0, 2, False, True, False, 100,
        ints(0), ints(0), ints(0), ints(0), ints(2),
    )  # fmt: skip
    parts = {
        "flags": b"\x09",
        "labels": ints(7),
        "tails": ints(-1),
        "firsts": ints(1, 2, 0, -1),
        "first_at": ints(0),
        "kept": ints(7),
        "asked": ints(0),
        "begin": ints(1),
        "tells": b"",
        "characters": _native.Characters(1, given.pop("judge", judged)),
        "load": lambda _pattern: program,
        "more": lambda _pattern, _place: PLACES,
    }
    return _native.Stream(_native.Machine(**(parts | given)))


def test_a_machine_is_made_of_tables() -> None:
    stream = machine()
    assert stream.run("bb", 0, 2) == 2
    assert not stream.due
    assert stream.run("ba", 0, 2) == 2
    assert stream.due
    assert stream.certain() == ([(7, 3, 4, 3, 0)], [])


def reader(*searches: Any, most: int = 8, unseen: Any = None) -> Any:
    from guardstream.scan import _native

    return _native.Reader(searches, [], most, unseen)


def test_what_is_certain_and_plain_is_settled_on_the_way() -> None:
    read = reader(machine())
    assert read.run("bbab", 1, 4) == (4, 0, False, [(3, 0, [(7, 1, 2)])])
    assert reader(machine(flags=b"\x01")).run("bbab", 1, 4) == (3, 1, True, None)
    assert reader(machine(tails=ints(1))).run("ba", 0, 2) == (2, 0, False, [(2, 0, [])])


def test_what_is_read_together_is_checked() -> None:
    with pytest.raises(TypeError):
        reader(machine(), object())
    with pytest.raises(ValueError, match="too many"):
        reader(*(machine() for _ in range(65)))
    for begin, end in ((-1, 1), (2, 1), (0, 3)):
        with pytest.raises(IndexError):
            reader(machine()).run("ab", begin, end)
    for method in ("feed", "read"):
        with pytest.raises(TypeError):
            getattr(reader(machine()), method)(b"ab")
    with pytest.raises(TypeError):
        reader(machine()).tail = None


def test_a_reader_takes_no_text_that_needs_care() -> None:
    assert reader(machine()).feed("") is None
    assert reader(machine(), most=2).feed("bbb") is None
    assert reader(machine(), unseen=lambda text: "\u200b" in text).feed("b\u200b") is None
    assert reader(machine(), unseen=lambda text: "\u200b" in text).feed("bé") == "bé"
    busy, full = reader(machine()), reader(machine())
    busy.busy, full.trim_at = True, -1
    assert busy.feed("b") is None
    assert full.feed("b") is None
    assert (busy.position, full.position, busy.tail) == (0, 0, "")


def test_what_fails_while_a_reader_looks_for_what_is_not_seen_is_raised() -> None:
    with pytest.raises(ZeroDivisionError):
        reader(machine(), unseen=lambda _text: 1 / 0).feed("é")


@pytest.mark.parametrize(
    "given",
    [
        {"flags": "x"},
        {"labels": b""},
        {"tails": ints(1, 2)},
        {"firsts": b"\x00"},
        {"firsts": ints(1, 99, 0, -1)},
        {"firsts": ints(1, 2)},
        {"firsts": ints(7)},
        {"firsts": ints()},
        {"first_at": ints(5)},
        {"first_at": ints(-1)},
        {"first_at": ints(0, 0)},
        {"asked": b""},
        {"begin": ints(1, 2)},
        {"tells": ints(2, 2)},
        {"tells": ints(99)},
        {"tells": b"\x00"},
    ],
    ids=str,
)
def test_a_machine_of_wrong_tables_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises((TypeError, ValueError)):
        machine(**given)


@pytest.mark.parametrize(
    "places",
    [
        None,
        (3, ints(4), PLACES[2], b""),
        (3, PLACES[1], ints(0, *PLACE)[:-4], b""),
        (3, PLACES[1], ints(9, *PLACE), b""),
        (3, PLACES[1], ints(-1, *PLACE), b""),
        (3, PLACES[1], ints(0, 11, *PLACE[1:]), b""),
        (3, PLACES[1], ints(0, 1, 7, *PLACE[2:]), b""),
        (3, PLACES[1], ints(0, 1, 0, 3, *PLACE[3:]), b""),
        (3, PLACES[1], ints(0, *PLACE[:8], 0, 1), b""),
        (3, PLACES[1], ints(0, *PLACE[:8], -1, 1), b""),
        (3, PLACES[1], ints(0, *PLACE), ints(3)),
        (1 << 29, PLACES[1], ints(0, *PLACE), b""),
        (1, PLACES[1], ints(0, *PLACE[:2], -1, *PLACE[3:]), b""),
    ],
    ids=str,
)
def test_a_program_of_wrong_tables_is_refused(places: Any) -> None:
    stream = machine(places=places, firsts=ints(0, 0, -1))
    with pytest.raises((TypeError, ValueError, OverflowError, MemoryError)):
        stream.run("ab", 0, 2)
    with pytest.raises(RuntimeError, match="cannot go on"):
        stream.run("a", 0, 1)


@pytest.mark.parametrize("found", [
        None, (1,), (ints(0, 97, 97),),
        (ints(0, 97, 97), b"x"), (ints(0, 97, 97), 0), (97, ints(0)),
        (b"", ints(0)), (b"x", ints(0)), (ints(0, 97), ints(0)),
        (ints(0, 97, 97, 0), ints(0)),
        (ints(0, 98, 99), ints(0)), (ints(0, 90, 96), ints(0)),
        (ints(0, 97, 97), b""), (ints(1, 97, 97), ints(0)),
        (ints(0, -1, 97), ints(0)), (ints(0, 97, 256), ints(0)), (ints(0, 97, 600), ints(0)),
        (ints(0, 97, 97, 60_000, 98, 98), ints(0)),
        (ints(0, 97, 97, -1, 98, 98), ints(0)),
    ],
)  # fmt: skip
def test_wrong_rows_of_a_page_are_refused(found: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        machine(judge=lambda _code, _known: found).run("a", 0, 1)


def test_signatures_are_whole() -> None:
    from guardstream.scan import _native

    wide = {"kept": ints(7, 0), "asked": ints(0, 0), "begin": ints(1, 0), "flags": b""}
    wide |= {"labels": b"", "tails": b"", "firsts": b"", "first_at": b""}
    found = ints(0, 97, 97), ints(0, 0, 1)
    characters = _native.Characters(2, lambda _code, _known: found)
    with pytest.raises(ValueError, match="cut off"):
        machine(**wide, characters=characters).run("a", 0, 1)


def test_a_machine_is_made_with_what_is_known_of_characters() -> None:
    from guardstream.scan import _native

    with pytest.raises(TypeError):
        machine(characters=object())
    with pytest.raises(ValueError, match="out of range"):
        _native.Characters(0, judged)
    with pytest.raises(ValueError, match="cut off"):
        machine(characters=_native.Characters(2, judged))


def test_machines_that_share_characters_ask_for_a_page_once() -> None:
    from guardstream.scan import _native

    asked: list[tuple[str, int]] = []

    def judge(code: int, known: int) -> tuple[bytes, bytes]:
        asked.append((chr(code), known))
        return judged(code, known)

    characters = _native.Characters(1, judge)
    for _ in range(2):
        stream = machine(characters=characters)
        stream.run("bcé\u0100\u01ff", 0, 5)
        assert stream.run("xab", 0, 3) == 2
        assert stream.due
    assert asked == [("b", 0), ("\u0100", 2)]


def test_characters_that_a_machine_does_not_tell_apart_are_of_one_class() -> None:
    stream = machine(kept=ints(0))
    assert stream.run("a", 0, 1) == 1
    assert not stream.due


def test_what_another_thread_has_given_meanwhile_is_given_again() -> None:
    from guardstream.scan import _native

    streams = []

    def judge(code: int, known: int) -> tuple[bytes, bytes]:
        if len(streams) == 1:
            # Another one asks while the first waits for its answer.
            streams.append(machine(characters=characters))
            assert streams[1].run("a", 0, 1) == 1
        if code < 0x100:
            return judged(code, known)
        return ints(2, 0x100, 0x1FF), ints(0, 4, 4)[4 * known :]

    characters = _native.Characters(1, judge)
    streams.append(machine(characters=characters))
    assert streams[0].run("ba", 0, 2) == 2
    assert streams[0].due
    assert streams[1].due
    assert streams[0].certain() == ([(7, 1, 2, 1, 0)], [])
    assert streams[0].run("b\u0100", 0, 2) == 2
    assert streams[0].certain() == ([(7, 3, 4, 3, 0)], [])


def test_a_page_may_be_asked_for_while_the_same_thread_judges_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from guardstream.scan.regex.native import NativeSets

    sets = NativeSets()
    sets.bit("a")
    sets.bit(r"\d")
    stream, other = machine(characters=sets.native), machine(characters=sets.native)
    rows = sets.rows

    def interrupted(character: str) -> Iterator[Row[int]]:
        for number, row in enumerate(rows(character)):
            if character == "b" and number == 1:  # as by the handler of a signal
                other.run("\u0660a", 0, 2)
            yield row

    monkeypatch.setattr(sets, "rows", interrupted)
    reading = Thread(target=stream.run, args=("b\u0660a", 0, 3), daemon=True)
    reading.start()
    reading.join(timeout=30)
    assert not reading.is_alive()
    assert stream.certain() == ([(7, 2, 3, 2, 0)], [])
    assert other.certain() == ([(7, 1, 2, 1, 0)], [])


def test_a_part_that_is_not_in_the_text_is_refused() -> None:
    stream = machine()
    for begin, end in ((-1, 1), (2, 1), (0, 3)):
        with pytest.raises(IndexError):
            stream.run("ab", begin, end)
    for number in (-1, 1):
        with pytest.raises(ValueError, match="out of range"):
            stream.began(number)
        with pytest.raises(ValueError, match="out of range"):
            stream.keep(number, [])
        with pytest.raises(ValueError, match="out of range"):
            stream.take(number, True)
    with pytest.raises(TypeError):
        stream.keep(0, [None])
    with pytest.raises(IndexError):
        stream.restart(0, "ab", 2, 1, 0, False, -1)


@pytest.mark.parametrize("offset", [1 << 60, -(1 << 60), (1 << 63) - 1, -(1 << 63)])
def test_an_offset_that_no_text_has_is_refused(offset: int) -> None:
    stream = machine()
    stream.run("b", 0, 1)
    for refused in (
        lambda: stream.lose(0, offset),
        lambda: stream.drop(0, offset),
        lambda: stream.keep(0, [(0, 0, 0, offset, False, False)]),
        lambda: stream.restart(0, "b", 0, 0, offset, False, -1),
        lambda: stream.restart(0, "b", 0, 0, 0, False, offset),
    ):
        with pytest.raises(ValueError, match="no text is as long"):
            refused()


def test_matches_are_kept_all_or_none() -> None:
    stream, match = machine(), (0, 0, 0, 1, False, False)
    stream.keep(0, [match])
    for matches in ([None], [(0, 0, 0, 2, False)]):
        with pytest.raises(TypeError):
            stream.keep(0, matches)
    assert stream.open_matches(0) == [match]


def test_the_first_match_is_taken_once_it_is_older_than_all_candidates() -> None:
    stream = machine()
    assert stream.take(0, True) is None
    first, second = (0, 0, 0, 1, False, False), (0, 5, 5, 7, True, False)
    stream.keep(0, [first, second])
    assert stream.take(0, False) == first
    assert stream.open_matches(0) == [second]
    assert stream.take(0, False) is None
    assert stream.take(0, True) == second
    assert stream.open_matches(0) == []


def test_matches_may_be_let_go_of_while_they_are_read() -> None:
    stream = machine()

    class Clearing:
        def __bool__(self) -> bool:
            matches.clear()
            return False

    matches = [(0, 0, 0, 1, Clearing(), False), (0, 0, 0, 2, False, False)]
    stream.keep(0, matches)
    assert [end for _, _, _, end, _, _ in stream.open_matches(0)] == [1, 2]


def test_a_stream_that_reads_is_not_read_meanwhile() -> None:
    found: list[str] = []

    def judge(code: int, known: int) -> tuple[bytes, bytes]:
        with pytest.raises(RuntimeError, match="one reader"):
            stream.run("a", 0, 1)
        found.append("refused")
        return judged(code, known)

    stream = machine(judge=judge)
    stream.run("x", 0, 1)
    assert found == ["refused"]


@pytest.mark.parametrize("taken", ["unread", "hits", "failures", "lost"])
def test_nothing_is_taken_from_a_stream_that_reads(taken: str) -> None:
    def judge(code: int, known: int) -> tuple[bytes, bytes]:
        with pytest.raises(RuntimeError, match="one reader"):
            getattr(first, taken)()
        return judged(code, known)

    first = machine(flags=b"\x03")
    second = machine(judge=judge)
    assert reader(first, second).run("a", 0, 1)[2]
    assert len(first.hits()) == 1


def test_a_stream_of_words_needs_a_table_and_a_state_in_it() -> None:
    from guardstream.scan import _native

    def classify(code: int) -> tuple[int, int, bool, bytes]:
        return 0, -1, True, ints(0, code, code)

    none = _native.WordList([])
    table = _native.WordTable(classify, lambda *_given: (table, 7), [], none, none, True)
    assert table.add(None, 0, False, None) == 0
    with pytest.raises(TypeError):
        table.add(None, 0, False, (1, 0, True))
    with pytest.raises(ValueError, match="out of range"):
        table.live(1)
    for place in (None, (table, 1), (table, -1), (object(), 0)):
        with pytest.raises((TypeError, ValueError)):
            _native.WordStream(place)
    with pytest.raises(ValueError, match="out of range"):
        _native.WordStream((table, 0)).run("a", 0, 1)
    with pytest.raises(ValueError, match="out of range"):
        table.link(0, 0, 1)


def test_where_no_word_is_complete_python_is_not_asked() -> None:
    from guardstream.scan import _native

    asked = []

    def build(table: object, _node: int, number: int) -> tuple[object, int]:
        asked.append(number)
        return table, 0

    table = _native.WordTable(
        lambda code: (code, code if code < 256 else -1, code != ord(" "), ints(code, code, code)),
        build,
        [],
        _native.WordList(["abcd", "bb", "Ω"]),
        _native.WordList(["cdx", "dc"]),
        True,
    )
    python = None
    assert table.add("asks", 0, True, None) == 0
    assert table.add("begin", 0, False, ("", 0, False)) == 1
    for node, text, led in (
        (1, "a", ("a", 1, True)),
        (2, "b", ("ab", 1, True)),
        (3, "c", ("abc", 1, True)),
        (4, "d", python),  # the word is complete
        (4, "x", ("", 0, True)),
        (4, " ", ("", 0, False)),
        (5, "a", ("", 0, True)),  # no word begins within another
        (5, "d", ("d", 0, True)),  # but those that need not stand alone
        (3, "d", ("d", 0, True)),
        (6, "c", python),
        (2, "Ω", python),
        (0, "a", python),
    ):
        stream = _native.WordStream((table, node))
        asked.clear()
        stream.run(text, 0, 1)
        assert (asked, table.live(stream.place[1])) == (
            ([ord(text)], None) if led is python else ([], led)
        )
    assert table.states == ["asks", "begin", *[None] * 5]
    assert table.add("again", 1, False, ("d", 0, True)) == 6
    assert table.add("found", 1, True, ("d", 0, True)) == 7
    assert table.states == ["asks", "begin", *[None] * 4, "again", "found"]


@pytest.mark.parametrize("words", [[1], ["a", None], ["b", "a"], ["ab", "aa"], ["ba", "b"]])
def test_what_is_no_list_of_words_is_refused(words: list[Any]) -> None:
    from guardstream.scan import _native

    with pytest.raises(ValueError, match="a list of words"):
        _native.WordList(words)


def test_a_table_of_words_needs_lists_of_words() -> None:
    from guardstream.scan import _native

    words = _native.WordList(["a"])
    for whole, parts in (([], words), (words, ["a"])):
        with pytest.raises(TypeError, match="lists of words"):
            _native.WordTable(print, print, [], whole, parts, True)


@pytest.mark.parametrize("seed", range(50))
def test_which_texts_live_is_read_off_the_words(seed: int) -> None:
    from guardstream.scan import _native

    rng = random.Random(seed)
    letters = "ab\u4e00\U0001f600"

    def texts(count: int, longest: int) -> set[str]:
        return {"".join(rng.choices(letters, k=rng.randint(1, longest))) for _ in range(count)}

    words = ["", *sorted(texts(rng.randint(0, 30), 5))]
    table = _native.WordTable(
        lambda code: (number := letters.index(chr(code)), code, False, ints(number, code, code)),
        lambda *_given: (table, 0),
        [],
        _native.WordList([]),
        _native.WordList(words),
        True,
    )
    assert table.add("python", 0, False, None) == 0
    for text in texts(60, 5):
        node = table.add(None, 0, False, (text[:-1], 0, False))
        stream = _native.WordStream((table, node))
        stream.run(text[-1], 0, 1)
        ends = [text[begin:] for begin in range(len(text))]
        lives = [end for end in ends if any(word.startswith(end) for word in words)]
        if not set(ends) & set(words):
            live = lives[0] if lives else ""
            # A word may begin at the last letter, since the one before it continues none.
            assert table.live(stream.place[1]) == (live, 1 << len(live) >> 1, False)
        else:
            assert stream.place[1] == 0


CHAR = (0, 0, 1, -1, 0, 0, 0, 0, 0, 0)
"""A step that takes a character, and leads to the second."""

END = (10, 0, -1, -1, 0, 0, 0, 0, 0, 0)


def matcher(*steps: tuple[int, ...], ways: bytes = b"", sets: int = 1, **given: Any) -> Any:
    """A matcher whose only set is that of `a`."""
    from guardstream.scan import _native

    classify = given.get("classify", lambda code: ints(code == ord("a")))
    return _native.Matcher(ints(*sum(steps, ())), ways, b"", 0, sets, classify)


def test_a_matcher_is_made_of_tables() -> None:
    assert matcher(CHAR, END).run("ba", 0, 1, -1, False, 0, 2, 9) == (2, [], False, 2)
    assert matcher(CHAR, END).run("ba", 0, 0, -1, False, 0, 2, 9) == (-2, [], False, 1)
    assert matcher(CHAR, END).run("a", 0, 0, -1, False, 0, 1, 1)[0] == -3


@pytest.mark.parametrize(
    "steps",
    [
        (),
        (CHAR,),
        ((11, *CHAR[1:]), END),
        ((0, 32, *CHAR[2:]), END),
        ((0, 0, 2, *CHAR[3:]), END),
        ((*CHAR[:4], 1, *CHAR[5:]), END),
        ((*CHAR[:5], 1, *CHAR[6:]), END),
        ((*CHAR[:7], 2, *CHAR[8:]), END),
        ((*CHAR[:8], -1, 0), END),
        ((8, *CHAR[1:]), END),
        ((2, *CHAR[1:]), END),
        ((5, *CHAR[1:6], -1, *CHAR[7:]), END),
        (CHAR[:-1], END),
    ],
    ids=str,
)
def test_a_matcher_of_wrong_tables_is_refused(steps: tuple[tuple[int, ...], ...]) -> None:
    with pytest.raises(ValueError, match=r"cut off|out of range"):
        matcher(*steps)


def test_a_matcher_of_too_many_sets_is_refused() -> None:
    with pytest.raises(ValueError, match="cut off"):
        matcher(CHAR, END, sets=(1 << 31) - 1)


def test_what_a_matcher_reads_is_checked() -> None:
    sound = matcher(CHAR, END)
    for first, start, low, high in ((2, 0, 0, 1), (0, 2, 0, 1), (0, 0, 1, 1), (0, 0, 0, 2)):
        with pytest.raises(ValueError, match=r"not in it|out of range"):
            sound.run("a", first, start, -1, False, low, high, 9)
    for given in (None, b"", b"abc", ints(1, 2)):
        with pytest.raises(ValueError, match=r"cut off|sets"):
            matcher(CHAR, END, classify=lambda _code, given=given: given).run(
                "a", 0, 0, -1, False, 0, 1, 9
            )


def test_a_reference_reads_nothing_before_the_part_that_is_known() -> None:
    """What reads it would show in `make sanitize` alone."""
    opens, closes = (3, 0, 1, -1, 0, 0, 1, 0, 0, 0), (4, 0, 3, -1, 0, 0, 1, 0, 0, 0)
    behind, refers = (8, 0, 4, 5, 0, 0, 0, 0, 4, 4), (5, 0, 6, -1, 0, 0, 1, 0, 0, 0)
    steps = opens, (0, 0, 2, *CHAR[3:]), closes, behind, END, refers, END
    assert matcher(*steps).run("xxxxaxx", 0, 4, -1, False, 4, 7, 99)[0] == -2


# What a pattern is compiled to


def compiled(pattern: str) -> Any:
    return RowProgram(parse(pattern).tree, CharSets())


def test_a_compiled_place_is_let_go_once_it_is_a_row() -> None:
    places = compiled(r"key[\w-]{2,4}!").places
    assert not any((places.kinds, places.conditions, places.after, places.ways))


def test_the_places_of_a_counter_that_is_written_out_later_are_kept() -> None:
    places = compiled(r"key[\w-]{20,400}!").places
    assert places.unwritten
    assert len(places) == len(places.distances)


def test_a_place_may_be_asked_for_by_two_threads() -> None:
    program = compiled(r"key[\w-]{300}!")
    [place], before = program.places.unwritten, len(program.places)
    asked = [program.more(place) for _ in range(2)]
    rows = [struct.unpack_from("11i", places) for _, _, places, _ in asked]
    assert [row[0] for row in rows] == [place, place]
    assert [count for count, *_ in asked] == [len(program.places), len(program.places)]
    assert len(program.places) > before


def test_what_was_written_out_for_one_search_is_given_to_another() -> None:
    program = compiled(r"key[\w-]{300}!")
    [late], before = program.places.unwritten, len(program.places)
    program.more(late)
    for place in set(range(before, len(program.places))) - set(program.places.unwritten):
        _, _, rows, _ = program.more(place)
        assert struct.unpack_from("11i", rows)[0] == place


def test_a_large_choice_is_written_out_when_the_text_reaches_it() -> None:
    words = "|".join(f"word{number}" for number in range(1_000))
    program = compiled(rf"please\s+(?:{words})!")
    [place] = program.places.unwritten
    assert len(program.places) < 20
    program.more(place)
    assert len(program.places) > 5_000


def test_a_large_choice_at_a_fixed_distance_is_written_out_at_once() -> None:
    words = "|".join(f"word{number}" for number in range(100))
    assert not compiled(rf"please (?:{words})!").places.unwritten


def test_what_is_written_out_late_has_asked_for_its_sets_before() -> None:
    ways = "|".join(rf"{letter}\b(?<=[{letter}Q]\w?)[^R]{{2}}" for letter in "abcdefghijk")
    sets = CharSets()
    program = RowProgram(parse(rf"x+(?:{ways})").tree, sets)
    width, mask = sets.width, program.mask
    for place in list(program.places.unwritten):
        program.more(place)
    assert (sets.width, program.mask) == (width, mask)


# What is kept


def test_an_automaton_of_few_large_states_is_not_built_again_for_each_character(form: str) -> None:
    if form == "python":
        pytest.skip("only the extension counts what the closures take")
    machines: list[forms.native.NativeMachine] = []

    class Machine(forms.native.NativeMachine):
        def __init__(self, shared: machines_of.Machine) -> None:
            super().__init__(shared)
            machines.append(self)

    with (
        patch.object(forms.native, "NativeMachine", Machine),
        patch.object(dfa, "MAX_WEIGHT", 4_000),
    ):
        stage = RuleSet([Rule("p", patterns=("x(?:|a){80}c",))]).stage()
    sizes = []
    for character in 4 * "xab":
        stage.feed(character)
        sizes.append(machines[0].native.size)
    assert sizes == sorted(sizes)
