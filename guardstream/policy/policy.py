"""Policies: the compiled rules and settings of a file and of the files that it extends."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Literal

from guardstream.errors import PolicyError
from guardstream.events import UNKNOWN, Form, Stage
from guardstream.hints import hint, nearest
from guardstream.policy import build, json_section, packs, pickling
from guardstream.policy.build import CHANNELS, CompiledPolicy, applies
from guardstream.policy.model import OPERATIONAL, CaseFile, PolicyFile, Unknown
from guardstream.policy.plugins import allowed
from guardstream.policy.sections import LimitsFile
from guardstream.policy.shadow import Shadow
from guardstream.policy.sources import Loader
from guardstream.policy.veiled import Veiled
from guardstream.stages.custom import CustomStage, Position, StagePlan, planned
from guardstream.stages.json.arguments import Arguments
from guardstream.stages.json.structure import Structure
from guardstream.stages.passthrough import Passthrough
from guardstream.stages.pipeline import Pipeline
from guardstream.stages.redact import RuleError, RuleSet
from guardstream.stages.rules import Rule


class Policy:
    """A valid policy; immutable, and safe to share between streams and threads.

    `load` and `parse` raise a PolicyError that lists all errors, each as
    `file:line:column: message`.
    """

    def __init__(
        self,
        built: CompiledPolicy,
        words: Mapping[str, Sequence[str]] | None = None,
        plans: tuple[StagePlan, ...] = (),
        tools: Mapping[str, Any] | None = None,
        veiled: Veiled | None = None,
    ) -> None:
        if not hasattr(built, "rulesets"):
            kind = type(built).__qualname__
            raise TypeError(
                f"Policy() does not take {kind!r}: Policy.load(path) reads a policy file, "
                "Policy.parse(text) takes its text"
            )
        self._built = built
        self._veiled = veiled
        self._words = words or {}
        self._plans = plans
        self._tools = tools
        self._worded = _with_words(built, built.rulesets, self._words)
        self._input = Policy(built.input) if built.input else None
        self._set_rules()

    def _set_rules(self) -> None:
        """Set what the pipelines need, which follows from everything else."""
        built, veiled = self._built, self._veiled
        self._rulesets = self._worded
        if veiled is not None:
            self._rulesets = veiled.rulesets(self._rulesets, build.ruleset_of(built.file, ()))
        self._json = json_section.guarding(built.json, self._rulesets)
        if self._tools is not None:
            self._json = json_section.asked_for(self._json, built.file.json_, self._tools)

    def __repr__(self) -> str:
        name = self.name or self._built.source.name
        return f"<Policy {name!r}, rules: {len(self.rules)}, fingerprint {self.fingerprint}>"

    def __copy__(self) -> Policy:
        """Return this policy, which never changes; `__reduce__` would compile it again."""
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Policy:
        """Return this policy, as `__copy__` does."""
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the texts of the policy's files; unpickling compiles them again.

        Raises TypeError for a policy with a veil, and for a part of a policy such as `input`.
        """
        if self._veiled is not None:
            raise TypeError("a policy behind a vault cannot be pickled")
        return _revived, (pickling.pickled(self._built), self._words, self._plans, self._tools)

    @classmethod
    def load(cls, path: str | Path, *, allow_code: Iterable[str] = ()) -> Policy:
        """Return the policy in the file at `path`, or a pack as `guardstream/NAME`.

        `allow_code` lists the checks, stages and counters that the policy may import, each entry
        as `module:name`.

        Raises PolicyError for a file that cannot be read and for a policy with errors.
        """
        return cls(build.load(packs.resolve(path), Loader(allowed(allow_code))))

    @classmethod
    def parse(
        cls,
        text: str,
        *,
        name: str = "<policy>",
        folder: str | Path = ".",
        allow_code: Iterable[str] = (),
    ) -> Policy:
        """Return the policy in a YAML text.

        - `text`: the whole policy, not a path.
        - `name`: the file name in messages.
        - `folder`: the base of relative paths in the text, such as those of word lists.
        - `allow_code`: as for `load`.

        Raises PolicyError with `name:line:column: message` for each error in the text, and
        TypeError for a text that is not a str.
        """
        if not isinstance(text, str):
            kind = type(text).__qualname__
            how = ": json.dumps() makes a text of it" if isinstance(text, dict) else ""
            raise TypeError(f"Policy.parse() needs a policy's text, a str, not {kind!r}{how}")
        return cls(build.parse(text, name, Path(folder), Loader(allowed(allow_code))))

    @property
    def name(self) -> str:
        """The policy's name; empty if it has none."""
        return self.file.name

    def place(self, setting: str, *keys: str) -> str:
        """Return the place of a setting, or of a key in it, as `file:line:column`."""
        source = self._built.settings.get(setting, self._built.source)
        mark = source.document.key_mark((*source.prefix, setting, *keys))
        return f"{source.name}:{mark.line}:{mark.column}"

    @property
    def fingerprint(self) -> str:
        """Twelve hexadecimal digits that change with the policy and every file it needs."""
        return self._built.digest[:12]

    @property
    def unknown(self) -> Unknown | Mapping[Literal["pass"], Sequence[str]]:
        """How to treat a provider's unknown events and fields that may contain text."""
        unknown = self.file.unknown
        return unknown if isinstance(unknown, str) else {"pass": tuple(unknown.pass_)}

    @property
    def description(self) -> str:
        """The policy's description."""
        return self.file.description

    @property
    def shadow(self) -> bool:
        """Whether the policy only reports what it would do."""
        return self.file.mode == "shadow"

    @property
    def block_message(self) -> str:
        """The text that is sent before a blocked stream ends; may be empty."""
        return "" if self.shadow else self.file.block_message

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The enabled rules, the policy's own first, otherwise in the order of the files."""
        return self._built.rules

    @property
    def limits(self) -> LimitsFile:
        """The limits on each stream, including its deadlines."""
        return self.file.limits or LimitsFile()

    @property
    def extraction(self) -> Mapping[str, Any]:
        """The default options of `guardstream.extract` for streams of this policy."""
        return self._built.extraction

    @property
    def input(self) -> Policy | None:
        """The rules for a model's input, as a policy of their own; None without such a section.

        The roles whose messages are judged are in `file.input` of this policy.
        """
        return self._input

    @cached_property
    def reversible(self) -> frozenset[str]:
        """The ids of the rules whose masks a vault can undo."""
        return frozenset(
            placed.rule.id
            for placed in self._built.placed
            if placed.rule.reversible and placed.rule.action == "mask"
        )

    @cached_property
    def reversible_part(self) -> Policy:
        """A policy of those rules alone."""
        return Policy(build.part(self._built, self.reversible))

    @cached_property
    def bare(self) -> Policy:
        """A policy without rules that only parses JSON where this one does."""
        return Policy(build.bare(self._built))

    @property
    def tests(self) -> Mapping[str, Sequence[CaseFile]]:
        """The inline tests of each enabled rule, by its id."""
        return {rule.id: rule.tests for rule in self.file.rules if rule.enabled}

    @property
    def file(self) -> PolicyFile:
        """The policy merged with the files that it extends, as one file."""
        return self._built.file

    @property
    def built(self) -> CompiledPolicy:
        """The built policy, with the places of its keys and values."""
        return self._built

    def with_words(self, words: Mapping[str, Sequence[str]]) -> Policy:
        """Return this policy with further words for some of its rules, by rule id.

        Words of earlier calls stay. Compiled rules are shared. Raises PolicyError for an unknown
        rule, and for words that cannot be matched; TypeError for words that are not a list.
        """
        if not isinstance(words, Mapping):
            given = type(words).__qualname__
            raise TypeError(
                f"words are lists by rule, as in {{'rule-id': ['word']}}, not {given!r}"
            )
        more = {rule: _listed(rule, listed) for rule, listed in words.items()}
        known = self._words
        return self._but(
            _words={**known, **{rule: [*known.get(rule, ()), *more[rule]] for rule in more}},
            _worded=_with_words(self._built, self._worded, more),
        )

    @property
    def needs_request(self) -> bool:
        """Whether it needs the schemas of a request's tools; see `with_tools`."""
        return self._json.asked is not None

    @property
    def operational(self) -> bool:
        """Whether the policy has sections about running streams."""
        return any(name in self._built.settings for name in OPERATIONAL)

    def with_tools(self, tools: Mapping[str, Any]) -> Policy:
        """Return this policy for a request with the schemas of its tools, by the tools' names.

        A schema of None is for a tool whose arguments are not JSON. Only a policy with
        `tools: from_request` uses them. Raises SchemaError for a schema that cannot be used.
        """
        return self._but(_tools=tools)

    def with_veil(self, veiled: Veiled) -> Policy:
        """Return this policy for texts with a vault's stand-ins."""
        return self._but(_veiled=veiled)

    def _but(self, **changes: Any) -> Policy:
        """Return a copy with other attributes; `__reduce__` would compile everything again."""
        policy = object.__new__(Policy)
        vars(policy).update({**vars(self), **changes})
        policy._set_rules()
        return policy

    def with_stages(self, stages: Iterable[Callable[[], CustomStage] | StagePlan]) -> Policy:
        """Return this policy with your own stages, after those that it names.

        Each entry is called for every pipeline and returns a stage, which runs after the rules; a
        StagePlan sets another position. Raises TypeError for an entry that is not callable.
        """
        return self._but(_plans=(*self._plans, *planned(stages)))

    def stages(self, channel: str, tool: str | None = None, form: Form = "json") -> list[Stage]:
        """Return new stages for one pipeline of `channel`; none if nothing applies to it.

        `tool` is the name of the tool whose arguments these are, None if it is unknown; `form` says
        whether they are JSON, free text, or one string of a JSON document. Raises ValueError for an
        unknown channel.
        """
        if channel not in CHANNELS and channel != UNKNOWN:
            raise ValueError(f"unknown channel {channel!r}, {hint(channel, CHANNELS)}")
        limited = None if channel == UNKNOWN else self._built.limited
        stages = [
            *(limited.stages(channel) if limited else ()),
            *self._custom(channel, "before"),
            *self._rules(channel, tool, form),
            *self._custom(channel, "after"),
        ]
        if self.shadow:
            return [Shadow(Pipeline(stages))] if stages else []
        return limited.around(stages, channel) if limited else stages

    def _rules(self, channel: str, tool: str | None, form: Form) -> list[Stage]:
        ruleset, json = self._rulesets.get(channel), self._json.settings(channel, tool, form)
        if self._veiled is not None:
            over = partial(self._veiled.veil.over, channel, tool)
            if json is None:  # nothing is asked of it, but values in it are those of JSON
                json = self._built.json.settings(channel, tool, form)
            if json is None:
                return [over(ruleset.stage() if ruleset else Passthrough(), ())]
            json = replace(json, redact=json.redact or Passthrough, restore=over)
        if json is not None:
            return [Arguments(json) if json.is_call else Structure(json)]
        return [ruleset.stage()] if ruleset is not None else []

    def _custom(self, channel: str, position: Position) -> list[Stage]:
        return [
            plan.stage()
            for plan in (*self._built.plans, *self._plans)
            if plan.position == position
            and (plan.channels is None or channel in plan.channels or channel == UNKNOWN)
        ]


def _revived(given: pickling.Pickled, *state: Any) -> Policy:
    return Policy(pickling.revived(given), *state)


def _listed(rule: str, listed: Iterable[object]) -> list[str]:
    """Return the words for a rule. TypeError unless they are a list."""
    if isinstance(listed, (str, bytes)):
        raise TypeError(f"words for {rule!r} must be a list of words, not one text")
    words = []
    for word in listed:
        if not isinstance(word, str):
            kind = type(word).__qualname__
            raise TypeError(f"words for {rule!r} must be a list of str, not of {kind!r}")
        words.append(word)
    return words


def _with_words(
    built: CompiledPolicy, rulesets: Mapping[str, RuleSet], words: Mapping[str, Sequence[str]]
) -> Mapping[str, RuleSet]:
    """Return the rules of each channel with further words."""
    enabled = {rule.id for rule in built.rules}
    unknown = [rule for rule in words if rule not in enabled]
    if unknown:
        close = nearest(unknown[0], enabled)
        meant = f", did you mean {close!r}?" if close else ""
        raise PolicyError(f"words for {unknown[0]!r}, which is not a rule of the policy{meant}")
    extended: dict[int, RuleSet] = {}
    for channel, ruleset in rulesets.items():
        if id(ruleset) in extended:
            continue
        here = {
            placed.rule.id: words[placed.rule.id]
            for placed in built.placed
            if placed.rule.id in words and applies(placed.rule, channel)
        }
        try:
            extended[id(ruleset)] = ruleset.with_words(here) if here else ruleset
        except RuleError as error:
            raise PolicyError(f"words for {error.rule!r}: {error}") from error
    return {channel: extended[id(ruleset)] for channel, ruleset in rulesets.items()}
