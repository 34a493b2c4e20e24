"""Amazon's event streams, as `botocore` reads and as models on Bedrock write them."""

from __future__ import annotations

from tests.support.aws_frames import STREAM, body, read


def test_what_is_written_is_read_by_botocore() -> None:
    assert read(body(*STREAM)) == STREAM
