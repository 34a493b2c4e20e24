"""The command line of a benchmark: its help is what the benchmark says of itself."""

from __future__ import annotations

from argparse import ArgumentParser, RawDescriptionHelpFormatter


def parser(says: str | None) -> ArgumentParser:
    """Return what reads the arguments of a benchmark with such a docstring."""
    return ArgumentParser(description=says, formatter_class=RawDescriptionHelpFormatter)
