"""Tests of recordings: file format, redaction, matching, player."""
