"""Protocols between agents, editors, tools and user interfaces."""
