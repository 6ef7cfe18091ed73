"""Recordings in the formats of other tools. Layer 1."""
