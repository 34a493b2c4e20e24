"""A page of all keys of a policy, written from its JSON Schema."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

HEAD = """# Keys of a policy

Every section and key with its values and its default, written from the policy's JSON Schema
(`guardstream schema`). [Policies](../policies.md) explains them with examples.

"""

KINDS = {
    "array": "a list",
    "boolean": "`true`, `false`",
    "integer": "an integer",
    "number": "a number",
    "object": "a mapping",
    "string": "text",
}


def page(schema: Mapping[str, Any]) -> str:
    """Return the page as Markdown."""
    parts = [_section("The policy", schema)]
    parts += [_section(_name(name), part) for name, part in sorted(schema["$defs"].items())]
    return HEAD + "\n".join(parts)


def _name(definition: str) -> str:
    words = definition.removesuffix("File")
    return "".join(f" {each.lower()}" if each.isupper() else each for each in words).strip().lower()


def _section(name: str, part: Mapping[str, Any]) -> str:
    lines = [f"## {name[0].upper()}{name[1:]}", "", part.get("description", ""), ""]
    if keys := part.get("properties"):
        lines += ["| key | | values | default |", "|---|---|---|---|"]
        needed = part.get("required", ())
        lines += [_row(key, value, key in needed) for key, value in keys.items()]
    else:
        lines.append(" or ".join(_values(part)))
    return "\n".join(lines) + "\n"


def _row(key: str, value: Mapping[str, Any], needed: bool) -> str:
    default = "needed" if needed else _code(value["default"]) if "default" in value else ""
    values = ", ".join(dict.fromkeys(_values(value)))
    return f"| `{key}` | {value.get('description', '')} | {values} | {default} |"


def _code(value: Any) -> str:
    """Return a value as it stands in YAML, nothing for none."""
    if value in (None, ""):
        return ""
    text = json.dumps(value, ensure_ascii=False) if not isinstance(value, str) else value
    return f"`{text}`".replace("|", "\\|").replace("\n", " ")


def _values(part: Mapping[str, Any]) -> Iterator[str]:
    """Return what a key may be, in words; a section as a link."""
    if reference := part.get("$ref"):
        name = _name(reference.rpartition("/")[2])
        yield f"[{name}](#{name.replace(' ', '-')})"
    elif "enum" in part or "const" in part:
        yield from (_code(each) for each in part.get("enum", [part.get("const")]))
    elif choices := part.get("anyOf") or part.get("oneOf"):
        for each in choices:
            yield from _values(each)
    elif part.get("type") == "array":
        yield f"a list of {' or '.join(_values(part.get('items', {})))}"
    elif isinstance(inner := part.get("additionalProperties"), dict):
        yield f"a mapping to {' or '.join(_values(inner))}"
    elif "type" not in part:
        yield "anything"
    else:
        kinds = part["type"] if isinstance(part["type"], list) else [part["type"]]
        yield from (_bounded(KINDS[kind], part) for kind in kinds if kind != "null")


def _bounded(words: str, part: Mapping[str, Any]) -> str:
    least = part.get("minimum", part.get("exclusiveMinimum"))
    most = part.get("maximum", part.get("exclusiveMaximum"))
    bounds = [f"from {least}"] * (least is not None) + [f"to {most}"] * (most is not None)
    return " ".join([words, *bounds])
