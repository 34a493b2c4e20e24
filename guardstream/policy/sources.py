"""The files of a policy: what a file extends is read before it, and its own rules come first."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

from pydantic import ValidationError

from guardstream.errors import PolicyError
from guardstream.events import Channel
from guardstream.policy import packs, problems
from guardstream.policy.document import Document, KeyPath, Mark, Problem, read
from guardstream.policy.files import Seen, decoded, read_bytes
from guardstream.policy.model import (
    OPERATIONAL,
    SECTIONS,
    SETTINGS,
    ExtendsFile,
    PolicyFile,
    RuleFile,
)
from guardstream.policy.plugins import NO_CODE, Code
from guardstream.policy.sections import Model
from guardstream.policy.subpatterns import Expansion, expanded
from guardstream.stages.redact import RuleSet

SEARCH_KEYS = frozenset(("words", "pattern"))
"""The keys that say what a rule looks for; a rule with one of them replaces the inherited rule."""

_METADATA = frozenset(("id", "description", "severity", "channels", "enabled"))


@dataclass(eq=False, slots=True)
class Source:
    """One file: its name in messages, its values with their places, and its errors.

    Or a part of a file that is like a policy: its keys are below `prefix`.
    """

    name: str
    folder: Path
    document: Document
    file: PolicyFile = field(default_factory=PolicyFile)
    problems: list[Problem] = field(default_factory=list)
    prefix: KeyPath = ()
    expansions: Mapping[KeyPath, Expansion] = field(default_factory=dict)
    uncalled: tuple[str, ...] = ()
    """The names of the subpatterns that no pattern of the file calls."""

    def report(self, mark: Mark, message: str) -> None:
        """Record one error."""
        self.problems.append(Problem(mark, message))

    def report_inside(self, path: KeyPath, offset: int | None, message: str) -> None:
        """Record an error at an offset in the text at `path`; None means all of it."""
        mark = self.document.mark(path)
        if offset is not None:
            exact = self.document.inside(path, offset)
            mark = exact or mark
            message += "" if exact else f" (at offset {offset} of the pattern)"
        self.report(mark, message)


@dataclass(frozen=True, slots=True)
class Origin:
    """The place of a rule: its file, and its index there."""

    source: Source
    index: int

    @property
    def rule(self) -> RuleFile:
        """The rule as it is in the file."""
        return self.source.file.rules[self.index]

    def key(self, *parts: str | int) -> KeyPath:
        """Return the path of one of the rule's values."""
        return (*self.source.prefix, "rules", self.index, *parts)

    def mark(self, *parts: str | int) -> Mark:
        """Return the place of one of the rule's values."""
        return self.source.document.mark(self.key(*parts))

    def report(self, message: str, *parts: str | int) -> None:
        """Record an error in one of the rule's values."""
        self.source.report(self.mark(*parts), message)


@dataclass(frozen=True, slots=True)
class PlacedRule:
    """A rule of the whole policy: its origin, and the later entries that change it."""

    rule: RuleFile
    origin: Origin
    changes: tuple[Origin, ...] = ()

    def origin_of(self, name: str) -> Origin:
        """Return the entry that sets the field `name`, or the rule's own entry."""
        for change in reversed(self.changes):
            if name in change.rule.model_fields_set:
                return change
        return self.origin

    def changed(self, change: Origin) -> PlacedRule:
        """Return this rule with the keys of a later entry with its id."""
        given = change.rule.model_fields_set
        update = {name: getattr(change.rule, name) for name in given}
        if not given <= _METADATA and "tests" not in given:
            update["tests"] = []  # the tests describe the rule before the change
        rule = self.rule.model_copy(update=update)
        return PlacedRule(rule, self.origin, (*self.changes, change))

    def within(self, channels: Sequence[Channel]) -> PlacedRule | None:
        """Return the rule in some channels only; None if it has none of them."""
        own = self.rule.channels
        narrowed = [each for each in channels if own is None or each in own]
        rule = self.rule.model_copy(update={"channels": narrowed})
        return PlacedRule(rule, self.origin, self.changes) if narrowed else None


@dataclass(slots=True)
class MergedPolicy:
    """A policy with everything it extends: settings and rules, each with its source.

    `keys` are those of the sections that are inherited key by key; `input` has the rules for what
    goes into a model.
    """

    source: Source
    settings: dict[str, Source] = field(default_factory=dict)
    rules: dict[str, PlacedRule] = field(default_factory=dict)
    keys: dict[tuple[str, str], Source] = field(default_factory=dict)
    input: MergedPolicy | None = None

    @property
    def file(self) -> PolicyFile:
        """The policy as one file."""
        values = {name: getattr(source.file, name) for name, source in self.settings.items()}
        values |= {name: self._section(name) for name in SECTIONS if name in self.settings}
        rules = [placed.rule for placed in self.rules.values()]
        return self.source.file.model_copy(update={**values, "rules": rules})

    def _section(self, name: str) -> Model | None:
        """Return a section with the keys that any of the files set."""
        section: Model | None = getattr(self.settings[name].file, name)
        given = {key: source for (where, key), source in self.keys.items() if where == name}
        values = {key: getattr(getattr(source.file, name), key) for key, source in given.items()}
        return section and type(section)().model_copy(update=values)


Purpose: TypeAlias = Literal["guard", "test", "lint"]
"""Why a policy is loaded: tests need no keys, and lint runs no code either."""


class Loader:
    """Reads a policy and everything it extends.

    `seen` has every file that it tried to open, including missing ones, as it was then. `code` has
    the names of the program's own code that the policy may use. `texts` are files whose content is
    already known.
    """

    def __init__(
        self,
        code: Code = NO_CODE,
        purpose: Purpose = "guard",
        texts: Mapping[str, str] | None = None,
    ) -> None:
        self.code = code
        self.purpose = purpose
        self.texts: dict[str, str] = dict(texts or {})
        self.sources: list[Source] = []
        self.seen: dict[Path, Seen] = {}
        self._digest = hashlib.sha256()
        self._done: dict[Path, MergedPolicy] = {}
        self._open: list[Path] = []
        self._compiled: dict[Hashable, RuleSet] = {}

    def check(self) -> None:
        """Raise PolicyError if there were any errors so far."""
        found = [(source.name, source.problems) for source in self.sources if source.problems]
        if found:
            lines = [line for name, wrong in found for line in problems.lines_of(name, wrong)]
            raise PolicyError("\n".join(lines))

    def read_text(self, path: Path) -> str:
        """Read a file that the policy needs."""
        seen = self.seen.setdefault(path, Seen(path))
        text = self.texts.get(str(path))
        if text is None:
            data = read_bytes(path)
            seen.read(data)
            text = decoded(path, data)
            if not packs.has(path):
                self.texts[str(path)] = text
        self._note(text)
        return text

    def compiled_once(self, key: Hashable, make: Callable[[], RuleSet]) -> RuleSet:
        """Return the rules compiled for `key`, because a section may repeat the policy's rules."""
        if key not in self._compiled:
            self._compiled[key] = make()
        return self._compiled[key]

    @property
    def digest(self) -> str:
        """The SHA-256 of everything that was read, in hex."""
        return self._digest.hexdigest()

    def _note(self, text: str) -> None:
        data = text.encode("utf-8", "surrogatepass")
        self._digest.update(len(data).to_bytes(8, "big") + data)

    def load(self, path: Path) -> MergedPolicy:
        """Read a policy file, once; PolicyError if it cannot be read at all."""
        place = _resolved(path)
        if place in self._done:
            return self._done[place]
        text = self.read_text(path)
        self._open.append(place)
        try:
            merged = self.parse(text, str(path), path.parent, sound=packs.has(path))
        finally:
            self._open.pop()
        self._done[place] = merged
        return merged

    def parse(self, text: str, name: str, folder: Path, *, sound: bool = False) -> MergedPolicy:
        """Read the policy `text`; errors are recorded in its source."""
        self._note(text)
        source = Source(name, folder, read(text, sound=sound))
        self.sources.append(source)
        source.problems += source.document.problems
        if not source.problems:
            _validate(source)
        if not source.problems:
            _expand(source, sound=sound)
        merged = MergedPolicy(source)
        self._extend(merged)
        _add_own(merged)
        self._add_input(merged)
        return merged

    def _extend(self, merged: MergedPolicy) -> None:
        source = merged.source
        for entry, index, parent in self._parents(source):
            self._check_extends(source, index, parent)
            _inherit(merged, parent, entry.channels if isinstance(entry, ExtendsFile) else None)

    def _add_input(self, merged: MergedPolicy) -> None:
        """Add the rules of the section `input`, which is a policy inside the policy."""
        source, section = merged.source, merged.source.file.input
        if section is None:
            if "input" in source.file.model_fields_set:  # `input: null` drops an inherited section
                merged.input = None
                merged.keys = {
                    key: where for key, where in merged.keys.items() if key[0] != "input"
                }
            return
        part = _input(source, PolicyFile(extends=section.extends, rules=section.rules))
        inherited = merged.input or MergedPolicy(part)
        merged.input = MergedPolicy(part, inherited.settings, inherited.rules)
        self._extend(merged.input)
        _add_own(merged.input)

    def _parents(self, source: Source) -> Iterator[tuple[str | ExtendsFile, int, MergedPolicy]]:
        for index, entry in enumerate(source.file.extends or ()):
            name = entry.policy if isinstance(entry, ExtendsFile) else entry
            try:
                path = self._extended(name, source.folder)
                if _resolved(path) in self._open:
                    raise PolicyError("that would be a cycle: it extends this file itself")
                yield entry, index, self.load(path)
            except PolicyError as error:
                mark = _extends_mark(source, index)
                source.report(mark, f"cannot extend {name!r}: {error}")

    def _extended(self, name: str, folder: Path) -> Path:
        """Return the file that an entry of `extends` names."""
        path = folder / name
        if name.startswith(packs.PREFIX) and str(path) not in self.texts and not path.exists():
            return packs.pack(name.removeprefix(packs.PREFIX))
        return path

    def _check_extends(self, source: Source, index: int, parent: MergedPolicy) -> None:
        if parent.source.problems:
            name = parent.source.name
            source.report(_extends_mark(source, index), f"{name!r}, which it extends, is not valid")
        _refuse_operational(parent.source)


def _refuse_operational(source: Source) -> None:
    """Report sections in an extended file that only the named file may have."""
    for name in OPERATIONAL:
        if name in source.file.model_fields_set:
            source.report(
                source.document.key_mark((name,)),
                f"{name!r} only counts in the policy's own file, not in one that it "
                "extends: move it there",
            )


def _input(source: Source, file: PolicyFile) -> Source:
    """Return the section `input` of a file as a source of its own, for `file`."""
    place = source.name, source.folder, source.document
    return Source(*place, file, source.problems, ("input",), source.expansions)


def _extends_mark(source: Source, index: int) -> Mark:
    return source.document.mark((*source.prefix, "extends", index))


def _resolved(path: Path) -> Path:
    try:
        return path.resolve()
    except (OSError, ValueError, RuntimeError):
        return path


def _validate(source: Source) -> None:
    value = source.document.value
    if not isinstance(value, dict):
        what = "is empty" if value is None else "must be a mapping"
        message = f"the policy {what}: start with 'version: 1'"
        if isinstance(value, str) and value.endswith((".yaml", ".yml")):
            message += "; to read a file, use Policy.load() or Guard.load()"
        source.report(source.document.mark(()), message)
        return
    try:
        source.file = PolicyFile.model_validate(value)
    except ValidationError as error:
        source.problems += problems.of_validation(error, source.document)
        source.file = PolicyFile(extends=_names(value.get("extends")))


def _expand(source: Source, *, sound: bool) -> None:
    """Replace the calls to subpatterns in a valid file."""
    made = expanded(source.file, source.document.has, source.report_inside, sound=sound)
    source.file, source.expansions, source.uncalled = made.file, made.expansions, made.uncalled


def _names(value: object) -> list[str | ExtendsFile] | None:
    """Return the names that an invalid policy extends, so that errors in those files are reported,
    too."""
    listed = value if isinstance(value, list) else [value]
    return [name for name in listed if isinstance(name, str) and name] or None


def _inherit(
    merged: MergedPolicy, parent: MergedPolicy, channels: Sequence[Channel] | None = None
) -> None:
    """Add what a policy inherits; of rules, in `channels` only."""
    merged.settings |= parent.settings
    merged.keys |= parent.keys
    if parent.input is not None:
        merged.input = merged.input or MergedPolicy(_input(merged.source, PolicyFile()))
        _inherit(merged.input, parent.input, channels)
    for name, placed in parent.rules.items():
        known = merged.rules.get(name)
        if channels is not None:
            merged.rules.pop(name, None)
            if narrowed := placed.within(channels):
                merged.rules[name] = narrowed
        elif known is None or placed.changes or known.origin != placed.origin:
            merged.rules[name] = placed


def _add_own(merged: MergedPolicy) -> None:
    """Add the file's own settings and rules, and report duplicate ids."""
    source = merged.source
    given = source.file.model_fields_set
    merged.settings |= {name: source for name in (*SETTINGS, *OPERATIONAL) if name in given}
    for name in SECTIONS:
        section = getattr(source.file, name)
        for key in section.model_fields_set if section else ():
            merged.keys[name, key] = source
    first: dict[str, Origin] = {}
    own: dict[str, PlacedRule] = {}
    for index, rule in enumerate(source.file.rules):
        here = Origin(source, index)
        if rule.id in first:
            line = first[rule.id].mark("id").line
            here.report(f"duplicate rule id {rule.id!r}, first in line {line}", "id")
            continue
        first[rule.id] = here
        inherited = merged.rules.get(rule.id)
        if inherited is None or SEARCH_KEYS & rule.model_fields_set:
            own[rule.id] = PlacedRule(rule, here)
        else:
            merged.rules[rule.id] = inherited.changed(here)
    # The first of equals decides, and the policy takes precedence over what it extends.
    inherited_rules = {name: rule for name, rule in merged.rules.items() if name not in own}
    merged.rules = own | inherited_rules
