"""The section `limits` of a policy: before JSON and rules, inherited key by key."""

from __future__ import annotations

import sys
from pathlib import Path
from random import Random

import pytest
import tiktoken
from hypothesis import given
from hypothesis import strategies as st

from guardstream import Finding, Finish, Guard, Policy, PolicyError
from guardstream.cli.explain import whole as explained
from guardstream.events import Event, FinishReason
from guardstream.policy import plugins
from guardstream.policy.lint import warnings
from guardstream.stages.pipeline import Pipeline
from guardstream.testing import check_stage
from tests.support import encodings
from tests.support.chunking import joined, one_by_one, play, random_split

RULES = """
rules:
  - {id: word, words: [secret], replacement: "*"}
  - {id: bad, words: [forbidden], action: block}
"""


def policy(text: str, folder: str | Path = ".") -> Policy:
    return Policy.parse(text + RULES, name="p", folder=folder)


def refusal(text: str) -> list[str]:
    with pytest.raises(PolicyError) as caught:
        Policy.parse(text, name="p", allow_code=["builtins:nothing"])
    return str(caught.value).splitlines()


def played(made: Policy, text: str, channel: str = "text") -> list[Event]:
    """What becomes of a text, in any chunking the same."""
    check_stage(lambda: Pipeline(made.stages(channel)), [text], alone=True)
    return play(Guard(made).session(channel), one_by_one(text))


@pytest.mark.parametrize(
    ("limits", "text", "shows", "reason"),
    [
        ("{max_chars: 9}", "a secret.", "a ******.", "stop"),
        ("{max_chars: 5}", "a secret", "a ", "length"),
        ("{max_lines: 1}", "secret\nsecret", "******\n", "length"),
        ("{stop: [END]}", "a secreEND", "a secre", "stop"),
        ("{stop: [secret]}", "a secret", "a ", "stop"),
        ("{stop: [forbidden]}", "so forbidden", "so ", "stop"),
        ("{stop: [den]}", "so forbidden", "so forbid", "stop"),
        ("{repeat: {min_chars: 6, times: 3}}", "secret secret secret se", "****** " * 3, "length"),
        ("{max_chars: 11}", "so forbidden", "so ", "length"),
        ("{max_chars: 13}", "so forbidden! x", "so ", "content_filter"),
        ("{release: complete}", "a secret. forbidden", "", "content_filter"),
        ("{release: sentence}", "A secret. Is forbidden", "A ******. ", "content_filter"),
        ("{release: sentence, max_chars: 15}", "A secret. And more", "A ******. And m", "length"),
        ("{release: complete, release_max: 4}", "a secret", "", "content_filter"),
    ],
)  # fmt: skip
def test_limits_stand_before_the_rules(
    limits: str, text: str, shows: str, reason: FinishReason
) -> None:
    events = played(policy(f"limits: {limits}"), text)
    assert (joined(events), events[-1]) == (shows, Finish(reason))


def test_a_limit_ends_its_choice_and_a_block_the_stream() -> None:
    made = policy("limits: {stop: [END], max_chars: 20}")
    for text, ends in (("a END", "choice"), ("a" * 21, "choice"), ("forbidden", "stream")):
        finish = played(made, text)[-1]
        assert isinstance(finish, Finish)
        assert finish.ends == ends


@pytest.mark.parametrize("repair", [True, False])
def test_a_limit_on_json_drops_what_is_held_and_may_close_the_document(repair: bool) -> None:
    section = "json: {repair: close}\n" if repair else "json: {}\n"
    events = played(policy(section + "limits: {max_chars: 12}"), '{"a": ["secret"]}')
    assert joined(events) == '{"a": ["' + ('"]}' if repair else "")
    assert Finding("limits.max_chars", 12, 12, "stop") in events
    assert events[-1] == Finish("length")


def test_limits_count_in_each_pipeline_by_itself() -> None:
    made = policy("limits: {max_chars: 4, channels: [text]}")
    assert joined(played(made, "abcdef")) == "abcd"
    assert joined(played(made, "abcdef", "thinking")) == "abcdef"
    assert joined(played(policy("limits: {max_chars: 4}"), "abcdef", "thinking")) == "abcd"


def test_arguments_of_tools_wait_for_all_or_for_nothing() -> None:
    session = Guard(policy("limits: {release: sentence, release_max: 2}")).session("tool_args")
    assert joined(session.feed('{"a": 1}')) == '{"a": 1}'
    session = Guard(policy("limits: {release: complete}")).session("tool_args")
    assert session.feed('{"a": 1}') == []


def test_shadow_reports_limits_and_neither_ends_nor_waits() -> None:
    made = policy("mode: shadow\nlimits: {max_chars: 10, release: complete}")
    events = played(made, "a secret, a secret")
    assert joined(events) == "a secret, a secret"
    found = [event.rule for event in events if isinstance(event, Finding)]
    assert found == ["word", "limits.max_chars"]
    assert events[-1] == Finish("stop")


def test_limits_are_inherited_key_by_key(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(
        "limits: {max_chars: 9, stop: [END], idle: 3s, repeat: {min_chars: 5}}", encoding="utf-8"
    )
    (tmp_path / "other.yaml").write_text("limits: {max_lines: 2, idle: 4s}", encoding="utf-8")
    made = policy(
        "extends: [base.yaml, other.yaml]\nlimits: {max_chars: 7, repeat: null}", tmp_path
    )
    limits = made.limits
    assert (limits.max_chars, limits.stop, limits.max_lines) == (7, ["END"], 2)
    assert (limits.idle, limits.repeat, limits.total) == (4.0, None, None)
    assert made.file.limits == limits
    assert made.built.keys["limits", "max_lines"].name.endswith("other.yaml")


def test_a_policy_without_limits_has_none() -> None:
    assert policy("").limits.max_chars is None
    assert policy("limits: {}").stages("refusal")[0].held == 0


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("limits: {tokens: {max: 3}}",
         "p:1:10: tokens are counted by either 'encoding' or 'counter'"),
        ("limits: {tokens: {max: 3, encoding: a, counter: b}}",
         "p:1:10: tokens are counted by either 'encoding' or 'counter'"),
        ("limits: {tokens: {max: 3, encoding: o200k_bas}}",
         "p:1:37: unknown encoding 'o200k_bas', did you mean 'o200k_base'?"),
        ("limits: {tokens: {max: 3, counter: absent}}",
         "p:1:36: no 'absent' among the entry points 'guardstream.counters', there is none"),
        ("limits: {tokens: {max: 3, counter: builtins.nothing}}",
         "p:1:36: cannot import 'builtins.nothing': 'builtins' has no 'nothing'"),
        ("limits: {tokens: {maximum: 3}}", "p:1:19: unknown key 'maximum', did you mean 'max'?"),
        ("limits: {repeat: {times: 2}}",
         "p:1:26: expected a number of at least 3"),
        ("limits: {release: sentences}",
         "p:1:19: 'sentences' is not allowed here, did you mean 'sentence'?"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_its_place(text: str, problem: str) -> None:
    assert problem in refusal(text)


def test_tokens_are_counted_by_an_encoding_of_tiktoken(monkeypatch: pytest.MonkeyPatch) -> None:
    made = encodings.install(monkeypatch, "tiny")
    limited = policy("limits: {tokens: {max: 7, encoding: tiny}}")
    text = "hello hello the end of it"
    shown = joined(played(limited, text))
    assert shown == "hello hello the end"
    assert len(made.encode_ordinary(shown)) == 7


def test_tiktoken_is_asked_for_where_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tiktoken", None)
    assert refusal("limits: {tokens: {max: 3, encoding: tiny}}") == [
        "p:1:37: encoding 'tiny' needs tiktoken: pip install 'guardstream[tokens]'"
    ]


def test_an_encoding_that_cannot_be_fetched_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def offline(name: str) -> None:
        raise ConnectionError(name)

    monkeypatch.setattr(tiktoken, "get_encoding", offline)
    [problem] = refusal("limits: {tokens: {max: 3, encoding: o200k_base}}")
    assert problem.startswith("p:1:37: encoding 'o200k_base' cannot be loaded: ConnectionError; ")
    assert "TIKTOKEN_CACHE_DIR" in problem


def test_a_program_registers_a_counter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plugins, "_counters", {})
    plugins.register_counter("words", lambda text: len(text.split()))
    text = "one two three four five"
    assert joined(played(policy("limits: {tokens: {max: 3, counter: words}}"), text)) == text[:13]


def test_lint_names_stop_sequences_that_are_never_reached() -> None:
    built = Policy.parse('limits: {stop: [END, "END OF", "THE END"]}', name="p").built
    assert warnings(built) == [
        "p:1:22: warning: the stop sequence 'END OF' is never reached: 'END' ends the stream first"
    ]


LIMITS = [
    "max_chars: 12", "max_chars: 30", "max_lines: 2", "stop: [END, 'D\"']", "stop: [secret]",
    "repeat: {min_chars: 2, times: 3}", "tokens: {max: 5, counter: builtins.len}",
    "release: sentence", "release: complete", "release: sentence, release_max: 20",
]  # fmt: skip

SECTIONS = ["", "json: {repair: close}\n", "json: {fences: keep, on_violation: monitor}\n"]

PARTS = [
    "secret",
    "forbidden",
    "END",
    "EN",
    "ha",
    ". ",
    "\n",
    '{"a": "',
    '"}',
    "\\u0073ecret",
    " B",
]


@given(
    st.lists(st.sampled_from(LIMITS), unique_by=lambda limit: limit.split(":")[0]),
    st.sampled_from(SECTIONS),
    st.lists(st.sampled_from(PARTS), max_size=9).map("".join),
    st.randoms(use_true_random=False),
)
def test_all_of_it_together_is_one_answer_in_any_chunking(
    limits: list[str], section: str, text: str, random: Random
) -> None:
    rules = RULES.replace("words:", "whole_word: false, words:")
    text_of_policy = f"{section}limits: {{{', '.join(limits)}}}{rules}"
    guard = Guard(Policy.parse(text_of_policy, allow_code=["builtins:len"]))
    whole = play(guard.session(), [text])
    assert play(guard.session(), one_by_one(text)) == whole
    assert play(guard.session(), random_split(text, random)) == whole
    assert "forbidden" not in joined(whole)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "limits: {release_max: 5}",
            "p:1:10: 'release_max' has no effect without 'release': give that, or leave it out",
        ),
        (
            "limits: {channels: [text], total: 5s}",
            "p:1:10: 'channels' has no effect without a limit of text, or 'release': "
            "give that, or leave it out",
        ),
    ],
)
def test_what_would_change_nothing_is_refused(text: str, problem: str) -> None:
    assert refusal(text) == [problem]


@pytest.mark.parametrize(
    "text",
    [
        "limits: {channels: [text], release: sentence}",
        "limits: {channels: [text], max_chars: 5}",
        "limits: {release: complete, release_max: 300}",
    ],
)
def test_what_has_its_effect_is_taken(text: str) -> None:
    assert policy(text)


def test_what_is_inherited_may_lose_what_it_needs(tmp_path: Path) -> None:
    base = "limits: {release: sentence, release_max: 300}"
    (tmp_path / "base.yaml").write_text(base, encoding="utf-8")
    top = tmp_path / "top.yaml"
    top.write_text("extends: base.yaml\nlimits: {release: settled}", encoding="utf-8")
    assert Policy.load(top)


def test_explain_names_the_origin_of_each_limit(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text("limits: {max_chars: 9, max_lines: 3}", encoding="utf-8")
    top = tmp_path / "top.yaml"
    top.write_text("extends: base.yaml\nlimits: {max_lines: 2}\ninput: {roles: [tool]}", "utf-8")
    said = explained(str(top))
    assert f"max_chars: 9  # from {tmp_path / 'base.yaml'}" in said
    assert "max_lines: 2\n" in said
    assert Policy.parse(said).file.limits == Policy.load(top).limits
    assert Policy.parse(said).file.input == Policy.load(top).file.input
