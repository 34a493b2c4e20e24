"""Lint says what is allowed and probably not meant, with its place; good rules pass."""

from __future__ import annotations

import pytest

from guardstream import Policy
from guardstream.policy.lint import patterns, shadowing, warnings

TESTS = "tests: [{clean: zzz}]"


def lint(rules: str) -> list[str]:
    return warnings(Policy.parse(rules, name="p").built)


def test_a_good_rule_has_no_warnings() -> None:
    assert (
        lint(f"rules: [{{id: a, words: [x], {TESTS}}}, {{id: b, pattern: 'y{{1,9}}', {TESTS}}}]")
        == []
    )


def test_a_rule_without_tests_is_named() -> None:
    assert lint("rules: [{id: a, words: [x]}]") == ["p:1:14: warning: rule 'a' has no test"]


@pytest.mark.parametrize(
    ("name", "section"),
    [("json", "json"), ("json.keys", "json"), ("limits.stop", "limits"), ("limits", None)],
)
def test_the_id_of_what_a_section_finds_is_named(name: str, section: str | None) -> None:
    also = f"is also that of findings of the section {section!r}: name the rule otherwise"
    warning = [f"p:1:14: warning: the id {name!r} {also}"] if section else []
    assert lint(f"rules: [{{id: {name}, words: [x], {TESTS}}}]") == warning


@pytest.mark.parametrize(("check", "warned"), [("{id: a, use: judge}", 1), ("{use: a}", 1)])
@pytest.mark.parametrize("other", ["gate", "b"])
def test_the_id_of_a_check_is_named(check: str, warned: int, other: str) -> None:
    rules = f"rules: [{{id: a, words: [x], {TESTS}}}, {{id: {other}, words: [y], {TESTS}}}]"
    found = lint(f"{rules}\ngate: [{check}]")
    assert [line for line in found if "the section 'gate'" in line] == found
    assert len(found) == warned


def test_a_shadowed_rule_is_named() -> None:
    first = f"- {{id: a, words: [X, y], pattern: ['p', 'q'], {TESTS}}}"
    assert lint(f"rules:\n{first}\n- {{id: b, words: [x], pattern: q, {TESTS}}}") == [
        "p:3:8: warning: rule 'b' is shadowed: 'a' finds all its matches"
    ]
    for other in (
        "words: [z]",
        "pattern: z",
        "words: [x], action: block",
        "words: [x], whole_word: false",
    ):
        assert lint(f"rules:\n{first}\n- {{id: b, {other}, {TESTS}}}") == []


def test_narrower_rules_shadow_nothing() -> None:
    card = "'4111111111111111'"
    for narrow in (
        "channels: [text]",
        "validate: luhn",
        "ignore_case: false",
        "allow: {words: [q]}",
    ):
        first = f"- {{id: a, words: [{card}], {narrow}, {TESTS}}}"
        text = f"rules:\n{first}\n- {{id: b, words: [{card}], {TESTS}}}"
        assert lint(text) == []


def test_a_rule_that_sees_through_more_disguises_is_not_shadowed() -> None:
    first = f"- {{id: a, words: [x y], {TESTS}}}"
    assert lint(f"rules:\n{first}\n- {{id: b, words: [x y], normalize: [repeats], {TESTS}}}") == []


def test_only_rules_that_share_a_word_or_a_pattern_are_compared(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    compared: list[object] = []
    monkeypatch.setattr(shadowing, "_covers", lambda *rules: compared.append(rules))
    rules = [f"- {{id: r{n}, words: [w{n}], {TESTS}}}" for n in range(50)]
    lint("\n".join(["rules:", *rules, f"- {{id: last, words: [W7], {TESTS}}}"]))
    assert len(compared) == 1


@pytest.mark.parametrize(
    "word",
    [
        r"\bfoo",
        "foo.*",
        "secret*",
        r"key-\d+",
        "[a-z]{3}",
        "(?i)foo",
        "(foo)?",
        "x{2,3}",
        "sk-*",
        "*.example.com",
    ],
)
def test_a_word_that_looks_like_a_pattern_is_named(word: str) -> None:
    assert lint(f"rules: [{{id: a, words: [x, '{word}'], {TESTS}}}]") == [
        f"p:1:28: warning: rule 'a': '{word}' is only found as it is written: for a pattern, "
        "use 'pattern'"
    ]


@pytest.mark.parametrize("word", ["C++", "US$", "why?", "[x-ray]", "a.b", "(so)", "5*", "{name}"])
def test_words_with_punctuation_are_words(word: str) -> None:
    assert lint(f"rules: [{{id: a, words: ['{word}'], {TESTS}}}]") == []


def test_a_line_break_in_single_quotes_is_named() -> None:
    rules = f"rules: [{{id: a, words: [x], {TESTS}}}]"
    assert lint(f"limits: {{stop: ['\\nUser:']}}\n{rules}") == [
        "p:1:17: warning: the stop sequence contains a backslash and a letter: write a line break "
        r'as "\n", in double quotes'
    ]
    assert lint(f'limits: {{stop: ["\\nUser:"]}}\n{rules}') == []


def test_a_word_longer_than_what_is_held_is_named() -> None:
    found = lint(f"max_holdback: 4\nrules: [{{id: a, words: [longer], {TESTS}}}]")
    assert found == ["p:2:24: warning: rule 'a' has a word of 6 characters, 4 can be held"]


@pytest.mark.parametrize(
    ("pattern", "group", "said"),
    [
        ("ab+", None, "the pattern is unbounded"),
        ("key=(?<v>[0-9]+)", "v", "the pattern is unbounded"),
        (r"\s*=(?<v>[0-9]{4})", "v", ""),
        ("a[0-9]{99}", None, "a match can have 100 characters, 20 can be held"),
        (r"\bab", None, r"\b finds no boundary"),
        (r"a\\b", None, ""),
        (r"a(?:[a-z]+)+!", None, "quadratic"),
        (r"a[a-z]*[a-z0-9]*!", None, "quadratic"),
        (r"a\w*\s?\w+!", None, "quadratic"),
        (r"a[0-9]*[a-z]*!", None, "the pattern is unbounded"),
        (r"a(?:[a-z]+\s)+!", None, "the pattern is unbounded"),
        ("a{1,5}", None, ""),
        (r"([\"'])\w{3}\1", None, ""),
        (r"(?<part>[a-z]{1,9})-(\1{2})", None, "a match can have 28 characters, 20 can be held"),
        (r"([a-z]{1,5})-(?<v>\1\1)", "v", ""),
        (r"([a-z]+)-\1", None, "the pattern is unbounded"),
        ("(", None, ""),
    ],
)
def test_doubtful_patterns_are_named(pattern: str, group: str | None, said: str) -> None:
    found = list(patterns.find(pattern, group, 20))
    assert any(said in line for line in found) if said else found == []


@pytest.mark.parametrize(
    ("normalize", "pattern", "turned"),
    [
        ("confusables", r"x\d{3}", {"0": "o", "1": "l"}),
        ("confusables", "(?<![0-9])x", {"0": "o", "1": "l"}),
        ("confusables", "rot13", {"1": "l"}),
        ("confusables", "а", {"а": "a"}),
        ("simplified", "國", {"國": "国"}),
        ("width", "ｘ", {"ｘ": "x"}),
        ("confusables", r"[\dol]{3}\w[^0]", {}),
        ("simplified", r"[國国]\d", {}),
        ("zero_width", r"\d", {}),
    ],
)
def test_characters_that_normalisation_takes_from_a_pattern_are_named(
    normalize: str, pattern: str, turned: dict[str, str]
) -> None:
    rule = f"{{id: a, pattern: '{pattern}', normalize: [{normalize}], {TESTS}}}"
    changes = " and ".join(f"{old!r} into {new!r}" for old, new in turned.items())
    instead = " and ".join(map(repr, sorted(turned.values())))
    message = f"'normalize' turns {changes} before patterns match: match {instead} there"
    expected = [f"p:1:26: warning: rule 'a': {message}"]
    assert lint(f"rules: [{rule}]") == (expected if turned else [])


@pytest.mark.parametrize("name", ["patterns", "after"])
@pytest.mark.parametrize("found", ["words: [q]", "pattern: q"])
def test_characters_that_normalisation_takes_from_an_exception_are_named(
    found: str, name: str
) -> None:
    rule = f"{{id: a, {found}, normalize: [confusables], allow: {{{name}: [x, rot0]}}, {TESTS}}}"
    (line,) = lint(f"rules: [{rule}]")
    said = "warning: rule 'a': 'normalize' turns '0' into 'o' before patterns match"
    assert line == f"p:1:{rule.index('rot0') + 9}: {said}: match 'o' there"
    assert lint(f"rules: [{rule.replace('rot0', 'roto')}]") == []


@pytest.mark.parametrize(
    ("normalize", "check", "warned"),
    [
        ("confusables", "luhn", True),
        ("confusables", "mixed", True),
        ("confusables", "varied", False),
        ("confusables", "{entropy: 2}", False),
        ("width", "luhn", False),
    ],
)
def test_checks_that_need_the_digits_that_normalisation_takes_are_named(
    normalize: str, check: str, warned: bool
) -> None:
    rule = f"{{id: a, pattern: q, normalize: [{normalize}], validate: {check}, {TESTS}}}"
    said = f"'confusables' turns '0' and '1' into letters before '{check}' sees a match, which is"
    expected = f"p:1:{rule.index('validate') + 19}: warning: rule 'a': {said}"
    found = lint(f"rules: [{rule}]")
    assert found == ([f"{expected} then judged without them: remove one of the two"] * warned)


def test_separated_repeats_are_not_quadratic() -> None:
    for pattern in (r"a[0-9]*[a-z]*!", r"a(?:[a-z]+\s)+!", r"a\w+@\w+"):
        assert not [line for line in patterns.find(pattern, None, 20) if "quadratic" in line]


def test_inherited_rules_are_judged_in_their_own_file() -> None:
    assert lint("extends: guardstream/pii-zh") == []


def test_a_mask_of_arguments_has_no_way_back_where_others_have_one() -> None:
    reversible = "input: {rules: [{id: r, words: [x], tests: [{clean: a}], reversible: true}]}"
    masks = "rules: [{id: a, words: [x], tests: [{clean: a}]%s}]"
    warning = "p:1:14: warning: rule 'a' masks tool arguments, and no vault restores them"
    assert lint(masks % "" + "\n" + reversible) == [f"{warning}: set 'channels'"]
    assert lint(masks % ", channels: [text]" + "\n" + reversible) == []
    assert lint(masks % "") == []


@pytest.mark.parametrize(
    ("placeholder", "count"), [("{name}", 1), (r"\1", 1), (r"\g<name>", 1), ("{id}", 0), ("$5", 0)]
)
def test_a_placeholder_that_is_none_is_a_warning(placeholder: str, count: int) -> None:
    warned = lint(f"rules: [{{id: a, words: [x], replacement: '<{placeholder}>', {TESTS}}}]")
    assert len(warned) == count
    assert all(f"{placeholder!r} is output literally, only '{{id}}'" in line for line in warned)


@pytest.mark.parametrize("pattern", ["/abc/i", "r'abc'"])
def test_a_pattern_written_as_in_a_program_is_a_warning(pattern: str) -> None:
    [warned] = lint(f'rules: [{{id: a, pattern: "{pattern}", {TESTS}}}]')
    assert "the pattern includes its delimiters" in warned


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        (r"no \\d{4}x", [r"\\d is a backslash and the letter 'd': in single quotes, write"]),
        (r"no \d{4}, C:\\windows, \\n, \\{1,2}x", []),
        (
            "no [:digit:]{4}x",
            ["[:digit:] is a set of its own letters: write the class as [[:digit:]]"],
        ),
        ("no [[:digit:]]{4}[:;]x", []),
        ("no [0-9A-z]{4}x", [r"A-z also means the signs [ \ ] ^ _ and `: write A-Za-z"]),
        (r"no [A-Za-z][\dA\-z]{4}A-z", []),
    ],
)
def test_a_pattern_that_other_tools_read_otherwise_is_a_warning(
    pattern: str, said: list[str]
) -> None:
    warned = lint(f"rules: [{{id: a, pattern: '{pattern}', {TESTS}}}]")
    assert len(warned) == len(said)
    assert all(part in line for part, line in zip(said, warned, strict=True))


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (r'"\bsecret"', ["contains a backspace"]),
        ("|\n      secret[0-9]", ["ends with a line break"]),
        ("|-\n      secret[0-9]", []),
        ("|\n      (?x) secret  # the word\n      [0-9]", []),
    ],
)
def test_a_pattern_that_yaml_changes_is_a_warning(written: str, said: list[str]) -> None:
    rule = f"rules:\n  - id: a\n    tests: [{{clean: a}}]\n    pattern: {written}\n"
    warned = lint(rule)
    assert len(warned) == len(said)
    assert all(part in line for part, line in zip(said, warned, strict=True))


@pytest.mark.parametrize(
    ("rule", "more", "warned"),
    [
        ("words: [x], action: monitor", "", True),
        ("words: [x], action: block", "", True),
        ("words: [x], action: stop", "", True),
        ("words: [x], action: mask", "", False),
        ("pattern: 'x{1,9}', action: block", "", True),
        # It is written for what grows too long to be held.
        ("pattern: 'x{1,9}', action: block", "max_holdback: 9", False),
        ("pattern: 'x{1,9}', action: block", "max_holdback: 9\non_overflow: block", True),
        ("pattern: 'x{1,9}(?!.{300})', action: block", "", False),
        ("words: [x], action: block, normalize: [separators]", "", False),
        ("words: [long], action: stop", "max_holdback: 4", False),
    ],
)
def test_a_replacement_without_an_effect_is_a_warning(rule: str, more: str, warned: bool) -> None:
    found = lint(f"rules: [{{id: a, {rule}, replacement: '*', {TESTS}}}]\n{more}")
    assert [each for each in found if "'replacement' has no effect with 'action: " in each] == (
        found[:1] if warned else []
    )


@pytest.mark.parametrize(
    ("rule", "refused"),
    [
        ("words: [bluebird, '4111111111111111'], validate: luhn", 1),
        ("words: [bluebird, Redbird], allow: {words: [redbird]}", 1),
        ("words: [bluebird, redbird], allow: {patterns: ['(?i)[a-z]+bird']}", 2),
        ("words: [bluebird, redbird], allow: {patterns: ['[a-z]+bird']}", 0),  # BLUEBIRD is found
        ("words: [bluebird], ignore_case: false, allow: {patterns: ['[a-z]+bird']}", 1),
        ("words: [bluebird, Redbird], ignore_case: false, allow: {words: [redbird]}", 0),
        ("words: [bluebird], keywords: {words: [project], within: 9}", 0),
    ],
)
def test_words_that_are_never_found_are_a_warning(rule: str, refused: int) -> None:
    found = [line for line in lint(f"rules: [{{id: a, {rule}, {TESTS}}}]") if "never" in line]
    said = f"{refused} of its words are never found"
    assert [said in line for line in found] == [True] * (refused > 0)


@pytest.mark.parametrize(
    ("keywords", "far"),
    [
        ("{words: [routing number, aba], within: 6}", ["routing number"]),
        ("{words: [routing number, aba], within: 14}", []),  # routingNumber is found, too
        ("{words: [aba], within: 3}", ["aba"]),
        ("{words: [密码], within: 2}", []),
        ("{words: [密码], within: 1}", ["密码"]),
        ("{words: [aba]}", []),
    ],
)
def test_keywords_that_are_longer_than_their_distance_are_a_warning(
    keywords: str, far: list[str]
) -> None:
    found = lint(f"rules: [{{id: a, pattern: '[0-9]{{9}}', keywords: {keywords}, {TESTS}}}]")
    assert [
        f"the keyword {word!r} is never found" in line
        for line, word in zip(found, far, strict=True)
    ] == [True] * len(far)


@pytest.mark.parametrize(
    ("pattern", "warned"),
    [
        ("^[A-Z]{2}[0-9]{6}$", True),
        (r"\A(?:yes|no)\Z", True),
        ("(?i)(^x$)", True),
        ("(?m)^x$", False),
        ("^x", False),
        ("^x|y$", False),
    ],
)
def test_a_pattern_for_a_whole_text_is_a_warning(pattern: str, warned: bool) -> None:
    found = lint(f"rules: [{{id: a, pattern: '{pattern}', {TESTS}}}]")
    assert ["leave out ^ and $" in line for line in found] == [True] * warned


KEEP = "replacement: {keep: {first: 2, last: 2}}"


@pytest.mark.parametrize(
    ("rule", "most"),
    [
        ("words: [bluebird, 'Ann']", 8),
        ("pattern: 'no [0-9]{5}'", 8),
        ("pattern: 'account (?<no>[0-9]{4,6})', group: no", 6),
        ("pattern: 'a (?<no>[0-9]{4})|bcd (?<no>[0-9]{7})', group: no", 7),
        ("words: [bluebirds]", None),
        ("words: ['Straßen-8']", None),  # is STRASSEN-8, too
        ("words: [bluebird], normalize: [zero_width]", None),
        ("pattern: 'no [0-9]{5,6}'", None),
        ("pattern: 'no [0-9]+'", None),
        ("pattern: 'a (?<no>[0-9]{4})|bcd (?<no>[0-9]{9})', group: no", None),
    ],
)
def test_ends_that_are_never_shown_are_a_warning(rule: str, most: int | None) -> None:
    found = [
        line for line in lint(f"rules: [{{id: a, {rule}, {KEEP}, {TESTS}}}]") if "keep" in line
    ]
    said = f"'keep' shows nothing: a match has at most {most} characters, and only of one with"
    assert [said in line for line in found] == [True] * (most is not None)


@pytest.mark.parametrize(
    ("rule", "warned"),
    [
        ("words: [x], normalize: [spaces]", True),
        ("words: [x, 'x y'], normalize: [spaces]", False),
        ("words: ['x\u3000y'], normalize: [spaces]", False),
        ("pattern: '(?<= )x'", False),
        ("pattern: 'x[ ]y', normalize: [width, markdown]", True),
        ("pattern: '(?x) x y', normalize: [spaces]", True),
        ("pattern: 'x y', normalize: [markdown]", False),
        ("words: [x], pattern: 'x y', normalize: [spaces]", False),
    ],
)
def test_spaces_without_a_space_are_a_warning(rule: str, warned: bool) -> None:
    found = lint(f"rules: [{{id: a, {rule}, {TESTS}}}]")
    assert [each for each in found if "' has no effect: no word and no pattern" in each] == (
        found[:1] if warned else []
    )


def test_reversible_without_an_effect_is_a_warning() -> None:
    rule = f"{{id: a, words: [x], channels: [text], reversible: true, {TESTS}}}"
    inside = f"{{id: b, words: [x], action: block, reversible: true, {TESTS}}}"
    warned = lint(f"rules: [{rule}]\ninput: {{rules: [{inside}]}}")
    assert [line.partition("no effect: ")[2] for line in warned] == [
        "only rules in the section 'input' are reversible",
        "a rule with 'action: block' masks nothing that could be restored",
    ]
    assert lint(f"rules: [{rule}]") == []  # others may extend it in their 'input'


def test_lost_characters_in_words_are_a_warning() -> None:
    assert lint(f"rules: [{{id: a, words: ['caf\ufffd', x], {TESTS}}}]") == [
        "p:1:24: warning: rule 'a': 1 of its words have U+FFFD in them, the sign of characters "
        "that were lost in a conversion: write the words again"
    ]
    assert lint(f"rules: [{{id: a, words: ['\ufffd', x], {TESTS}}}]") == []


@pytest.mark.parametrize(
    ("pattern", "warned"),
    [
        (r"x([a-z]+)\1", True),
        (r"x([=-])y\1", False),
        (r"x([0-9]{2})y\1(?!\1)", False),
        (r"x([a-z]{1,9})y?\1", False),
        (r"(?:x(?=.*y))+", False),
        (r"x(?=.*y)[a-z]+", False),
        (r"(?:x(?=.*y))+(?:z?)*+", True),
        (r"(?:x{1,300}y?){1,9}", True),
        (r"x{1,3000}x{1,3000}", True),
        (r"x+x{1,3000}", True),
        (r"x{1,3000}", False),
        (r"x{1,300}y{1,300}", False),
        (r"x{1}(?:y{1,30}z?){1,60}", False),
        (r"(?:x|xx)+y(?:z?)*", False),
        (r"\X+", False),
    ],
)
def test_an_exception_that_may_take_too_many_steps_is_a_warning(pattern: str, warned: bool) -> None:
    rule = f"{{id: a, pattern: 'x[a-z]{{1,9}}', allow: {{patterns: ['{pattern}']}}, {TESTS}}}"
    found = [line for line in lint(f"rules: [{rule}]") if "too many steps" in line]
    assert len(found) == warned
    assert all(line.startswith("p:1:") for line in found)
    if pattern.startswith("x{"):
        rule = rule.replace("patterns: [", "after: [")
        assert len([n for n in lint(f"rules: [{rule}]") if "too many steps" in n]) == warned


def test_an_unbounded_lookaround_in_a_repeat_is_a_warning_before_a_match() -> None:
    rule = (
        f"{{id: a, pattern: 'x[a-z]{{1,9}}', allow: {{after: ['(?:y(?=.*z)){{1,9}}']}}, {TESTS}}}"
    )
    assert len([line for line in lint(f"rules: [{rule}]") if "too many steps" in line]) == 1


@pytest.mark.parametrize(
    ("word", "what"),
    [
        ("“bluebird”", "stand in typographic quotes"),
        ("‘red’", "stand in typographic quotes"),
        ("„rot“", "stand in typographic quotes"),
        (" red", "begin or end with a space"),
        ("red ", "begin or end with a space"),
        ("red, green, blue", "look like a list"),
        ("red;green;blue", "look like a list"),
    ],
)
def test_a_word_that_a_list_hardly_means_is_named(word: str, what: str) -> None:
    (found,) = lint(f"rules: [{{id: a, words: [x, '{word.replace(chr(39), '')}'], {TESTS}}}]")
    assert f"1 of its words {what}, and are only found so" in found


@pytest.mark.parametrize("word", ["it’s", "Doe, John", "“", "B-2", "blue  bird", "A; B"])
def test_a_word_that_may_be_meant_is_not(word: str) -> None:
    assert lint(f"rules: [{{id: a, words: [x, '{word}'], {TESTS}}}]") == []


@pytest.mark.parametrize("key", ["words", "pattern"])
def test_a_class_without_quotes_is_named(key: str) -> None:
    assert any(
        "YAML reads [A-Z] as a list of one text: for a class, write '[A-Z]'" in line
        for line in lint(f"rules: [{{id: a, {key}: [A-Z], {TESTS}}}]")
    )
    assert not any("YAML" in line for line in lint(f"rules: [{{id: a, {key}: [A-Z, b], {TESTS}}}]"))
