"""What only some tests need: packages of providers and frameworks, a browser, Redis, Node.

`GUARDSTREAM_TESTS=core` leaves these tests out even where all is installed, `all` fails where
something is missing; otherwise a test runs if what it needs is here. What was left out is printed
in one line at the end of a run.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import shutil
from collections.abc import Sequence
from typing import Any

import pytest
from pydantic_core.core_schema import any_schema

MODE = os.environ.get("GUARDSTREAM_TESTS", "")

MAY_LACK = frozenset(
    {"backoff", "chunk_invariance", "kosong", "litellm", "pii_leak_benchmark", "ray"}
)
"""What `all` may lack: Kosong needs Python 3.12, litellm excludes some versions of openai, and Ray,
LiteLLM's proxy, which needs `backoff`, and others' tests have environments of their own."""


class _Placeholder(type):
    """A class that stands for a name of a package that is left out: a test that uses it is
    skipped, a module that only mentions it is collected."""

    package: str

    def __getattr__(cls, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _placeholder(cls.package)

    def __call__(cls, *_: Any, **__: Any) -> Any:
        leave_out(cls.package)

    def __instancecheck__(cls, _: object) -> bool:
        leave_out(cls.package)


@classmethod  # type: ignore[misc]
def _takes_any(cls: type, **_: Any) -> None:
    """Take the keywords of any base class."""


def _placeholder(package: str) -> _Placeholder:
    # An exception, so that it can stand in `pytest.raises`, and a field's type for pydantic.
    body = {
        "package": package,
        "__init_subclass__": _takes_any,
        "__get_pydantic_core_schema__": classmethod(lambda *_: any_schema()),
    }
    return _Placeholder("Missing", (Exception,), body)


def optional(module: str, *names: str) -> Any:
    """Return a module of a package that may be left out, or names in it.

    If it is left out, what is returned skips each test that uses it.
    """
    package = _package(module)
    if _is_here(module):
        found = importlib.import_module(module)
        values = [getattr(found, name) for name in names] or [found]
    else:
        values = [_placeholder(package) for _ in names or [module]]
    return values[0] if len(values) == 1 else values


def needs(module: str, *, package: str = "") -> Any:
    """Return a module, or skip the test, or the whole test module, that needs it."""
    if not _is_here(module):
        leave_out(package or _package(module))
    return importlib.import_module(module)


def program(*names: str) -> str:
    """Return the path of the first of these programs that is here, or skip what needs it."""
    paths = [] if MODE == "core" else [path for name in names if (path := shutil.which(name))]
    return paths[0] if paths else leave_out(names[0])


def is_program_here(*names: str) -> bool:
    """Tell whether one of these programs is here and not left out."""
    return MODE != "core" and any(shutil.which(name) for name in names)


def leave_out(what: str) -> Any:
    """Skip a test for want of something, or fail if nothing may be missing."""
    if MODE == "all" and what not in MAY_LACK:
        pytest.fail(f"needs {what}, which is not installed", pytrace=False)
    pytest.skip(f"needs {what}", allow_module_level=True)


def summary(reasons: Sequence[str]) -> str:
    """One line that says how many tests were left out, and for want of what."""
    wanted = sorted({reason.partition("needs ")[2] for reason in reasons})
    return (
        f"left out: {len(reasons)} tests or files of tests that need {', '.join(wanted)}; "
        "`make test-all` runs them"
    )


def _package(module: str) -> str:
    parts = module.split(".")
    return "-".join(parts[:2]) if parts[0] == "google" else parts[0]


def _is_here(module: str) -> bool:
    if MODE == "core" and _package(module) not in ALWAYS:
        return False
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


ALWAYS = frozenset({"cryptography", "mypy", "numpy", "pyarrow"})
"""What belongs to the package's extras, so that `core` has it."""
