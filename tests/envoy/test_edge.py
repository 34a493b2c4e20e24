"""Envoy at the edge, as `deploy/envoy/edge.yaml` has it: who may come, how much and how fast."""

from __future__ import annotations

import base64
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.x509.oid import NameOID

from tests.envoy.gateway import ENVOY
from tests.envoy.provider import Provider, provider
from tests.support.ports import free_port

CONFIGURATIONS = Path(__file__).parents[2] / "deploy" / "envoy"

PEM, RAW = serialization.Encoding.PEM, serialization.Encoding.Raw

KEY = "change-me-web"  # of the configuration

SAY = {"say": ["the bluebird"], "model": "m", "messages": []}
CHAT = "/v1/chat/completions"


def certificate(folder: Path) -> None:
    """Write a certificate for localhost, and its key, as the configuration names them."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    names = x509.SubjectAlternativeName([x509.DNSName("localhost")])
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(names, critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / "tls.crt").write_bytes(made.public_bytes(PEM))
    plain = serialization.NoEncryption()
    (folder / "tls.key").write_bytes(
        key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, plain)
    )


def coded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Issuer:
    """An identity provider: it signs tokens (RFC 7519) by the key that the configuration reads."""

    def __init__(self) -> None:
        self._key = Ed25519PrivateKey.generate()

    def write(self, folder: Path) -> None:
        public = self._key.public_key().public_bytes(RAW, serialization.PublicFormat.Raw)
        key = {"kty": "OKP", "crv": "Ed25519", "kid": "one", "alg": "EdDSA", "x": coded(public)}
        (folder / "jwks.json").write_text(json.dumps({"keys": [key]}))

    def token(self, **claims: Any) -> str:
        head = {"alg": "EdDSA", "kid": "one", "typ": "JWT"}
        said = {
            "iss": "https://login.example.com",
            "aud": "guardstream",
            "exp": int(time.time()) + 60,
            **claims,
        }
        signed = ".".join(coded(json.dumps(each).encode()) for each in (head, said))
        return f"{signed}.{coded(self._key.sign(signed.encode()))}"


class Edge:
    """Envoy before the proxy, or with the processor, before a provider."""

    def __init__(self, folder: Path, upstream: int, changes: Mapping[str, str], name: str) -> None:
        self.port, self.admin, self.proxied = free_port(), free_port(), free_port()
        self.issuer = Issuer()
        self.issuer.write(folder)
        certificate(folder)
        policy = folder / "policy.yaml"
        policy.write_text(
            "rules: [{id: bird, words: [bluebird], replacement: '[bird]'}]\n"
            f"serve: {{upstream: {{url: 'http://127.0.0.1:{upstream}', key: '${{UPSTREAM}}'}}}}\n"
        )
        text = (CONFIGURATIONS / name).read_text().replace("/etc/guardstream", str(folder))
        text = text.replace("address: 0.0.0.0", "address: 127.0.0.1")
        ports = {8443: self.port, 8000: self.proxied, 9002: self.proxied, 9003: upstream}
        for old, new in {**ports, 9901: self.admin}.items():
            text = text.replace(f"port_value: {old}", f"port_value: {new}")
        for old, new in changes.items():
            assert old in text
            text = text.replace(old, new)
        (folder / "envoy.yaml").write_text(text)
        command = [sys.executable, "-m", "guardstream"]
        if name == "edge.yaml":
            command += ["serve", str(policy), "--port", str(self.proxied)]
        else:
            command += ["extproc", str(policy), "--listen", f"127.0.0.1:{self.proxied}"]
        secret = {**os.environ, "UPSTREAM": "the-providers-key"}
        envoy = [str(ENVOY), "-c", str(folder / "envoy.yaml"), "--disable-hot-restart"]
        envoy += ["--concurrency", "1", "--log-level", "error"]
        self._logs = [folder / "guardstream.log", folder / "envoy.log"]
        with self._logs[0].open("w") as ours, self._logs[1].open("w") as envoys:
            self._programs = [
                subprocess.Popen(command, stderr=ours, env=secret),
                subprocess.Popen(envoy, stderr=envoys),
            ]
        self.context = ssl.create_default_context(cafile=str(folder / "tls.crt"))
        self.url = f"https://localhost:{self.port}"
        self.client = httpx.Client(base_url=self.url, verify=self.context, timeout=20)

    def wait(self, seconds: float = 60) -> None:
        """Wait until the edge says that what stands behind it is ready."""
        until = time.monotonic() + seconds
        while not self._ready():
            ended = any(each.poll() is not None for each in self._programs)
            if ended or time.monotonic() > until:
                said = "\n".join(f"{log.name}:\n{log.read_text()}" for log in self._logs)
                raise AssertionError(f"the edge {'ended' if ended else 'is not ready'}\n{said}")
            time.sleep(0.05)

    def _ready(self) -> bool:
        try:
            return bool(self.client.get("/healthz").status_code == 200)
        except httpx.TransportError:
            return False

    def chat(self, bearer: str = KEY, **body: Any) -> httpx.Response:
        headers = {"authorization": f"Bearer {bearer}"} if bearer else {}
        return self.client.post(CHAT, headers=headers, json={**SAY, **body})

    def close(self) -> None:
        self.client.close()
        for each in reversed(self._programs):
            each.send_signal(signal.SIGTERM)
        for each in self._programs:
            each.wait(20)


@contextmanager
def edge(folder: Path, changes: Mapping[str, str] = {}, name: str = "edge.yaml") -> Iterator[Edge]:
    with provider() as upstream:
        found = Edge(folder, upstream, changes, name)
        try:
            found.wait()
            Provider.requests.clear()
            yield found
        finally:
            found.close()


@pytest.fixture(scope="module", params=["edge.yaml", "edge_processor.yaml"])
def front(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Edge]:
    with edge(tmp_path_factory.mktemp("edge"), name=request.param) as found:
        yield found


@pytest.fixture(params=["key", "token"])
def bearer(request: pytest.FixtureRequest, front: Edge) -> str:
    return KEY if request.param == "key" else front.issuer.token()


def test_a_client_that_may_come_gets_a_guarded_answer(front: Edge, bearer: str) -> None:
    assert front.chat(bearer).json()["choices"][0]["message"]["content"] == "the [bird]"
    with front.client.stream(
        "POST",
        CHAT,
        headers={"authorization": f"Bearer {bearer}"},
        json={**SAY, "stream": True, "say": ["the blue", "bird sings"]},
    ) as answer:
        text = "".join(answer.iter_text())
    assert "bluebird" not in text
    assert "[bird]" in text
    assert text.endswith("data: [DONE]\n\n")


def test_what_a_client_came_with_goes_no_further(front: Edge, bearer: str) -> None:
    Provider.requests.clear()
    front.chat(bearer)
    (_, headers, body), *_ = Provider.requests
    assert {name.lower(): value for name, value in headers.items()}["authorization"] == (
        "Bearer the-providers-key"
    )
    assert bearer not in f"{headers}{body!r}"


def changed(token: str) -> str:
    head, said, signature = token.split(".")
    return f"{head}.{said}.{signature[:-4]}AAAA"


@pytest.mark.parametrize("who", ["nobody", "wrong", "changed", "over", "other", "elsewhere"])
def test_nobody_else_comes_in(front: Edge, who: str) -> None:
    Provider.requests.clear()
    token = front.issuer.token
    bearer = {
        "nobody": "",
        "wrong": "change-me",
        "changed": changed(token()),
        "over": token(exp=int(time.time()) - 3600),
        "other": token(aud="another"),
        "elsewhere": Issuer().token(),
    }[who]
    answer = front.chat(bearer)
    assert answer.status_code in (401, 403)
    assert Provider.requests == []


def test_there_is_no_way_in_without_tls(front: Edge) -> None:
    with pytest.raises(httpx.TransportError):
        httpx.get(f"http://127.0.0.1:{front.port}/healthz")


def test_a_path_that_could_be_read_in_two_ways_is_refused(front: Edge) -> None:
    bearer = {"authorization": f"Bearer {KEY}"}
    assert front.client.post("/v1%2Fchat/completions", headers=bearer, json=SAY).status_code == 400
    answer = front.client.post("/x/%2e%2e/v1//chat/completions", headers=bearer, json=SAY)
    assert answer.json()["choices"][0]["message"]["content"] == "the [bird]"


def slowly(front: Edge, said: bytes) -> bytes:
    """Send the beginning of a request, and return what comes when the edge has had enough."""
    raw = socket.create_connection(("127.0.0.1", front.port), timeout=20)
    with closing(front.context.wrap_socket(raw, server_hostname="localhost")) as connection:
        connection.sendall(said)
        return connection.recv(1000)


def test_headers_that_do_not_end_are_given_up(front: Edge) -> None:
    assert slowly(front, b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\n").startswith(
        b"HTTP/1.1 408"
    )


def test_a_body_that_does_not_end_is_given_up(front: Edge) -> None:
    said = b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n"
    said += b"authorization: Bearer %b\r\n\r\n{" % KEY.encode()
    assert slowly(front, said).startswith(b"HTTP/1.1 408")


def test_one_address_may_ask_so_often(tmp_path: Path) -> None:
    few = {
        "max_tokens: 60, tokens_per_fill: 20, fill_interval: 1s": "max_tokens: 5, "
        "tokens_per_fill: 1, fill_interval: 60s"
    }
    with edge(tmp_path, few) as front:
        found = [front.chat().status_code for _ in range(8)]
        assert front.client.get("/healthz").status_code == 200  # it is asked before
    assert found == [200] * found.count(200) + [429] * found.count(429)
    assert found.count(200) in (4, 5)


def is_closed(connection: socket.socket) -> bool:
    """Whether the other side has closed a connection on which nothing was said."""
    connection.settimeout(1)
    try:
        return connection.recv(1) == b""
    except TimeoutError:
        return False
    except OSError:
        return True


def test_connections_are_counted(tmp_path: Path) -> None:
    with (
        edge(tmp_path, {"max_connections: 1000": "max_connections: 3"}) as front,
        ExitStack() as kept,
    ):
        opened = [
            kept.enter_context(socket.create_connection(("127.0.0.1", front.port)))
            for _ in range(6)
        ]
        assert sum(map(is_closed, opened)) >= 3


def test_it_drains(tmp_path: Path) -> None:
    """Health fails first, so that a balancer looks elsewhere; what is under way goes on."""
    with edge(tmp_path) as front:
        httpx.post(f"http://127.0.0.1:{front.admin}/healthcheck/fail")
        assert front.client.get("/healthz").status_code == 503
        assert front.chat().status_code == 200
