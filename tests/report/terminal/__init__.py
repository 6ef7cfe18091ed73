"""Tests of `harness.report.terminal`."""
