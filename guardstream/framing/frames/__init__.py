"""How bytes carry chunks: server-sent events, lines of JSON, or text. Bytes in, frames out.

A frame keeps its original bytes, so that what the guard does not change goes out unchanged.
"""
