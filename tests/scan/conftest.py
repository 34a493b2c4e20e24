"""All tests here run on both forms of the search."""

from tests.support.forms import form

__all__ = ["form"]
