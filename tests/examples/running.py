"""Runs examples, each in a child of a process that has imported what most of them need.

`python -m tests.examples.running FILE…` prints what each prints and exits with 1 if one fails;
`--serve` reads the names from standard input instead, with every policy emptied, and answers each
with a line of JSON. A policy is emptied to `version: 1`: no text is found, no JSON is judged and
nothing is limited, so that an example that still succeeds shows nothing.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import runpy
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

WARM = (
    "guardstream.serve.proxy",
    "uvicorn",
    "openai",
    "anthropic",
    "google.genai",
    "langchain_openai",
    "pydantic_ai",
    "litellm",
)
"""What takes the longest to import."""


class Outcome(NamedTuple):
    """The exit status of an example, and what it printed."""

    status: int
    printed: str


def run(path: str, *, emptied: bool) -> Outcome:
    """Run one example."""
    if not hasattr(os, "fork"):
        return _run_apart(path, emptied=emptied)
    with tempfile.TemporaryFile("w+", encoding="utf-8") as output:
        child = os.fork()
        if not child:
            os.dup2(output.fileno(), 1)
            os.dup2(output.fileno(), 2)
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            os._exit(_run_here(path, emptied=emptied))
        _, status = os.waitpid(child, 0)
        output.seek(0)
        return Outcome(os.waitstatus_to_exitcode(status), output.read())


def _run_apart(path: str, *, emptied: bool) -> Outcome:
    command = [sys.executable, "-m", __spec__.name, *(["--emptied"] if emptied else []), path]
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=-1, stderr=subprocess.STDOUT, check=False
    )
    return Outcome(done.returncode, done.stdout.decode())


def _run_here(path: str, *, emptied: bool) -> int:
    """Run an example in this process, as the interpreter would; its exit status."""
    if emptied:
        _empty_policies()
    sys.argv = [path]
    sys.path.insert(0, str(Path(path).parent))
    status = 0
    try:
        runpy.run_path(path, run_name="__main__")
    except SystemExit as error:
        status = error.code if isinstance(error.code, int) else int(error.code is not None)
    except BaseException:
        traceback.print_exc()
        status = 1
    sys.stdout.flush()
    sys.stderr.flush()
    return status


def _empty_policies() -> None:
    from guardstream.policy import build

    parse = build.parse

    def emptied(*_: Any, **__: Any) -> Any:
        return parse("version: 1", "emptied", Path())

    build.load = build.parse = emptied  # type: ignore[assignment]


def warm_up() -> None:
    """Import what most examples need, if it is installed."""
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # it would ask the network
    gc.disable()
    for name in WARM:
        try:
            importlib.import_module(name)
        except ModuleNotFoundError:
            continue
    gc.freeze()  # a collection in a child would copy all that it shares
    gc.enable()


def main(arguments: Sequence[str]) -> int:
    """See the module."""
    if arguments[0] == "--emptied":
        return _run_here(arguments[1], emptied=True)
    warm_up()
    if arguments[0] == "--serve":
        for line in sys.stdin:
            print(json.dumps(run(line.rstrip("\n"), emptied=True)), flush=True)
        return 0
    failed = 0
    for path in arguments:
        outcome = run(path, emptied=False)
        print(f"== {path}\n{outcome.printed}", end="", flush=True)
        failed = failed or outcome.status
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
