"""Adapters by specification: the documented place of `guardstream.providers.spec`."""

from guardstream.providers.spec import END, KEEP, META, Either, Leaf, OneOf, SpecAdapter, Tree

__all__ = ["END", "KEEP", "META", "Either", "Leaf", "OneOf", "SpecAdapter", "Tree"]
