"""A policy file with rules of another file, a limit, and stages of your own around the rules."""

from pathlib import Path

from guardstream import Guard

POLICY = Path(__file__).parent / "policies" / "staged.yaml"

guard = Guard.load(POLICY, allow_code=["custom_stage:NoShouting"])
stream = guard.wrap_sync(["ASK BLUE", "BIRD of CU-1234", "5678 at the BBC"])
print(stream.text())
print([finding.rule for finding in stream.findings])
assert stream.result.text == "ask ******** of CU-******78 at the bbc"
