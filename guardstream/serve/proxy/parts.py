"""What all requests to one proxy share: its endpoints, its upstreams, its keys, its state."""

from __future__ import annotations

import httpx

from guardstream.serve.proxy.endpoints import Endpoint, Found, Table
from guardstream.serve.proxy.keys import Keys, named_keys
from guardstream.serve.proxy.settings import ProxySettings
from guardstream.serve.proxy.state import MemoryState, State
from guardstream.serve.proxy.upstreams import Upstream
from guardstream.serve.routes import Headers


class Parts:
    """The parts of one proxy, made of its settings; `aclose` closes its connections."""

    def __init__(
        self, settings: ProxySettings, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        self.settings = settings
        added = [
            Endpoint("POST", path, "said", provider, provider)
            for path, provider in settings.formats.items()
        ]
        self.table = Table(added)
        self.choice = settings.choice
        more = settings.more_keys or Keys()
        named = (*named_keys(settings.keys), *more.named)
        self.keys = Keys(named, more.load, more.function, more.loaded)
        self.state: State = settings.state or MemoryState()
        self.targets = settings.targets
        self.held = settings.held
        self._transport = transport
        self._upstreams: dict[str, Upstream] = {}

    def found(self, method: str, path: str, headers: Headers) -> Found:
        """Return the endpoint of a request."""
        return self.table.of_client(self.table.find(method, path), headers)

    def upstream(self, name: str) -> Upstream:
        """Return the client to an upstream, made in the event loop that uses it."""
        if name not in self._upstreams:
            connections = self.settings.max_connections
            target = self.targets[name]
            self._upstreams[name] = Upstream(
                target, held=self.held, connections=connections, transport=self._transport
            )
        return self._upstreams[name]

    async def aclose(self) -> None:
        """Close the connections to the upstreams."""
        upstreams, self._upstreams = self._upstreams, {}
        for each in upstreams.values():
            await each.aclose()
