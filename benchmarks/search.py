"""The search under any rules on any text: `python -m benchmarks.search`, a few minutes.

    python -m benchmarks.search forms         # the chat policy alone, in C beside Python
    python -m benchmarks.search load native   # one of the other goals, in one form

For each form of the search, set of rules and kind of text: microseconds of processor time that the
guard adds to a chunk of 4 characters, over the first 100,000 characters and over as many that
follow 100,000 more. Then what the rest of the goals are about: loading, a first stream, a stream's
memory, how the cost grows with the rules, and the memory of all automata after hostile text.

Without the shared corpora the sets of rules are made ones, and the texts are those of `short`.
"""

from __future__ import annotations

import asyncio
import base64
import gc
import json
import random
import resource
import statistics
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import material, short
from benchmarks.arguments import parser
from benchmarks.redaction import Rules, consumed, cut, source
from guardstream import Guard, Policy
from guardstream.errors import PatternError
from guardstream.scan.regex import forms
from guardstream.stages.redact import RuleSet
from guardstream.stages.rules import Rule

LENGTH = 100_000
HOSTILE = 30_000_000
STREAMS = 200
SETS = ("chat", "secrets", "presidio", "llm-guard and detect-secrets")
LIMITS = ("load", "first_stream", "collection", "stream", "growth", "memory")
"""Functions of this module, each of which measures one of the other goals."""
TOOLS = {SETS[2]: {"presidio_analyzer"}, SETS[3]: {"llm_guard", "detect_secrets"}}


def rules(name: str) -> list[Rule]:
    """A set of rules, each with 10,000 words beside it."""
    words = Rule("words", words=material.words("en", 10_000))
    if name == "chat":
        return [*Policy.load("guardstream/chat").rules, words]
    return [*(material.secrets() if name == "secrets" else imported(TOOLS[name])), words]


def imported(tools: set[str]) -> list[Rule]:
    """The patterns of other tools that load; made ones without the corpora."""
    path = material.CORPORA / "patterns" / "imported.jsonl"
    if not path.exists():
        return material.secrets()
    found = []
    for line in path.read_text("utf-8").splitlines():
        entry = json.loads(line)
        rule = Rule(f"r{len(found)}", patterns=(entry["pattern"],))
        if entry["tool"] in tools and _loads(rule):
            found.append(rule)
    return found


def _loads(rule: Rule) -> bool:
    try:
        RuleSet([rule])
    except PatternError:
        return False
    return True


def texts() -> Iterator[tuple[str, str]]:
    """The kinds of text that are measured, three times `LENGTH` each."""
    yield from short.texts()
    yield "Chinese", material.prose("zh", 5 * LENGTH)[2 * LENGTH :]
    yield "hex", random.Random(material.SEED).randbytes(3 * LENGTH).hex()[: 3 * LENGTH]
    rng = random.Random(material.SEED)
    codes = (code for code in iter(lambda: rng.randrange(0x20, 0x30000), -1))
    letters = (chr(code) for code in codes if not 0xD800 <= code < 0xE000)
    yield "random Unicode", "".join(next(letters) for _ in range(3 * LENGTH))
    yield "numbers", numbers(3 * LENGTH)
    yield "pumped", pumped(3 * LENGTH)
    matches = "a.b@example.com, 123-45-6789, 10.0.0.1; " * 10
    yield "full of matches", (matches * (3 * LENGTH // len(matches) + 1))[: 3 * LENGTH]


def numbers(length: int) -> str:
    """Lines of a server's log and of a table, in which numbers have many formats."""
    rng, lines, size = random.Random(material.SEED), list[str](), 0
    while size < length:
        moment = datetime.fromtimestamp(rng.randrange(2**31), UTC)
        lines.append(
            f"{moment.isoformat()} 10.0.0.{rng.randrange(256)} GET /items/{rng.randrange(10**9)} "
            f"200 {rng.randrange(10**5)} {rng.random():.3f}\n"
            f"{rng.randrange(10**9)},{rng.randrange(10**4) / 100},{rng.randrange(10**11)}\n"
        )
        size += len(lines[-1])
    return "".join(lines)[:length]


def pumped(length: int) -> str:
    """What keeps patterns awake: long runs of what they repeat."""
    runs = ("a" * 1000, "." * 200, "@" * 100, "1" * 500, "-1" * 200, "ab@c." * 100, "key=" * 200)
    text = "".join(runs)
    return (text * (length // len(text) + 1))[:length]


async def costs(made: Sequence[Rule], text: str) -> tuple[float, float]:
    """Microseconds that the guard adds to a chunk, in the first and in the last third."""
    gc.collect()  # the guard before is garbage, which would be collected in the middle of this one
    guard = Guard(Rules(RuleSet(made)))
    parts = [cut(text[at : at + LENGTH], 4) for at in range(0, 3 * LENGTH, LENGTH)]
    base = min([await consumed(source(parts[0])) for _ in range(3)])
    taken = []
    for part in parts:
        spent = await consumed(guard.wrap(source(part), keep_text=False))
        taken.append((spent - base) / len(part) * 1e6)
    return taken[0], taken[-1]


def cost_rows() -> Iterator[Sequence[object]]:
    """A row for each form, set of rules and text."""
    built = forms.NATIVE
    material_texts = list(texts())
    for native in (True, False) if built else (False,):
        forms.NATIVE = native
        for name in SETS:
            made = rules(name)
            for kind, text in material_texts:
                first, later = asyncio.run(costs(made, text))
                yield forms.form(), name, kind, f"{first:.1f}", f"{later:.1f}"
    forms.NATIVE = built


def forms_rows() -> Iterator[Sequence[object]]:
    """A row for each text: what the chat policy costs in each form, the median of three runs."""
    made = rules("chat")
    for kind, text in texts():
        cells: list[str] = []
        for native in (True, False):
            forms.NATIVE = native
            runs = [asyncio.run(costs(made, text)) for _ in range(3)]
            cells += [f"{statistics.median(each):.1f}" for each in zip(*runs, strict=True)]
        yield kind, *cells
    forms.NATIVE = True


def forms_limit_rows() -> Iterator[Sequence[object]]:
    """A row for each of the other goals, with both forms."""
    for what in LIMITS:
        said = [_limit(what, form) for form in ("native", "python")]
        title = said[0].partition(":")[0]
        yield title, *[each.partition(":")[2].strip() for each in said]


def _limit(what: str, form: str) -> str:
    """What one of the other goals comes to, in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.search", what, form]
    return subprocess.check_output(command, text=True).strip()


def limit_rows() -> Iterator[Sequence[object]]:
    """A row for each of the other goals and form, each measured in a process of its own."""
    for form in ("native", "python") if forms.NATIVE else ("python",):
        for what in LIMITS:
            yield form, _limit(what, form)


def load() -> str:
    begun = time.process_time()
    Policy.load("guardstream/chat")
    return f"loading chat: {time.process_time() - begun:.2f} s"


def first_stream() -> str:
    """The time of a stream, without the garbage collection that loading left due."""
    guard, text = Guard(Policy.load("guardstream/chat")), material.prose("en", 4_000)
    gc.collect()
    spent = asyncio.run(consumed(guard.wrap(source(cut(text, 4)), keep_text=False)))
    return f"a process's first stream, 4,000 characters of prose: {1e3 * spent:.0f} ms"


def collection() -> str:
    """What a loaded policy adds to a full garbage collection, which looks through all objects."""
    before = collecting()
    guard = Guard(Policy.load("guardstream/chat"))
    more = collecting() - before
    del guard
    return f"a full garbage collection takes longer by: {1e3 * more:.0f} ms"


def collecting() -> float:
    """The seconds of a full garbage collection, the least of 30."""
    spent: list[float] = []
    for _ in range(30):
        begun = time.process_time()
        gc.collect()
        spent.append(time.process_time() - begun)
    return min(spent)


def stream() -> str:
    """The bytes of a stage in the middle of a stream, when the automata know the text."""
    guard, chunks = RuleSet(rules("chat")), cut(material.prose("en", 2_000), 4)
    for _ in range(2):
        stages = [guard.stage() for _ in range(STREAMS)]
        gc.collect()
        tracemalloc.start()
        stages = [guard.stage() for _ in range(STREAMS)]
        for stage in stages:
            for chunk in chunks:
                stage.feed(chunk)
        gc.collect()
        weight = tracemalloc.get_traced_memory()[0] / STREAMS
        tracemalloc.stop()
    return f"the memory of a stream: {weight / 1024:.1f} KB"


def growth() -> str:
    """What 1,000 rules cost against 10."""
    text = material.prose("en", 3 * LENGTH)
    made = [material._made_secret(number) for number in range(1_000)]
    few, many = (min(asyncio.run(costs(some, text))) for some in (made[:10], made))
    return f"1,000 rules instead of 10: {few:.1f} → {many:.1f} µs, × {many / few:.1f}"


def memory() -> str:
    """What grows while hostile text is read."""
    stage = RuleSet(rules(SETS[3])).stage()
    rng = random.Random(material.SEED)
    kinds = (
        lambda: base64.b64encode(rng.randbytes(3_000)).decode(),
        lambda: rng.randbytes(2_000).hex(),
        lambda: "".join(chr(rng.randrange(0x20, 0xD800)) for _ in range(4_000)),
        lambda: pumped(4_000)[rng.randrange(2_000) :],
    )
    stage.feed("a")
    before, read = resident(), 0
    size = HOSTILE if forms.NATIVE else HOSTILE // 10
    while read < size:
        text = rng.choice(kinds)()
        stage.feed(text)
        read += len(text)
    grown = (resident() - before) / 1024
    return f"growth over hostile text: {grown:.0f} MB over {read // 1_000_000} MB"


def resident() -> float:
    """The memory of this process in KB: now where the system tells, else the most there was."""
    try:
        pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return pages * resource.getpagesize() / 1024


def main() -> None:
    """Print the tables as they come, or measure one thing in this process."""
    from benchmarks.printed import headline, table

    asks = parser(__doc__)
    asks.add_argument("what", nargs="?", choices=("forms", *LIMITS), help="one of these alone")
    asks.add_argument("form", nargs="?", choices=("native", "python"), default="native")
    asked = asks.parse_args()
    if asked.what == "forms":
        if not forms.NATIVE:
            sys.exit("the C extension is not built: there is one form only")
        headline()
        head = "text | C, first 100 KB | C, unseen | Python, first 100 KB | Python, unseen"
        table("The chat policy and 10,000 words, µs a chunk", head, forms_rows())
        table("What else it costs", "what | C | Python", forms_limit_rows())
        return
    if asked.what is not None:
        forms.NATIVE = asked.form == "native"
        print(globals()[asked.what]())
        return
    table("The search, through `wrap`", "form | rules | text | µs, first | µs, later", cost_rows())
    table("The search's bounds", "form | what", limit_rows())


if __name__ == "__main__":
    main()
