"""A fuzz of the vault: what a hostile model writes around stand-ins, as renderers read it."""
