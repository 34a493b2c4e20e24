"""Words: Aho-Corasick over a sorted list, compared after normalization."""
