"""Tests of the carriers and drivers; all of them are tested against the same `endings_table`."""
