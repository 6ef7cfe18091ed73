"""Tests of `harness.cassette.replay`."""
