"""An older name of `guardstream.providers.spec`, adapters by specification: take that one."""

from guardstream.providers.spec import END, KEEP, META, Either, Leaf, OneOf, SpecAdapter, Tree

__all__ = ["END", "KEEP", "META", "Either", "Leaf", "OneOf", "SpecAdapter", "Tree"]
