"""Answers requests from what was recorded. Layer 1."""
