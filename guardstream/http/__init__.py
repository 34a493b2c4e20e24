"""Guarded requests, bodies and streams of bytes, for servers and clients of HTTP."""
