"""`guardstream serve`: the proxy, from the command line."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from guardstream.cli.installed import PROXY, check_installed
from guardstream.cli.output import MachineError, UsageError, note
from guardstream.hints import nearest
from guardstream.policy.serving import address_of
from guardstream.stream.on_block import ON_BLOCK


def warn_of_environment(prefix: str, options: Iterable[str]) -> None:
    """Warn of environment variables that resemble those of options, and are not."""
    known = {prefix + each.upper() for each in options}
    for name in sorted(each for each in os.environ if each.startswith(prefix)):
        if name not in known:
            close = nearest(name, known, cutoff=0.9)
            meant = f"did you mean {close}?" if close else "see 'guardstream serve --help'"
            note(f"warning: the variable {name} is not read: it belongs to no option; {meant}")


def serve(
    policy: str | None,
    policies: Sequence[str],
    *,
    routes: Sequence[str],
    host: str | None,
    port: int | None,
    workers: int | None,
    allow_code: Sequence[str],
    **flags: Any,
) -> None:
    """Serve until told to stop, as the section `serve` of the first policy and the flags say.

    A flag overrides the section.
    """
    _check_installed(metrics=bool(flags["metrics"]))
    from guardstream.serve.proxy.options import ServeOptions, section_options
    from guardstream.serve.proxy.run import ListenError
    from guardstream.serve.proxy.run import serve as run
    from guardstream.serve.proxy.settings import DEFAULT, SettingsError

    named = _policies(policy, policies, DEFAULT)
    section = section_options(named[DEFAULT])
    address, default_port = address_of(section.pop("listen", "127.0.0.1:8080"))
    processes = section.pop("workers", 1)
    options = {**section, **_checked(flags), "allow_code": tuple(allow_code)}
    options["policies"] = {**section.get("policies", {}), **named}
    options["routes"] = {**section.get("routes", {}), **_routes(routes, options["policies"])}
    if options.get("check"):
        _check_alone(options, named[DEFAULT])
    elif not options.get("upstream"):
        raise UsageError(
            f"no upstream: give --upstream https://api.openai.com, or 'serve: {{upstream: ...}}' "
            f"in {named[DEFAULT]}"
        )
    try:
        run(
            ServeOptions(**options),
            host=address if host is None else host,
            port=default_port if port is None else port,
            workers=processes if workers is None else workers,
        )
    except SettingsError as error:
        raise UsageError(str(error)) from error
    except ListenError as error:
        raise MachineError(str(error)) from error


_OF_PROXY = ("upstream", "upstreams", "models", "replay", "receipts", "heartbeat", "formats")


def _check_alone(options: dict[str, Any], policy: str) -> None:
    """Raise UsageError for what only a proxy does: an endpoint for checks forwards nothing."""
    given = [name for name in _OF_PROXY if options.get(name)]
    if given:
        raise UsageError(
            f"--check answers with verdicts and forwards nothing: leave out {given[0]!r}, on the "
            f"command line and in the section 'serve' of {policy}"
        )
    options["upstream"] = None


def _check_installed(*, metrics: bool) -> None:
    check_installed("serve", PROXY, "serve")
    if metrics:
        check_installed("--metrics", {"prometheus_client": "prometheus-client"}, "prometheus")


def _policies(policy: str | None, policies: Sequence[str], default: str) -> dict[str, str]:
    """Return the policies that flags name, by name: among them the `default`, for all paths."""
    named = _named(policies, "--policy", "NAME=POLICY", default=default)
    if policy is not None and default in named:
        raise UsageError(
            f"{policy!r} and --policy {named[default]!r}: name one policy for all paths"
        )
    named = {default: policy, **named} if policy is not None else named
    if default not in named:
        raise UsageError(
            "no policy for all paths ('default'): name a file or a pack, guardstream serve POLICY"
        )
    return named


def _checked(flags: Mapping[str, Any]) -> dict[str, Any]:
    """Return the flags that are given. UsageError for an unknown choice."""
    given = {name: value for name, value in flags.items() if value is not None}
    _check_one_of(("refuse", "guard", "pass"), given.get("other", "refuse"), "--other")
    _check_one_of(ON_BLOCK, given.get("on_block", "finish"), "--on-block")
    _check_one_of(("report", "raise"), given.get("audit_errors", "report"), "--audit-errors")
    return given


def _routes(routes: Sequence[str], policies: Collection[str]) -> dict[str, str]:
    """Return the routes that flags name, each to one of the policies."""
    routed = _named(routes, "--route", "PATH=NAME")
    for path, name in routed.items():
        if name not in policies:
            raise UsageError(
                f"--route {path}: no policy {name!r}: give its file or pack, --policy NAME=POLICY"
            )
    return routed


def _check_one_of(choices: Sequence[str], given: str, option: str) -> None:
    if given not in choices:
        raise UsageError(f"{option} {given!r}: expected {' or '.join(choices)}")


def _named(
    pairs: Sequence[str], option: str, form: str, default: str | None = None
) -> dict[str, str]:
    """Parse the pairs of an option, written as `form` says; a value alone is that of `default`."""
    found: dict[str, str] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals and default is not None:
            name, value = default, pair
        elif not (name and value):
            raise UsageError(f"{option} {pair!r}: expected {form}")
        if name in found:
            raise UsageError(f"{option} {name!r} is given twice")
        found[name] = value
    return found
