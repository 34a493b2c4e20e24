"""Exceptions go to other processes as they are: those of a pool raise them in the caller."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from copy import copy

import pytest

from guardstream import BlockedError, Guard, GuardstreamError, PatternError, Policy, extract
from guardstream.jsonstream import Document, DocumentError, Schema
from guardstream.resilience import LimiterError
from guardstream.stages.redact import RuleError
from tests.support.api import public


def extraction() -> GuardstreamError:
    with pytest.raises(extract.ExtractError) as raised:
        list(extract.items_sync(['[{"a": 1}, {"a": "x"}]'], "item.a", int))
    return raised.value


def document(text: str) -> DocumentError:
    found = Document(Schema({"properties": {"a": {"type": "integer"}}}))
    found.feed(text)
    assert found.error is not None
    return found.error


def blocked() -> GuardstreamError:
    guard = Guard(Policy.parse("rules: [{id: a, words: [x], action: block}]"))
    with pytest.raises(BlockedError) as raised:
        guard.wrap_sync(["x"], raise_on_block=True).text()
    return raised.value


ERRORS: dict[str, Callable[[], GuardstreamError]] = {
    "extraction": extraction,
    "syntax": lambda: document("{]"),
    "schema": lambda: document('{"a": "x"}'),
    "block": blocked,
    "pattern": lambda: PatternError("a", 3),
    "rule": lambda: RuleError("a", "b", 1, 2, allowed=3),
    "limiter": lambda: LimiterError("a", 1.5),
}


@pytest.mark.parametrize("name", ERRORS)
@pytest.mark.parametrize("again", [copy, lambda error: pickle.loads(pickle.dumps(error))])
def test_an_exception_can_be_copied_and_pickled(
    name: str, again: Callable[[GuardstreamError], GuardstreamError]
) -> None:
    error = ERRORS[name]()
    other = again(error)
    assert type(other) is type(error)
    assert (str(other), vars(other)) == (str(error), vars(error))


def test_every_public_exception_has_the_base_class_of_the_package() -> None:
    exported = [getattr(module, name) for module in public().values() for name in module.__all__]
    errors = [kind for kind in exported if isinstance(kind, type) and issubclass(kind, Exception)]
    assert len(errors) > 10
    assert [kind.__name__ for kind in errors if not issubclass(kind, GuardstreamError)] == []
