"""Tests of `harness.cassette`: file format, redaction, matching, player."""
