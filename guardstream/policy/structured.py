"""The section `json` of a policy: from its schema file to what the JSON stage is asked to do.

Arguments of tool calls are JSON whatever the section says: rules see the strings in them decoded,
each a text of its own. Where they are none, they are guarded as text.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from guardstream.errors import PolicyError
from guardstream.jsonstream.errors import SchemaError
from guardstream.jsonstream.lexer.lexer import Limits
from guardstream.jsonstream.schema.schema import Schema
from guardstream.policy import json_schemas
from guardstream.policy.model import PolicyFile
from guardstream.policy.sections import JsonFile
from guardstream.policy.sources import Loader, Source, Whole
from guardstream.stages.json.settings import Numbers
from guardstream.stages.json.structure import Settings
from guardstream.stages.redact import RuleSet

ARGUMENTS = "tool_args"


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
        limits=replace(json_schemas.EXACT, digits=file.max_holdback),
        duplicates=True,
    )


def _numbers(section: JsonFile) -> Numbers | None:
    return None if section.numbers == "leave" else section.numbers


def _schema(loader: Loader, source: Source, section: JsonFile) -> Schema | None:
    given = section.schema_
    if given is None:
        return None
    document, path = source.document, ("json", "schema")
    others = [source.folder / each for each in section.schemas]
    try:
        if isinstance(given, str):
            place = source.folder / given
            return json_schemas.from_file(
                place,
                loader.read_text,
                draft=section.draft,
                formats=section.formats,
                given=others,
            )
        return Schema(
            given,
            draft=section.draft,
            formats=section.formats,
            documents=json_schemas.Beside(loader.read_text, others),
            base=f"{json_schemas.address(source.folder)}/",
        )
    except PolicyError as error:
        source.report(document.mark(path), f"cannot use the schema: {error}")
    except SchemaError as error:
        mark = document.mark((*path, *json_schemas.keys_of(error)))
        source.report(mark, f"cannot use the schema: {error}")
    return None
