"""Where a value may not stand: in what any renderer could take for an address, a style or a script.

Renderers disagree about where an address ends, and no list of markups is complete. So there is one
rule for all of them: a sign of an address makes everything after it suspect, up to white space and
to the end of each bracket and quote that the sign stands in. Only plain closings count.
"""
