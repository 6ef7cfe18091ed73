"""Mutants of every answer: HTTP, keys, errors, hard input."""
