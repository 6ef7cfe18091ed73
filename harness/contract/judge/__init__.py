"""Judges of what a target says: one exchange, one stream, or all that a client has seen. Layer 1, pure."""
