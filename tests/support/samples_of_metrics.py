"""The samples of a registry of metrics."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families


def samples(text: bytes) -> dict[str, float]:
    """What the metrics say, by name and labels; the policy's are left out."""
    found = {}
    for family in text_string_to_metric_families(text.decode()):
        for sample in family.samples:
            labels = {k: v for k, v in sample.labels.items() if k not in ("policy", "version")}
            found[sample.name + "".join(f" {k}={v}" for k, v in sorted(labels.items()))] = (
                sample.value
            )
    return found
