"""Stages: sans-I/O transformers of text. Each knows `feed` and `finish` and no other stage."""
