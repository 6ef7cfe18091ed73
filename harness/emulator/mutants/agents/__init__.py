"""Mutants of managed agents and their environments."""
