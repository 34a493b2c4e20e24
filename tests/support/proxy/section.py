"""A proxy as its policy describes it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from starlette.responses import Response

from guardstream.serve.proxy import ServeOptions, application, section_options
from tests.serve.apps import app_of
from tests.serve.proxy.upstream import POLICY, Provider
from tests.serve.server import serving

CHAT, MESSAGES = "/v1/chat/completions", "/v1/messages"


def options(path: Path) -> ServeOptions:
    said = section_options(str(path))
    said = {name: value for name, value in said.items() if name not in ("listen", "workers")}
    said["policies"] = {**said["policies"], "default": str(path)}
    return ServeOptions(**said)


@contextmanager
def served(
    folder: Path, respond: Callable[[Provider], Response], section: str, more: str = ""
) -> Iterator[tuple[str, Provider]]:
    """The proxy of a policy with this section, before a provider that answers with `respond`."""
    provider = Provider(lambda _: respond(provider))
    with serving(app_of(provider)) as port:
        url = f"http://127.0.0.1:{port}"
        path = folder / "policy.yaml"
        section = section.replace("UPSTREAM", f"{{url: '{url}', key: '${{UPSTREAM_KEY}}'}}")
        path.write_text(
            f"{POLICY}\n{more}\nserve:\n  upstream: {url}\n{section}".replace(
                f"  upstream: {url}\n  upstream", "  upstream"
            )
        )
        with serving(application(options(path).settings()), lifespan="on") as front:
            yield f"http://127.0.0.1:{front}", provider
