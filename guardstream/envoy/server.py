"""The gRPC server: each of Envoy's calls is a request to the proxy.

It fails closed: a failed call is aborted with a status and never ended normally, because Envoy
forwards whatever an ended call has not decided.
"""

from __future__ import annotations

import logging
import signal
from collections.abc import Callable
from typing import Any

import anyio
import grpc
from envoy.service.ext_proc.v3 import external_processor_pb2_grpc as service
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from guardstream.envoy.call import Call, CallError, Relay, set_current
from guardstream.envoy.local import is_local, passed
from guardstream.errors import GuardstreamError
from guardstream.policy.serving import GRACE
from guardstream.serve.proxy.app import Proxy, signing
from guardstream.serve.proxy.settings import ProxySettings, SettingsError

log = logging.getLogger("guardstream.envoy")

NAME = "envoy.service.ext_proc.v3.ExternalProcessor"

MAX_MESSAGE = 16 * 1024 * 1024
"""The maximum bytes of one of Envoy's messages; bodies arrive in much smaller pieces."""

LOOKAHEAD = 256 * 1024
"""The bytes of one call that are received before they are read."""

OPTIONS = (
    ("grpc.max_receive_message_length", MAX_MESSAGE),
    # A call to an Envoy that has died would stay open for ever.
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
    # Messages wait in Envoy, not here, until they are read.
    ("grpc.http2.bdp_probe", 0),
    ("grpc.http2.lookahead_bytes", LOOKAHEAD),
    ("grpc.so_reuseport", 0),
)


class Processor(service.ExternalProcessorServicer):  # type: ignore[misc]
    """The service that Envoy calls, with the settings of a proxy whose upstream is Envoy.

    Raises SettingsError for settings that only the proxy supports: a policy with `retry`, and
    `replay`.
    """

    def __init__(self, settings: ProxySettings) -> None:
        for name, around in settings.operations.items():
            if around.policy.file.retry is not None:
                where = around.policy.place("retry")
                raise SettingsError(f"{where}: Envoy sends a request only once: policy {name!r}")
        if settings.replay is not None:
            raise SettingsError("serve.replay: Envoy's clients cannot reconnect to a stream")
        self._proxy = Proxy(settings, Relay())
        self._app = signing(self._proxy, settings)

    async def Process(self, _requests: Any, context: Any) -> None:  # noqa: N802
        """Serve one of Envoy's requests."""
        first = await context.read()
        if first is grpc.aio.EOF:
            return
        if is_local(first):
            await passed(_MessageStream(context), first)
            return
        try:
            call = Call(_MessageStream(context), first)
        except CallError as error:
            log.error("%s", error)
            await context.abort(grpc.StatusCode.FAILED_PRECONDITION, str(error))
            return
        try:
            await self._serve(call)
        except* Exception as group:
            kinds = ", ".join(sorted({type(error).__name__ for error in _leaves(group)}))
            log.error("a request was cut off (%s)", kinds)
        if not call.complete:
            await context.abort(grpc.StatusCode.INTERNAL, "the answer was cut off")

    async def _serve(self, call: Call) -> None:
        set_current(call)
        async with anyio.create_task_group() as group:
            group.start_soon(call.pump)
            await self._app(call.scope, call.receive, call.send)
            if not call.complete:
                group.cancel_scope.cancel()
            call.leave()
            # Envoy still sends the rest of the provider's answer; only Envoy may end the call.

    async def aclose(self) -> None:
        """Close the proxy's connections."""
        await self._proxy.aclose()


class _MessageStream:
    """Adapts a gRPC call for `Call`."""

    def __init__(self, context: Any) -> None:
        self._context = context

    async def read(self) -> Any:
        message = await self._context.read()
        return None if message is grpc.aio.EOF else message

    async def write(self, message: Any) -> None:
        await self._context.write(message)


def _leaves(group: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    found: list[BaseException] = []
    for error in group.exceptions:
        found += _leaves(error) if isinstance(error, BaseExceptionGroup) else [error]
    return found


class ListenError(GuardstreamError):
    """The server cannot listen on the address."""


async def serve(
    settings: ProxySettings,
    *,
    address: str = "127.0.0.1:9002",
    drain: float = 0.0,
    grace: float = GRACE,
    started: Callable[[int], None] | None = None,
) -> None:
    """Serve Envoy's calls at `address` until cancelled, or stopped by SIGTERM or SIGINT.

    The health check then reports that it does not serve. Calls are still accepted for `drain`
    seconds, and open ones have `grace` seconds to end. `started` is called with the port once it
    listens. Raises ListenError.
    """
    server = grpc.aio.server(options=OPTIONS)
    processor = Processor(settings)
    service.add_ExternalProcessorServicer_to_server(processor, server)
    checks = health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(checks, server)
    try:
        port = server.add_insecure_port(address)
    except RuntimeError as error:
        raise ListenError(f"cannot listen on {address}: choose another with --listen") from error
    await server.start()
    for name in ("", NAME):
        await checks.set(name, health_pb2.HealthCheckResponse.SERVING)
    if started is not None:
        started(port)
    try:
        with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
            async for _ in signals:
                break
    finally:
        with anyio.CancelScope(shield=True):
            await checks.enter_graceful_shutdown()
            await anyio.sleep(drain)
            await server.stop(grace)
            await processor.aclose()
