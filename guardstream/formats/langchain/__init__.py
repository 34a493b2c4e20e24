"""LangChain's and LangGraph's chunks and events."""
