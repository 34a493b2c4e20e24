"""Adapters for whole answers, which are guarded as their streams would be."""
