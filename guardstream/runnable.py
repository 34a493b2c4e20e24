"""A guard as a LangChain step: the documented place of `guardstream.integrations.langchain`."""

from guardstream.integrations.langchain import step

__all__ = ["step"]
