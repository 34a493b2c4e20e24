"""`python -m guardstream` is the command line."""

from guardstream.cli import main

main()
