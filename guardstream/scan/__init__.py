"""Exact streaming search for words and regular expressions. Knows no policy and no stage."""
