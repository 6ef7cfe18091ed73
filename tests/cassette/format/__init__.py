"""Tests of `harness.cassette.format`."""
