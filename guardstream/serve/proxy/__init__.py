"""A guarding reverse proxy for the APIs of models."""

try:
    from guardstream.serve.proxy.app import Proxy, application
    from guardstream.serve.proxy.keys import Key, Keys
    from guardstream.serve.proxy.options import ServeOptions, section_options
    from guardstream.serve.proxy.settings import ProxySettings, SettingsError
    from guardstream.serve.proxy.upstreams import Target
except ModuleNotFoundError as error:  # pragma: no cover
    raise ImportError(f"the proxy needs {error.name}: pip install 'guardstream[serve]'") from error

__all__ = [
    "Key",
    "Keys",
    "Proxy",
    "ProxySettings",
    "ServeOptions",
    "SettingsError",
    "Target",
    "application",
    "section_options",
]
