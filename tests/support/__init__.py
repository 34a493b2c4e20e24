"""What the tests share: an independent reference, generators, chunkings, brute force."""
