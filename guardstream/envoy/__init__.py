"""An external processor for Envoy, which applies the proxy's guards to Envoy's traffic.

Envoy sends each request and answer to it over gRPC (`envoy.service.ext_proc.v3`), and forwards the
result. Needs the extra `envoy`.
"""

try:
    from guardstream.envoy.server import Processor, serve
except ModuleNotFoundError as error:  # pragma: no cover
    why = f"the processor needs {error.name}: pip install 'guardstream[envoy]'"
    raise ImportError(why) from error

__all__ = ["Processor", "serve"]
