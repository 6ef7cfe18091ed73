"""Typical client bugs, each of which must fail the case meant for it."""
