"""A process that is forked while other threads use a guard can use it, too."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forks")

BEGIN = """
import os, signal, sys, threading, time
from threading import Event, Lock, RLock

def forked(work):
    pid = os.fork()
    if not pid:
        signal.alarm(20)  # ends a process that waits for ever
        os._exit(0 if work() else 1)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
"""

HELD = """
from guardstream.forks import kept_across_forks

locks, begun, order = [kept_across_forks(kind()) for kind in KINDS], Event(), []

def work():
    with locks[0]:
        begun.set()
        time.sleep(0.1)
        with locks[1]:  # which a fork must not keep while it waits
            order.append("left")

thread = threading.Thread(target=work)
thread.start()
begun.wait()
assert forked(lambda: order == ["left"] and all(lock.acquire(timeout=10) for lock in locks)) == 0
thread.join()
assert all(lock.acquire(blocking=False) for lock in locks)
"""

OWN = """
import guardstream.forks as forks

forks._WAIT_SECONDS, lock = 0.1, forks.kept_across_forks(Lock())
with lock:
    assert forked(lambda: True) == 0
    assert not lock.acquire(blocking=False)
assert lock.acquire(blocking=False)
"""

FAILS = """
import guardstream.forks as forks

class Failing:
    def acquire(self, **_):
        raise MemoryError

    def release(self):
        pass

sys.unraisablehook = lambda _: None
locks = [forks.kept_across_forks(RLock()) for _ in range(50)]
failing, free = forks.kept_across_forks(Failing()), []
assert forked(lambda: True) == 0

def work():
    free.extend(lock.acquire(blocking=False) for lock in locks)

thread = threading.Thread(target=work)
thread.start()
thread.join()
assert free == [True] * 50
"""

GUARDS = """
from random import Random
from guardstream import Guard, Policy

POLICY = "rules: [{id: w, words: [bluebird]}, {id: p, pattern: '(?i)[a-z0-9]{2,9}@[a-z]{1,9}'}]"
guard, ended = Guard(Policy.parse(POLICY)), Event()

def use(random):
    text = "".join(chr(random.randrange(32, 0x2000)) for _ in range(300))
    return guard.check(text + " bluebird").text.endswith("[w]")

def work(seed):
    random = Random(seed)
    while not ended.is_set():
        use(random)

threads = [threading.Thread(target=work, args=[seed]) for seed in range(3)]
[thread.start() for thread in threads]
found = []
for seed in range(10, 40):
    guard = Guard(Policy.parse(POLICY))
    time.sleep(0.002)
    found.append(forked(lambda: use(Random(seed))))
ended.set()
assert found == [0] * 30, found
"""


@pytest.mark.parametrize(
    "program",
    [
        "KINDS = Lock, Lock" + HELD,
        "KINDS = RLock, Lock" + HELD,
        OWN,
        GUARDS,
    ],
    ids=["a lock", "a lock of a thread", "a lock of the thread that forks", "guards"],
)
def test_a_fork_waits_until_no_lock_is_held(program: str) -> None:
    _run(program)


def test_a_fork_that_cannot_take_all_locks_keeps_none() -> None:
    _run(FAILS)


def _run(program: str) -> None:
    command = [sys.executable, "-W", "ignore", "-c", BEGIN + program]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, "")
