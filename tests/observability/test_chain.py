"""Chained audit logs: what is changed, left out or moved is found, and what is not is counted."""

from __future__ import annotations

import errno
import gc
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from guardstream import Guard, Policy, PolicyError
from guardstream.observability import AuditLog, read_audit, report
from guardstream.receipts import ReceiptError, Signer, verify_audit
from tests.support.sources import gen
from tests.support.watching import watched


def key() -> str:
    return (
        Ed25519PrivateKey.generate()
        .private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        .decode()
    )


SIGNER, OTHER = Signer(key()), Signer(key())


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A log of seven streams: signed after three lines, after six, and at the end."""
    path = tmp_path / "audit.jsonl"
    audit = AuditLog(path, sign=SIGNER.checkpoint, every=3)
    guard = watched(audit)
    for _ in range(7):
        guard.wrap_sync(gen(["a secret"])).text()
    audit.close()
    return path


def lines(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines(keepends=True)


def test_a_log_that_nobody_touched_is_whole(log: Path) -> None:
    found = verify_audit([log], SIGNER.public_key)
    assert (found.wrong, found.unsigned, found.unchained) == ([], 0, 0)
    assert [links.lines for links in found.chains.values()] == [7]
    assert len(lines(log)) == 10
    assert report([str(log)]).streams == len(list(read_audit(log))) == 7


def test_every_line_that_is_left_out_is_found_but_the_last(log: Path) -> None:
    whole = lines(log)
    for place in range(len(whole)):
        log.write_bytes(b"".join(whole[:place] + whole[place + 1 :]))
        found = verify_audit([log], SIGNER.public_key)
        signed = b"checkpoint" in whole[place]
        assert bool(found.wrong) != signed
        if place == len(whole) - 1:
            assert found.unsigned == 1


def test_every_byte_that_is_changed_is_found(log: Path) -> None:
    whole = log.read_bytes()
    for place in range(0, len(whole), 7):
        if whole[place : place + 1] != b"\n":
            log.write_bytes(whole[:place] + b"#" + whole[place + 1 :])
            found = verify_audit([log], SIGNER.public_key)
            assert found.wrong or found.unchained


@pytest.mark.parametrize("added", [b" ", b"\r", b'"v":1,'])
def test_what_is_added_to_a_signature_is_found(added: bytes, log: Path) -> None:
    whole = log.read_bytes()
    start = whole.index(b'"checkpoint"')
    log.write_bytes(whole[:start] + added + whole[start:])
    assert verify_audit([log], SIGNER.public_key).wrong


@pytest.mark.parametrize("missing", [1, 2])
def test_a_full_disk_at_the_end_of_a_line_breaks_no_chain(
    missing: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "audit.jsonl"
    guard = watched(AuditLog(path, chain=True))
    write = os.write
    for end in (-missing, None, None):
        monkeypatch.setattr(os, "write", lambda file, data, end=end: write(file, data[:end]))
        guard.wrap_sync(gen(["a secret"])).text()
    found = verify_audit([path])
    assert found.wrong == []
    assert [links.lines for links in found.chains.values()] == [4 - missing]


@pytest.mark.parametrize("size", [1, 12, 40, 300])
def test_a_record_after_what_a_killed_process_left_is_in_its_chain(size: int, log: Path) -> None:
    whole = lines(log)
    for place in range(len(whole)):
        log.write_bytes(b"".join([*whole[:place], whole[0][:size], *whole[place:]]))
        found = verify_audit([log], SIGNER.public_key)
        assert (found.wrong, found.unsigned, found.unchained) == ([], 0, 1)


def test_lines_that_are_swapped_or_repeated_are_found(log: Path) -> None:
    whole = lines(log)
    log.write_bytes(b"".join([whole[1], whole[0], *whole[2:]]))
    assert verify_audit([log]).wrong
    log.write_bytes(b"".join([*whole, whole[1]]))
    assert verify_audit([log]).wrong


def test_a_chain_that_is_made_anew_has_no_signature(log: Path, tmp_path: Path) -> None:
    forged = tmp_path / "forged.jsonl"
    audit = AuditLog(forged, sign=OTHER.checkpoint, every=3)
    watched(audit).wrap_sync(gen(["a"])).text()
    audit.close()
    assert not verify_audit([forged]).wrong
    found = verify_audit([forged], SIGNER.public_key)
    assert found.wrong == [f"{forged}:2: the checkpoint was changed, or signed with another key"]
    plain = b"".join(line for line in lines(log) if b"checkpoint" not in line)
    log.write_bytes(plain)
    assert verify_audit([log], SIGNER.public_key).unsigned == 7


def test_with_a_key_a_log_without_a_signature_does_not_pass(tmp_path: Path) -> None:
    path, public = tmp_path / "audit.jsonl", tmp_path / "key.pem"
    public.write_text(SIGNER.public_key)
    path.write_text("")
    assert (
        "audit.jsonl: no line is signed" in verify_audit(iter([path]), SIGNER.public_key).wrong[0]
    )
    watched(AuditLog(path, chain=True)).wrap_sync(gen(["a"])).text()
    (wrong,) = verify_audit([path], SIGNER.public_key).wrong
    assert wrong.startswith(f"{path}: no line is signed")
    command = [sys.executable, "-m", "guardstream", "verify-audit", str(path)]
    for more, status in (([], 0), (["--key", str(public)], 1)):
        done = subprocess.run([*command, *more], capture_output=True, text=True, check=False)
        assert (done.returncode, "no line is signed" in done.stdout) == (status, bool(status))


def test_a_log_that_a_reload_replaces_is_signed_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUDIT_KEY", key())
    policy, old, new = tmp_path / "policy.yaml", tmp_path / "old.jsonl", tmp_path / "new.jsonl"
    section = f"rules: []\naudit: {{path: {old}, sign: '${{AUDIT_KEY}}'}}"
    policy.write_text(section)
    guard = Guard.load(policy, reload=True)
    guard.wrap_sync(gen(["a"])).text()
    assert b"checkpoint" not in old.read_bytes()
    policy.write_text(section.replace(str(old), str(new)))
    guard.wrap_sync(gen(["a"])).text()
    gc.collect()
    assert b"checkpoint" in lines(old)[-1]


def test_a_log_goes_on_when_its_key_is_replaced(log: Path) -> None:
    audit = AuditLog(log, sign=OTHER.checkpoint)
    watched(audit).wrap_sync(gen(["a"])).text()
    audit.close()
    found = verify_audit([log], SIGNER.public_key + OTHER.public_key)
    assert (found.wrong, found.unsigned, len(found.chains)) == ([], 0, 2)
    assert verify_audit([log], OTHER.public_key).wrong


def test_a_clock_that_was_ahead_breaks_no_chain(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("guardstream.receipts.receipt.time", lambda: 4e9)
    audit = AuditLog(log, sign=SIGNER.checkpoint)
    watched(audit).wrap_sync(gen(["a"])).text()
    audit.close()
    monkeypatch.undo()
    assert verify_audit([log], SIGNER.public_key).wrong == []


def test_a_key_that_cannot_be_used_is_no_fault_of_the_log(log: Path) -> None:
    with pytest.raises(ReceiptError, match="the key is not a public key in PEM"):
        verify_audit([log], "no key")


def test_a_chain_goes_on_in_the_next_file(tmp_path: Path) -> None:
    path = tmp_path / "rotated.jsonl"
    audit = AuditLog(path, chain=True)
    guard = watched(audit)
    guard.wrap_sync(gen(["a"])).text()
    path.rename(tmp_path / "old.jsonl")
    guard.wrap_sync(gen(["b"])).text()
    found = verify_audit([tmp_path / "old.jsonl", path])
    assert (found.wrong, len(found.chains)) == ([], 1)
    assert verify_audit([path]).wrong


def test_the_policy_says_it_and_the_commands_read_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUDIT_KEY", key())
    path = tmp_path / "policy.yaml"
    path.write_text("audit: {path: audit.jsonl, sign: '${AUDIT_KEY}', every: 1}\nrules: []")
    Guard.load(path).wrap_sync(gen(["a"])).text()

    def run(*more: str) -> tuple[int, str]:
        command = [sys.executable, "-m", "guardstream", "verify-audit", *more]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout

    audit = tmp_path / "audit.jsonl"
    status, out = run(str(audit))
    assert (status, out.splitlines()[0]) == (0, "chains      1, 1 lines, 0 others")
    audit.write_bytes(audit.read_bytes().replace(b'"stop"', b'"error"'))
    (tmp_path / "key.pem").write_text(SIGNER.public_key)
    status, out = run(str(audit), "--key", str(tmp_path / "key.pem"))
    assert status == 1
    assert "signed with another key" in out
    monkeypatch.setenv("AUDIT_KEY", "no key")
    with pytest.raises(PolicyError, match=r"policy\.yaml:1:\d+: the key is not a private key"):
        Guard.load(path)
    with pytest.raises(PolicyError, match="'every' has no effect without 'sign'"):
        Policy.parse("audit: {path: a, every: 3}\nrules: []")


def test_records_of_other_logs_have_no_chain(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    watched(AuditLog(path)).wrap_sync(gen(["a"])).text()
    assert "chain" not in json.loads(path.read_text())
    assert verify_audit([path]).unchained == 1
    command = [sys.executable, "-m", "guardstream", "verify-audit", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, "no line is chained" in done.stdout) == (1, True)


def test_a_process_that_was_forked_begins_a_chain(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "audit.jsonl"
    audit = AuditLog(path, sign=SIGNER.checkpoint)
    guard = watched(audit)
    guard.wrap_sync(gen(["a secret"])).text()
    child = os.getpid() + 1
    monkeypatch.setattr(os, "getpid", lambda: child)
    audit.close()  # it has nothing to sign
    guard.wrap_sync(gen(["a secret"])).text()
    audit.close()
    found = verify_audit([path], SIGNER.public_key)
    assert (found.wrong, [links.lines for links in found.chains.values()]) == ([], [1, 1])


def test_a_line_that_is_not_on_the_disk_yet_is_in_its_chain(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_: int) -> None:
        raise OSError(errno.EIO, "input/output error")

    path = tmp_path / "audit.jsonl"
    guard = watched(AuditLog(path, chain=True, fsync=True))
    guard.wrap_sync(gen(["a secret"])).text()
    with monkeypatch.context() as broken:
        broken.setattr(os, "fsync", fails)
        guard.wrap_sync(gen(["a secret"])).text()
    guard.wrap_sync(gen(["a secret"])).text()
    found = verify_audit([path])
    assert (found.wrong, [links.lines for links in found.chains.values()]) == ([], [3])


def test_a_process_that_was_forked_signs_under_a_name_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    signer = Signer(key(), "tests")
    before, child = signer.issuer, os.getpid() + 1
    signer.checkpoint({})
    assert signer.issuer == before
    monkeypatch.setattr(os, "getpid", lambda: child)
    signer.checkpoint({})
    assert signer.issuer != before


def test_no_two_receipts_of_a_process_have_one_number(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where threads are the first that sign after a fork."""
    signer = Signer(key(), "tests")
    child = os.getpid() + 1
    monkeypatch.setattr(os, "getpid", lambda: child)
    seen: list[tuple[str, int]] = []

    def sign(_: int) -> None:
        token = signer.sign([], request="", answer="", size=0)
        said = jwt.decode(token, options={"verify_signature": False})
        seen.append((said["iss"], said["n"]))

    switch = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(8) as threads:
            list(threads.map(sign, range(2_000)))
    finally:
        sys.setswitchinterval(switch)
    numbers: dict[str, list[int]] = {}
    for issuer, number in seen:
        numbers.setdefault(issuer, []).append(number)
    assert all(sorted(found) == list(range(len(found))) for found in numbers.values())
