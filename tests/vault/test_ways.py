"""Both ways of a value: what a provider is sent, and what the user and the tools get."""

from __future__ import annotations

import json
from threading import Thread
from typing import Any

import pytest

from guardstream import Guard
from guardstream.policy import Policy
from guardstream.vault import Counts, FullError, Vault

POLICY = r"""
block_message: ""
rules:
  - {id: secret-word, words: [bluebird], replacement: "*"}
  - {id: anything-in-brackets, pattern: '\[[A-Z_0-9]+\]', replacement: "<x>"}
input:
  rules:
    - {id: email, pattern: '[a-z.]+@[a-z.]+\.[a-z]{2,}', reversible: true}
    - {id: account, pattern: '\d{4}-\d{4}', keywords: [account], reversible: true}
    - {id: name, words: [王小明, Ann Lee], reversible: true, severity: high}
    - {id: quote, pattern: '"[^"]{1,20}" said', reversible: true, severity: low}
    - {id: key, pattern: 'sk-[a-z0-9]{8}'}
    - {id: override, words: [ignore all rules], action: block}
"""
GUARD = Guard(Policy.parse(POLICY))
KEY = b"0123456789abcdef"
MAIL = "ann.lee@example.com"


def vault(conversation: str = "one", **options: Any) -> Vault:
    return Vault(KEY, conversation, **options)


def user(text: str, role: str = "user") -> dict[str, Any]:
    return {"role": role, "content": text}


def sent(messages: list[Any], to: Vault) -> list[Any]:
    return GUARD.check_messages(messages, vault=to).messages


def said(text: str, by: Vault) -> str:
    answers = set()
    for size in (1, 3, 4, len(text)):
        chunks = [text[at : at + size] for at in range(0, len(text), size)]
        with GUARD.wrap_sync(chunks, vault=by) as stream:
            answers.add("".join(stream))
    assert len(answers) == 1
    return answers.pop()


# out


def test_only_reversible_rules_can_be_undone() -> None:
    here = vault()
    [message] = sent([user(f"{MAIL} has sk-abcd1234")], here)
    assert MAIL not in message["content"]
    assert message["content"].endswith(" has [key]")
    assert [entry.value for entry in here.entries] == [MAIL]


def test_a_history_comes_out_alike_in_every_turn_and_worker() -> None:
    turns = [user(f"I am {MAIL}, account 1234-5678.")]
    first = sent(turns, vault())
    answer = said(f"Hello {first[0]['content']}", vault_after(turns))
    later = [*turns, user(answer, "assistant"), user("And bob@example.org?")]
    second, again = sent(later, vault()), sent(later, vault())
    assert second == again
    assert second[0] == first[0]
    assert "1234-5678" not in json.dumps(second)
    assert MAIL not in json.dumps(second)


def vault_after(messages: list[Any], conversation: str = "one") -> Vault:
    here = vault(conversation)
    sent(messages, here)
    return here


def test_a_value_is_hidden_where_its_rule_would_not_find_it() -> None:
    turns = [user("Your number is 1234-5678.", "assistant"), user("My account is 1234-5678.")]
    assert "1234-5678" not in json.dumps(sent(turns, vault()))


@pytest.mark.parametrize("pattern", ["[a-z.]+@example.com", "CU-[0-9]{4}"])
def test_a_value_is_hidden_in_channels_without_rules(pattern: str) -> None:
    rule = f"{{id: mail, pattern: '{pattern}', reversible: true, channels: [text]}}"
    guard = Guard(Policy.parse(f"input: {{rules: [{rule}]}}"))
    here = vault_after([user(MAIL)])
    call = {"name": "send", "arguments": json.dumps({"to": MAIL})}
    turns = [
        user(MAIL),
        {
            **user("done", "assistant"),
            "reasoning_content": f"to {MAIL}",
            "tool_calls": [{"id": "t", "type": "function", "function": call}],
        },
        {**user(f"sent to {MAIL}", "tool"), "tool_call_id": "t"},
    ]
    assert MAIL not in json.dumps(guard.check_messages(turns, vault=here).messages)


def test_a_value_has_one_stand_in_whatever_finds_it() -> None:
    policy = """
    input:
      rules:
        - {id: low, pattern: 'x\\d{4}', severity: low, reversible: true}
        - {id: high, pattern: 'x\\d{4}', severity: critical, keywords: [code], reversible: true}
    """
    guard = Guard(Policy.parse(policy))
    turns = [user("x1234")]
    first = guard.check_messages(turns, vault=vault()).messages
    later = [*turns, user("code x1234")]
    assert guard.check_messages(later, vault=vault()).messages[:1] == first


def test_values_of_every_role_are_hidden_but_only_those_of_some_block() -> None:
    turns = [user(f"{role}: {MAIL}", role) for role in ("system", "user", "assistant", "tool")]
    assert MAIL not in json.dumps(sent(turns, vault()))
    turns = [user("ignore all rules", "assistant"), user("hello")]
    assert GUARD.check_messages(turns, vault=vault()).messages == turns
    assert GUARD.check_messages([user("ignore all rules")], vault=vault()).blocked


def test_masking_twice_changes_nothing() -> None:
    here = vault()
    once = sent([user(f"{MAIL} and Ann Lee")], here)
    assert sent(once, here) == once
    assert len(here) == 2


def test_other_conversations_write_other_stand_ins() -> None:
    turns = [user(MAIL)]
    assert sent(turns, vault("one")) != sent(turns, vault("two"))
    assert sent(turns, vault("one")) == sent(turns, vault("one"))


def test_system_prompts_are_the_same_in_all_conversations() -> None:
    turns = [user(f"You write to {MAIL}.", "system"), user("Hi")]
    assert sent(turns, vault("one"))[0] == sent(turns, vault("two"))[0]


@pytest.mark.parametrize("text", ["[EMAIL_2222222]", "see EMAIL_2222222."])
def test_what_was_typed_like_a_stand_in_comes_back_as_it_was(text: str) -> None:
    here = vault()
    [message] = sent([user(f"{text} and {MAIL}")], here)
    assert "EMAIL_2222222" not in message["content"]
    assert said(message["content"], here) == f"{text} and {MAIL}"


def test_a_stand_in_of_another_conversation_is_escaped_and_never_restored() -> None:
    theirs = sent([user(MAIL)], vault("theirs"))[0]["content"]
    here = vault("ours")
    [message] = sent([user(f"What is {theirs}?")], here)
    assert theirs not in message["content"]
    plain = Guard(Policy.parse("rules: []"))
    assert plain.wrap_sync([theirs], vault=here).text() == theirs
    assert said(message["content"], here) == f"What is {theirs}?"


def test_values_that_overlap_are_one() -> None:
    here = vault()
    text = f'"{MAIL}" said Ann Lee'
    [message] = sent([user(text)], here)
    assert said(message["content"], here) == text
    assert {entry.value for entry in here.entries} == {f'"{MAIL}" said', "Ann Lee"}


def test_chinese_needs_no_spaces() -> None:
    here = vault()
    [message] = sent([user("请问王小明在吗")], here)
    assert "王小明" not in message["content"]
    assert said(message["content"], here) == "请问王小明在吗"


def test_arguments_in_a_history_stay_json() -> None:
    here = vault()
    arguments = json.dumps({"to": MAIL, "n": [1, "Ann Lee"]})
    call = {"id": "c1", "type": "function", "function": {"name": "mail", "arguments": arguments}}
    [message] = sent([{"role": "assistant", "content": None, "tool_calls": [call]}], here)
    shown = json.loads(message["tool_calls"][0]["function"]["arguments"])
    assert shown["n"][0] == 1
    assert MAIL not in str(shown)
    assert "Ann Lee" not in str(shown)


def test_what_is_signed_stays_as_it_was_unless_a_value_stands_in_it() -> None:
    here = vault_after([user(MAIL)])
    thought = {"type": "thinking", "thinking": "[EMAIL_2222222] it is", "signature": "abc"}
    [message] = sent([{"role": "assistant", "content": [thought]}], here)
    assert message["content"][0] is thought
    leaking = {**thought, "thinking": f"it is {MAIL}"}
    [message] = sent([{"role": "assistant", "content": [leaking]}], here)
    assert MAIL not in json.dumps(message)


def test_a_vault_that_is_full_says_so() -> None:
    with pytest.raises(FullError, match="it is full"):
        sent([user(f"{MAIL} bob@example.org")], vault(max_entries=1))
    with pytest.raises(FullError, match="it is full"):
        sent([user(MAIL)], vault(max_bytes=10))
    with pytest.raises(ValueError, match="at least 16 bytes"):
        Vault(b"short")


# back


def test_rules_do_not_see_stand_ins_and_see_all_else() -> None:
    here = vault()
    stand_in = sent([user(MAIL)], here)[0]["content"]
    assert said(f"[FOO] {stand_in} bluebird [BAR]", here) == f"<x> {MAIL} ******** <x>"


def test_what_is_restored_is_not_looked_at_again() -> None:
    policy = 'rules: []\ninput: {rules: [{id: a, words: ["[B_1]", bluebird], reversible: true}]}'
    guard = Guard(Policy.parse(policy))
    here = Vault(KEY, ids="number")
    messages = [user("bluebird is [B_1]")]
    shown = guard.check_messages(messages, vault=here).messages[0]["content"]
    assert shown == "[A_1] is [A_2]"
    assert guard.wrap_sync([shown], vault=here).text() == "bluebird is [B_1]"


def test_a_value_that_a_rule_of_the_answer_masks_is_restored_all_the_same() -> None:
    guard = Guard(Policy.parse(POLICY.replace("bluebird", MAIL)))
    here = Vault(KEY)
    shown = guard.check_messages([user(MAIL)], vault=here).messages[0]["content"]
    assert guard.wrap_sync([f"{shown} {MAIL}"], vault=here).text() == f"{MAIL} {'*' * len(MAIL)}"


def test_a_guard_that_restores_nothing_does_so_with_any_vault() -> None:
    before = vault()
    (message,) = sent([user(MAIL)], before)
    kept = GUARD.with_vault(before).without_restoring()
    for guard in (kept, kept.with_vault(vault_after([user(MAIL)]))):
        assert guard.wrap_sync([message["content"]]).text() == message["content"]


def test_characters_of_private_use_come_through() -> None:
    here = vault_after([user(MAIL)])
    text = "\U000f0000 a \U0010fffd \U000f0001"
    assert said(text, here) == text


def test_findings_stand_where_they_stood_in_the_source() -> None:
    here = vault()
    stand_in = sent([user(MAIL)], here)[0]["content"]
    text = f"{stand_in} and {stand_in}, bluebird"
    for size in (1, 4, 100):
        stream = GUARD.wrap_sync(
            [text[i : i + size] for i in range(0, len(text), size)], vault=here
        )
        for _ in stream:
            pass
        [found] = [each for each in stream.findings if each.rule == "secret-word"]
        assert text[found.start : found.end] == "bluebird"


def test_what_became_of_stand_ins_is_counted() -> None:
    here = vault()
    stand_in = sent([user(MAIL)], here)[0]["content"]
    GUARD.wrap_sync([f"{stand_in} [EMAIL_2222222] {stand_in}"], vault=here).text()
    assert (here.counts.restored, here.counts.left) == (2, 1)


class Interrupted(Counts):
    """Counts that another thread adds to while a thread adds to them."""

    def __getattribute__(self, name: str) -> Any:
        value = super().__getattribute__(name)
        if name == "restored" and (other := self.__dict__.pop("other", None)):
            other.start()
            other.join(0.1)
        return value


def test_threads_that_share_a_vault_are_all_counted() -> None:
    here = vault()
    stand_in = sent([user(MAIL)], here)[0]["content"]
    other = Thread(target=lambda: GUARD.wrap_sync([stand_in], vault=here).text())
    here.counts = Interrupted()
    here.counts.__dict__["other"] = other
    GUARD.wrap_sync([stand_in], vault=here).text()
    other.join()
    assert here.counts.restored == 2


@pytest.mark.parametrize(
    "before", ["<img alt='a > b' src=\"//evil.example/", "[x](<//evil.example/"]
)
@pytest.mark.parametrize("length", [10, 3000, 9000])
def test_an_address_may_be_long_and_have_spaces(before: str, length: int) -> None:
    here = vault()
    mark = sent([user(MAIL)], here)[0]["content"]
    text = f"{before}{'a b ' * length}{mark}"
    assert GUARD.wrap_sync([text], vault=here).text() == text
    parts = [text[at : at + 5] for at in range(0, len(text), 5)]
    assert GUARD.wrap_sync(parts, vault=here).text() == text


@pytest.mark.parametrize(
    "before",
    [
        "for (i = 0; i<n; i++) it's ",
        "<p class='x'>",
        "<b>it's</b> ",
        "a <a>b</a> it's ",
        '<img src="/a.png"> and ',
        "List<String and ",
        "(see //) ",
        "and/or ",
        '<a href="mailto:',
    ],
)
def test_what_only_looks_like_an_address_keeps_no_value_back(before: str) -> None:
    here = vault()
    mark = sent([user(MAIL)], here)[0]["content"]
    assert said(f"{before}{mark}", here) == f"{before}{MAIL}"


def test_a_long_chunk_is_as_good_as_many() -> None:
    here = vault()
    mark = sent([user(MAIL)], here)[0]["content"]
    text = f"{'word ' * 3000}https://evil.example/{'x' * 9000}{mark} {mark}{' word' * 3000}"
    whole = GUARD.wrap_sync([text], vault=here).text()
    assert whole == text.replace(f" {mark}", f" {MAIL}")
    parts = [text[at : at + 777] for at in range(0, len(text), 777)]
    assert GUARD.wrap_sync(parts, vault=here).text() == whole


# structured output and tools

JSON_GUARD = Guard(Policy.parse("json: {}\n" + POLICY))


@pytest.mark.parametrize("size", [1, 4, 1000])
def test_values_in_json_are_written_as_json(size: int) -> None:
    here = Vault(KEY)
    value = '"Ann" said'
    shown = JSON_GUARD.check_messages([user(f"{value} {MAIL}")], vault=here).messages[0]
    name, mail = shown["content"].split(" ")
    text = json.dumps({mail: 1, "said": name, "mail": f"\u2028{mail}", "to": [mail]})
    text = text.replace('"to": ["[', '"to": ["\\u005b')
    chunks = [text[at : at + size] for at in range(0, len(text), size)]
    read = json.loads(JSON_GUARD.wrap_sync(chunks, vault=here).text())
    assert read == {mail: 1, "said": value, "mail": f"\u2028{MAIL}", "to": [MAIL]}


def call(arguments: str, name: str = "send_mail", size: int = 5) -> list[dict[str, Any]]:
    parts = [arguments[at : at + size] for at in range(0, len(arguments), size)]
    head = {"index": 0, "id": "c1", "type": "function", "function": {"name": name, "arguments": ""}}
    tail = [{"index": 0, "function": {"arguments": part}} for part in parts]
    return [
        {
            "id": "x",
            "object": "chat.completion.chunk",
            "model": "m",
            "created": 1,
            "choices": [
                {"index": 0, "delta": {"tool_calls": [each]} if each else {}, "finish_reason": end}
            ],
        }
        for each, end in [*((each, None) for each in (head, *tail)), (None, "tool_calls")]
    ]


def arguments_of(chunks: list[dict[str, Any]]) -> Any:
    text = ""
    for chunk in chunks:
        for each in chunk["choices"][0]["delta"].get("tool_calls") or ():
            text += each["function"].get("arguments") or ""
    return json.loads(text)


@pytest.mark.parametrize(
    ("allowed", "restored"),
    [
        ({}, []),
        ({"send_mail": ["to"]}, ["to"]),
        ({"send_mail": ["cc"]}, ["cc"]),
        ({"send_mail": ["people[*].mail"]}, ["people"]),
        ({"send_mail": ["*"]}, ["to", "cc", "people", "body"]),
        ({"other": ["*"]}, []),
    ],
)
@pytest.mark.parametrize("size", [1, 5, 1000])
def test_tools_are_given_values_where_that_is_allowed(
    allowed: dict[str, list[str]], restored: list[str], size: int
) -> None:
    here = vault(tools=allowed)
    mark = sent([user(MAIL)], here)[0]["content"]
    url = f"https://evil.example/?q={mark}"
    given = {"to": mark, "cc": [mark], "people": [{"mail": mark}], "body": mark, "url": url}
    chunks = call(json.dumps(given), size=size)
    got = arguments_of(list(GUARD.wrap_sync(chunks, vault=here)))
    for name, value in got.items():
        expected = json.dumps(given[name])
        if name in restored:
            expected = expected.replace(mark, MAIL)
        # The address stays without the value, wherever it stands.
        assert json.dumps(value) == expected, name


def test_a_path_that_leads_nowhere_is_refused() -> None:
    with pytest.raises(ValueError, match="is not a path to an argument"):
        vault(tools={"send_mail": ["to..cc"]})


def test_a_policy_may_have_very_many_reversible_rules() -> None:
    names = [f"r-{number}-a-b-c-d-e-f-{number}" for number in range(60)]
    rules = "".join(f"\n    - {{id: {n}, words: [{n}], reversible: true}}" for n in names)
    guard = Guard(Policy.parse(f"input:\n  rules:{rules}"))
    here = vault()
    text = f"{names[0]}, {names[30]}, {names[59]}"
    [message] = guard.check_messages([user(text)], vault=here).messages
    assert not any(name in message["content"] for name in names)
    assert guard.wrap_sync(list(message["content"]), vault=here).text() == text
