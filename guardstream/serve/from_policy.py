"""Applies the section `serve` of a policy: for the proxy, and for the middleware."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from guardstream.errors import PolicyError
from guardstream.guard import Guard
from guardstream.policy import Policy, packs
from guardstream.policy.model import PolicyFile
from guardstream.policy.operational import revealed
from guardstream.policy.reload import Watched
from guardstream.policy.serving import ReplayFile, RouteFile, ServeFile, policy_path, route_of
from guardstream.policy.sources import Loader, Source
from guardstream.serve.journal import Replay
from guardstream.serve.replay import MemoryReplay, ReplayStore
from guardstream.serve.routes import Route, Settings, route_with


def read(path: str) -> tuple[PolicyFile, Source]:
    """Read a policy file without compiling it; PolicyError for errors in its text."""
    loader = Loader(purpose="lint")
    whole = loader.load(packs.resolve(path))
    loader.check()
    return whole.file, whole.source


def replay_of(section: ReplayFile | None) -> Replay | None:
    """Create the store of a section; PolicyError if its secret is not in the environment."""
    if section is None:
        return None
    return Replay(_store(section), section.linger or 0.0, tuple(section.by))


def _store(section: ReplayFile) -> ReplayStore:
    kept: dict[str, Any] = {
        "max_events": section.max_events,
        "max_bytes": section.max_bytes,
        "max_age": section.max_age,
    }
    if section.redis is None:
        return MemoryReplay(**kept, max_streams=section.max_streams, max_total=section.max_total)
    client = redis_of(section.redis, "replay")
    from guardstream.serve.replay_redis import RedisReplay

    return RedisReplay(client, prefix=section.prefix, timeout=section.timeout, **kept)


def redis_of(secret: str, what: str) -> Any:
    """Create a Redis client whose URL is a secret; PolicyError if that fails.

    A connection that Redis has closed, for example after a restart, is reopened once.
    """
    try:
        from redis.asyncio import Redis
        from redis.asyncio.retry import Retry
        from redis.backoff import NoBackoff
        from redis.exceptions import ConnectionError as ClosedError
    except ImportError as error:
        raise PolicyError(
            f"{what} in Redis needs redis: pip install 'guardstream[redis]'"
        ) from error
    try:
        again = Retry(NoBackoff(), 1, supported_errors=(ClosedError,))
        return Redis.from_url(revealed(secret), retry=again)
    except ValueError:  # the message may contain the secret
        raise PolicyError(f"{secret} does not hold a Redis URL: redis://HOST:PORT") from None


def replay_at(policy: Policy) -> Replay | None:
    """Create the store of a policy; PolicyError names its place in the policy."""
    section = policy.file.serve
    try:
        return replay_of(section.replay if section else None)
    except PolicyError as error:
        raise PolicyError(f"{policy.place('serve', 'replay')}: {error}") from error


def routes_of(guard: Guard) -> Iterator[Route]:
    """Yield the routes of a guard's policy for the middleware, in their order."""
    policy = guard.policy
    section = policy.file.serve
    if section is None:
        return
    made: dict[tuple[str, bool], Guard] = {}
    for path, entry in section.routes.items():
        file = route_of(entry)
        if file.upstream is not None:
            where = policy.place("serve", "routes", path, "upstream")
            raise PolicyError(f"{where}: the middleware has no upstreams: leave it out")
        of_route = _guard(guard, section, file.policy, made) if file.guard else None
        inbound = None  # the program's own stages are for answers
        if file.inbound:
            inbound = _guard(guard, section, file.inbound, made, own_stages=False)
        try:
            route = _route(path, file, section, of_route, inbound)
        except ValueError as error:
            where = policy.place("serve", "routes", path)
            raise PolicyError(f"{where}: {error}") from error
        yield route


def _route(
    path: str, file: RouteFile, section: ServeFile, guard: Guard | None, inbound: Guard | None
) -> Route:
    settings = Settings(
        format=file.format,
        unknown=file.unknown,
        text_types=tuple(file.text_types),
        other=file.other,
        file_types=tuple(file.file_types),
        max_answer=file.max_answer or section.limits.answer,
        decompress=file.decompress,
        heartbeat=file.heartbeat or section.heartbeats,
        websocket=file.websocket,
        end_mark=file.end_mark,
        binary=file.binary,
        inbound=inbound,
        on_block=file.on_block,
    )
    return route_with(settings, path, guard)


def _guard(
    guard: Guard,
    section: ServeFile,
    name: str | None,
    made: dict[tuple[str, bool], Guard],
    *,
    own_stages: bool = True,
) -> Guard:
    """Return the guard of a route's policy, which follows its files if the outer guard does."""
    if name is None:
        return guard
    key = name, own_stages
    if key not in made:
        built = guard.policy.built
        watched = Watched(policy_path(section, built.source.folder, name), allow_code=built.code)
        policy = other_policy(watched.loaded)
        follows = guard.follows_files or policy.file.reload
        made[key] = guard.for_policy(watched if follows else policy, own_stages=own_stages)
        made[key].keep_sections(["serve"], "restart the application")
    return made[key]


def other_policy(policy: Policy) -> Policy:
    """Return the policy of a route; PolicyError if it has serving settings of its own."""
    if policy.file.serve is not None:
        raise PolicyError(
            f"{policy.place('serve')}: the section 'serve' counts only in the policy of all paths"
        )
    return policy


def middleware(guard: Guard) -> Mapping[str, Any]:
    """Return the middleware's settings in a guard's policy: `routes`, `replay`, `heartbeat`,
    `max_answer` and `on_block`.

    PolicyError for receipts, which only the proxy signs.
    """
    section = guard.policy.file.serve
    guard.keep_sections(["serve"], "restart the application")
    if section is None:
        return {}
    if section.receipts is not None:
        raise PolicyError(
            f"{guard.policy.place('serve')}: the middleware signs no receipts: put "
            "guardstream.serve.receipts.ReceiptMiddleware around the application"
        )
    return {
        "routes": tuple(routes_of(guard)),
        "replay": replay_at(guard.policy),
        "heartbeat": section.heartbeats,
        "max_answer": section.limits.answer,
        "on_block": section.on_block,
    }
