"""Selects checks, plays their exercises against a target, judges, cleans up, and emits events."""
