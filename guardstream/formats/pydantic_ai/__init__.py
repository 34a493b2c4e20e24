"""pydantic-ai's events."""
