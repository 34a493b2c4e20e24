"""gitleaks' TOML: https://github.com/gitleaks/gitleaks#configuration.

gitleaks takes the first group of a match as the secret, or `secretGroup`. Its patterns are RE2; a
group becomes the named group `secret`, and where the branches of a pattern have groups of their
own, each branch becomes a pattern. What cannot be said here (paths, commits, whole lines, other
rules that are required) is named; an allowlist never becomes wider. Betterleaks' TOML is the same
with filters in the place of allowlists.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from guardstream.cli.importing.betterleaks import Filter, read_filter
from guardstream.cli.importing.re2 import part, secrets
from guardstream.cli.importing.write import (
    Draft,
    ImportingError,
    any_of,
    containing,
    slug,
    unknown,
    untold_keywords,
)


def draft(text: str, path: Path) -> Draft:
    """Read a gitleaks configuration."""
    try:
        config = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ImportingError(f"{path}: not valid TOML: {error}") from error
    made = Draft(slug(str(config.get("title") or path.stem)), f"Imported from {path.name}")
    made.notes += _extended(config.get("extend"))
    made.notes += unknown(config, _CONFIG)
    lists = list(_allowlists(config))
    for allowlist in lists:
        made.notes += _left_out(allowlist, "the allowlist of all rules", None)
    every = _filter(made, config, "the filter of all rules")
    if config.get("prefilter"):
        made.notes.append("the prefilter is about paths and commits, and is left out")
    for rule in config.get("rules", []):
        if not isinstance(rule, dict) or "id" not in rule:
            raise ImportingError(f"{path}: a rule without an id")
        _add(made, rule, [each for each in lists if _is_for(each, rule["id"])], every)
    return made


def _add(made: Draft, rule: dict[str, Any], lists: list[dict[str, Any]], every: Filter) -> None:
    name = slug(str(rule["id"]))
    if not isinstance(rule.get("regex"), str):
        made.notes.append(f"rule {name!r} looks at paths only, and is left out")
        return
    made.notes += [f"rule {name!r}: {note}" for note in _untold(rule)]
    number = rule.get("secretGroup")
    patterns, group = secrets(rule["regex"], number if isinstance(number, int) else None)
    filters = (every, _filter(made, rule, f"rule {name!r}: its filter"))
    entropy = max(float(rule.get("entropy") or 0), *(each.entropy for each in filters))
    own = list(_allowlists(rule))
    for allowlist in own:
        made.notes += _left_out(allowlist, f"rule {name!r}: its allowlist", group)
    allowed = [pattern for each in (*own, *lists) for pattern in _allowed(each, group=group)]
    allowed += [pattern for each in filters for pattern in each.allowed]
    about = rule.get("description")
    made.add(name, about, "high", patterns, group=group, entropy=entropy, allowed=allowed)


_CONFIG = frozenset({"title", "description", "extend", "allowlist", "allowlists", "rules"})
_CONFIG |= {"minVersion", "betterleaksMinVersion", "filter", "prefilter"}

_RULE = frozenset({"id", "description", "regex", "secretGroup", "entropy", "allowlist"})
_RULE |= {"allowlists", "tags", "skipReport", "path", "required", "keywords", "filter"}
_RULE |= {"validate"}


def _filter(made: Draft, holder: dict[str, Any], whose: str) -> Filter:
    """Read the filter of a rule or of all."""
    found = read_filter(str(holder.get("filter") or ""))
    if not found.is_whole:
        made.notes.append(f"{whose} is left out where it asks for more than the secret")
    return found


def _extended(extend: Any) -> Iterator[str]:
    """What a configuration that extends another one loses."""
    if isinstance(extend, dict):
        for key, value in extend.items():
            if key == "disabledRules":
                yield f"extend.disabledRules {value} is left out: disable them where you extend"
            elif value:
                yield f"extend.{key} is left out: import that configuration, and extend its policy"


def _untold(rule: dict[str, Any]) -> Iterator[str]:
    """What of a rule has no meaning in a stream, or none here."""
    if rule.get("path"):
        yield "its path is left out, it holds for every text"
    if rule.get("required"):
        yield "'required' is left out, it holds without the other rules' findings"
    yield from untold_keywords(rule.get("keywords"), rule["regex"])
    yield from unknown(rule, _RULE)


def _allowlists(holder: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The allowlists of a rule or of all: as one table, or as several."""
    for each in (holder.get("allowlist"), *(holder.get("allowlists") or ())):
        if isinstance(each, dict):
            yield each


def _is_for(allowlist: dict[str, Any], rule: Any) -> bool:
    targets = allowlist.get("targetRules")
    return not targets or rule in targets


def _left_out(allowlist: dict[str, Any], whose: str, group: bool | None) -> Iterator[str]:
    """What of an allowlist is left out. Without it more is found, never less."""
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
        yield f"{whose}: anchored patterns for the whole match are left out, a group alone is seen"
    known = {"description", "condition", "regexTarget", "regexes", "stopwords", "targetRules"}
    known |= {"paths", "commits"}
    yield from (f"{whose}: {key!r} is not known, and left out" for key in allowlist.keys() - known)


def _is_and(allowlist: dict[str, Any]) -> bool:
    return str(allowlist.get("condition", "OR")).upper() in ("AND", "&&")


def _target(allowlist: dict[str, Any]) -> str:
    return str(allowlist.get("regexTarget") or "secret")


def _regexes(allowlist: dict[str, Any]) -> list[str]:
    return [part(str(pattern)) for pattern in allowlist.get("regexes") or ()]


def _anchored(pattern: str) -> bool:
    """Tell whether a pattern may match in a group where it does not in the whole match."""
    return bool(re.search(r"[$^]|\\[AzZbB]", pattern))


def _allowed(allowlist: dict[str, Any], *, group: bool) -> Iterator[str]:
    """The patterns of an allowlist about the secret, made to match it in full.

    gitleaks allows what any of its criteria fits, or all with `condition = "AND"`; stop words are
    looked for in the secret, whatever their case.
    """
    stops = any_of(allowlist.get("stopwords") or ())
    target, regexes = _target(allowlist), _regexes(allowlist)
    if target == "line":
        regexes = []
    elif target == "match" and group:
        regexes = [pattern for pattern in regexes if not _anchored(pattern)]
    if not _is_and(allowlist):
        yield from (containing(pattern) for pattern in (*regexes, stops) if pattern)
        return
    complete = len(regexes) == len(allowlist.get("regexes") or ())
    if allowlist.get("paths") or allowlist.get("commits") or not complete:
        return
    asked = [each for each in ("|".join(f"(?:{pattern})" for pattern in regexes), stops) if each]
    if asked:
        yield "".join(rf"(?=[\s\S]*?(?:{each}))" for each in asked) + r"[\s\S]*"
