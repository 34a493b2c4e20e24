"""Strings in unknown text that is JSON: what comes out is unchanged or masked however readers join
them."""

from __future__ import annotations

import gc
import json
import random
import re
from collections.abc import Sequence

import pytest

from guardstream import Guard, Policy
from guardstream.events import Event, Finish
from guardstream.stream.flows.checks import CachedCheck
from guardstream.stream.flows.nested.strings import strings
from guardstream.stream.flows.nested.values import Nested, Open, values_beside
from guardstream.stream.flows.unknown import UnknownTexts

GUARD = Guard(
    Policy.parse(
        """
rules:
  - {id: owl, words: [grey owl, greyowl], replacement: "*"}
  - {id: long, pattern: '[0-9]{9,12}'}
  - {id: seen, words: [red kite], action: monitor}
"""
    )
)


def guarded(values: Sequence[str], guard: Guard = GUARD) -> tuple[list[str], list[str]]:
    stream = guard.wrap_sync([{"note": value} for value in values])
    return [each["note"] for each in stream], [found.rule for found in stream.findings]


@pytest.mark.parametrize(
    ("first", "second", "shown"),
    [
        ('{"a~": "so grey"}', '{"a~": "owl so"}', '{"a~": "[owl]"}'),
        (
            '{"a.b": "so grey", "a": {"b": "no"}}',
            '{"a.b": "owl so", "a": {"b": "yes"}}',
            '{"a.b": "[owl]", "a": {"b": "yes"}}',
        ),
        ('["so grey", "no"]', '["owl so", "yes"]', '["[owl]", "yes"]'),
        ('["grey", "grey"]', '["yes", "owl"]', '["yes", "[owl]"]'),
        (
            '[{"index": 1, "t": "so grey"}, {"index": 0, "t": "no"}]',
            '[{"t": "yes", "index": 0}, {"t": "owl so", "index": 1}]',
            '[{"t": "yes", "index": 0}, {"t": "[owl]", "index": 1}]',
        ),
        (
            '{"a": "no", "a": "so grey"}',
            '{"a": "yes", "a": "owl so"}',
            '{"a": "yes", "a": "[owl]"}',
        ),
        (
            f'{"[" * 99}{{"a": "so grey", "b": "no"}}{"]" * 99}',
            f'{"[" * 99}{{"a": "owl so", "b": "yes"}}{"]" * 99}',
            f'{"[" * 99}{{"a": "[owl]", "b": "yes"}}{"]" * 99}',
        ),
    ],
    ids=["tilde", "dot", "position", "same", "index", "twice", "deep"],
)
def test_a_match_is_found_where_other_strings_are_between(
    first: str, second: str, shown: str
) -> None:
    assert guarded([first, second]) == ([first, shown], ["owl"])


def test_a_match_is_found_where_other_kinds_are_between() -> None:
    values = [
        '{"type": "one", "t": "so grey"}',
        '{"type": "two", "t": "no"}',
        '{"t": "owl so", "type": "one"}',
    ]
    assert guarded(values)[0] == [*values[:2], '{"t": "[owl]", "type": "one"}']


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ('\ufeff{"a": "gre\\u0079owl"}', '\ufeff{"a": "*******"}'),
        ('{"a": 1}\n{"a": "gre\\u0079owl"}\n', '{"a": 1}\n{"a": "*******"}\n'),
        (r'[-0.5e3, NaN, "gre\u0079owl"]', '[-0.5e3, NaN, "*******"]'),
        (r'{"a": "gre\u0079owl, and', '{"a": "*******, and'),
        (r'{"gre\u0079owl', '{"*******'),
        (r'["gre\u0079owl", fal', '["*******", fal'),
        (r'["gre\u0079owl \u00', r'["******* \u00'),
    ],
    ids=["mark", "lines", "numbers", "open", "open-key", "open-word", "open-escape"],
)
def test_escapes_hide_nothing(value: str, shown: str) -> None:
    assert guarded([value]) == ([shown], ["owl"])


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ('data: {"a": "grey\\u006fwl"}\n\n', 'data: {"a": "*******"}\n\n'),
        ('\ufeffdata:"grey\\u006fwl"', '\ufeffdata:"*******"'),
        (
            'id: 1\r\ndata: {"a":\r\ndata: "grey\\u006fwl"}',
            'id: 1\r\ndata: {"a":\r\ndata: "*******"}',
        ),
        (': so\n\ndata: {"a": "no grey\\u0020owl, s', ': so\n\ndata: {"a": "no ********, s'),
        ('wl"}\n\ndata: {"a": "grey\\u006fwl"}\n\n', 'wl"}\n\ndata: {"a": "*******"}\n\n'),
        ("data: so grey\n\ndata: owl\n\n", "data: so grey\n\ndata: [owl]\n\n"),
        ("data: so\ndata: grey\n\ndata:  owl\n\n", "data: so\ndata: grey\n\ndata: [owl]\n\n"),
        ("data: grey owl\ndata: so\n\ndata: [DONE]", "data: ********\ndata: so\n\ndata: [DONE]"),
        ("data: so\nid: 1\ndata: grey owl\n\n", "data: so\nid: 1\ndata: ********\n\n"),
        ("data: [so grey] grey owl\n\n", "data: [so grey] ********\n\n"),
        ('{"d": "data: \\"grey\\\\u006fwl\\"\\n\\n"}', '{"d": "data: \\"*******\\"\\n\\n"}'),
    ],
)
def test_events_hide_nothing(value: str, shown: str) -> None:
    assert guarded([value]) == ([shown], ["owl"])
    (out,) = GUARD.wrap_sync([{"note": value.encode()}])
    assert out == {"note": shown.encode()}


@pytest.mark.parametrize(
    ("first", "between", "second", "shown"),
    [
        *(
            (f'data: {{"a": "so grey"}}{end}', "", f'data: {{"a": "owl so"}}{end}', "[owl]")
            for end in ("\n\n", "\r\n\r\n", "")
        ),
        (
            'event: one\ndata: {"a": "so grey"}\n\n',
            'event: two\ndata: {"a": "no"}\n\n',
            'data: {"a": "owl so"}\nevent: one\n\n',
            "[owl]",
        ),
        ("data: so grey\n\n", ": ping\n\n", "data: owl so\n\n", "[owl]"),
    ],
)
def test_a_match_is_found_across_events(first: str, between: str, second: str, shown: str) -> None:
    values = [each for each in (first, between, second) if each]
    assert guarded(values) == ([*values[:-1], second.replace("owl so", shown)], ["owl"])


def test_events_that_were_framed_twice_hide_nothing() -> None:
    value = 'data: data: {"a": "grey\\u006fwl"}\ndata: \n\n'
    assert guarded([value]) == ([value.replace("grey\\u006fwl", "*******")], ["owl"])


def test_any_number_of_fields_of_data_in_a_line_is_guarded() -> None:
    fields = "data:" * 5000
    assert guarded([fields + "so grey owl"]) == ([fields + "so ********"], ["owl"])


@pytest.mark.parametrize("frame", ["data: {}\n\n", "{}\n"])
@pytest.mark.parametrize("others", [0, 40])
@pytest.mark.parametrize(
    "event", ['{"id": %d, "t": "%s"}', '{"agent": {"id": %d}, "parts": [{"t": "%s"}]}']
)
def test_texts_that_interleave_in_one_value_are_told_apart(
    frame: str, others: int, event: str
) -> None:
    told = [*["so "] * others, "gr", "no", "ey", "no", " owl", "no"]
    written = [frame.replace("{}", event % (nr % 2, text)) for nr, text in enumerate(told)]
    shown = "".join(written).replace('" owl"', '"[owl]"')
    assert guarded(["".join(written)]) == ([shown], ["owl"])


@pytest.mark.parametrize("form", ["%s", '{"items": %s}', "data: %s\n\n", '[{"of": %s}]'])
def test_items_of_a_long_list_are_told_apart_wherever_they_are_in_it(form: str) -> None:
    told = [["gr", "ey", " owl"] for _ in range(40)]
    rng = random.Random(1)
    values = []
    for turn in range(3):
        items = [{"id": nr, "t": pieces[turn]} for nr, pieces in enumerate(told)]
        rng.shuffle(items)
        values.append(form % json.dumps(items))
    shown = values[-1].replace('" owl"', '"[owl]"')
    assert guarded(values) == ([*values[:-1], shown], ["owl"] * 40)


@pytest.mark.parametrize("item", ['"t": "%s"', '"d": {"t": "%s"}', '"of": [{"d": {"t": "%s"}}]'])
def test_items_of_one_long_list_are_told_apart_however_deep_their_text_is(item: str) -> None:
    told = [*["so "] * 40, "gr", "no", "ey", "no", " owl", "no"]
    value = ", ".join(f'{{"id": {nr % 2}, {item % text}}}' for nr, text in enumerate(told))
    assert guarded([f"[{value}]"]) == ([f"[{value.replace(' owl', '[owl]')}]"], ["owl"])


def test_a_line_end_in_a_replacement_ends_no_event() -> None:
    policy = Policy.parse('rules: [{id: owl, words: [grey owl], replacement: "an\\n\\nowl"}]')
    assert guarded(["data: grey owl\n\n"], Guard(policy))[0] == ["data: an\ndata: \ndata: owl\n\n"]


def test_a_number_of_any_length_hides_nothing() -> None:
    guard = Guard(Policy.parse("rules: [{id: owl, words: [greyowl], replacement: '*'}]"))
    value = '{"a": ' + "1" * 5000 + r', "b": "gre\u0079owl"}'
    assert guarded([value], guard)[0] == [value.replace(r"gre\u0079owl", "*******")]


@pytest.mark.parametrize(
    "value",
    [
        *('{"a" "greyow"}', "[1 2]", '["a",]', '{"a":1,2}', '{1: "a"}', "[01]", '["a"] so', "[}"),
        *('"so', '{"a": "b"', '["\\', '{"\ud800": "\\udfff"}', "", " ", '"', "[", '{"a": tru'),
    ],
)
def test_what_nothing_is_found_in_passes(value: str) -> None:
    assert guarded(["so", value, "so"]) == (["so", value, "so"], [])


def test_what_is_no_json_has_no_strings() -> None:
    values = ['{"a" "b"}', "[1 2]", '["a",]', '{"a": 1, 2}', '["a"] so', '["a"}', '"so', '["\\x"]']
    assert [strings(value).values for value in values] == [()] * len(values)


def test_rules_do_not_see_their_own_replacements() -> None:
    guard = Guard(Policy.parse("rules: [{id: owl, words: [owl]}, {id: long, pattern: '[0-9]{9}'}]"))
    value = r'{"a": "ow\u006c", "n": 123456789, "b": "ow\u006c"}'
    assert guarded([value], guard) == (
        ['{"a": "[owl]", "n": "[long]", "b": "[owl]"}'],
        ["owl", "long", "owl"],
    )


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ('{"n": 123456789}', '{"n": "[long]"}'),
        ('{"a": [1, -123456789, 2.5e9], "b": 1}', '{"a": [1, "-[long]", 2.5e9], "b": 1}'),
        ('[{"n": 123456789', '[{"n": "[long]"'),
        ('{"pin": 1234, "n": 1234}', '{"pin": "[pin]", "n": 1234}'),
        ('{"n": 123456789, "end": 1, "m": 2}', '{"n": [long], '),
    ],
)
def test_a_number_that_is_masked_becomes_a_string(value: str, shown: str) -> None:
    rules = """
rules:
  - {id: long, pattern: '[0-9]{9}'}
  - {id: pin, pattern: '"pin": (?<pin>[0-9]{4})', group: pin}
  - {id: end, pattern: '"end": 1', action: block}
"""
    shadowed = Guard(Policy.parse(f"mode: shadow\n{rules}"))
    assert guarded([value], Guard(Policy.parse(rules)))[0] == [shown]
    assert guarded([value], shadowed)[0] == [value]


def test_a_rule_blocks_for_a_number_that_another_masks() -> None:
    rules = """
rules:
  - {id: long, pattern: '[0-9]{9}'}
  - {id: end, pattern: '"n": [0-9]{9}', action: block}
"""
    assert guarded(['{"n": 123456789}'], Guard(Policy.parse(rules))) == (["{"], ["long", "end"])


def test_numbers_in_a_row_are_no_match() -> None:
    values = ['{"n": 12345}', '{"n": 67890}']
    assert guarded(values) == (values, [])


def test_what_is_masked_as_written_hides_the_strings_in_it() -> None:
    rules = """
rules:
  - {id: owl, words: [owl], replacement: "*"}
  - {id: pair, pattern: '"k": "[^"]*"'}
"""
    value = r'{"k": "ow\u006c", "l": "ow\u006c"}'
    assert guarded([value], Guard(Policy.parse(rules)))[0] == ['{[pair], "l": "***"}']


def test_a_block_as_written_shows_no_hidden_string() -> None:
    rules = """
rules:
  - {id: owl, words: [owl], replacement: "*"}
  - {id: end, pattern: '"k": 1', action: block}
"""
    value = r'{"a": "ow\u006c", "k": 1, "l": "ow\u006c"}'
    stream = Guard(Policy.parse(rules)).wrap_sync([{"note": value}])
    assert [each["note"] for each in stream] == ['{"a": "***", ']
    assert stream.blocked_by == "end"


def test_each_finding_counts_once() -> None:
    value = r'{"a": "red kite", "b": "red k\u0069te", "c": "red kite"}'
    assert guarded([value]) == ([value], ["seen"] * 3)


def test_each_finding_counts_once_in_shadow() -> None:
    rules = "mode: shadow\nrules: [{id: owl, words: [owl]}, {id: kite, words: [kite]}]"
    value = r'{"a": "kite ow\u006c", "b": "owl"}'
    assert guarded([value], Guard(Policy.parse(rules))) == ([value], ["owl", "kite", "owl"])


def test_names_that_recur_in_a_list_are_no_text() -> None:
    guard = Guard(Policy.parse("rules: [{id: key, pattern: '[a-z]{40,}'}]"))
    values = ['[{"role": "assistant"}, {"role": "assistant"}]'] * 400
    assert guarded(values, guard) == (values, [])


def test_paths_do_not_grow_with_keys() -> None:
    value = json.dumps({"k" * 100_000: {"l" * 100_000: ["a", "b"]}})
    found = [each for each in strings(value).values if not each.is_key]
    assert len({each.path for each in found}) == 1
    assert all(len(each.path) + len(each.place) < 1000 for each in found)


def test_what_is_read_leaves_no_cycles() -> None:
    value = '[{"a": {"b": "c"}, "d": ["e"]}]' * 9
    gc.collect()
    gc.disable()
    try:
        assert strings(value).values
        assert gc.collect() == 0
    finally:
        gc.enable()


def test_json_that_nests_without_end_is_read() -> None:
    deep = '{"a": [' * 20_000 + r'"gre\u0079owl"' + "]}" * 20_000
    assert guarded([deep])[0] == [deep.replace(r"gre\u0079owl", "*******")]


def test_text_that_comes_again_is_not_read_again() -> None:
    checked = 0

    def check(text: str) -> list[Event]:
        nonlocal checked
        checked += len(text)
        session = GUARD.session()
        events = [*session.feed(text), *session.finish()]
        return [each for each in events if each != Finish("stop")]

    texts = UnknownTexts(CachedCheck(check), 64, lambda: False)
    value = json.dumps([{"id": f"id-{number}", "text": "so it goes"} for number in range(300)])
    for _ in range(3):
        texts.judge("$.note", value)
    before = checked
    texts.judge("$.note", value)
    assert checked - before < len(value) / 2


def test_what_is_cached_of_texts_with_findings_is_bounded() -> None:
    values = [f'["greyowl {number} {"so " * 9000}"]' for number in range(12)]
    shown, found = guarded([*values, *values])
    assert shown == [value.replace("greyowl", "*******") for value in [*values, *values]]
    assert found == ["owl"] * 24


@pytest.mark.parametrize("value", ["so owl so", r'{"a": "so ow\u006c so"}'])
def test_a_stop_ends_a_stream_of_no_known_format(value: str) -> None:
    guard = Guard(Policy.parse("rules: [{id: owl, words: [owl], action: stop}]"))
    stream = guard.wrap_sync([{"note": value}, {"note": "unread"}])
    assert "unread" not in str(list(stream))
    assert stream.finish == "stop"


@pytest.mark.parametrize(
    "value", ['{"a": "\ufdd0", "b": "ow\\u006c"}', '{"a": "ow\\u006c", "k": "ow\\u006c"}']
)
def test_hidden_strings_become_empty_where_it_is_not_plain_which_are_left(value: str) -> None:
    rules = """
rules:
  - {id: owl, words: [owl], replacement: "*"}
  - {id: pair, pattern: '"k": "[^"]*"}', replacement: {keep: {first: 0, last: 4}}}
"""
    (shown,), _ = guarded([value], Guard(Policy.parse(rules)))
    assert '"a": ""' in shown


FRAMES = {
    "events": "data: {}\n\n",
    "named": "event: so\r\ndata: {}\r\n\r\n",
    "lines": "{}\n",
    "list": "{},",
    "strings": "data: {}\n\n",
}


def framed(frame: str, pieces: Sequence[str], rng: random.Random) -> str:
    """Return pieces of a text as a server sends them, with any of their characters escaped."""
    escaped = [
        "".join(f"\\u{ord(each):04x}" if rng.random() < 0.3 else each for each in piece)
        for piece in pieces
    ]
    form = '"%s"' if frame == "strings" else '{"type":"so","d":[1,{"t":"%s"},[{}]],"index":0}'
    sent = "".join(FRAMES[frame].replace("{}", form % each, 1) for each in escaped)
    return f"[{sent[:-1]}]" if frame == "list" else sent


def said(text: str) -> str:
    """Return the strings in what a server sent, joined."""
    written = re.findall(r'(?:data: |"t":)("(?:[^"\\]|\\.)*")', text)
    return "".join(json.loads(each) for each in written)


@pytest.mark.parametrize("frame", FRAMES)
@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("sources", [1, 3])
def test_what_is_cut_anywhere_goes_on_in_the_next_value(
    frame: str, seed: int, sources: int
) -> None:
    rng = random.Random(seed)
    pieces = ["so gr", "e", "y", " owl so ", "a grey", " o", "wl \U0001f989", " so"]
    left: list[tuple[int, str]] = [(nr, framed(frame, pieces, rng)) for nr in range(sources)]
    most = rng.choice([1, 3, 10, 60, 400])
    chunks: list[dict[str, object]] = []
    while left:
        nr, text = left.pop(rng.randrange(len(left)))
        size = rng.randint(1, most)
        chunks.append({"source": nr, "part": text[:size]})
        if text[size:]:
            left.append((nr, text[size:]))
    out = ["" for _ in range(sources)]
    guard = Guard(Policy.parse("rules: [{id: owl, words: [grey owl]}]"))
    for chunk in guard.wrap_sync(chunks):
        out[int(str(chunk["source"]))] += str(chunk["part"])
    assert not any("grey owl" in said(each) for each in out)
    assert all(said(each).endswith(" so") for each in out)


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        (['{"a": "so gr', 'ey owl so"}'], '[owl]"}'),
        (['{"a": "so gr\\u00', '65y owl so"}'], 'aa[owl]"}'),
        (['{"a": "so gr\\', 'u0065y owl so"}'], 'uaaaa[owl]"}'),
        (['data: {"a": "so grey"}\n\ndata: {"a', '": " owl"}\n\n'], '": "[owl]"}\n\n'),
        (['[{"a": "so grey"}', ', {"a": " owl"}]'], ', {"a": "[owl]"}]'),
        (['{"gr\\u0065', 'yowl": 1}'], '[owl]": 1}'),
        (['{"a": "\\ud83e\\udd89 grey\\ud83e', '\\udd89"}'], '\\udcaa[emoji]"}'),
        (["data: so grey\r\n\r\ndata: no\r", "\n\r\ndata:  owl\r\n\r\n"], None),
    ],
)
def test_the_rest_of_a_match_is_masked_where_a_value_goes_on(
    values: list[str], shown: str | None
) -> None:
    policy = Policy.parse(
        """
rules:
  - {id: owl, words: [grey owl, greyowl]}
  - {id: emoji, pattern: "grey\\U0001f989"}
"""
    )
    expected = values[-1] if shown is None else shown
    assert guarded(values, Guard(policy))[0] == [*values[:-1], expected]


def test_a_value_that_only_could_go_on_is_read_alone_too() -> None:
    values = ['{"a":', '{"b": "gre\\u0079owl"}', '{"b": "gre\\u0079owl"}']
    shown = '{"b": "*******"}'
    assert guarded(values)[0] == ['{"a":', shown, shown]


def test_what_is_open_stays_short() -> None:
    long = '{"a": [' * 9 + ",".join(f'{{"k{nr}": "{"so " * 99}"}}' for nr in range(999))
    begun = ""
    for at in range(0, len(long), 50):
        begun = strings(long[at : at + 50], begun=begun).begun
        assert 0 < len(begun) < 500


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        (['{"a": "greyowl \\', '" so"}'], ['{"a": "******* \\', '" so"}']),
        (['{"a": "greyowl\\u00', '41"}'], ['{"a": "*******\\u00', '41"}']),
        (['{"a": "greyowl\\ud83e', '\\udd89"}'], ['{"a": "*******\\ud83e', '\\udd89"}']),
        (['{"a": "\\', 'n greyowl"}'], ['{"a": "\\', 'n *******"}']),
        (['{"a": "\\\\\\', '\\greyowl"}'], ['{"a": "\\\\\\', '\\*******"}']),
        (['{"a": "\\u0', '041 greyowl"}'], ['{"a": "\\u0', '041 *******"}']),
        (['{"a": "\\ud83e\\', 'udd89 greyowl"}'], ['{"a": "\\ud83e\\', 'udd89 *******"}']),
        (['{"a": "\\', "n greyowl \\", 'n"}'], ['{"a": "\\', "n ******* \\", 'n"}']),
        (['{"a": "\\', "\\"], ['{"a": "\\', "\\"]),
    ],
)
def test_an_escape_that_is_cut_stays_beside_a_mask(values: list[str], shown: list[str]) -> None:
    assert guarded(values)[0] == shown


@pytest.mark.parametrize(
    "values",
    [
        ["data: so\n\ndata: ", " \n\ndata: gr\n\n", "data: ey owl\n\n"],
        ["\ufeffdat", 'a: {"a": "gr"}\n\n', 'data: {"a": "ey owl"}\n\n'],
    ],
)
def test_no_cut_between_events_hides_a_match(values: list[str]) -> None:
    assert guarded(values)[1] == ["owl"]


def in_events(values: Sequence[str]) -> str:
    return "".join(f"data: {json.dumps({'raw': value})}\n\n" for value in values)


def test_a_string_that_can_be_read_in_two_ways_hides_no_match() -> None:
    escaped = "".join(f"\\u{ord(each):04x}" for each in "for a long time it is a gr")
    first = f'data: {{"t": "x"}}\n\ndata: {{"t": "{escaped}'
    values = [first, "ey o\\u00", '77"}\n\ndata: {"t": "l"}\n\n']
    assert guarded([in_events(values)])[1] == ["owl"]


@pytest.mark.parametrize("size", [3, 4, 7, 20, 64])
@pytest.mark.parametrize("name", ["type", "session"])
def test_texts_are_told_apart_by_fields_that_are_cut(name: str, size: int) -> None:
    pieces = ["one gr", "two so", "one e", "two on", "one y o", "two and", "one wl so"]
    sent = "".join(
        f"data: {json.dumps({name: f'agent-{who}', 't': text})}\n\n"
        for who, text in (piece.split(" ", 1) for piece in pieces)
    )
    shown = "".join(guarded([sent[at : at + size] for at in range(0, len(sent), size)])[0])
    events = [json.loads(line[6:]) for line in shown.splitlines() if line]
    texts = {
        who: "".join(e["t"] for e in events if e[name] == who) for who in ("agent-one", "agent-two")
    }
    assert "grey owl" not in texts["agent-one"]
    assert texts["agent-two"] == "soonand"


@pytest.mark.parametrize("size", [1, 3, 7, 20, 50])
@pytest.mark.parametrize(
    "event",
    [
        '{"agent": {"id": %d}, "t": "%s"}',
        '{"path": ["so", "n%d"], "parts": [{"t": "%s"}]}',
        '[%d, "%s"]',
        '[["node:%d"], "messages", [{"t": "%s"}, {"so": 1}]]',
    ],
)
def test_texts_are_told_apart_by_what_ends_before_a_cut(event: str, size: int) -> None:
    told = [(1, "so gr"), (2, "so"), (1, "e"), (2, "no"), (1, "y o"), (2, "and"), (1, "wl so")]
    sent = "".join(f"data: {event % each}\n\n" for each in told)
    assert guarded([sent[at : at + size] for at in range(0, len(sent), size)])[1] == ["owl"]


def test_a_text_that_one_field_tells_apart_adds_nothing_to_that_of_all() -> None:
    event = 'data: {"agent":0,"t":"{\\"say\\": \\"%s\\"}"}\n\n'
    values = [
        event % " " + 'data: {"',
        'agent":0,"t":"{\\"say\\": \\"g\\',
        '"}"}\n\n' + event % "r" + 'data: {"agent"',
        ':0,"t":"{\\u00',
        '22say\\": \\"ey\\"}"}\n\n' + event % " owl",
    ]
    assert guarded(values)[1] == ["owl"]


def test_what_is_around_a_string_is_looked_at_only_as_far_as_it_matters() -> None:
    seen = 0

    class Around(Open):
        def __getattribute__(self, name: str) -> object:
            nonlocal seen
            seen += name == "around"
            return super().__getattribute__(name)

    around: Open | None = None
    for _ in range(1000):
        around = Around(around, None, 0)
    nested, other = (Nested(around, key, None, value=key) for key in "ab")
    assert [value for _, value in values_beside(nested, [other])] == ["b"]
    assert seen < 10


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        (['{"a": 12345', '6789, "b": 1}'], '0, "b": 1}'),
        (['{"a": 12', "345", "6789}"], "0}"),
        (["[1, 12345", "6789, 2]"], "0, 2]"),
        (['data: {"a": 12345', "6789}\n\n"], "0}\n\n"),
        (["[123456789", ", 1]"], ", 1]"),
        (["[1, 2", ", 3456789]"], ", 3456789]"),
    ],
)
def test_a_number_that_is_cut_stays_a_number(values: list[str], shown: str) -> None:
    assert guarded(values)[0][-1] == shown


def test_what_is_masked_in_a_key_that_is_cut_is_masked_once() -> None:
    values = ['{"greyowl \\', 'n so": 1, "so gre', 'yowl": 2}']
    assert guarded(values) == (['{"******* \\', 'n so": 1, "so gre', '[owl]": 2}'], ["owl", "owl"])
