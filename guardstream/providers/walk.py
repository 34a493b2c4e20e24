"""A former name of `guardstream.providers.spec`; use that module."""

from guardstream.providers.spec import END, KEEP, META, Either, Leaf, OneOf, SpecAdapter, Tree

__all__ = ["END", "KEEP", "META", "Either", "Leaf", "OneOf", "SpecAdapter", "Tree"]
