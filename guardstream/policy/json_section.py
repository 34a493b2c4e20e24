"""The section `json` of a policy: compiles it to the settings of the JSON stage.

Arguments of tool calls are treated as JSON whatever the section says: rules see their decoded
strings, each as a text of its own. Arguments that are not JSON are guarded as text.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from json import dumps, loads
from types import MappingProxyType
from typing import Any

from guardstream.errors import PolicyError
from guardstream.events import Channel, Form
from guardstream.jsonstream.document import Checks
from guardstream.jsonstream.errors import SchemaError
from guardstream.jsonstream.lexer.lexer import Limits
from guardstream.jsonstream.schema.schema import Schema
from guardstream.policy import json_schemas
from guardstream.policy.model import PolicyFile
from guardstream.policy.operational import ExtractFile
from guardstream.policy.sections import JsonFile, ToolFile
from guardstream.policy.sources import Loader, MergedPolicy, Source
from guardstream.stages.json.settings import Numbers
from guardstream.stages.json.structure import Settings
from guardstream.stages.redact import RuleSet

ARGUMENTS = "tool_args"


ANY_TOOL = "*"
NAMELESS = ""
"""Stands for the provider's own tools whose calls have no name, such as a web search."""

NO_REQUEST = (
    "json.tools: 'from_request' needs the request: guard by the proxy or a transport, or take "
    "guard.with_tools(...)"
)


@dataclass(frozen=True)
class Json:
    """The settings of the JSON stage for each channel that carries JSON, and for each tool's
    arguments.

    Without `tools`, all arguments are treated the same. With `asked`, the settings for a tool's
    arguments are unknown until a request states its schema. `free` are those for arguments that are
    not JSON, None if nothing applies to them.
    """

    channels: Mapping[str, Settings]
    tools: Mapping[str, Settings] | None = None
    asked: Settings | None = None
    free: Settings | None = None
    requested: bool = False  # the tools are those of a request, built-in ones included

    def settings(self, channel: str, tool: str | None, form: Form = "json") -> Settings | None:
        """Return the settings for a channel, and a tool if it is known; None if there are none."""
        if channel != ARGUMENTS:
            return self.channels.get(channel)
        if self.asked is not None:
            raise PolicyError(NO_REQUEST)
        if form == "text" and self._may_be_text(tool):
            return self.free
        found = self.channels.get(channel)
        if self.tools is not None:
            found = self._of_tool(tool)
        return self.free if form == "part" and self._may_be_part(found) else found

    def _of_tool(self, tool: str | None) -> Settings:
        assert self.tools is not None
        found = self.tools.get(tool or NAMELESS)
        # A call without a name that has JSON may be any tool's, if "" is only for text.
        if found is None or (not tool and found.schema is None):
            return self.tools[ANY_TOOL]
        return found

    def _may_be_text(self, tool: str | None) -> bool:
        """Return whether a tool may be asked in free text: not if it has a schema of its own, or
        may not be called at all. A tool without a name cannot be listed in a policy."""
        if self.tools is None:
            return True
        own = self.tools.get(tool or NAMELESS)
        if own is not None:
            return own.schema is None
        return not self.requested and (not tool or self.tools[ANY_TOOL].schema is not _NO_CALL)

    def _may_be_part(self, found: Settings | None) -> bool:
        """Return whether a string may pass that no schema can judge: a schema of the policy must be
        able to, one of the request need not."""
        schema = found.schema if found else None
        return schema is None or (self.requested and schema is not _NO_CALL)


_NO_CALL = Schema(False)
"""The schema of a tool that may not be called."""


def compiled(loader: Loader, merged: MergedPolicy) -> Json:
    """Return the settings of the JSON stage, without its rules."""
    file = merged.file
    section = file.json_
    free = _arguments(file, section)
    channels = {ARGUMENTS: free}
    if section is None:
        return Json(MappingProxyType(channels), free=free)
    source = merged.settings["json_"]
    schema = _schema(loader, source, section, section, ("json", "schema"))
    for channel in _channels(section):
        channels[channel] = _of(file, section, channel, schema)
    if section.tools == "from_request":
        asked = _of(file, section, ARGUMENTS, None)
        return Json(MappingProxyType(channels), asked=asked, free=free)
    if ARGUMENTS in section.channels and section.tools is not None:
        mark = source.document.mark(("json", "tools"))
        source.report(mark, "the channel 'tool_args' has a schema too: leave it out of 'channels'")
    return Json(MappingProxyType(channels), _tools(loader, source, file, section), free=free)


def unjudged(json: Json) -> Json:
    """Return the settings without any expectations of the JSON, which has been judged before."""

    def of(each: Settings) -> Settings:
        return replace(
            each,
            schema=None,
            fences="keep" if each.fences == "keep" else None,
            documents="many",
            on_violation="text",
            repair=frozenset(),
            close=False,
            limits=json_schemas.EXACT,
            duplicates=True,
        )

    channels = {name: of(each) for name, each in json.channels.items()}
    return Json(MappingProxyType(channels), free=json.free)


def redacting(settings: Settings, rules: RuleSet) -> Settings:
    """Return the settings with rules for the texts in a document."""
    return replace(settings, redact=rules.stage, redact_after=rules.stage_after)


def guarding(json: Json, rulesets: Mapping[str, RuleSet]) -> Json:
    """Return the settings with the rules of each channel; arguments without rules need no stage."""
    found = {}
    for channel, each in json.channels.items():
        rules = rulesets.get(channel)
        if rules is not None:
            found[channel] = redacting(each, rules)
        elif each.on_violation != "text":
            found[channel] = each
    tools, rules, asked = json.tools, rulesets.get(ARGUMENTS), json.asked
    if tools is not None and rules is not None:
        tools = {name: redacting(each, rules) for name, each in tools.items()}
    if asked is not None and rules is not None:
        asked = redacting(asked, rules)
    free = redacting(json.free, rules) if json.free and rules is not None else None
    return Json(MappingProxyType(found), tools, asked, free)


def asked_for(json: Json, section: JsonFile | None, tools: Mapping[str, Any]) -> Json:
    """Return the settings for a request that states these schemas; for None, any arguments are
    allowed. A tool that is not among them may not be called, unless `*` is.

    Raises SchemaError for a schema that cannot be used. Nothing changes if the policy does not take
    schemas from requests.
    """
    if section is None or json.asked is None:
        return json
    # Arguments to which no rule applies pass unchanged.
    free = json.free or Settings(documents="many", on_violation="text")
    found = {
        name: free
        if schema is None
        else replace(
            json.asked,
            schema=_NO_CALL
            if schema is False
            else _compiled(dumps(schema, sort_keys=True), section.draft, section.formats),
        )
        for name, schema in tools.items()
    }
    found.setdefault(ANY_TOOL, replace(json.asked, schema=_NO_CALL))
    return replace(json, tools=MappingProxyType(found), asked=None, requested=True)


@lru_cache(maxsize=256)
def _compiled(text: str, draft: str | None, formats: bool) -> Schema:
    return Schema(loads(text), draft=draft, formats=formats)


def extraction(loader: Loader, merged: MergedPolicy) -> Mapping[str, Any]:
    """Return the section `extract` as options of `guardstream.extract`."""
    section = merged.file.extract
    if section is None:
        return MappingProxyType({})
    options: dict[str, Any] = {
        name: getattr(section, name)
        for name in section.model_fields_set - {"schema_", "schemas", "draft", "formats"}
    }
    if section.limits is not None:
        limits = section.limits
        options["limits"] = Limits(limits.depth, limits.digits, limits.string, limits.document)
    if section.schema_ is not None:
        source = merged.settings["extract"]
        options["schema"] = _schema(loader, source, section, section, ("extract", "schema"))
    return MappingProxyType(options)


def _channels(section: JsonFile) -> list[Channel]:
    """Return the channels that carry JSON; if only tools are named, text is not JSON."""
    only_tools = section.tools is not None and section.schema_ is None
    return [] if only_tools and "channels" not in section.model_fields_set else section.channels


def _of(file: PolicyFile, section: JsonFile, channel: str, schema: Checks | None) -> Settings:
    settings = _settings(file, section, schema)
    if channel != ARGUMENTS:
        return settings
    # The end of its document ends a call, but not the stream: other calls continue.
    after = settings.after
    if after != "text":
        after = "ignore" if section.fences else "refuse"
    keys = section.redact_keys is not False
    return replace(
        settings,
        after=after,
        redact_keys=keys,
        is_call=section.documents == "one",
        # A client might run what a cut left open.
        repair=settings.repair - {"truncated"},
        close=False,
    )


def _tools(
    loader: Loader, source: Source, file: PolicyFile, section: JsonFile
) -> Mapping[str, Settings] | None:
    """Return the settings for each tool's arguments; a tool that is not named may not be called."""
    if section.tools is None or section.tools == "from_request":
        return None
    found = {}
    for name, tool in section.tools.items():
        schema = _schema(loader, source, section, tool, ("json", "tools", name, "schema"))
        found[name] = _of(file, section, ARGUMENTS, schema)
    found.setdefault(ANY_TOOL, _of(file, section, ARGUMENTS, _NO_CALL))
    return MappingProxyType(found)


def _settings(file: PolicyFile, section: JsonFile, schema: Checks | None) -> Settings:
    limits = section.limits
    numbers = _numbers(section)
    # If rules look at numbers, a number is held until its end.
    digits = min(limits.digits, file.max_holdback) if numbers and file.rules else limits.digits
    return Settings(
        schema=schema,
        fences=section.fences,
        documents=section.documents,
        last_max=section.last_max,
        after=section.after,
        on_violation=section.on_violation,
        repair=frozenset(kind for kind in section.repair if kind != "close"),
        close="close" in section.repair,
        redact_keys=bool(section.redact_keys),
        numbers=numbers,
        limits=Limits(limits.depth, digits, limits.string, limits.document),
        duplicates=section.duplicates,
        severity=section.severity,
    )


def _arguments(file: PolicyFile, section: JsonFile | None) -> Settings:
    return Settings(
        documents="many",
        on_violation="text",
        redact_keys=section is None or section.redact_keys is not False,
        numbers=_numbers(section) if section else "string",
        limits=replace(json_schemas.EXACT, digits=file.max_holdback),
        duplicates=True,
    )


def _numbers(section: JsonFile) -> Numbers | None:
    return None if section.numbers == "leave" else section.numbers


def _schema(
    loader: Loader,
    source: Source,
    section: JsonFile | ExtractFile,
    holder: JsonFile | ToolFile | ExtractFile,
    path: tuple[str, ...],
) -> Schema | None:
    """Return the schema that `holder` has at `path`; errors are reported there."""
    given = holder.schema_
    if given is None:
        return None
    document, draft = source.document, holder.draft or section.draft
    others = [source.folder / each for each in section.schemas]
    try:
        if isinstance(given, str):
            return json_schemas.from_file(
                source.folder / given,
                loader.read_text,
                draft=draft,
                formats=section.formats,
                given=others,
            )
        beside = json_schemas.SchemaFiles(loader.read_text, others)
        base = f"{json_schemas.address(source.folder)}/"
        beside.note(given, base, source.folder)
        return Schema(
            given,
            draft=draft,
            formats=section.formats,
            documents=beside,
            base=base,
        )
    except PolicyError as error:
        source.report(document.mark(path), f"cannot use the schema: {error}")
    except SchemaError as error:
        mark = json_schemas.mark_of(document, path, error)
        source.report(mark, f"cannot use the schema: {error}")
    return None
