"""Environments: their configuration, their files, and how files come and go. Layer 2."""
