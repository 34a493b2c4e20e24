"""A guard as a LangChain step: a short name for `guardstream.integrations.langchain`."""

from guardstream.integrations.langchain import step

__all__ = ["step"]
