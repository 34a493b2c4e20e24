"""Whether a pattern matches a whole text: by an automaton, in time that is linear in the text."""

from __future__ import annotations

from guardstream.scan.match import Window
from guardstream.scan.regex import forms
from guardstream.scan.regex.ast import Assert, Cat, Node
from guardstream.scan.regex.pattern import Pattern, Settling
from guardstream.scan.regex.search import PatternSet

SHARE = 8
"""The automaton of one such pattern may take one in so many parts of what those of a search may."""


class TooManyWaysError(Exception):
    """A pattern can go on in too many ways to be followed."""


class WholeMatch:
    """A pattern that has to match a whole text, which is never empty; `tree` is without references.

    `exact` is False where its automaton only approximates it: then it must not be asked. Raises
    TooLargeError.
    """

    def __init__(self, tree: Node) -> None:
        anchored = Cat((Assert("start"), tree, Assert("end")))
        pattern = Pattern(
            0, anchored, 0, 0, None, range(0), 1, Settling.ORDERED, False, None, looks=()
        )
        form = forms.chosen()._replace(warm="")
        patterns = PatternSet([pattern], window=0, form=form, share=SHARE)
        self.exact = not patterns.approximated
        self._begin = patterns.searches[0]

    def match(self, text: str) -> bool:
        """Whether it matches; raises TooManyWaysError."""
        scan, at = self._begin(), 0
        while at < len(text):
            at = scan.steps.run(text, at, len(text))
        found = scan.finish(Window())
        if found and found[0].failed:
            raise TooManyWaysError
        return bool(found)
