"""Stages: sans-I/O transformers of text, with the methods `feed` and `finish`."""
