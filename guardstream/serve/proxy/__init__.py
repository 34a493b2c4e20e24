"""A guarding reverse proxy for the APIs of OpenAI and Anthropic."""

from guardstream.serve.proxy.app import Proxy, application
from guardstream.serve.proxy.settings import ProxySettings, SettingsError

__all__ = ["Proxy", "ProxySettings", "SettingsError", "application"]
