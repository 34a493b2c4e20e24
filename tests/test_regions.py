"""One value counts once, however many rules find it."""

from __future__ import annotations

from guardstream import Guard, Policy
from guardstream.events import Finding, counted, regions

POLICY = """
rules:
  - {id: word, words: [abc], whole_word: false}
  - {id: long, pattern: 'bcd+', severity: high}
  - {id: note, words: [abc], whole_word: false, action: monitor}
"""


def test_masks_that_overlap_are_one_region_of_the_most_severe_rule() -> None:
    result = Guard(Policy.parse(POLICY)).check("abcdd abc")
    assert result.text == "[long] [word]"
    assert [(each.finding.rule, each.start, each.end) for each in result.regions] == [
        ("long", 0, 5),
        ("word", 6, 9),
    ]
    assert [len(each.findings) for each in result.regions] == [2, 1]


def test_what_does_not_mask_counts_each_time() -> None:
    result = Guard(Policy.parse(POLICY)).check("abcdd")
    assert sorted(each.rule for each in counted(result.findings)) == ["long", "note"]


def test_a_telephone_number_counts_once() -> None:
    result = Guard.load("guardstream/chat").check("my phone number is (415) 555-2671")
    assert len(result.findings) > 1
    assert len(result.regions) == 1


def test_touching_masks_and_other_channels_stay_apart() -> None:
    places = [(0, 3, "text"), (3, 6, "text"), (2, 5, "thinking")]
    found = [Finding("a", start, end, "mask", channel=channel) for start, end, channel in places]
    assert len(regions(found)) == 3


def test_the_order_of_findings_does_not_matter() -> None:
    found = [Finding("a", 4, 9, "mask"), Finding("b", 0, 5, "mask"), Finding("c", 8, 12, "mask")]
    assert [(each.start, each.end) for each in regions(found)] == [(0, 12)]
