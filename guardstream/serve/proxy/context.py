"""The objects that all requests to one proxy share: endpoints, upstreams, keys and state."""

from __future__ import annotations

from guardstream.serve.proxy.endpoints import UNKNOWN, Endpoint, EndpointMatch, EndpointTable
from guardstream.serve.proxy.forwarding import Sender
from guardstream.serve.proxy.holdings import Holdings
from guardstream.serve.proxy.keys import Keys, named_keys
from guardstream.serve.proxy.settings import ProxySettings
from guardstream.serve.proxy.state import MemoryState, State
from guardstream.serve.proxy.upstreams import Target, Upstream
from guardstream.serve.proxy.worker_thread import WorkerThread
from guardstream.serve.routes import Headers


class ProxyContext:
    """The shared objects of one proxy, created from its settings; `aclose` closes connections."""

    def __init__(self, settings: ProxySettings, sender: Sender | None = None) -> None:
        self.settings = settings
        added = [
            Endpoint("POST", path, "model", format, format)
            for path, format in settings.formats.items()
        ]
        self.table = EndpointTable(added)
        self.choice = settings.choice
        more = settings.more_keys or Keys()
        named = (*named_keys(settings.keys), *more.named)
        self.keys = Keys(named, more.load, more.function, more.loaded)
        self.state: State = settings.state or MemoryState()
        self.targets = settings.targets
        self.held = settings.held
        self.worker = WorkerThread()
        self.holdings = Holdings()
        self._sender = sender
        self._upstreams: dict[str, Upstream] = {}

    def match(self, method: str, path: str, headers: Headers) -> EndpointMatch:
        """Return the endpoint of a request."""
        found = self.table.find(method, path)
        if found.endpoint is UNKNOWN:
            found = self.table.find_by_suffix(method, path)
        if found.endpoint is UNKNOWN and self.settings.other == "guard":
            found = self.table.for_unknown_path(method, path, headers)
        return self.table.for_client(found, headers)

    def upstream(self, name: str) -> Upstream:
        """Return the client of an upstream, created in the event loop that uses it."""
        if name not in self._upstreams:
            target = self.targets[name]
            sender = self._sender or self._connections(target)
            self._upstreams[name] = Upstream(target, sender, held=self.held)
        return self._upstreams[name]

    def _connections(self, target: Target) -> Sender:
        from guardstream.serve.proxy.connections import Connections  # not needed behind Envoy

        return Connections(
            connect=target.connect_timeout,
            read=target.read_timeout,
            most=self.settings.max_connections,
        )

    async def aclose(self) -> None:
        """Close the connections to the upstreams."""
        upstreams, self._upstreams = self._upstreams, {}
        for each in upstreams.values():
            await each.aclose()
        self.worker.close()
