"""A playground that runs, for the tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from guardstream.play.access import HEADER
from guardstream.play.app import Playground, application
from guardstream.play.examples import examples
from tests.play.recordings import DEMO
from tests.serve.server import serving

TOKEN = "the-token"


@pytest.fixture(scope="package")
def address() -> Iterator[str]:
    """Where it listens."""
    known = examples(DEMO)
    app = application(Playground(known[0].policy, known), TOKEN)
    with serving(app, lifespan="on") as port:
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
def client(address: str) -> Iterator[httpx.Client]:
    """What asks as the page does."""
    headers = {HEADER: TOKEN, "origin": address}
    with httpx.Client(base_url=address, headers=headers, timeout=30, trust_env=False) as client:
        yield client
