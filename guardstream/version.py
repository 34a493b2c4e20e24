"""The version, which `pyproject.toml` says too: it is known without the package's metadata."""

__version__ = "0.1.0"
