"""Renderers of many markups, and what a browser makes of their pages.

A renderer that fails on a text shows nothing. What is read from a page is what a browser requests,
runs or sends when the page is shown or a link in it is clicked; texts, titles and ids are not.
"""

from __future__ import annotations

import html
import io
import re
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr
from typing import Any
from urllib.parse import unquote

import bbcode
import cmarkgfm
import commonmark
import creole
import docutils.core
import html5lib
import markdown
import markdown2
import marko
import mistune
import textile
from cmarkgfm.cmark import Options
from markdown_it import MarkdownIt
from mdit_py_plugins.attrs import attrs_block_plugin, attrs_plugin
from mdit_py_plugins.deflist import deflist_plugin
from mdit_py_plugins.footnote import footnote_plugin

Renderer = Callable[[str], str]

_RST = {"report_level": 5, "halt_level": 5, "file_insertion_enabled": False}
_EXTRAS = ("footnotes", "tables", "fenced-code-blocks", "link-patterns", "markdown-in-html")
_MISTUNE = ("strikethrough", "footnotes", "table", "url", "def_list", "abbr", "math", "ruby")


def _docutils(text: str) -> str:
    with redirect_stderr(io.StringIO()):
        parts = docutils.core.publish_parts(text, writer="html5", settings_overrides=_RST)
    return str(parts["html_body"])


def _markdown_it() -> Renderer:
    rendering = MarkdownIt("gfm-like", {"html": True})
    for plugin in (attrs_plugin, attrs_block_plugin, deflist_plugin, footnote_plugin):
        rendering.use(plugin)
    return rendering.render


RENDERERS: dict[str, Renderer] = {
    "html5lib": str,
    "markdown-it-py": MarkdownIt("commonmark").render,
    "markdown-it-py with plugins": _markdown_it(),
    "mistune": mistune.create_markdown(escape=False, plugins=list(_MISTUNE)),
    "markdown2": lambda text: str(markdown2.markdown(text, extras=list(_EXTRAS))),
    "Python-Markdown": lambda text: markdown.markdown(text, extensions=["extra"]),
    "commonmark": lambda text: str(commonmark.commonmark(text)),
    "cmark-gfm": lambda text: str(
        cmarkgfm.github_flavored_markdown_to_html(text, Options.CMARK_OPT_UNSAFE)
    ),
    "marko": marko.Markdown(extensions=["gfm"]).convert,
    "docutils": _docutils,
    "textile": lambda text: str(textile.textile(text)),
    "creole": lambda text: str(creole.creole2html(text, stderr=io.StringIO())),
    "bbcode": lambda text: str(bbcode.render_html(text)),
}
"""What turns a text into a page, by name."""


def page_of(renderer: Renderer, text: str) -> str:
    try:
        return renderer(text)
    except Exception:  # a fault of the renderer's: it shows nothing
        return ""


_SENT = re.compile(
    "href|src|srcset|imagesrcset|action|formaction|poster|data|background|style|ping|manifest|to"
    "|from|by|values|dynsrc|lowsrc|codebase|archive|longdesc|icon|content|on.*"
)
_DRAWN = re.compile("fill|stroke|mask|filter|clip-path|marker.*|cursor")  # in SVG
_SPARED = re.compile(r"[\x00-\x20]*(?:mailto|tel):[^?]*(?:\?[^=]*)?", re.IGNORECASE)


def sent(page: str) -> Iterator[str]:
    """Yield what a browser that shows `page` requests, runs or sends, decoded.

    The address of `mailto:` and `tel:` is left out, up to the first field with a value: there a
    value may stand.
    """
    for element in html5lib.parse(page, namespaceHTMLElements=False).iter():
        if not isinstance(element.tag, str):
            continue  # a comment
        if element.tag in ("script", "style", "{http://www.w3.org/2000/svg}style"):
            yield "".join(element.itertext())
        if _is_mail(element.get("href", ""), "".join(element.itertext())):
            continue
        for name, value in element.attrib.items():
            if name == "content" and element.tag != "meta":
                continue
            yield from _attribute(name.rpartition("}")[2].rpartition(":")[2].lower(), value)


def _is_mail(address: str, text: str) -> bool:
    """Return whether a link is of the mail address in its text, which some renderers link without
    `mailto:`."""
    return unquote(address) == text and re.fullmatch(r"[^/?#:@]+@[^/?#:@]+", text) is not None


def _attribute(name: str, value: str) -> Iterator[str]:
    if name == "srcdoc":
        yield from sent(value)
    elif _SENT.fullmatch(name) or (_DRAWN.fullmatch(name) and "url(" in value.lower()):
        if _DRAWN.fullmatch(name):
            value = value[value.lower().index("url(") :]
        address = _SPARED.sub("", value, count=1) if _SPARED.match(value) else value
        yield unquote(address)


def _says(address: str, secret: str) -> bool:
    """Return whether an address tells a value to someone.

    One that is nothing but the value names no host, so it stays on the page's own server, and one
    that is a fragment on the page itself; and no browser knows a scheme that is made of a value.
    """
    address = html.unescape(address)
    if address.startswith("#"):
        return False
    around = re.sub(rf"[a-z0-9.@]*{secret}[a-z0-9.@]*", "", address.lower())
    scheme, colon, rest = address.lower().partition(":")
    if colon and re.fullmatch(r"[a-z0-9+.\-]*", scheme) and secret in scheme:
        return secret in rest
    return secret in address.lower() and re.search(r"[\w/\\:.]", around) is not None


def leaks(renderer: Renderer, text: str, secret: str) -> list[str]:
    """Return what leaves the page of `text` with `secret` in it."""
    page = page_of(renderer, text)
    if secret not in html.unescape(page).lower():
        return []
    return [each for each in sent(page) if _says(each, secret)]


def versions() -> dict[str, Any]:
    from importlib.metadata import version

    names = "markdown-it-py mistune markdown2 Markdown commonmark cmarkgfm marko docutils textile"
    return {name: version(name) for name in (*names.split(), "python-creole", "bbcode", "html5lib")}
