"""Tests of `harness.cassette.redaction`."""
