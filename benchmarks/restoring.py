"""What it costs to bring values back into a stream, beside two other ways to do it.

    python -m benchmarks.restoring

Prints a Markdown table: microseconds of processor time for each chunk of 4 characters, on prose
with a stand-in in every 200 characters, for vaults of several sizes; medians of interleaved rounds
in one process. For the guard it is what `vault=` adds to the guard alone. sether's and piighost's
decoders of text, and LiteLLM's function for a text, which knows nothing of the chunks before, are
given the same with stand-ins of their own; where they are not installed they are left out. The goal
is at most a microsecond, whatever the vault holds.
"""

from __future__ import annotations

import gc
import importlib.util
import os
import statistics
import time
from collections.abc import Callable, Iterator

from benchmarks import material
from benchmarks.arguments import parser
from guardstream import Guard, Policy
from guardstream.vault import Vault

SIZES = (10, 1_000, 100_000)
LENGTH, EVERY, ROUNDS = 80_000, 200, 7
FEW, SLOW = 50, 100.0

Reading = Callable[[list[str]], Iterator[str]]


def values(count: int) -> list[str]:
    """So many mail addresses, each its own."""
    return [f"user{number}@example.com" for number in range(count)]


def ours(count: int) -> tuple[Reading, str]:
    """The guard with a vault of so many values, and one of the stand-ins."""
    vault = Vault(b"k" * 16, max_entries=10**6, max_bytes=10**9)
    stand_ins = [vault.issue("email", value) for value in values(count)]
    guard = Guard(Policy.parse("rules: [{id: word, words: [bluebird]}]"))
    return lambda chunks: iter(guard.wrap_sync(chunks, vault=vault)), stand_ins[0]


def alone(_: int) -> tuple[Reading, str]:
    """The same guard without a vault."""
    guard = Guard(Policy.parse("rules: [{id: word, words: [bluebird]}]"))
    return lambda chunks: iter(guard.wrap_sync(chunks)), "[EMAIL_2222222]"


def sether(count: int) -> tuple[Reading, str]:
    from sether.stream.restore import restore_iter
    from sether.vault.memory import MemoryVault

    vault = MemoryVault(max_entries=count + 1)
    tokens = [f"<EMAIL_{number:08d}>" for number in range(count)]
    for token, value in zip(tokens, values(count), strict=True):
        vault.set(token, value)
    return lambda chunks: restore_iter(iter(chunks), vault), tokens[0]


def piighost(count: int) -> tuple[Reading, str]:
    from piighost.components.placeholder.streaming import PlaceholderStreamDecoder

    tokens = {f"<<EMAIL:{n}>>": value for n, value in enumerate(values(count))}

    def read(chunks: list[str]) -> Iterator[str]:
        decoder = PlaceholderStreamDecoder(lambda token: tokens.get(token, token))
        for chunk in chunks:
            yield decoder.feed(chunk)
        yield decoder.flush()

    return read, "<<EMAIL:0>>"


def litellm(count: int) -> tuple[Reading, str]:
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # asks no server
    from litellm.proxy.guardrails.guardrail_hooks.presidio import _OPTIONAL_PresidioPIIMasking

    restored = _OPTIONAL_PresidioPIIMasking._unmask_pii_text
    tokens = {f"<EMAIL_{number}>": value for number, value in enumerate(values(count))}
    return lambda chunks: (restored(chunk, tokens) for chunk in chunks), "<EMAIL_0>"


def text(stand_in: str) -> list[str]:
    """Prose in chunks, a stand-in every now and then."""
    prose = material.prose("en", LENGTH)
    whole = f" {stand_in} ".join(prose[at : at + EVERY] for at in range(0, LENGTH, EVERY))
    return [whole[at : at + 4] for at in range(0, len(whole), 4)]


def cost(reading: Reading, chunks: list[str]) -> float:
    """Microseconds a chunk; of the first ones alone if they take long."""
    few = chunks[:FEW]
    if len(few) < len(chunks) and (slow := cost(reading, few)) > SLOW:
        return slow
    gc.collect()
    begun = time.process_time()
    for _ in reading(chunks):
        pass
    return (time.process_time() - begun) / len(chunks) * 1e6


def main() -> None:
    parser(__doc__).parse_args()
    others = {"sether": sether, "piighost": piighost, "litellm": litellm}
    ways = {"the guard alone": alone, "the guard with a vault": ours}
    ways |= {name: way for name, way in others.items() if importlib.util.find_spec(name)}
    made = {(name, size): way(size) for name, way in ways.items() for size in SIZES}
    chunks = {key: text(stand_in) for key, (_, stand_in) in made.items()}
    times: dict[tuple[str, int], list[float]] = {key: [] for key in made}
    for _ in range(ROUNDS):
        for key, (reading, _) in made.items():
            times[key].append(cost(reading, chunks[key]))
    median = {key: statistics.median(each) for key, each in times.items()}
    print("| | " + " | ".join(f"{size:,} values" for size in SIZES) + " |")
    print("|---|" + "---|" * len(SIZES))
    for name in ways:
        print(f"| {name} | " + " | ".join(f"{median[name, s]:.2f}" for s in SIZES) + " |")
    added = [median["the guard with a vault", s] - median["the guard alone", s] for s in SIZES]
    print("| **what the vault adds** | " + " | ".join(f"{each:.2f}" for each in added) + " |")


if __name__ == "__main__":
    main()
