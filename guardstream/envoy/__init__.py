"""An external processor for Envoy, which applies the proxy's guards to Envoy's traffic.

Envoy sends each request and answer to it over gRPC (`envoy.service.ext_proc.v3`), and forwards the
result. Needs the extra `envoy`.
"""

from guardstream.envoy.server import Processor, serve

__all__ = ["Processor", "serve"]
