"""Judges recorded traffic of this API. Layer 2."""
