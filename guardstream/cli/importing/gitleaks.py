"""gitleaks' TOML: https://github.com/gitleaks/gitleaks#configuration.

gitleaks takes the first group of a match as the secret, or `secretGroup`. Its patterns are RE2; a
group becomes the named group `secret`, and where the branches of a pattern have groups of their
own, each branch becomes a pattern. What a policy cannot express (paths, commits, whole lines, other
rules that are required) is noted; an allowlist never becomes wider. Betterleaks' TOML is the same
with filters in the place of allowlists; version 2 calls the group `valueGroup` and the required
rules `components`.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from guardstream.cli.importing.betterleaks import Filter, read_filter
from guardstream.cli.importing.re2 import part
from guardstream.cli.importing.secret_group import secrets
from guardstream.cli.importing.shape import ANYTHING, UNUSED, Shape, fitted
from guardstream.cli.importing.write import (
    Draft,
    ImportingError,
    any_of,
    containing,
    keyword_notes,
    slug,
)
from guardstream.policy.reading import mark_of_index

_ALLOWLIST = {
    "description": UNUSED,
    "condition": str,
    "regexTarget": str,
    "regexes": [str],
    "stopwords": [str],
    "paths": [str],
    "commits": [str],
    "targetRules": [str],
}

_CONFIG = {
    "title": str,
    "description": UNUSED,
    "minVersion": UNUSED,
    "betterleaksMinVersion": UNUSED,
    "extend": {"useDefault": bool, "path": str, "url": str, "disabledRules": [str]},
    "allowlist": _ALLOWLIST,
    "allowlists": [_ALLOWLIST],
    "filter": str,
    "prefilter": str,
    "rules": [ANYTHING],
}

_RULE = {
    "id": str,
    "description": str,
    "regex": str,
    "secretGroup": int,
    "valueGroup": int,
    "entropy": float,
    "keywords": [str],
    "path": str,
    "allowlist": _ALLOWLIST,
    "allowlists": [_ALLOWLIST],
    "filter": str,
    "required": [ANYTHING],
    "components": [ANYTHING],
    "skipReport": bool,
    "tags": UNUSED,
    "validate": UNUSED,
    "analyze": UNUSED,
    "revoke": UNUSED,
    "confidence": UNUSED,
    "specificity": UNUSED,
}


def _parsed(text: str, path: Path) -> dict[str, Any]:
    """Parse TOML. Raises ImportingError, with the place, if it is not valid."""
    try:
        return tomllib.loads(text)
    except RecursionError as error:
        raise ImportingError(f"{path}:1:1: not valid TOML: nested too deeply") from error
    except ValueError as error:
        message, line, column = str(error), 1, 1
        if found := _PLACE.search(message):
            message = message[: found.start()]
            end = mark_of_index(text, len(text))
            line, column = (int(found[1]), int(found[2])) if found[1] else (end.line, end.column)
        elif number := _LONG.search(text):  # Python refuses it, without its place
            message, mark = "the number has too many digits", mark_of_index(text, number.start())
            line, column = mark.line, mark.column
        raise ImportingError(f"{path}:{line}:{column}: not valid TOML: {message}") from error


_RULES = re.compile(r"^\s*\[?\s*[\"']?rules\b", re.MULTILINE)
_LONG = re.compile(r"[0-9][0-9_]{4300,}")
_PLACE = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")
"""How tomllib says where an error is; only newer ones have it as numbers."""


def draft(text: str, path: Path) -> Draft:
    """Read a gitleaks configuration."""
    config = _parsed(text, path)
    if "rules" in config and not isinstance(config["rules"], list):
        mark = mark_of_index(text, found.start() if (found := _RULES.search(text)) else 0)
        place = f"{path}:{mark.line}:{mark.column}"
        raise ImportingError(f"{place}: 'rules' is not a list: a rule begins with [[rules]]")
    made = Draft.of(path)
    config = fitted(_as_written(config, _CONFIG), _CONFIG, "", made.notes)
    made.name = slug(config.get("title") or path.stem)
    made.notes += _extended(config.get("extend", {}))
    lists = list(_allowlists(made, config, "the allowlist of all rules"))
    for allowlist in lists:
        made.notes += _left_out(allowlist, "the allowlist of all rules", None)
    every = _filter(made, config, "the filter of all rules")
    if config.get("prefilter"):
        made.notes.append("the prefilter is about paths and commits, and is left out")
    for rule in config.get("rules", ()):
        name = _name(rule, path)
        rule = fitted(_as_written(rule, _RULE), _RULE, f"rule {name!r}", made.notes)
        _add(made, name, rule, [each for each in lists if _is_for(each, rule.get("id"))], every)
    return made


def _name(rule: dict[str, Any], path: Path) -> str:
    """Return the id of a rule; files for older versions only have a description."""
    found = rule.get("id") or rule.get("description")
    if not found:
        raise ImportingError(f"{path}: a rule without an id")
    return slug(str(found))


def _as_written(value: Any, shape: Shape) -> Any:
    """Write the keys of a value as its shape does: their case does not matter."""
    if isinstance(value, list) and isinstance(shape, list):
        return [_as_written(each, shape[0]) for each in value]
    if not isinstance(value, dict) or not isinstance(shape, dict):
        return value
    known = {key.lower(): key for key in shape}
    named = {known.get(key.lower(), key): each for key, each in value.items()}
    return {key: _as_written(each, shape.get(key)) for key, each in named.items()}


def _add(
    made: Draft, name: str, rule: dict[str, Any], lists: list[dict[str, Any]], every: Filter
) -> None:
    if "regex" not in rule:
        made.notes.append(f"rule {name!r} has no regex of its own, and is left out")
        return
    if rule.get("skipReport"):
        made.notes.append(f"rule {name!r} is not reported by itself, and is left out")
        return
    made.notes += [f"rule {name!r}: {note}" for note in _lost(rule)]
    found = secrets(rule["regex"], rule.get("secretGroup", rule.get("valueGroup")))
    filters = (every, _filter(made, rule, f"rule {name!r}: its filter"))
    entropy = max(rule.get("entropy", 0.0), *(each.entropy for each in filters))
    own = list(_allowlists(made, rule, f"rule {name!r}: its allowlist"))
    for allowlist in own:
        made.notes += _left_out(allowlist, f"rule {name!r}: its allowlist", found.group)
    allowed = [each for one in (*own, *lists) for each in _allowed(one, group=found.group)]
    allowed += [pattern for each in filters for pattern in each.allowed]
    made.add(name, rule.get("description"), "high", found, entropy=entropy, allowed=allowed)


def _filter(made: Draft, holder: dict[str, Any], whose: str) -> Filter:
    """Read the filter of a rule or of all rules."""
    found = read_filter(holder.get("filter", ""))
    if not found.is_whole:
        made.notes.append(f"{whose} is left out where it asks for more than the secret")
    return found


def _extended(extend: dict[str, Any]) -> Iterator[str]:
    """Yield notes on what is lost if a configuration extends another one."""
    for key, value in extend.items():
        if key == "disabledRules":
            yield f"extend.disabledRules {value} is left out: disable them where you extend"
        elif value:
            yield f"extend.{key} is left out: import that configuration, and extend its policy"


def _lost(rule: dict[str, Any]) -> Iterator[str]:
    """Yield notes on the keys of a rule that have no meaning in a stream, or in a policy."""
    if rule.get("path"):
        yield "its path is left out, it holds for every text"
    for key in ("required", "components"):
        if not all(each.get("optional") for each in rule.get(key, ())):
            yield f"{key!r} is left out, it holds without the other rules' findings"
    yield from keyword_notes(rule.get("keywords"), rule["regex"])


def _allowlists(made: Draft, holder: dict[str, Any], whose: str) -> Iterator[dict[str, Any]]:
    """Yield the allowlists of a rule, or of all rules: one table, or several."""
    for each in (holder.get("allowlist"), *holder.get("allowlists", ())):
        if each is None:
            continue
        if _condition(each) not in ("AND", "&&", "OR", "||"):
            made.notes.append(f"{whose} is left out: its condition is not known")
        elif _target(each) not in ("secret", "match", "line"):
            made.notes.append(f"{whose} is left out: its regexTarget is not known")
        else:
            yield each


def _is_for(allowlist: dict[str, Any], rule: Any) -> bool:
    targets = allowlist.get("targetRules")
    return not targets or rule in targets


def _left_out(allowlist: dict[str, Any], whose: str, group: bool | None) -> Iterator[str]:
    """Yield notes on what is left out of an allowlist. Without it more is found, never less."""
    about = [key for key in ("paths", "commits") if allowlist.get(key)]
    says = bool(allowlist.get("regexes") or allowlist.get("stopwords"))
    if about and _is_and(allowlist) and says:
        yield f"{whose} is left out: it also asks for {' and '.join(about)}"
        return
    if about:
        yield f"{whose}: {' and '.join(about)} left out, a stream has none"
    if allowlist.get("regexes") and _target(allowlist) == "line":
        yield f"{whose}: patterns for the whole line are left out"
    elif group and _target(allowlist) == "match" and any(map(_anchored, _regexes(allowlist))):
        yield f"{whose}: anchored patterns for the whole match are left out, only a group is seen"


def _condition(allowlist: dict[str, Any]) -> str:
    return str(allowlist.get("condition") or "OR").upper()


def _is_and(allowlist: dict[str, Any]) -> bool:
    return _condition(allowlist) in ("AND", "&&")


def _target(allowlist: dict[str, Any]) -> str:
    return str(allowlist.get("regexTarget") or "secret").lower()


def _regexes(allowlist: dict[str, Any]) -> list[str]:
    return [part(pattern) for pattern in allowlist.get("regexes", ()) if pattern]


def _anchored(pattern: str) -> bool:
    """Return whether a pattern may match a group's text but not the same text in the whole
    match."""
    return bool(re.search(r"[$^]|\\[AzZbB]", pattern))


def _allowed(allowlist: dict[str, Any], *, group: bool) -> Iterator[str]:
    """Yield the patterns of an allowlist about the secret, changed to match it in full.

    gitleaks allows a secret that meets any of the criteria, or, with `condition = "AND"`, all of
    them; it looks for stop words in the secret, ignoring case.
    """
    stops = any_of(allowlist.get("stopwords", ()))
    target, regexes = _target(allowlist), _regexes(allowlist)
    if target == "line":
        regexes = []
    elif target == "match" and group:
        regexes = [pattern for pattern in regexes if not _anchored(pattern)]
    if not _is_and(allowlist):
        yield from (containing(pattern) for pattern in (*regexes, stops) if pattern)
        return
    complete = len(regexes) == len(allowlist.get("regexes", ()))
    if allowlist.get("paths") or allowlist.get("commits") or not complete:
        return
    asked = [each for each in ("|".join(f"(?:{pattern})" for pattern in regexes), stops) if each]
    if asked:
        yield "".join(rf"(?=[\s\S]*?(?:{each}))" for each in asked) + r"[\s\S]*"
