"""Tests of `harness.outcome`: rules, findings and verdicts."""
