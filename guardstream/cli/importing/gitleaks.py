"""gitleaks' TOML: https://github.com/gitleaks/gitleaks#configuration.

gitleaks takes the first group of a match as the secret, or `secretGroup`. Its patterns are RE2; a
group becomes the named group `secret`, and where the branches of a pattern have groups of their
own, each branch becomes a pattern. What cannot be said here (paths, commits, whole lines, other
rules that are required) is named; an allowlist never becomes wider.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import regex

from guardstream.cli.importing.write import Draft, ImportingError, slug

_ESCAPE = re.compile(r"\\x\{([0-9A-Fa-f]+)\}|\\z|\\.", re.DOTALL)

_MOST_VARIANTS = 16
"""Patterns that one may become; beyond that its groups are no secrets but structure."""


def draft(text: str, path: Path) -> Draft:
    """Read a gitleaks configuration."""
    try:
        config = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ImportingError(f"{path}: not valid TOML: {error}") from error
    made = Draft(slug(str(config.get("title") or path.stem)), f"Imported from {path.name}")
    made.notes += _extended(config.get("extend"))
    made.notes += [f"{key!r} is not known, and left out" for key in config if key not in _CONFIG]
    lists = list(_allowlists(config))
    for allowlist in lists:
        made.notes += _left_out(allowlist, "the allowlist of all rules", None)
    for rule in config.get("rules", []):
        if not isinstance(rule, dict) or "id" not in rule:
            raise ImportingError(f"{path}: a rule without an id")
        _add(made, rule, [each for each in lists if _is_for(each, rule["id"])])
    return made


def _add(made: Draft, rule: dict[str, Any], lists: list[dict[str, Any]]) -> None:
    name = slug(str(rule["id"]))
    if not isinstance(rule.get("regex"), str):
        made.notes.append(f"rule {name!r} looks at paths only, and is left out")
        return
    made.notes += [f"rule {name!r}: {note}" for note in _untold(rule)]
    patterns, group = _patterns(re2(rule["regex"]), rule.get("secretGroup"))
    out: dict[str, Any] = {"id": name, "description": str(rule.get("description", ""))}
    out |= {"severity": "high", "pattern": patterns}
    if group:
        out["group"] = "secret"
    if rule.get("entropy"):
        out["validate"] = {"entropy": float(rule["entropy"])}
    own = list(_allowlists(rule))
    for allowlist in own:
        made.notes += _left_out(allowlist, f"rule {name!r}: its allowlist", group)
    allowed = [pattern for each in (*own, *lists) for pattern in _allowed(each, group=group)]
    usable = [pattern for pattern in allowed if _compiles(pattern)]
    if len(usable) < len(allowed):
        left_out = len(allowed) - len(usable)
        made.notes.append(f"rule {name!r}: {left_out} allowed patterns cannot be read, left out")
    if usable:
        out["allow"] = {"patterns": list(dict.fromkeys(usable))}
    made.rules.append(out)


_CONFIG = frozenset({"title", "description", "extend", "allowlist", "allowlists", "rules"})
_CONFIG |= {"minVersion"}

_RULE = frozenset({"id", "description", "regex", "secretGroup", "entropy", "allowlist"})
_RULE |= {"allowlists", "tags", "skipReport", "path", "required", "keywords"}


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
    pattern = rule["regex"].lower()
    keywords = [str(word) for word in rule.get("keywords") or ()]
    if keywords and not any(word.lower() in pattern for word in keywords):
        yield f"its keywords {keywords} are left out, it holds without them"
    yield from (f"{key!r} is not known, and left out" for key in rule if key not in _RULE)


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
    return [re2(str(pattern)) for pattern in allowlist.get("regexes") or ()]


def _anchored(pattern: str) -> bool:
    """Tell whether a pattern may match in a group where it does not in the whole match."""
    return bool(re.search(r"[$^]|\\[AzZbB]", pattern))


def _allowed(allowlist: dict[str, Any], *, group: bool) -> Iterator[str]:
    """The patterns of an allowlist about the secret, made to match it in full.

    gitleaks allows what any of its criteria fits, or all with `condition = "AND"`; stop words are
    looked for in the secret, whatever their case.
    """
    words = "|".join(re.escape(str(word)) for word in allowlist.get("stopwords") or ())
    stops = f"(?i:{words})" if words else ""
    target, regexes = _target(allowlist), _regexes(allowlist)
    if target == "line":
        regexes = []
    elif target == "match" and group:
        regexes = [pattern for pattern in regexes if not _anchored(pattern)]
    if not _is_and(allowlist):
        yield from (rf"[\s\S]*?(?:{pattern})[\s\S]*" for pattern in (*regexes, stops) if pattern)
        return
    complete = len(regexes) == len(allowlist.get("regexes") or ())
    if allowlist.get("paths") or allowlist.get("commits") or not complete:
        return
    asked = [each for each in ("|".join(f"(?:{pattern})" for pattern in regexes), stops) if each]
    if asked:
        yield "".join(rf"(?=[\s\S]*?(?:{each}))" for each in asked) + r"[\s\S]*"


def _compiles(pattern: str) -> bool:
    try:
        regex.compile(pattern, regex.V0)
    except regex.error:
        return False
    return True


def re2(pattern: str) -> str:
    """Write an RE2 pattern in the dialect of `regex`, ASCII classes as RE2 has them."""

    def replaced(found: re.Match[str]) -> str:
        if found[1]:
            return f"\\U{int(found[1], 16):08X}"
        if found[0] == "\\z":
            return "\\Z"
        return found[0]

    written = _ESCAPE.sub(replaced, pattern)
    return _flags_first(written)


def _flags_first(pattern: str) -> str:
    """Give a flag that stands inside, such as `(?i)`, a group up to the end of its own group.

    RE2 applies such a flag from there on; `regex` (version 0) does not take it for the part.
    """
    for found in re.finditer(r"(?<!\\)\(\?([imsU]+(?:-[imsU]+)?|-[imsU]+)\)", pattern):
        if found.start() == 0:
            continue
        end = _group_end(pattern, found.end())
        inside = f"(?{found[1]}:{pattern[found.end() : end]})"
        return _flags_first(pattern[: found.start()] + inside + pattern[end:])
    return pattern


def _group_end(pattern: str, start: int) -> int:
    """The offset of the parenthesis that closes the group around `start`, or the end."""
    depth = 0
    for place, character in _outside_classes(pattern, start):
        depth += (character == "(") - (character == ")")
        if depth < 0:
            return place
    return len(pattern)


def _outside_classes(pattern: str, start: int = 0) -> Iterator[tuple[int, str]]:
    """The characters that are no escape and stand in no class, with their offsets."""
    place, inside = start, False
    while place < len(pattern):
        character = pattern[place]
        if character == "\\":
            place += 2
            continue
        if inside:
            inside = character != "]" or pattern[place - 1] == "["
        elif character == "[":
            inside = True
        else:
            yield place, character
        place += 1


def _patterns(pattern: str, secret: Any) -> tuple[list[str], bool]:
    """The pattern with its secret group named; one for each branch that has a group of its own."""
    if not _groups(pattern):
        return [pattern], False
    if isinstance(secret, int) and secret:
        return [_named(pattern, secret)], True
    variants = _variants(pattern)
    if variants is None or not all(map(_groups, variants)):
        return [_named(pattern, 0)], False  # the whole match is masked
    return [_named(variant, 1) for variant in variants], True


def _variants(pattern: str) -> list[str] | None:
    """The pattern once for each branch of its alternations that has groups; None for too many."""
    done: list[str] = []
    open_ = [pattern]
    while open_:
        branches = _split(open_[0])
        if branches:
            open_[:1] = branches
        else:
            done.append(open_.pop(0))
        if len(done) + len(open_) > _MOST_VARIANTS:
            return None
    return done


def _split(pattern: str) -> list[str]:
    """The pattern with one alternation, of which several branches have groups, taken apart."""
    for start, end, cuts in _alternations(pattern):
        head = re.match(r"\((?:\?[\w-]*:)?", pattern[start:]) if start >= 0 else None
        if head is not None and head[0] == "(":
            continue  # it is captured as a whole
        first = start + head.end() if head else 0
        edges = [first - 1, *cuts, end]
        branches = [pattern[a + 1 : b] for a, b in pairwise(edges)]
        if sum(bool(_groups(branch)) for branch in branches) > 1:
            if head is None:
                flags = re.match(r"\(\?[a-zA-Z]+\)", pattern)
                return [_with_flags(flags[0] if flags else "", branch) for branch in branches]
            before, after = pattern[:first], pattern[end:]
            return [f"{before}{branch}{after}" for branch in branches]
    return []


def _with_flags(flags: str, branch: str) -> str:
    return flags + branch.removeprefix(flags)


def _alternations(pattern: str) -> list[tuple[int, int, list[int]]]:
    """Where each group begins and ends, and where its branches part; the outermost first."""
    stack: list[tuple[int, list[int]]] = [(-1, [])]
    found: list[tuple[int, int, list[int]]] = []
    for place, character in _outside_classes(pattern):
        if character == "(":
            stack.append((place, []))
        elif character == ")" and len(stack) > 1:
            start, cuts = stack.pop()
            found.append((start, place, cuts))
        elif character == "|":
            stack[-1][1].append(place)
    found.append((-1, len(pattern), stack[0][1]))
    return sorted(item for item in found if item[2])


def _groups(pattern: str) -> list[int]:
    """Where the capturing groups of a pattern begin."""
    return [
        place
        for place, character in _outside_classes(pattern)
        if character == "("
        and (pattern[place + 1 : place + 2] != "?" or re.match(r"\(\?P?<\w", pattern[place:]))
    ]


def _named(pattern: str, number: int) -> str:
    """The pattern with one capturing group named `secret` and the others capturing nothing."""
    out, last = "", 0
    for count, place in enumerate(_groups(pattern), 1):
        found = re.match(r"\(\?P?<\w+>|\(", pattern[place:])
        assert found is not None
        out += pattern[last:place] + ("(?<secret>" if count == number else "(?:")
        last = place + found.end()
    return out + pattern[last:]
