"""Selects checks, plays their exercises at a target, judges, cleans up, and says it all as events. Layer 4."""
