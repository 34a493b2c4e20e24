"""A guarding reverse proxy for the APIs of OpenAI and Anthropic."""

from guardstream.serve.proxy.app import Proxy, application
from guardstream.serve.proxy.options import ServeOptions, said_by
from guardstream.serve.proxy.settings import ProxySettings, SettingsError

__all__ = ["Proxy", "ProxySettings", "ServeOptions", "SettingsError", "application", "said_by"]
