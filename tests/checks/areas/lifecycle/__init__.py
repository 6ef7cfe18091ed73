"""Tests of checks of an interaction from its create to its deletion."""
