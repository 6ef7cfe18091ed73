"""Removes secrets before anything is written, and finds those that were left. Layer 1."""
