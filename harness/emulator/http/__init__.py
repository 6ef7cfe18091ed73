"""Routes, keys, hints and the log of requests. Layer 2."""
