"""An external processor for Envoy, and what is built on it: the proxy's guards where traffic is.

Envoy hands each request and answer to it over gRPC (`envoy.service.ext_proc.v3`), and sends on what
comes back. Needs the extra `envoy`.
"""

from guardstream.envoy.server import Processor, serve

__all__ = ["Processor", "serve"]
