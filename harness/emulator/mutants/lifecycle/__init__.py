"""Mutants of an interaction from its create to its deletion."""
