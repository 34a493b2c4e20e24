"""Each command after `pip install guardstream` alone works, or names the extra that it needs."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

EXTRAS = (
    *("aiohttp", "certifi", "httpx", "python_multipart", "starlette", "uvicorn", "uvloop", "yarl"),
    *("redis", "stamina", "opentelemetry", "prometheus_client", "tiktoken", "cryptography", "jwt"),
    *("fsspec", "pyarrow", "ray", "grpc", "grpc_health", "envoy", "onnxruntime", "tokenizers"),
)
"""What only an extra installs."""

WITHOUT = """
import sys

EXTRAS = sys.argv.pop(1).split(",")

class Without:
    def __init__(self, finder):
        self._finder = finder

    def __getattr__(self, name):
        return getattr(self._finder, name)

    def find_spec(self, name, path=None, target=None):
        missing = name.partition(".")[0] in EXTRAS
        return None if missing else self._finder.find_spec(name, path, target)

sys.meta_path[:] = map(Without, sys.meta_path)
"""
"""Makes an interpreter not find some modules."""

COMMAND = f"{WITHOUT}from guardstream.cli import main\nsys.exit(main())"

POLICY = 'rules: [{id: word, words: [secret], tests: [{input: secret, output: "[word]"}]}]\n'


def run(
    folder: Path, *arguments: str, without: Sequence[str] = EXTRAS
) -> subprocess.CompletedProcess[str]:
    (folder / "policy.yaml").write_text(POLICY, "utf-8")
    (folder / "text").write_text("{}", "utf-8")
    (folder / "words.txt").write_text("secret\n", "utf-8")
    (folder / "data.jsonl").write_text('{"text": "a secret", "label": 1}\n', "utf-8")
    command = [sys.executable, "-c", COMMAND, ",".join(without), *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=folder)


@pytest.mark.parametrize(
    "command",
    [
        "run policy.yaml text",
        "lint policy.yaml",
        "test policy.yaml",
        "explain policy.yaml",
        "explain policy.yaml --text secret",
        "eval policy.yaml data.jsonl",
        "diff policy.yaml policy.yaml",
        "import words.txt",
        "init new.yaml",
        "json text",
        "schema",
        "debug a+b aab",
        "demo --speed 0",
        "key new web",
        "key new web --file keys.yaml --tokens 100000/d",
    ],
)
def test_a_command_that_needs_no_extra_works(tmp_path: Path, command: str) -> None:
    done = run(tmp_path, *command.split())
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("command", "extra"),
    [
        ("serve policy.yaml", "serve"),
        ("play", "serve"),
        ("extproc policy.yaml", "envoy"),
        ("bulk redact policy.yaml data.jsonl clean", "bulk"),
    ],
)
def test_any_other_names_its_extra_in_a_line(tmp_path: Path, command: str, extra: str) -> None:
    done = run(tmp_path, *command.split())
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert done.stderr.endswith(f": pip install 'guardstream[{extra}]'\n")


ON_PYPI = {"python_multipart": "python-multipart", "grpc": "grpcio", "envoy": "xds-protos"}
PROXY = ("aiohttp", "certifi", "python_multipart", "starlette", "uvicorn", "yarl")


@pytest.mark.parametrize(
    ("command", "module"),
    [
        *(("serve policy.yaml", module) for module in PROXY),
        *(("extproc policy.yaml", module) for module in (*PROXY, "grpc", "envoy", "httpx")),
        *(("play", module) for module in ("httpx", "starlette", "uvicorn")),
    ],
)
def test_an_extra_of_which_a_package_is_missing_is_named_too(
    tmp_path: Path, command: str, module: str
) -> None:
    done = run(tmp_path, *command.split(), without=[module])
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert ": pip install 'guardstream[" in done.stderr
    assert ON_PYPI.get(module, module) in done.stderr.partition(":")[0]


@pytest.mark.parametrize(
    ("module", "missing", "extra"),
    [
        ("serve", "starlette", "serve"),
        ("serve.proxy", "yarl", "serve"),
        ("serve.proxy", "python_multipart", "serve"),
        ("envoy", "grpc", "envoy"),
        ("envoy", "envoy", "envoy"),
        ("observability.otel", "opentelemetry", "otel"),
        ("observability.prometheus", "prometheus_client", "prometheus"),
    ],
)
def test_a_module_that_needs_an_extra_names_it(module: str, missing: str, extra: str) -> None:
    program = f"{WITHOUT}import guardstream.{module}"
    command = [sys.executable, "-c", program, missing]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.endswith(f": pip install 'guardstream[{extra}]'\n")
