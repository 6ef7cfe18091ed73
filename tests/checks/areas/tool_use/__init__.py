"""Tests of checks of functions, their results and searches."""
