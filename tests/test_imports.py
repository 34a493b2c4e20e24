"""A program loads what it uses: what each import brings with it, in an interpreter of its own."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from guardstream.formats import ADAPTERS

HEAVY = frozenset(
    {"aiohttp", "anyio", "asyncio", "httpx", "ijson", "importlib.metadata", "jsonschema_rs"}
    | {"opentelemetry", "prometheus_client", "pydantic", "regex", "rich", "ruamel.yaml", "stamina"}
    | {"starlette", "trio", "typer", "uvicorn"}
)
"""What takes long to import, of others' and of Python's own."""

LOADED = "import sys, json; print(json.dumps(sorted(sys.modules)))"

MADE = """
from guardstream import Guard, Policy
guard = Guard(Policy.parse("rules: [{id: word, words: [secret]}]"))
before = set(sys.modules)
"""

CHUNK = {"choices": [{"index": 0, "delta": {"content": "a"}, "finish_reason": None}]}


def loaded(code: str) -> set[str]:
    """The modules that are loaded once a fresh interpreter has run `code`."""
    command = [sys.executable, "-c", f"import sys\n{code}\n{LOADED}"]
    return set(json.loads(subprocess.check_output(command, text=True)))


def ours(code: str) -> set[str]:
    return {name for name in loaded(code) if name.partition(".")[0] == "guardstream"}


def test_the_package_itself_loads_nothing() -> None:
    assert ours("import guardstream") == {"guardstream", "guardstream.lazy"}
    assert not loaded("import guardstream") & HEAVY


@pytest.mark.parametrize(
    "code",
    [
        "from guardstream import Guard",
        "from guardstream import SyncGuardedStream, Deadlines, Part, Result",
        "from guardstream.formats import detect, named",
        "from guardstream.resilience import retry_after, worth_retrying",
        "import guardstream.sse",
    ],
)
def test_a_name_loads_nothing_heavy(code: str) -> None:
    assert not loaded(code) & HEAVY


@pytest.mark.parametrize("asked", ["['guardstream', '--help']", "['guardstream', 'run', '-h']"])
def test_help_loads_no_command(asked: str) -> None:
    code = f"""
from guardstream.cli import app, running
sys.argv, sys.stdout = {asked}, sys.stderr
running.run(app.app)
sys.stdout = sys.__stdout__
"""
    assert not ours(code) & {"guardstream.bulk", "guardstream.cli.run", "guardstream.policy"}


def test_a_limit_on_streams_needs_no_extra() -> None:
    assert not loaded("from guardstream.resilience import Limiter") & (HEAVY - {"anyio", "asyncio"})


def test_a_guard_loads_neither_a_command_line_nor_an_event_loop() -> None:
    found = loaded(f"{MADE}\nlist(guard.wrap_sync(['a secret']))")
    assert not found & {"asyncio", "anyio", "ijson", "rich", "typer", "httpx", "stamina"}
    assert not {name for name in found if name.startswith(("guardstream.cli", "guardstream.serve"))}


def test_a_stream_loads_the_format_that_it_names() -> None:
    code = f"{MADE}\nlist(guard.wrap_sync([{CHUNK}], format='openai_chat'))"
    formats = {type_.__module__ for name, type_ in ADAPTERS.items() if name != "text"}
    assert ours(code) & formats == {"guardstream.formats.openai.chat"}


def test_the_package_lists_and_gives_all_its_names() -> None:
    code = """
import guardstream, guardstream.policy, guardstream.formats, guardstream.resilience
for module in (guardstream, guardstream.policy, guardstream.formats, guardstream.resilience):
    assert set(module.__all__) <= set(dir(module)), module
    for name in module.__all__:
        assert getattr(module, name) is vars(module)[name], name
"""
    loaded(code)


def test_its_modules_are_found_as_attributes() -> None:
    loaded("import guardstream; assert guardstream.errors.PolicyError is guardstream.PolicyError")


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    code = """
import guardstream
try:
    guardstream.Gard
except AttributeError as error:
    assert str(error) == "module 'guardstream' has no attribute 'Gard'"
else:
    raise AssertionError
"""
    loaded(code)


STREAMED = f"""{MADE}
import asyncio
async def chunks():
    yield "a secret"
async def read():
    return [chunk async for chunk in guard.wrap(chunks())]
assert "".join(asyncio.run(read())) == "a [word]"
"""


def test_a_first_stream_of_text_loads_nothing_in_a_program_with_an_event_loop() -> None:
    made = f"import asyncio{MADE}asyncio.run(asyncio.sleep(0))"
    assert ours(f"import asyncio{STREAMED}") == ours(made)
    assert not (loaded(f"import asyncio{STREAMED}") - loaded(made)) & HEAVY


def test_a_stream_of_text_that_ends_by_itself_loads_no_backend_and_no_plug_ins() -> None:
    found = loaded(STREAMED) - loaded(MADE)
    assert "anyio._backends._asyncio" not in found
    assert "importlib.metadata" not in found
