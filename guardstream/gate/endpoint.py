"""HTTP requests of checks: one JSON request, one JSON answer, and an error for everything else."""

from __future__ import annotations

import os
from typing import Any

from guardstream.gate.judging import GateError


class Endpoint:
    """A URL that accepts and returns JSON; `key_env` names the variable with its key."""

    def __init__(self, url: str, key_env: str | None) -> None:
        try:
            import httpx
        except ImportError as error:
            raise GateError(
                "a check over HTTP needs httpx: pip install 'guardstream[gates]'"
            ) from error
        if not url.startswith(("https://", "http://")):
            raise GateError(f"{url!r} is not an http or https URL")
        key = os.environ.get(key_env, "") if key_env else ""
        if key_env and not key:
            raise GateError(f"the environment variable {key_env!r}, which has the key, is not set")
        self._url = url
        self._headers = {"authorization": f"Bearer {key}"} if key else {}
        self._tls = httpx.create_ssl_context()  # slow to make, and so made once

    async def ask(self, body: dict[str, Any]) -> Any:
        """Return the endpoint's answer; GateError says why there is none."""
        import httpx

        # The gate has a deadline of its own, which covers all of this.
        try:
            async with httpx.AsyncClient(verify=self._tls, timeout=None) as client:
                response = await client.post(self._url, json=body, headers=self._headers)
            if response.status_code != httpx.codes.OK:
                raise GateError(f"{self._url} answered {response.status_code}")
            return response.json()
        except (httpx.HTTPError, httpx.InvalidURL, ValueError, RecursionError) as error:
            raise GateError(f"the request to {self._url} failed: {type(error).__name__}") from None
