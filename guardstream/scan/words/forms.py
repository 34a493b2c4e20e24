"""Chooses how a word index is stepped: by the C extension where it was built, else in Python."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, TypeAlias

from guardstream.scan.regex import forms
from guardstream.scan.words.aho_corasick import WordIndex
from guardstream.scan.words.stepper import WordStepper

if TYPE_CHECKING:
    from guardstream.scan.words.native import NativeWordStepper

with suppress(ImportError):  # without a compiler, or where the extension does not fit
    from guardstream.scan.words import native

AnyWordStepper: TypeAlias = "WordStepper | NativeWordStepper"

MAX_LETTERS = 50_000
"""How many letters words may have altogether for the extension to number their classes."""


def stepping(index: WordIndex) -> Callable[[], AnyWordStepper]:
    """What makes a stepper for each stream over the index."""
    if forms.NATIVE and index.letters < MAX_LETTERS:
        words = native.NativeWords(index)
        return lambda: native.NativeWordStepper(words)
    return lambda: WordStepper(index)
