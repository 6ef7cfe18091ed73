"""Decides whether a create is accepted, and what it continues."""
