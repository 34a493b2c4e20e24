"""An Envoy with its processor, as `deploy/envoy/processor.yaml` has it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx

from tests.support.optional import MODE, leave_out, needs
from tests.support.ports import free_port

needs("grpc")
needs("envoy.service.ext_proc.v3")
ENVOY = shutil.which("envoy", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
if MODE == "core" or ENVOY is None:
    leave_out("envoy")

CONFIGURATION = Path(__file__).parents[2] / "deploy" / "envoy" / "processor.yaml"

POLICY = """
block_message: "no."
rules:
  - {id: bird, words: [bluebird], replacement: '[bird]'}
  - {id: stop, words: [forbidden], action: block}
  - {id: mail, pattern: '[a-z.]{1,40}@[a-z.]{1,40}', replacement: '[mail]'}
input:
  rules:
    - {id: evil, words: [evil], action: block}
    - {id: name, words: [secretname], replacement: '[name]'}
"""


class Gateway:
    """An Envoy with its processor; `client` sends requests through it."""

    def __init__(
        self,
        folder: Path,
        upstream: int,
        change: tuple[str, str] = ("", ""),
        policy: str = POLICY,
    ) -> None:
        self.port, self.calls = free_port(), free_port()
        self.policy = folder / "policy.yaml"
        self.policy.write_text(policy)
        text = CONFIGURATION.read_text().replace(*change)
        ports = {8080: self.port, 9002: self.calls, 9003: upstream, 9901: free_port()}
        for old, new in ports.items():
            text = text.replace(f"port_value: {old}", f"port_value: {new}")
        (folder / "envoy.yaml").write_text(text)
        listen = f"127.0.0.1:{self.calls}"
        command = [
            sys.executable,
            "-m",
            "guardstream",
            "extproc",
            str(self.policy),
            "--listen",
            listen,
        ]
        self.log = (folder / "processor.log").open("w")
        self.processor = subprocess.Popen(command, stderr=self.log)
        envoy = [str(ENVOY), "-c", str(folder / "envoy.yaml"), "--disable-hot-restart"]
        self.envoy = subprocess.Popen(
            [*envoy, "--concurrency", "1", "--log-level", "error"], stderr=subprocess.DEVNULL
        )
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=20)

    def __enter__(self) -> Gateway:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def wait(self, seconds: float = 90) -> None:
        """Wait until a request gets an answer of the processor's."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            try:
                if self.client.get("/none").status_code == 404:
                    return
            except httpx.HTTPError:
                pass
            time.sleep(0.1)
        raise AssertionError("the gateway does not answer")

    def close(self) -> None:
        self.client.close()
        for process in (self.envoy, self.processor):
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.log.close()
