"""Tests of generated defects."""
