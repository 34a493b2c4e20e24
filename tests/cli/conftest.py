"""The command line in this process."""

from __future__ import annotations

import pytest

from tests.support.command_line import Cli, guardstream


@pytest.fixture
def cli() -> Cli:
    """Run a command, with its arguments."""
    return guardstream
