"""Warns of names in a policy that cannot be resolved: checks, stages, counters, policies, formats
and keywords of schemas.

Loading does not resolve them: they may be installed elsewhere, and are only needed later. Code, as
a dotted path or as `module:name`, is not checked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias

from guardstream.cli.schema_keywords import misspelt, warnings_in
from guardstream.errors import AdapterError, PolicyError
from guardstream.formats import named
from guardstream.gate.from_policy import CHECKS, OWN, wrong_options
from guardstream.hints import hint
from guardstream.policy import packs, plugins, problems
from guardstream.policy.build import CompiledPolicy
from guardstream.policy.document import Problem
from guardstream.policy.model import PolicyFile
from guardstream.policy.serving import KeyFile, ServeFile, policy_path, route_of

Found: TypeAlias = Iterator[tuple[tuple[str | int, ...], str]]
"""Warnings about names, each with its path in the policy."""


def warnings(built: CompiledPolicy) -> list[str]:
    """Return the warnings about the names in a policy's own file, in the form of lint's."""
    source = built.source
    found = [*_sections(source.file), *_serving(source.file, source.folder)]
    warned = [Problem(source.document.mark(path), message) for path, message in found]
    files: dict[str, None] = {}
    for path, given in _schemas(source.file):
        if isinstance(given, str):
            files[given] = None
        else:
            warned += misspelt(given, source.document, path)
    lines = problems.warnings_of(source.name, warned)
    return [*lines, *(line for name in files for line in warnings_in(source.folder / name))]


def _schemas(file: PolicyFile) -> Iterator[tuple[tuple[str, ...], str | dict[str, Any]]]:
    """Yield the path to each schema of a policy, and the schema or the name of its file."""
    section, read_as = file.json_, file.extract
    if section and section.schema_ is not None:
        yield ("json", "schema"), section.schema_
    tools = section.tools if section else None
    for name, tool in tools.items() if isinstance(tools, Mapping) else ():
        if tool.schema_ is not None:
            yield ("json", "tools", name, "schema"), tool.schema_
    if read_as and read_as.schema_ is not None:
        yield ("extract", "schema"), read_as.schema_


def _sections(file: PolicyFile) -> Found:
    for number, gate in enumerate(file.gate):
        if message := plugins.missing(CHECKS, gate.use.replace(":", "."), list(OWN)):
            yield ("gate", number, "use"), message
        elif message := wrong_options(gate):
            yield ("gate", number, "options" if gate.options else "use"), message
    for number, stage in enumerate(file.stages):
        if message := plugins.missing(plugins.STAGES, stage.use):
            yield ("stages", number, "use"), message
    read_as = file.extract.format if file.extract else None
    if read_as and (message := _format(read_as, file)):
        yield ("extract", "format"), message
    tokens = file.limits.tokens if file.limits else None
    if tokens and tokens.counter and (message := plugins.missing_counter(tokens.counter)):
        yield ("limits", "tokens", "counter"), message
    if tokens and tokens.encoding and (message := plugins.missing_encoding(tokens.encoding)):
        yield ("limits", "tokens", "encoding"), message


def _serving(file: PolicyFile, folder: Path) -> Found:
    section = file.serve
    if section is None:
        return
    for name in section.policies:
        if message := _policy(section, folder, name):
            yield ("serve", "policies", name), message
    for place, entry in section.routes.items():
        route = route_of(entry)
        path: tuple[str | int, ...] = ("serve", "routes", place)
        if route.policy and (message := _policy(section, folder, route.policy)):
            yield path if isinstance(entry, str) else (*path, "policy"), message
        if route.format and (message := _format(route.format, file)):
            yield (*path, "format"), message
    for name, key in section.keys.items():
        named_policy = key.policy if isinstance(key, KeyFile) else None
        if named_policy and (message := _policy(section, folder, named_policy)):
            yield ("serve", "keys", name, "policy"), message


def _format(name: str, file: PolicyFile) -> str | None:
    """Return what is wrong with the name of a format; None if it is known."""
    formats = file.formats or {}
    try:
        if name not in formats:
            named(name, beside=formats)
    except AdapterError as error:
        return str(error)
    return None


def _policy(section: ServeFile, folder: Path, name: str) -> str | None:
    """Return what is wrong with the name of a policy; None if it is a file or a pack."""
    path = policy_path(section, folder, name)
    try:
        if packs.resolve(path).exists():
            return None
    except PolicyError as error:
        return str(error)
    if name in section.policies or not section.policies:
        return f"there is no file {path!r}"
    return f"there is no policy {name!r}, {hint(name, section.policies)}"
