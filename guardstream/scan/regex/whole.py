"""Whether a pattern matches a whole text: by an automaton, in time that is linear in the text."""

from __future__ import annotations

from guardstream.scan.match import Window
from guardstream.scan.regex import forms
from guardstream.scan.regex.ast import Assert, Cat, Node
from guardstream.scan.regex.pattern import Facts, Pattern, Settling, Shape, Wanted
from guardstream.scan.regex.pattern_set import PatternSet
from guardstream.scan.regex.scan import searches_of

SHARE = 8
"""The automaton of one such pattern may weigh one in so many parts of what a search's may."""


_WANTED = Wanted("", " ", False, None, Settling.ORDERED)


class TooMuchWorkError(Exception):
    """To tell whether the pattern matches takes more work than the text's characters pay for."""


class WholeMatch:
    """A pattern that has to match a whole text, which is never empty. Its tree may have no untold
    parts (see `is_untold`), which an automaton only approximates. Raises TooLargeError.
    """

    def __init__(self, tree: Node) -> None:
        shape = Shape(Cat((Assert("start"), tree, Assert("end"))))
        facts = Facts(group=0, tail=0, widths=(0, 0), behind=1)
        pattern = Pattern(0, _WANTED, facts, False, None, lambda: shape)
        form = forms.chosen()._replace(warm="")
        patterns = PatternSet([pattern], window=0, form=form, share=SHARE)
        [self._begin] = searches_of(patterns)

    def match(self, text: str) -> bool:
        """Whether it matches; raises TooMuchWorkError if there are too many ways to follow."""
        scan, at = self._begin(), 0
        while at < len(text):
            at = scan.steps.run(text, at, len(text))
        if scan.steps.failures():
            raise TooMuchWorkError
        if not scan.steps.patterns():
            return False
        found = scan.finish(Window())
        if found and found[0].failed:
            raise TooMuchWorkError
        return bool(found)
