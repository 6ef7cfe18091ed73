"""Tests of the carriers and drivers; `endings_table` holds them all to the same facts."""
