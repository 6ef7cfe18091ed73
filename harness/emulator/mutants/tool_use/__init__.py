"""Mutants of functions, their results and searches."""
