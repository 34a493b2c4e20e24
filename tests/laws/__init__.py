"""Laws that hold for every recorded stream, and for what upstreams make of it.

`python -m tests.laws` runs all of them, law × recording × change, and prints a line of JSON each.
"""
