"""What validators need to know, and the last of several documents."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel, ValidationInfo, field_validator

from guardstream import extract
from tests.support.sources import agen


class Quote(BaseModel):
    q: str

    @field_validator("q")
    @classmethod
    def stands_in_the_document(cls, value: str, info: ValidationInfo) -> str:
        if info.context is not None and value not in info.context:
            raise ValueError("not in the document")
        return value


@pytest.mark.anyio
async def test_validators_get_the_context() -> None:
    text = '{"q": "a"}'
    assert extract.final_sync([text], Quote, context="xax").q == "a"
    assert (await extract.final(agen([text]), Quote, context="xax")).q == "a"
    assert [*extract.snapshots_sync([text], Quote, context="xax")][-1].q == "a"
    assert [each.q for each in extract.items_sync([f"[{text}]"], "item", Quote, context="a")] == [
        "a"
    ]
    with pytest.raises(extract.ExtractError):
        extract.final_sync([text], Quote, context="b")
    with pytest.raises(extract.ExtractError):
        [*extract.items_sync([f"[{text}]"], "item", Quote, context="b")]


@pytest.mark.parametrize("size", [1, 7, 100])
@pytest.mark.parametrize("fences", [None, "strip"])
def test_the_last_document_counts(size: int, fences: Any) -> None:
    text = '{"draft": 1}\n{"q": "a"}\n{"q": "b"}\n'
    pieces = [text[at : at + size] for at in range(0, len(text), size)]
    found = extract.final_sync(pieces, Quote, documents="last", fences=fences)
    assert found.q == "b"


def test_without_a_document_there_is_no_last_one() -> None:
    with pytest.raises(extract.ExtractError, match="no document"):
        extract.final_sync([" "], Quote, documents="last")
