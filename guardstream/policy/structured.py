"""The section `json` of a policy: from its schema file to what the JSON stage is asked to do.

Arguments of tool calls are JSON whatever the section says: rules see the strings in them decoded,
each a text of its own. Where they are none, they are guarded as text.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from guardstream.errors import PolicyError
from guardstream.jsonstream.errors import SchemaError
from guardstream.jsonstream.lexer.lexer import Limits
from guardstream.jsonstream.schema.schema import Schema
from guardstream.jsonstream.verdict import verdict
from guardstream.policy.document import Mark, read
from guardstream.policy.model import PolicyFile
from guardstream.policy.sections import JsonFile
from guardstream.policy.sources import Loader, Source, Whole
from guardstream.stages.json.settings import Numbers
from guardstream.stages.json.structure import Settings
from guardstream.stages.redact import RuleSet

ARGUMENTS = "tool_args"

_UNBOUNDED = 1 << 40
_EXACT = Limits(depth=100_000, string=_UNBOUNDED, document=_UNBOUNDED)
"""A schema file, and arguments of tools: no reader takes what would be refused here."""


def compiled(loader: Loader, whole: Whole) -> Mapping[str, Settings]:
    """What the JSON stage does in each channel that carries JSON, not yet with its rules."""
    file = whole.file
    section = file.json_
    found = {ARGUMENTS: _arguments(file, section)}
    if section is not None:
        schema = _schema(loader, whole.settings["json_"], section)
        settings = _settings(file, section, schema)
        found |= dict.fromkeys(section.channels, settings)
    return MappingProxyType(found)


def guarding(
    settings: Mapping[str, Settings], rulesets: Mapping[str, RuleSet]
) -> Mapping[str, Settings]:
    """The same with the rules of each channel; arguments without rules need no stage."""
    found = {}
    for channel, each in settings.items():
        rules = rulesets.get(channel)
        if rules is not None:
            found[channel] = replace(each, redact=rules.stage)
        elif each.on_violation != "text":
            found[channel] = each
    return MappingProxyType(found)


def _settings(file: PolicyFile, section: JsonFile, schema: Schema | None) -> Settings:
    limits = section.limits
    numbers = _numbers(section)
    # A number is held until it is over where rules look at it.
    digits = min(limits.digits, file.max_holdback) if numbers and file.rules else limits.digits
    return Settings(
        schema=schema,
        fences=section.fences,
        documents=section.documents,
        after=section.after,
        on_violation=section.on_violation,
        repair=section.repair,
        redact_keys=section.redact_keys,
        numbers=numbers,
        limits=Limits(limits.depth, digits, limits.string, limits.document),
        duplicates=section.duplicates,
        severity=section.severity,
    )


def _arguments(file: PolicyFile, section: JsonFile | None) -> Settings:
    return Settings(
        documents="many",
        on_violation="text",
        redact_keys=bool(section and section.redact_keys),
        numbers=_numbers(section) if section else "string",
        limits=replace(_EXACT, digits=file.max_holdback),
        duplicates=True,
    )


def _numbers(section: JsonFile) -> Numbers | None:
    return None if section.numbers == "leave" else section.numbers


def _schema(loader: Loader, source: Source, section: JsonFile) -> Schema | None:
    given = section.schema_
    if given is None:
        return None
    document, path = source.document, ("json", "schema")
    if isinstance(given, str):
        try:
            place = source.folder / given
            return read_schema(loader.read_text(place), str(place))
        except PolicyError as error:
            source.report(document.mark(path), f"cannot use the schema: {error}")
            return None
    try:
        return Schema(given)
    except SchemaError as error:
        mark = document.mark((*path, *_keys(error)))
        source.report(mark, f"cannot use the schema: {error}")
        return None


def read_schema(text: str, name: str) -> Schema:
    """Return the JSON Schema `text`; PolicyError says where in the file `name` it is wrong."""
    wrong = verdict([text], None, _EXACT)
    if wrong is not None:
        raise PolicyError(f"{name}:{wrong.line}:{wrong.column}: {wrong.reason}")
    try:
        schema = json.loads(text)
    except (RecursionError, ValueError):
        raise PolicyError(f"{name}:1:1: the schema is nested too deeply") from None
    if not isinstance(schema, dict | bool):
        raise PolicyError(f"{name}:1:1: a schema is an object, true or false")
    try:
        return Schema(schema)
    except SchemaError as error:
        mark = _mark(text, error)
        raise PolicyError(f"{name}:{mark.line}:{mark.column}: {error}") from error


def _mark(text: str, error: SchemaError) -> Mark:
    """Where in the schema's text what `error` names stands; JSON is YAML 1.2."""
    return read(text).mark(_keys(error))


def _keys(error: SchemaError) -> tuple[str | int, ...]:
    """The keys of the JSON pointer that a message begins with."""
    parts = str(error).partition(": ")[0].split("/")[1:]
    keys = (part.replace("~1", "/").replace("~0", "~") for part in parts if part)
    return tuple(int(key) if key.isdecimal() else key for key in keys)
