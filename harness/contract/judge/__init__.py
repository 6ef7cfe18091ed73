"""Judges answers, streams and histories by the rules."""
