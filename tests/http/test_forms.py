"""Forms with files: what is forwarded has the fields that were judged."""

from __future__ import annotations

import pytest

from guardstream.http.forms import Part, read_form, write_form


@pytest.mark.parametrize(
    ("name", "filename"),
    [("x\\", "; name=purpose; y="), ("x", "b\\"), ("pur\\pose", None), ('a\\"b', None)],
)
def test_no_field_can_be_hidden_in_a_name(name: str, filename: str | None) -> None:
    kind, body = write_form([Part(name, b"batch", filename)])
    assert b"\\" not in body
    (part,) = read_form(kind.decode(), body)
    shown = name.replace("\\", "%5C").replace('"', "%22")
    assert (part.name, part.data, part.filename is None) == (shown, b"batch", filename is None)
