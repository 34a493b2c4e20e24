"""ASGI middleware that guards an application's responses and WebSockets, by route.

It follows the ASGI specification (https://asgi.readthedocs.io/en/latest/specs/www.html, HTTP 2.5)
and is a plain ASGI application itself. Unguarded responses pass unchanged, message by message.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from inspect import signature
from typing import TypeAlias, Unpack

from starlette.types import ASGIApp, Receive, Scope, Send

from guardstream.guard import Guard, check_guard
from guardstream.hints import hint
from guardstream.serve.exchange import Exchange
from guardstream.serve.from_policy import middleware
from guardstream.serve.journal import Replay, last_event_id
from guardstream.serve.replay import ReplayStore
from guardstream.serve.restoring import Restoring
from guardstream.serve.resuming import resume
from guardstream.serve.routes import Route, Routes, Settings, route_with
from guardstream.serve.websocket import Connection
from guardstream.stream.flows.choosing import choosing
from guardstream.vault import Vault

Routing: TypeAlias = Route | tuple[str, Guard | None]


class GuardMiddleware:
    """Guards the responses and WebSocket messages of the application `app`.

    Event streams, NDJSON and texts are guarded as they arrive, JSON and responses of a known length
    as a whole. `Route` documents which responses pass.

    - `guard`: for all paths without a route.
    - `routes`: the first that matches a path applies; a route without a guard passes.
    - `settings`: those of `Route`, for `guard` and for routes given as (pattern, guard).
    - `replay`: a store of released events for clients that reconnect; `linger`: how many seconds a
      stream continues without its client; `replay_by`: headers, such as `authorization`, whose
      values must be the same when a client reconnects.
    - `replay_vault`: given the scope of a reconnecting request, returns the vault of its
      conversation. If the application sets a vault for its answers, the store has stand-ins.

    The section `serve` of the guard's policy has the settings that no argument sets; its routes
    come after `routes`.

    Raises ValueError without a guard and routes and for an invalid setting, TypeError for a guard
    of the wrong type, and PolicyError if a policy has a section that the middleware cannot apply
    (`gate`, `retry`, `concurrency`), or needs a secret that the environment lacks.
    """

    def __init__(
        self,
        app: ASGIApp,
        guard: Guard | None = None,
        *,
        routes: Iterable[Routing] = (),
        replay: ReplayStore | None = None,
        linger: float = 0.0,
        replay_by: Sequence[str] = (),
        replay_vault: Callable[[Scope], Awaitable[Vault | None]] | None = None,
        **settings: Unpack[Settings],
    ) -> None:
        unknown = sorted(settings.keys() - Settings.__annotations__.keys())
        if unknown:
            *own, _ = signature(GuardMiddleware).parameters
            meant = hint(unknown[0], [*own, *Settings.__annotations__])
            raise TypeError(f"GuardMiddleware() has no argument {unknown[0]!r}, {meant}")
        if guard is not None:
            check_guard(guard, "a route")
        section = middleware(guard) if guard is not None else {}
        if section:
            of_section = {name: section[name] for name in ("heartbeat", "max_answer", "on_block")}
            settings = {**of_section, **settings}  # type: ignore[typeddict-item]
        listed = _listed(routes)
        pairs = [("/{path:path}", guard), *(each for each in listed if not isinstance(each, Route))]
        _check_applied(settings, pairs)
        otherwise = route_with(settings, *pairs[0])
        given = [
            each if isinstance(each, Route) else route_with(settings, *each) for each in listed
        ]
        given += section.get("routes", ())
        for route in (otherwise, *given):
            _check_route(route)
        if guard is None and not given:
            raise ValueError("nothing would be guarded: give 'guard' or 'routes'")
        self.app = app
        self._routes = Routes(given, otherwise, settings.get("on_block"))
        self._replay = (
            section.get("replay") if replay is None else Replay(replay, linger, replay_by)
        )
        _check_unused({"linger": linger, "replay_by": replay_by}, replay)
        _check_unused({"replay_vault": replay_vault}, self._replay)
        self._replay_vault = replay_vault
        self._passed: set[str] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request or connection."""
        kind = scope["type"]
        route = self._routes.find(scope) if kind in ("http", "websocket") else None
        if route is None:
            await self.app(scope, receive, send)
            return
        route = await route.apinned()
        if kind == "websocket":
            await Connection(scope, receive, send, route).run(self.app)
        elif self._replay is None or not await self._resumed(scope, receive, send, route):
            exchange = Exchange(
                scope,
                receive,
                send,
                route,
                self._replay,
                restores=self._replay_vault is not None,
                passed=self._passed,
            )
            await exchange.run(self.app)

    async def _resumed(self, scope: Scope, receive: Receive, send: Send, route: Route) -> bool:
        assert self._replay is not None
        restoring = None
        if self._replay_vault is not None and last_event_id(scope) is not None:
            vault = await self._replay_vault(scope)
            if vault is not None and route.guard is not None:
                restoring = Restoring(route.guard, vault, route.format)
        return await resume(scope, receive, send, route, self._replay, restoring=restoring)


def _listed(routes: Iterable[Routing]) -> list[Routing]:
    """Return the routes as a list. TypeError for anything but routes and pairs of a path and a
    guard."""
    wanted = "'routes' are Route or (path, guard), in order, not"
    if isinstance(routes, Mapping):
        raise TypeError(f"{wanted} a mapping")
    listed = list(routes)
    for each in listed:
        is_pair = isinstance(each, Sequence) and not isinstance(each, str) and len(each) == 2
        if not isinstance(each, Route) and not is_pair:
            raise TypeError(f"{wanted} {each!r}")
    return listed


def _check_route(route: Route) -> None:
    """Raise PolicyError for a policy that cannot be applied, AdapterError for its provider."""
    for guard in (route.guard, route.inbound):
        if guard is not None:
            guard.refuse_operations("the middleware", in_reloads=True)
    if route.guard is not None:
        choosing(route.guard.policy, route.format, route.guard.policy.unknown)


def _check_applied(settings: Settings, pairs: Iterable[tuple[str, Guard | None]]) -> None:
    """Raise ValueError for a setting that would have no effect; `on_block` is of all routes."""
    name = next((each for each in settings if each != "on_block"), None)
    if name is not None and all(guard is None for _, guard in pairs):
        raise ValueError(
            f"{name!r} is for 'guard' and for routes given as (path, guard): set it in a Route"
        )


def _check_unused(given: Mapping[str, object], replay: object) -> None:
    """Raise ValueError for settings about clients that reconnect, if there is no replay."""
    unused = next((name for name, value in given.items() if value), None)
    if replay is None and unused is not None:
        raise ValueError(f"{unused!r} is for clients that reconnect: give 'replay', too")
