"""Plays the operations of a history, and judges what comes back. Layer 4."""
