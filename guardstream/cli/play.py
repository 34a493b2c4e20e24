"""`guardstream play`: the playground, from the command line."""

from __future__ import annotations

import json
import os
from urllib.parse import urlsplit

from guardstream.cli.demo import recording
from guardstream.cli.installed import check_installed
from guardstream.cli.output import MachineError, UsageError
from guardstream.policy import packs

_NEEDED = ("httpx", "starlette", "uvicorn")


def play(
    policy: str | None,
    *,
    port: int,
    upstream: str | None,
    model: str | None,
    key_env: str | None,
    browser: bool,
) -> None:
    """Serve the page until interrupted; `policy` is a file, a pack, or a shared link."""
    check_installed("play", {name: name for name in _NEEDED}, "serve")
    from guardstream.play.app import Playground
    from guardstream.play.examples import examples
    from guardstream.play.run import PortError, serve
    from guardstream.play.upstream import Upstream

    if (upstream is None) != (model is None):
        raise UsageError("a model needs both: --upstream URL --model NAME")
    if upstream is None and key_env is not None:
        raise UsageError("--key-env needs an --upstream")
    found = None
    if upstream is not None and model is not None:
        found = Upstream(_checked(upstream), model, _key(key_env))
    linked = policy is not None and policy.startswith(("http://", "https://"))
    fragment = urlsplit(policy).fragment if policy and linked else ""
    if linked and not fragment:
        raise UsageError("the link has no policy: copy the whole link, with the part after '#'")
    known = examples(_demo())
    text = known[0].policy if policy is None or fragment else _text(policy)
    try:
        serve(
            Playground(text, known, found),
            port=port,
            fragment=fragment,
            browser=browser,
        )
    except PortError as error:
        raise MachineError(str(error)) from error


def _text(policy: str) -> str:
    """Return the text that the editor starts with."""
    from guardstream.play.examples import started_from
    from guardstream.play.opened import opened

    path = packs.resolve(policy)
    return started_from(path.stem) if packs.has(path) else opened(path)


def _checked(upstream: str) -> str:
    parts = urlsplit(upstream)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise UsageError(f"--upstream {upstream!r}: expected https://HOST/v1")
    return upstream


def _key(name: str | None) -> str:
    if name is None:
        return ""
    key = os.environ.get(name)
    if not key:
        raise UsageError(f"--key-env {name!r}: this variable is not set")
    return key


def _demo() -> str:
    """Return the recording that comes with the package, in the format of recordings."""
    lines: list[dict[str, object]] = [{"recording": 1}]
    deltas = recording()
    lines += [{"t": round(each.at - deltas[0].at, 4), "text": each.text} for each in deltas]
    return "\n".join(json.dumps(line, ensure_ascii=False) for line in lines)
