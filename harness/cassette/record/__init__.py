"""Writes what is being recorded, so that a crash loses nothing. Layer 1."""
