"""What is open in a text, mark by mark."""

from __future__ import annotations

from guardstream.vault.addresses.following import MARKUPS, within
from guardstream.vault.addresses.html import Tag
from guardstream.vault.addresses.markdown import Target
from guardstream.vault.addresses.states import OUTSIDE, State


def states_after(marks: list[str]) -> list[set[State]]:
    """What is open after each mark of a text."""
    text = "".join(marks) + " "
    ends = [len("".join(marks[: number + 1])) for number in range(len(marks))]
    return [set(within(OUTSIDE, text, 0, end)) for end in ends]


def test_the_target_of_an_image() -> None:
    assert states_after(["![a]", "(", "/", "/", "e.example/?", " ", "b", ")"]) == [
        set(),
        {Target.RELATIVE},
        {Target.RELATIVE_SLASH},
        {Target.ABSOLUTE},
        {Target.ABSOLUTE},
        {Target.ABSOLUTE},
        {Target.ABSOLUTE},
        set(),
    ]


def test_a_tag_and_what_looks_like_a_target_in_it() -> None:
    assert states_after(["<a", " ", "title", "=", '"', "](", '"', ">"]) == [
        {Tag.BEFORE_ATTRIBUTE_NAME},
        {Tag.BEFORE_ATTRIBUTE_NAME},
        {Tag.ATTRIBUTE_NAME},
        {Tag.BEFORE_VALUE},
        {Tag.DOUBLE_QUOTED_VALUE},
        {Tag.DOUBLE_QUOTED_VALUE, Target.RELATIVE},
        {Tag.BEFORE_ATTRIBUTE_NAME, Target.RELATIVE},
        {Target.RELATIVE},
    ]


def test_every_state_has_steps_and_belongs_to_one_markup() -> None:
    states = [state for markup in MARKUPS for state in markup.steps]
    assert len(states) == len(set(states))
    kinds = {type(state) for state in states}
    assert {state for kind in kinds for state in kind} == set(states)
    after = {to for markup in MARKUPS for row in markup.steps.values() for to in row.values()}
    assert after <= {None, *states}
