"""The version, the same as in `pyproject.toml`; known without the package's metadata."""

__version__ = "0.1.0"
