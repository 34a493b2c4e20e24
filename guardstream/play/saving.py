"""Saves a finding as an inline test in the policy's text, and changes nothing else in it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from ruamel.yaml.nodes import CollectionNode, MappingNode, Node, SequenceNode

from guardstream.errors import PolicyError
from guardstream.events import text_of
from guardstream.play.policies import built
from guardstream.policy import inline
from guardstream.policy.build import CHANNELS, CompiledPolicy
from guardstream.policy.document import KeyPath
from guardstream.policy.reading import read
from guardstream.policy.sources import PlacedRule

_WHOLE = 200
"""The longest text that becomes a test as it is, in characters; a longer one is cut around the
match."""

_AROUND = 40


@dataclass(frozen=True, slots=True)
class Saved:
    """A policy's text with one more test, and that test."""

    policy: str
    input: str
    output: str


def saved(policy: str, rule: str, text: str, start: int, end: int) -> Saved:
    """Return a policy's text with a test of the match of `rule` in `text[start:end]`.

    The test passes. PolicyError for a policy that is not valid or cannot take a test, and if the
    rule alone finds nothing there.
    """
    before = built(policy, "test")
    placed = next((each for each in before.placed if each.rule.id == rule), None)
    if placed is None:
        raise PolicyError(f"no rule {rule!r} is in the policy, so no test can be saved with it")
    for case in _cases(text, start, end):
        output = _output(before, placed, case)
        made = _with_test(policy, placed, _own(before, placed), case, output)
        if _passes(made, rule, case):
            return Saved(made, case, output)
    raise PolicyError(f"rule {rule!r} finds nothing in that text alone: no test was saved")


def _cases(text: str, start: int, end: int) -> list[str]:
    """Return the possible inputs of the test: a part of the text, or all of it."""
    if len(text) <= _WHOLE:
        return [text]
    near = text[max(0, start - _AROUND) : end + _AROUND]
    return [near, text]


def _output(policy: CompiledPolicy, placed: PlacedRule, case: str) -> str:
    """Return the output for a test's input, by all rules of the channel in which tests run."""
    stage = policy.rulesets[(placed.rule.channels or CHANNELS)[0]].stage()
    return text_of([*stage.feed(case), *stage.finish()])


def _passes(policy: str, rule: str, case: str) -> bool:
    after = built(policy, "test")
    placed = next(each for each in after.placed if each.rule.id == rule)
    last = [number for number, each in enumerate(placed.rule.tests) if each.input == case]
    outcomes = [each for each in inline.run(after) if each.rule == rule]
    return bool(last) and not outcomes[last[-1]].problem


def _own(policy: CompiledPolicy, placed: PlacedRule) -> int | None:
    """Return the index of the policy's own entry for the rule; None if it is only inherited."""
    for origin in (*reversed(placed.changes), placed.origin):
        if origin.source is policy.source:
            return origin.index
    return None


def _with_test(policy: str, placed: PlacedRule, index: int | None, case: str, output: str) -> str:
    nodes: dict[KeyPath, Node] = {}
    read(policy, nodes=nodes)
    test = [f"input: {_quoted(case)}", f"output: {_quoted(output)}"]
    if index is None:
        return _with_rule(policy, nodes, placed.rule.id, test)
    rule = nodes["rules", index]
    tests = nodes.get(("rules", index, "tests"))
    if isinstance(tests, SequenceNode):
        return _appended(policy, tests, f"{{{', '.join(test)}}}", test)
    assert isinstance(rule, MappingNode)
    if rule.flow_style:
        return _in_flow(policy, rule, f"tests: [{{{', '.join(test)}}}]")
    pad = " " * rule.start_mark.column
    return _after(policy, rule, [f"{pad}tests:", f"{pad}  - {test[0]}", f"{pad}    {test[1]}"])


def _with_rule(policy: str, nodes: Mapping[KeyPath, Node], rule: str, test: list[str]) -> str:
    """Add an entry that only adds a test to an inherited rule."""
    flow = f"{{id: {rule}, tests: [{{{', '.join(test)}}}]}}"
    block = [f"id: {rule}", "tests:", f"  - {test[0]}", f"    {test[1]}"]
    rules = nodes.get(("rules",))
    if isinstance(rules, SequenceNode):
        return _appended(policy, rules, flow, block)
    root = nodes[()]
    assert isinstance(root, MappingNode)
    if root.flow_style:
        return _in_flow(policy, root, f"rules: [{flow}]")
    if rules is not None:
        raise PolicyError("'rules' is empty: write a rule, or leave the key out")
    pad = " " * root.start_mark.column
    first, *rest = block
    lines = [f"{pad}rules:", f"{pad}  - {first}", *(f"{pad}    {line}" for line in rest)]
    return _after(policy, root, lines)


def _appended(policy: str, items: SequenceNode, flow: str, block: list[str]) -> str:
    """Add an item to a list, in the style of that list."""
    if items.flow_style:
        return _in_flow(policy, items, flow)
    first, *rest = block
    pad = " " * items.start_mark.column
    return _after(policy, items, [f"{pad}- {first}", *(f"{pad}  {line}" for line in rest)])


def _in_flow(policy: str, node: Node, said: str) -> str:
    """Insert text before the bracket that closes a list or mapping."""
    place = node.end_mark.index - 1
    inside = policy[:place].rstrip()
    comma = "" if not node.value or inside.endswith(",") else ", "
    return f"{inside}{comma}{said}{policy[place:]}"


def _after(policy: str, node: Node, lines: list[str]) -> str:
    """Insert lines after the last line with content of a list or mapping."""
    end = len(policy[: _end(node)].rstrip())
    place = policy.find("\n", end)
    head, tail = (policy, "") if place < 0 else (policy[:place], policy[place:])
    return "\n".join([head, *lines]) + (tail or "\n")


def _end(node: Node) -> int:
    """Return the offset at which a node's content ends; YAML counts blank lines and comments to
    blocks."""
    end: int = node.end_mark.index
    if isinstance(node, CollectionNode) and node.value and not node.flow_style:
        last = node.value[-1]
        return _end(last[1] if isinstance(node, MappingNode) else last)
    return end


def _quoted(text: str) -> str:
    """Return a text in double quotes, valid in JSON and YAML, with invisible characters escaped."""
    quoted = json.dumps(text, ensure_ascii=False)
    return "".join(each if each.isprintable() else _escaped(each) for each in quoted)


def _escaped(character: str) -> str:
    code = ord(character)
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
