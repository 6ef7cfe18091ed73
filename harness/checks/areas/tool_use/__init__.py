"""Checks of functions, their results and searches."""
