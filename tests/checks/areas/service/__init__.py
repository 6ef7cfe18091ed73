"""Tests of checks of every answer: HTTP, keys, errors, hard input."""
