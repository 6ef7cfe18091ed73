"""Checks of managed agents and their environments."""
