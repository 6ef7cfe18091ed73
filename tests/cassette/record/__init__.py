"""Tests of `harness.cassette.record`."""
