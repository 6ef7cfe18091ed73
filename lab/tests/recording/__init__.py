"""Tests of the recording of scenarios."""
