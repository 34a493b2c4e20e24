"""Runs the proxy under uvicorn, in one process or several."""

from __future__ import annotations

import asyncio
import gc
import inspect
import json
import logging
import multiprocessing
import os
import signal
import socket
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from math import ceil
from types import FrameType
from typing import Any
from urllib.parse import urlsplit

import uvicorn
from starlette.applications import Starlette
from uvicorn.supervisors import Multiprocess

from guardstream.errors import GuardstreamError
from guardstream.policy.serving import IN_MEMORY, ONE_PROCESS, address_of
from guardstream.serve.check.app import checking
from guardstream.serve.proxy.app import application
from guardstream.serve.proxy.connections import tls
from guardstream.serve.proxy.generations import FOLDER, Generations, published
from guardstream.serve.proxy.options import ServeOptions, shown_metrics
from guardstream.serve.proxy.protocol import BoundedProtocol
from guardstream.serve.proxy.settings import ProxySettings, SettingsError

_ENVIRONMENT = "GUARDSTREAM_SERVE"
"""The environment variable that passes the options to worker processes."""

_MAX_HEADER = 64 * 1024
"""The maximum bytes of a request's line and headers together."""


_SWITCH_INTERVAL = 0.0002
"""Seconds for which a thread that guards a long text may hold the GIL. The event loop requests the
GIL again for each ready socket, and waits this long each time."""

_OTHER_FILES = 100
"""Files that a process opens besides its connections."""

_WORKER_TIMEOUT = 60
"""Seconds for which a worker may be silent, for example while it starts on a busy machine, before
it is considered dead and killed with all its streams."""

_ABORT_SECONDS = 2.0
"""Seconds for the last answers to report that they are aborted."""

_POLL_SECONDS = 0.2
"""Seconds between checks for ended workers and further signals."""

_KILL_SECONDS = 10.0
"""Seconds after which anything that ignores that is killed."""

log = logging.getLogger("guardstream.serve")


class ListenError(GuardstreamError):
    """The address cannot be listened on: in use, not of this machine, or not permitted."""


def serve(options: ServeOptions, *, host: str, port: int, workers: int) -> None:
    """Serve until told to stop. Errors in the options are raised before that.

    ListenError if the address is unavailable. The address, what is guarded, and the policies are
    printed to standard error.
    """
    if workers > 1 and options.replay is not None and not options.replay.get("redis"):
        raise SettingsError(IN_MEMORY)
    if workers > 1 and options.has_keys and options.state is None:
        raise SettingsError(ONE_PROCESS)
    settings = options.settings()
    if workers > 1:
        _check_vaults(settings, options)
    with _listening(host, port) as listener:
        if options.holds_key and not options.has_keys:
            _check_near(listener)
        for line in _announced(settings, options, listener):
            print(line, file=sys.stderr, flush=True)
        _serve(options, settings, listener, workers)


def _check_vaults(settings: ProxySettings, options: ServeOptions) -> None:
    """Raise SettingsError for a vault that several workers would have to share, but do not.

    A client without a key cannot name a conversation, so that nothing of it is stored: then an
    `id_key` is enough for the same stand-ins in all workers.
    """
    for guard in settings.guards.values():
        vault = guard.policy.file.vault
        if vault is None or vault.sqlite or vault.redis:
            continue
        if options.has_keys:
            why = "a vault in memory is for one process: 'workers: 1', or 'sqlite' or 'redis'"
        elif vault.id_key is None:
            why = "each worker would make other stand-ins: 'workers: 1', or an 'id_key'"
        else:
            continue
        raise SettingsError(f"{guard.policy.place('vault')}: {why}")


@contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    """Yield a socket bound to the address, in a form that worker processes can share."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        # `localhost` may be two addresses: use the one that clients try if they only know one.
        family, kind, protocol, _, address = min(found, key=lambda each: each[0] != socket.AF_INET)
        listener = socket.socket(family, kind, protocol)
    except (OSError, UnicodeError) as error:
        raise ListenError(f"cannot listen on {host!r}: {_reason(error)}; see --host") from error
    with listener:
        if os.name != "nt":  # there it would let two programs share a port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(address)
            listener.listen(2048)
        except OSError as error:
            problem = f"cannot listen on {host} port {port}: {_reason(error)}"
            raise ListenError(f"{problem}; choose another with --port or --host") from error
        listener.set_inheritable(True)
        yield listener


def _check_near(listener: socket.socket) -> None:
    """Raise SettingsError unless the address is only reachable from this machine."""
    host = listener.getsockname()[0]
    if not ip_address(host.partition("%")[0]).is_loopback:
        raise SettingsError(
            f"anyone who reaches {host} would use the upstream's key: give clients 'keys' of their "
            "own (guardstream key new NAME), or listen on 127.0.0.1"
        )


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or "not the name of a host").lower()


def _announced(
    settings: ProxySettings, options: ServeOptions, listener: socket.socket
) -> Iterator[str]:
    host, port = listener.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    what = f"guarding {_without_secrets(options.upstream)}" if options.upstream else "for checks"
    yield f"guardstream: listening on http://{shown}:{port}, {what}"
    for name, guard in settings.guards.items():
        policy = guard.policy
        checks = "answers and prompts" if policy.input else "answers; it has no 'input' for prompts"
        mode = ", in shadow mode: nothing is changed" if policy.shadow else ""
        path = options.policies[name]
        yield f"guardstream: policy {name!r}: {path} ({policy.fingerprint}) guards {checks}{mode}"
    for route, name in options.routes.items():
        yield f"guardstream: {route} by the policy {name!r}"
    for name, target in options.upstreams.items():
        url = target if isinstance(target, str) else target["url"]
        yield f"guardstream: upstream {name!r}: {url}"
    if options.receipts is not None:
        yield "guardstream: whole answers in JSON and event streams have receipts; NDJSON has none"
    if options.has_keys:
        yield f"guardstream: clients need {_key_notice(options)}"
    elif options.holds_key:
        yield "guardstream: anyone on this machine can use the upstream's key: set keys"


def _key_notice(options: ServeOptions) -> str:
    """Return which keys clients need, as text."""
    found = [f"one of the keys {', '.join(options.keys)}"] if options.keys else []
    found += [f"one of {options.key_file}"] if options.key_file else []
    found += [f"one that {options.key_function} knows"] if options.key_function else []
    return ", or ".join(found)


def _without_secrets(upstream: str) -> str:
    """Return the upstream without credentials, so that it may be shown."""
    parts = urlsplit(upstream)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def _serve(
    options: ServeOptions, settings: ProxySettings, listener: socket.socket, workers: int
) -> None:
    os.environ[_ENVIRONMENT] = json.dumps(asdict(options))
    log_requests()
    arguments: dict[str, Any] = {
        "factory": True,
        "http": BoundedProtocol,
        # Of the proxy, a request to upgrade is answered like any other.
        "ws": "auto" if options.check else "none",
        "workers": workers,
        "access_log": False,  # it would contain query strings, which may have keys
        "log_level": "warning",
        "h11_max_incomplete_event_size": _MAX_HEADER,
        "timeout_graceful_shutdown": ceil(options.grace + _KILL_SECONDS),
        "server_header": False,
    }
    if "timeout_worker_healthcheck" in inspect.signature(uvicorn.Config).parameters:
        arguments["timeout_worker_healthcheck"] = _WORKER_TIMEOUT  # older versions wait 5 s
    counted = settings.metrics is not None or options.metrics_listen is not None
    with _metrics_folder(workers, counted=counted), _metrics_server(options.metrics_listen):
        config = uvicorn.Config(f"{__name__}:from_environment", **arguments)
        server = uvicorn.Server(config)
        if workers > 1:
            with (
                _shared_folder("policies") as folder,
                published(folder, settings.guards) as generations,
            ):
                _supervise(config, server, listener, options, generations)
        else:
            server.run(sockets=[listener])
            if not server.started:
                raise ListenError("the proxy did not start: the reason is above")


def _supervise(
    config: uvicorn.Config,
    server: uvicorn.Server,
    listener: socket.socket,
    options: ServeOptions,
    generations: Generations,
) -> None:
    """Run the workers until told to stop."""
    supervisor: Any = _Workers
    # Earlier versions of uvicorn need the application's import path.
    takes_target = "target" in inspect.signature(supervisor).parameters
    also = {"target": server.run} if takes_target else {}
    workers = supervisor(config, sockets=[listener], **also)
    workers.reload = partial(generations.reload, options.policy)
    workers.run()


class _Workers(Multiprocess):
    """The worker processes. On shutdown, this process closes its copy of the socket: new clients
    are then refused once the last worker has closed its own, instead of waiting for an answer.

    SIGINT, and a second signal, are passed on as a second SIGTERM, which ends the wait of `drain`.
    A worker that dies before its first message is replaced at once.

    SIGHUP waits until each old worker has ended, which may take its `drain` and `grace`. That is
    done in a thread, so that another signal can stop all workers meanwhile.
    """

    reload: Callable[[], None]
    """Loads the policies anew, for the workers that SIGHUP starts."""

    _restarting: threading.Thread | None = None

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._signals = 1  # how many signals to stop each worker gets
        self._signalled: Counter[int] = Counter()

    def handle_int(self) -> None:
        super().handle_int()
        self.signal_queue.append(signal.SIGINT)

    def handle_hup(self) -> None:
        self.reload()
        thread = self._restarting = threading.Thread(target=self._restart, daemon=True)
        thread.start()
        while thread.is_alive():
            thread.join(_POLL_SECONDS)
            for number in (signal.SIGTERM, signal.SIGINT):
                if number in self.signal_queue:
                    self.signal_queue.remove(number)
                    self.handle_int() if number == signal.SIGINT else self.handle_term()
                    return

    def _restart(self) -> None:
        try:
            super().handle_hup()
        except (OSError, ValueError):  # the socket was closed, because all are to stop
            if not self.should_exit.is_set():
                raise

    def keep_subprocess_alive(self) -> None:
        # If this process kept the workers' ends of the pipes open, it would never see that one has
        # died.
        for each in self.processes:
            each.child_conn.close()
        super().keep_subprocess_alive()

    def terminate_all(self) -> None:
        super().terminate_all()
        self._signalled.update(id(each) for each in self.processes)
        for each in self.sockets:
            each.close()

    def join_all(self) -> None:
        while (running := self._running()) or self._is_restarting():
            time.sleep(_POLL_SECONDS)
            if self.signal_queue and os.name != "nt":
                self.signal_queue.clear()
                self._signals += 1
            for each in running:
                # A worker that took an old one's place meanwhile has had no signal.
                if self._signalled[id(each)] < self._signals:
                    self._signalled[id(each)] += 1
                    each.process.terminate()
        super().join_all()

    def _running(self) -> list[Any]:
        return [each for each in self.processes if each.process.is_alive()]

    def _is_restarting(self) -> bool:
        return self._restarting is not None and self._restarting.is_alive()


def log_requests() -> None:
    """Enable the request log, in the process that answers requests."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)  # its lines contain full URLs
    # The proxy's own lines say what has failed.
    logging.getLogger("stamina").setLevel(logging.CRITICAL)


def _connection_limit(connections: int) -> int:
    """Return how many connections the file limit allows: each needs one more to the upstream."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return connections
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * connections + _OTHER_FILES
    unlimited = resource.RLIM_INFINITY
    if soft != unlimited and soft < wanted:
        soft = wanted if hard == unlimited else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    affordable = connections if soft == unlimited else (soft - _OTHER_FILES) // 2
    if affordable < connections:
        log.warning("max_connections: %d, because no more files may be open", affordable)
    return max(1, min(connections, affordable))


@contextmanager
def _metrics_server(listen: str | None) -> Iterator[None]:
    """Serve `/metrics` for all workers at an address of its own, if there is one."""
    if listen is None:
        yield
        return
    metrics = shown_metrics()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = self.path.partition("?")[0] == "/metrics"
            body = metrics.render() if found else b""
            self.send_response(200 if found else 404)
            self.send_header("content-type", metrics.content_type)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments: object) -> None:
            """Log nothing: the log is about requests of clients."""

    address = address_of(listen)
    try:
        server = ThreadingHTTPServer(address, Handler)
    except OSError as error:
        raise ListenError(
            f"cannot listen on {listen}: {_reason(error)}; see metrics_listen"
        ) from error
    print(f"guardstream: metrics at http://{listen}/metrics", file=sys.stderr, flush=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def _metrics_folder(workers: int, *, counted: bool) -> Iterator[None]:
    """Give several workers a directory for shared metrics, unless one is configured."""
    if not counted or workers == 1 or "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        yield
        return
    with _shared_folder("metrics") as folder:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
        yield


@contextmanager
def _shared_folder(what: str) -> Iterator[str]:
    """Create a folder that the workers share, as long as they run. ListenError if that fails."""
    try:
        shared = tempfile.TemporaryDirectory(prefix=f"guardstream-{what}-")
    except OSError as error:
        raise ListenError(
            f"the {what} of several workers need a folder that can be written: mount one at /tmp, "
            "or name one in TMPDIR"
        ) from error
    with shared as folder:
        yield folder


def from_environment() -> Starlette:
    """Return the application that `serve` has described; each worker creates its own."""
    log_requests()
    sys.setswitchinterval(_SWITCH_INTERVAL)
    options = ServeOptions(**json.loads(os.environ[_ENVIRONMENT]))
    settings = _loaded(options)
    BoundedProtocol.seconds = options.header_timeout
    BoundedProtocol.most = _connection_limit(options.max_connections)
    BoundedProtocol.lasts = options.grace + _ABORT_SECONDS
    app = checking(settings) if options.check else application(settings)
    tls()  # so that the first request, and all others with it, need not wait for it
    gc.collect()
    gc.freeze()  # loaded objects stay, so the garbage collector need not scan them
    _handle_signals(app, options)
    _follow_parent()
    return app


def _follow_parent() -> None:
    """Let a worker stop when the process that started it is gone, for example killed. Otherwise it
    would serve for ever and keep the address, and nobody would know of it."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def follow() -> None:
        parent.join()
        log.error("the process that started this worker is gone: stopping")
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=follow, daemon=True).start()


def _loaded(options: ServeOptions) -> ProxySettings:
    """Load a worker's settings. A worker that replaces another may find a file of keys that has
    become invalid: it logs that and exits, and new ones are started until it is valid."""
    try:
        return options.settings(os.environ.get(FOLDER))
    except (GuardstreamError, OSError) as error:
        log.error("a worker could not start, which is tried again:\n%s", error)
        raise SystemExit(1) from error


def _handle_signals(app: Starlette, options: ServeOptions) -> None:
    """Let SIGTERM first mark the proxy as not ready, and stop it `drain` seconds later.

    That gives load balancers time to notice; a second signal, or SIGINT, stops it at once. Running
    requests then have `grace` seconds to end, and are aborted after that. SIGHUP acts like SIGTERM,
    because it would otherwise kill the process with all its answers, unless it is ignored, as under
    `nohup`.
    """
    loop = asyncio.get_running_loop()
    stops = {each: signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)}

    def stop(number: int, frame: FrameType | None) -> None:
        loop.call_later(options.grace, app.state.stop)
        if callable(server := stops[signal.Signals(number)]):
            server(number, frame)

    def handle(number: int, frame: FrameType | None) -> None:
        again, app.state.draining = app.state.draining, True
        seconds = options.drain if number == signal.SIGTERM and not again else 0
        if seconds:
            log.info("stopping: not ready from now on, closed in %g s", seconds)
        loop.call_soon_threadsafe(loop.call_later, seconds, stop, number, frame)

    for each in stops:
        signal.signal(each, handle)
    if os.name != "nt" and signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:
        signal.signal(signal.SIGHUP, lambda _, frame: handle(signal.SIGTERM, frame))
